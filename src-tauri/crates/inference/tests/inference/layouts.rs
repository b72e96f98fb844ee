//! Folders as they are published: what is recognised, what is read, what is left alone, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nuthatch_engine::{Cancel, Reranker};
use nuthatch_inference::store::{ImportError, hash_folder};
use nuthatch_inference::{CrossEncoder, Kind, LoadError, LoadOptions, ModelStore, StoreOptions, load_reranker};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Reference, entry, models, on_cpu};

/// A copy of a tiny model, under any name, to be changed.
fn copy(model: &str, parent: &Path, name: &str) -> PathBuf {
    let (from, to) = (models().join("tiny").join(model), parent.join(name));
    for file in hash_folder(&from).expect("hashes") {
        let target = to.join(&file.name);
        fs::create_dir_all(target.parent().expect("has a folder")).expect("creates");
        fs::copy(from.join(&file.name), target).expect("copies");
    }
    to
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(file).expect("reads")).expect("JSON");
    change(&mut value);
    fs::write(file, value.to_string()).expect("writes");
}

/// A store that knows two published models, with a calibration for each, that differ only in depth.
fn store(data: &TempDir) -> ModelStore {
    let shipped = data.path().join("shipped");
    fs::create_dir_all(&shipped).expect("creates");
    let model = |name: &str, layers: usize| {
        format!(
            "[[model]]\nname = \"cross-encoder/{name}\"\nkind = \"cross-encoder\"\nlicence = \"Apache-2.0\"\n\
             architecture = \"BertForSequenceClassification\"\nrepo = \"cross-encoder/{name}\"\nrevision = \"c5ee24cb\"\n\
             window = 48\nshape = {{ layers = {layers}, width = 32, words = 403 }}\n\
             calibration = {{ slope = 0.5, offset = -1.0 }}\n"
        )
    };
    let manifest = model("ms-marco-MiniLM-L6-v2", 2) + &model("ms-marco-MiniLM-L12-v2", 4);
    fs::write(shipped.join("manifest.toml"), manifest).expect("writes");
    let data_dir = data.path().join("data");
    ModelStore::open(StoreOptions { shipped: Some(shipped), data_dir }).expect("opens")
}

#[test]
fn a_published_folder_is_known_by_its_name_and_keeps_what_the_manifest_says() {
    for name in ["ms-marco-MiniLM-L6-v2", "cross-encoder--ms-marco-MiniLM-L6-v2"] {
        let data = tempfile::tempdir().expect("a folder");
        let folder = copy("bert-cross", data.path(), name);
        let mut store = store(&data);
        assert_eq!(store.import(&folder).expect("imports"), "cross-encoder/ms-marco-MiniLM-L6-v2");
        let (_, entry) = store.find(Kind::CrossEncoder, Some("cross-encoder/ms-marco-MiniLM-L6-v2")).expect("is there");
        assert_eq!((entry.window, entry.calibration.slope), (48, 0.5), "{name}");
        let again = store.import(&folder).expect_err("is there already");
        assert!(matches!(again, ImportError::Exists { .. }), "{again:?}");

        let model = load_reranker(&store, Some("cross-encoder/ms-marco-MiniLM-L6-v2"), &LoadOptions::default());
        let calibration = model.expect("loads").calibration();
        assert_eq!((calibration.slope, calibration.offset), (0.5, -1.0));
    }
}

#[test]
fn a_folder_of_the_published_name_with_another_model_is_not_taken_for_it() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("bert-cross", data.path(), "ms-marco-MiniLM-L12-v2");
    let error = store(&data).import(&folder).expect_err("has another depth");
    assert!(matches!(error, ImportError::NotPublished { .. }), "{error:?}");
    let own = copy("bert-cross", data.path(), "my-own");
    assert_eq!(store(&data).import(&own).expect("imports"), "my-own");
}

