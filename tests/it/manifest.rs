//! The models that ship are those the manifest describes.

use nuthatch_inference::store::Place;
use nuthatch_inference::{ModelStore, StoreOptions};

use crate::support::{files, root};

/// The most that the models in the source tree may take: cloning it has to stay a matter of minutes.
const MAX_BUILTIN_BYTES: u64 = 160_000_000;

#[test]
fn shipped_models_are_whole_and_have_the_sums_of_the_manifest() {
    let data = tempfile::tempdir().unwrap();
    let options = StoreOptions { shipped: Some(root().join("models")), data_dir: data.path().to_owned() };
    let store = ModelStore::open(options).unwrap();
    let shipped: Vec<_> =
        store.list().into_iter().filter(|model| matches!(model.place, Place::Shipped { .. })).collect();
    let defaults = shipped.iter().filter(|model| model.default).count();
    assert_eq!(defaults, 2, "a bi-encoder and a cross-encoder work from the first second: {shipped:?}");
    for model in shipped {
        for check in store.verify(&model.name).unwrap() {
            assert!(check.expected.is_some(), "{} has no sum in the manifest", check.file.display());
            assert!(check.is_right(), "{check:?}");
        }
    }
}

#[test]
fn shipped_models_stay_small() {
    let bytes: u64 = files(&root().join("models/builtin")).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= MAX_BUILTIN_BYTES, "models/builtin holds {bytes} bytes");
}
