//! `manifest.toml`: every model Nuthatch knows, and `model.toml`: one model beside its files.

use std::path::Path;

use nuthatch_engine::{Blend, Calibration, FirstStage};
use serde::{Deserialize, Serialize};

use super::FILES;
use crate::{Kind, LoadError, Pooling, files, weights};

/// Lists the known models; lies beside `builtin/`.
pub const MANIFEST: &str = "manifest.toml";

/// Lies in the folder of a fetched or imported model; has the same keys as an entry of the manifest.
pub const ENTRY: &str = "model.toml";

/// How the score of a cross-encoder becomes a probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The score is a logit; its sigmoid is the probability.
    #[default]
    Sigmoid,
    /// The score is a probability already.
    Identity,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    pub name: String,
    /// Lower-case hexadecimal. Absent if nobody could compute it yet; a download then records the sum it computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// Sizes that must agree with `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub layers: usize,
    /// Length of a token's vector.
    pub width: usize,
    /// Rows of the word embeddings.
    pub words: usize,
}

/// See [`BiEncoder::with_chinese`](crate::BiEncoder::with_chinese).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chinese {
    /// Name of a model of the manifest.
    pub model: String,
    pub weight: f32,
}

/// A cross-encoder's blend with one bi-encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Name of the bi-encoder.
    pub embedder: String,
    pub blend: Blend,
}

/// Everything about a model that its own files do not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub kind: Kind,
    /// The class name that publishers put into `config.json`.
    pub architecture: String,
    /// Where it is published, `owner/name` on Hugging Face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Other names it has been published under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The commit that is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Folder of a model that ships with Nuthatch, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    pub licence: String,
    /// Distinguishes a published model from others of its architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Length of a bi-encoder's vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Number of tokens that the model reads at once, special ones included.
    pub window: usize,
    /// Most tokens of a question that are read. Set if the model was trained on questions shorter than its window, or
    /// if longer ones are not worth the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_window: Option<usize>,
    #[serde(default)]
    pub query_prefix: String,
    #[serde(default)]
    pub passage_prefix: String,
    #[serde(default)]
    pub pooling: Pooling,
    #[serde(default)]
    pub activation: Activation,
    /// Taken when no model of its kind is named.
    #[serde(default)]
    pub default: bool,
    /// Whether text in capitals is read in small letters (`capitals.rs`), as in training and in every measurement.
    #[serde(default)]
    pub lowers_capitals: bool,
    #[serde(default)]
    pub calibration: Calibration,
    /// For a bi-encoder: how cosines become probabilities before the cross-encoder has read anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_stage: Option<FirstStage>,
    /// For a bi-encoder: another one that reads Chinese passages in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chinese: Option<Chinese>,
    /// For a cross-encoder: how its scores are combined with the cosines of bi-encoders.
    #[serde(default, rename = "pair", skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<Pair>,
    #[serde(default, rename = "file")]
    pub files: Vec<ModelFile>,
}

impl Entry {
    /// Names of the model's files, relative to its folder: those listed, and those that every model needs.
    pub fn file_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.iter().map(|f| f.name.as_str()).collect();
        let in_shards = names.contains(&weights::INDEX);
        let needed = FILES.into_iter().filter(|name| !(in_shards && *name == weights::FILE));
        let missing: Vec<&str> = needed.filter(|name| !names.contains(name)).collect();
        names.extend(missing);
        names
    }

    /// Whether `name` is one of the model's names.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.repo.as_deref() == Some(name) || self.aliases.iter().any(|alias| alias == name)
    }

    /// Every name that the model may have on Hugging Face.
    pub fn repos(&self) -> impl Iterator<Item = &str> {
        self.repo.iter().chain(&self.aliases).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "model")]
    models: Vec<Entry>,
}

/// Reads the manifest in `folder`.
pub fn read_manifest(folder: &Path) -> Result<Vec<Entry>, LoadError> {
    Ok(parse::<Manifest>(&folder.join(MANIFEST))?.models)
}

/// Reads the `model.toml` in `folder`.
pub fn read_entry(folder: &Path) -> Result<Entry, LoadError> {
    parse(&folder.join(ENTRY))
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, LoadError> {
    let text = String::from_utf8_lossy(&files::read(file)?).into_owned();
    toml::from_str(&text).map_err(|source| LoadError::Manifest { file: file.to_owned(), source: Box::new(source) })
}