#[test]
fn what_else_is_published_in_a_folder_is_left_there() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("ettin-cross", data.path(), "with-more");
    fs::create_dir_all(folder.join("onnx")).expect("creates");
    for extra in
        ["README.md", "pytorch_model.bin", "onnx/model.onnx", "flax_model.msgpack", "sentence_bert_config.json"]
    {
        fs::write(folder.join(extra), "not read").expect("writes");
    }
    let mut store = store(&data);
    assert_eq!(store.import(&folder).expect("imports"), "with-more");
    let (imported, entry) = store.find(Kind::CrossEncoder, Some("with-more")).expect("is there");
    assert_eq!(entry.files.len(), 12, "{:?}", entry.files);
    for extra in ["README.md", "pytorch_model.bin", "onnx"] {
        assert!(!imported.join(extra).exists(), "{extra} was copied");
    }
    load_reranker(&store, Some("with-more"), &LoadOptions::default()).expect("loads");
}

/// Cuts `model.safetensors` in two, as large models are published.
fn shard(folder: &Path) {
    let whole = folder.join("model.safetensors");
    let bytes = fs::read(&whole).expect("reads");
    let tensors = SafeTensors::deserialize(&bytes).expect("parses");
    let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
    names.sort();
    let mut map = BTreeMap::new();
    for (i, half) in names.chunks(names.len().div_ceil(2)).enumerate() {
        let shard = format!("model-{:05}-of-00002.safetensors", i + 1);
        let views = half.iter().map(|name| (name.clone(), tensors.tensor(name).expect("is there")));
        fs::write(folder.join(&shard), safetensors::serialize(views, None).expect("serialises")).expect("writes");
        map.extend(half.iter().map(|name| (name.clone(), shard.clone())));
    }
    let index = json!({ "metadata": { "total_size": bytes.len() }, "weight_map": map });
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).expect("writes");
    fs::remove_file(whole).expect("removes");
}

#[test]
fn weights_in_shards_score_as_whole_ones_do() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("xlmr-cross", data.path(), "in-shards");
    shard(&folder);
    let mut store = store(&data);
    store.import(&folder).expect("imports");
    let (imported, entry) = store.find(Kind::CrossEncoder, Some("in-shards")).expect("is there");
    assert_eq!(entry.files.len(), 5, "{:?}", entry.files);
    let options = on_cpu(nuthatch_inference::Precision::F32);
    let model = CrossEncoder::load(&imported, &entry, &options).expect("loads");
    for case in Reference::read(&models().join("tiny/xlmr-cross")).cases {
        let scores = model.score(&case.query, &[&case.passage], &Cancel::new()).expect("scores");
        assert!((scores[0] - case.logit).abs() < 2e-4, "{} against {}", scores[0], case.logit);
    }
    fs::remove_file(imported.join("model-00002-of-00002.safetensors")).expect("removes");
    let error = store.verify("in-shards").expect_err("has lost a shard");
    assert!(error.to_string().contains("in-shards"), "{error}");
}

fn refused(folder: &Path) -> (LoadError, String) {
    let Err(error) = CrossEncoder::load(folder, &entry(Kind::CrossEncoder, 64), &LoadOptions::default()) else {
        panic!("{} loaded", folder.display());
    };
    let message = error.to_string();
    assert!(message.contains(folder.to_str().expect("a path")), "{message:?} does not name the folder");
    (error, message)
}

#[test]
fn pickled_weights_are_refused_with_a_way_out() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("bert-cross", data.path(), "old");
    fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin")).expect("renames");
    let (error, message) = refused(&folder);
    assert!(matches!(error, LoadError::Pickled { .. }), "{error:?}");
    assert!(message.contains("model.safetensors") && message.contains("save_pretrained"), "{message}");
}

