//! Model folders, the reference numbers beside them, and what counts as agreement.

use std::path::{Path, PathBuf};

use nuthatch_engine::Calibration;
use nuthatch_inference::store::{Activation, Entry};
use nuthatch_inference::{DeviceChoice, Kind, LoadOptions, Pooling, Precision};
use serde::Deserialize;

pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models")
}

/// `reference.json`: what `transformers` and `sentence-transformers` computed in f32 from the same folder.
#[derive(Deserialize)]
pub struct Reference {
    pub max_length: usize,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub passage: String,
    pub ids: Vec<u32>,
    #[serde(default)]
    pub embedding: Vec<f32>,
    #[serde(default)]
    pub logit: f32,
    /// The result of sentence-transformers' `CrossEncoder.predict`.
    pub score: Option<f32>,
}

impl Reference {
    pub fn read(folder: &Path) -> Self {
        let file = folder.join("reference.json");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    }
}

/// How far numbers may be from the reference.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Least cosine between two vectors.
    pub cosine: f32,
    /// Greatest difference of two numbers.
    pub absolute: f32,
}

/// The order of sums differs, and the stored numbers are rounded to six digits.
pub const F32: Tolerance = Tolerance { cosine: 0.999_99, absolute: 2e-4 };

pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// An entry without prefixes, which lowers text in capitals.
pub fn entry(kind: Kind, window: usize) -> Entry {
    Entry {
        name: "under-test".to_owned(),
        kind,
        architecture: String::new(),
        repo: None,
        revision: None,
        folder: None,
        aliases: Vec::new(),
        shape: None,
        licence: String::new(),
        dimensions: None,
        window,
        question_window: None,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        pooling: Pooling::Mean,
        activation: Activation::Sigmoid,
        default: false,
        lowers_capitals: true,
        calibration: Calibration::default(),
        first_stage: None,
        chinese: None,
        pairs: Vec::new(),
        files: Vec::new(),
    }
}

pub fn on_cpu(precision: Precision) -> LoadOptions {
    LoadOptions { device: DeviceChoice::Cpu, precision: Some(precision), threads: Some(2) }
}
