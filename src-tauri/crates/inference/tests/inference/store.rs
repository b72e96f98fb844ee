//! The store: what it lists, finds, verifies and imports.

use std::fs;
use std::path::Path;

use nuthatch_engine::Embedder;
use nuthatch_inference::store::{ImportError, Place};
use nuthatch_inference::{Kind, LoadError, LoadOptions, ModelStore, StoreOptions, load_embedder};

use crate::common::models;

fn open(data_dir: &Path) -> ModelStore {
    ModelStore::open(StoreOptions { shipped: Some(models()), data_dir: data_dir.to_owned() }).expect("opens")
}

#[test]
fn the_manifest_has_one_default_of_each_kind_and_pins_every_revision() {
    let data = tempfile::tempdir().expect("a folder");
    let store = open(data.path());
    let list = store.list();
    for kind in [Kind::BiEncoder, Kind::CrossEncoder] {
        assert_eq!(list.iter().filter(|m| m.kind == kind && m.default).count(), 1, "defaults that are a {kind}");
    }
    let text = fs::read_to_string(models().join("manifest.toml")).expect("reads");
    assert_eq!(text.matches("\nrepo = ").count(), text.matches("\nrevision = ").count());
}

#[test]
fn shipped_models_match_their_sums() {
    let data = tempfile::tempdir().expect("a folder");
    let store = open(data.path());
    for model in store.list() {
        if let Place::Shipped { .. } = model.place {
            for check in store.verify(&model.name).expect("verifies") {
                assert!(check.is_right(), "{check:?}");
            }
        }
    }
}

#[test]
fn an_absent_model_says_how_to_get_it() {
    let data = tempfile::tempdir().expect("a folder");
    let store = open(data.path());
    let error = store.find(Kind::BiEncoder, Some("multilingual-e5-small")).expect_err("is not here");
    assert!(error.to_string().contains("nuthatch models fetch multilingual-e5-small"), "{error}");
    let error = store.find(Kind::BiEncoder, Some("no-such-model")).expect_err("is unknown");
    assert!(matches!(error, LoadError::UnknownModel { .. }), "{error:?}");
}

#[test]
fn an_imported_model_is_listed_and_loads_after_reopening() {
    let data = tempfile::tempdir().expect("a folder");
    let mut store = open(data.path());
    assert_eq!(store.import(&models().join("tiny/bert-bi")).expect("imports"), "bert-bi");
    let again = store.import(&models().join("tiny/bert-bi")).expect_err("is there already");
    assert!(matches!(again, ImportError::Exists { .. }), "{again:?}");

    let store = open(data.path());
    let info = store.list().into_iter().find(|m| m.name == "bert-bi").expect("is listed");
    assert!(matches!(info.place, Place::Local { .. }), "{info:?}");
    assert!(info.size_bytes > 100_000);
    assert!(store.verify("bert-bi").expect("verifies").iter().all(|c| c.expected.is_some() && c.is_right()));
    let model = load_embedder(&store, Some("bert-bi"), &LoadOptions::default()).expect("loads");
    assert!(model.id().starts_with("bert-bi@") && model.id().len() == "bert-bi@".len() + 12, "{}", model.id());
    assert_eq!(model.dimensions(), 32);
}

#[test]
fn a_folder_that_is_no_model_leaves_no_trace() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(models().join("tiny/bert-bi/config.json"), folder.path().join("config.json")).expect("copies");
    let error = open(data.path()).import(folder.path()).expect_err("is no model");
    assert!(matches!(error, ImportError::Load(LoadError::NoFile { .. })), "{error:?}");
    assert!(!data.path().join("models").exists());
}

#[test]
fn a_damaged_model_does_not_verify() {
    let data = tempfile::tempdir().expect("a folder");
    let mut store = open(data.path());
    store.import(&models().join("tiny/bert-cross")).expect("imports");
    let (folder, _) = store.find(Kind::CrossEncoder, Some("bert-cross")).expect("is there");
    let file = folder.join("model.safetensors");
    let mut bytes = fs::read(&file).expect("reads");
    *bytes.last_mut().expect("is not empty") ^= 1;
    fs::write(&file, bytes).expect("writes");
    let checks = store.verify("bert-cross").expect("verifies");
    let wrong: Vec<_> = checks.iter().filter(|c| !c.is_right()).map(|c| c.file.clone()).collect();
    assert_eq!(wrong, [file]);
}

#[test]
fn a_spoilt_import_leaves_the_others_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let mut store = open(data.path());
    store.import(&models().join("tiny/bert-bi")).expect("imports");
    let before = store.list().len();
    fs::write(data.path().join("models/bert-bi/model.toml"), "name = ").expect("writes");
    assert_eq!(open(data.path()).list().len(), before - 1);
}
