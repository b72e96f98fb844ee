//! Every way a model folder can be wrong has its own error, which names the file.

use std::fs;
use std::path::Path;

use nuthatch_engine::{Embedder, ModelError};
use nuthatch_inference::{BiEncoder, CrossEncoder, Kind, LoadError, Precision};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{entry, models, on_cpu};

/// A copy of the tiny bi-encoder, to be spoilt.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(models().join("tiny/bert-bi").join(name), folder.path().join(name)).expect("copies");
    }
    folder
}

fn load(folder: &Path) -> LoadError {
    let entry = entry(Kind::BiEncoder, 64);
    match BiEncoder::load(folder, &entry, &on_cpu(Precision::F32)) {
        Ok(_) => panic!("{} loaded", folder.display()),
        Err(e) => e,
    }
}

/// Loads the folder after `spoil`; the message must name `file`, and is returned with the error.
fn spoilt(file: &str, spoil: impl FnOnce(&Path)) -> (LoadError, String) {
    let folder = copy();
    spoil(folder.path());
    let error = load(folder.path());
    let message = error.to_string();
    let path = folder.path().join(file).display().to_string();
    assert!(message.contains(&path), "{message:?} does not name {path}");
    (error, message)
}

fn configured(key: &str, value: Value) -> impl FnOnce(&Path) {
    let key = key.to_owned();
    move |folder| {
        let file = folder.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&file).expect("reads")).expect("JSON");
        config[key] = value;
        fs::write(file, config.to_string()).expect("writes");
    }
}