#[test]
fn a_tokenizer_of_the_older_kind_is_refused_with_a_way_out() {
    for older in ["vocab.txt", "sentencepiece.bpe.model"] {
        let data = tempfile::tempdir().expect("a folder");
        let folder = copy("bert-cross", data.path(), "old");
        fs::rename(folder.join("tokenizer.json"), folder.join(older)).expect("renames");
        let (error, message) = refused(&folder);
        assert!(matches!(error, LoadError::OldTokenizer { .. }), "{error:?}");
        assert!(message.contains(older) && message.contains("AutoTokenizer"), "{message}");
    }
}

#[test]
fn an_index_that_leads_out_of_the_folder_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("bert-cross", data.path(), "wicked");
    shard(&folder);
    for outside in ["../model.safetensors", "/etc/passwd", "..\\model.safetensors"] {
        change(&folder.join("model.safetensors.index.json"), |index| {
            index["weight_map"]["classifier.bias"] = json!(outside);
        });
        let (error, _) = refused(&folder);
        assert!(matches!(error, LoadError::OutsideFolder { .. }), "{error:?}");
    }
}

#[test]
fn a_score_that_is_no_logit_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    for (key, value) in [
        ("sentence_transformers", json!({ "activation_fn": "torch.nn.modules.activation.Softmax" })),
        ("sbert_ce_default_activation_function", json!("torch.nn.modules.activation.Tanh")),
    ] {
        let folder = copy("xlmr-cross", data.path(), key);
        change(&folder.join("config.json"), |config| config[key] = value);
        let (error, _) = refused(&folder);
        assert!(matches!(error, LoadError::Unsupported { setting: "activation_fn", .. }), "{error:?}");
    }
    let folder = copy("ettin-cross", data.path(), "modular");
    change(&folder.join("config_sentence_transformers.json"), |settings| {
        settings["activation_fn"] = json!("torch.nn.modules.activation.Tanh");
    });
    assert!(matches!(refused(&folder).0, LoadError::Unsupported { setting: "activation_fn", .. }));
}

#[test]
fn a_classifier_of_several_labels_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = copy("bert-cross", data.path(), "nli");
    change(&folder.join("config.json"), |config| config["id2label"] = json!({ "0": "no", "1": "maybe", "2": "yes" }));
    assert!(matches!(refused(&folder).0, LoadError::Unsupported { setting: "id2label", .. }));
}

#[test]
fn a_head_that_would_be_computed_wrongly_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let spoilt: [(&str, &str, &str, Value, &str); 6] = [
        ("residual", "2_Dense/config.json", "/use_residual", json!(true), "use_residual"),
        ("activation", "2_Dense/config.json", "/activation_function", json!("torch.nn.SELU"), "activation_function"),
        ("labels", "4_Dense/config.json", "/out_features", json!(3), "out_features"),
        ("no-score", "4_Dense/config.json", "/module_output_name", json!("sentence_embedding"), "type"),
        ("pooling", "1_Pooling/config.json", "/pooling_mode", json!("max"), "pooling_mode"),
        ("step", "modules.json", "/3/type", json!("sentence_transformers.models.Dropout"), "type"),
    ];
    for (name, file, pointer, value, setting) in spoilt {
        let folder = copy("ettin-cross", data.path(), name);
        change(&folder.join(file), |json| match json.pointer_mut(pointer) {
            Some(old) => *old = value,
            None => json[&pointer[1..]] = value,
        });
        let (error, message) = refused(&folder);
        assert!(matches!(error, LoadError::Unsupported { .. }), "{name}: {error:?}");
        assert!(message.contains(setting), "{name}: {message}");
    }
    let folder = copy("ettin-cross", data.path(), "swapped");
    change(&folder.join("modules.json"), |modules| modules.as_array_mut().expect("a list").swap(2, 4));
    assert!(matches!(refused(&folder).0, LoadError::Unsupported { .. }));
    let folder = copy("ettin-cross", data.path(), "astray");
    change(&folder.join("modules.json"), |modules| modules[2]["path"] = json!("../2_Dense"));
    assert!(matches!(refused(&folder).0, LoadError::OutsideFolder { .. }));
}