/// Rewrites one tensor's bytes.
fn rewritten(tensor: &str, change: impl Fn(&mut Vec<u8>)) -> impl FnOnce(&Path) {
    move |folder| {
        let file = folder.join("model.safetensors");
        let bytes = fs::read(&file).expect("reads");
        let tensors = SafeTensors::deserialize(&bytes).expect("parses");
        let mut all: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> =
            tensors.tensors().into_iter().map(|(n, t)| (n, t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect();
        all.iter_mut().filter(|t| t.0 == tensor).for_each(|t| change(&mut t.3));
        let views = all.iter().map(|(n, d, s, b)| (n.clone(), TensorView::new(*d, s.clone(), b).expect("a view")));
        fs::write(&file, safetensors::serialize(views, None).expect("serialises")).expect("writes");
    }
}

#[test]
fn a_missing_folder() {
    let error = load(Path::new("/nowhere/model"));
    assert!(matches!(error, LoadError::NoFolder { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere/model"));
}

#[test]
fn a_missing_file() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let (error, _) = spoilt(file, |folder| fs::remove_file(folder.join(file)).expect("removes"));
        assert!(matches!(error, LoadError::NoFile { .. }), "{error:?}");
    }
}

#[test]
fn weights_cut_off() {
    let (error, _) = spoilt("model.safetensors", |folder| {
        let file = folder.join("model.safetensors");
        let bytes = fs::read(&file).expect("reads");
        fs::write(file, &bytes[..bytes.len() / 2]).expect("writes");
    });
    assert!(matches!(error, LoadError::Weights { .. }), "{error:?}");
}

#[test]
fn a_config_that_is_not_json() {
    let (error, _) = spoilt("config.json", |folder| fs::write(folder.join("config.json"), "<html>").expect("writes"));
    assert!(matches!(error, LoadError::Config { .. }), "{error:?}");
}

#[test]
fn a_tokenizer_that_is_none() {
    let (error, _) = spoilt("tokenizer.json", |folder| fs::write(folder.join("tokenizer.json"), "{}").expect("writes"));
    assert!(matches!(error, LoadError::Tokenizer { .. }), "{error:?}");
}

#[test]
fn a_tokenizer_of_another_model() {
    let (error, _) = spoilt("tokenizer.json", |folder| {
        let file = folder.join("tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(&file).expect("reads")).expect("JSON");
        tokenizer["model"]["vocab"]["nuthatch"] = json!(403);
        fs::write(file, tokenizer.to_string()).expect("writes");
    });
    assert!(matches!(error, LoadError::TokenizerDoesNotFit { highest_id: 403, rows: 403, .. }), "{error:?}");
}

#[test]
fn an_unknown_architecture() {
    for (key, value) in [("architectures", json!(["GPT2Model"])), ("model_type", json!("modernbert"))] {
        let (error, _) = spoilt("config.json", configured(key, value));
        assert!(matches!(error, LoadError::UnknownArchitecture { .. }), "{error:?}");
    }
}

#[test]
fn settings_that_cannot_be_run() {
    for (key, value) in [
        ("hidden_act", json!("silu")),
        ("position_embedding_type", json!("relative_key")),
        ("num_attention_heads", json!(5)),
        ("num_attention_heads", json!(0)),
        ("num_hidden_layers", json!(0)),
        ("intermediate_size", json!(0)),
        ("max_position_embeddings", json!(2)),
    ] {
        let (error, message) = spoilt("config.json", configured(key, value));
        assert!(matches!(error, LoadError::Unsupported { .. }), "{error:?}");
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn a_tensor_of_another_shape() {
    let (error, message) = spoilt("model.safetensors", configured("intermediate_size", json!(96)));
    assert!(matches!(error, LoadError::WrongShape { .. }), "{error:?}");
    assert!(message.contains("[64, 32]") && message.contains("[96, 32]"), "{message}");
}

#[test]
fn a_tensor_that_is_not_there() {
    let (error, message) = spoilt("model.safetensors", configured("num_hidden_layers", json!(3)));
    assert!(matches!(error, LoadError::NoTensor { .. }), "{error:?}");
    assert!(message.contains("encoder.layer.2."), "{message}");
}

#[test]
fn weights_that_are_not_numbers() {
    const TENSOR: &str = "encoder.layer.1.output.dense.weight";
    let spoil = rewritten(TENSOR, |bytes| bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    let (error, message) = spoilt("model.safetensors", spoil);
    assert!(matches!(error, LoadError::NotFinite { .. }), "{error:?}");
    assert!(message.contains(TENSOR), "{message}");
}

/// Weights that are finite but overflow in computation: in every precision that is an error and never a vector.
#[test]
fn weights_that_overflow_are_an_error_in_every_arithmetic() {
    let huge = |bytes: &mut Vec<u8>| {
        for number in bytes.as_chunks_mut::<4>().0 {
            *number = f32::from_le_bytes(*number).signum().mul_add(3e38, 0.0).to_le_bytes();
        }
    };
    let layer = |name: &str| format!("encoder.layer.0.{name}.weight");
    let tensors = [
        "attention.self.query",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];
    for name in tensors.map(layer).into_iter().chain(["embeddings.word_embeddings.weight".to_owned()]) {
        let folder = copy();
        rewritten(&name, huge)(folder.path());
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
            let loaded = BiEncoder::load(folder.path(), &entry(Kind::BiEncoder, 64), &on_cpu(precision));
            if matches!(loaded, Err(LoadError::Precision { .. })) {
                continue;
            }
            let embedder = loaded.unwrap_or_else(|e| panic!("{name}, {precision:?}: {e}"));
            let vector = embedder.embed_query("undo a commit");
            assert!(matches!(vector, Err(ModelError::Failed { .. })), "{name}, {precision:?}: {vector:?}");
        }
    }
}

#[test]
fn a_model_of_the_other_kind() {
    let folder = models().join("tiny/bert-bi");
    let Err(error) = CrossEncoder::load(&folder, &entry(Kind::CrossEncoder, 64), &on_cpu(Precision::F32)) else {
        panic!("a bi-encoder loaded as a cross-encoder");
    };
    assert!(matches!(error, LoadError::WrongKind { found: Kind::BiEncoder, .. }), "{error:?}");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_this_build_does_not_have() {
    let options = nuthatch_inference::LoadOptions {
        device: nuthatch_inference::DeviceChoice::Cuda,
        ..nuthatch_inference::LoadOptions::default()
    };
    let Err(error) = BiEncoder::load(&models().join("tiny/bert-bi"), &entry(Kind::BiEncoder, 64), &options) else {
        panic!("ran on a device that is not there");
    };
    assert!(error.to_string().contains("`cuda` feature"), "{error}");
}
