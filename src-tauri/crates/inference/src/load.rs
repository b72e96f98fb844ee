//! Loads a model by its name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::store::{Chinese, ModelStore};
use crate::{BiEncoder, CrossEncoder, DeviceChoice, LoadError};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Turns a text into a vector.
    BiEncoder,
    /// Turns a question and a passage into a score.
    CrossEncoder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BiEncoder => "bi-encoder",
            Self::CrossEncoder => "cross-encoder",
        })
    }
}

/// How the states of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    #[default]
    Mean,
    /// The first token's, `[CLS]` or `<s>`.
    First,
}

/// Number format of the linear layers on the CPU. A GPU computes in f16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    /// Weights and activations of 8 significant bits, sums in f32. Only on x86 with AVX-512 BF16.
    Bf16,
    /// Weights are rounded to 8 bits with a scale for each output channel, except for a few outliers. Activations are
    /// rounded to 8 bits with a scale for each row; everything else is in f32. On x86 without VNNI activations are
    /// rounded to 13 bits or more, which takes no longer there.
    #[default]
    Int8,
}

impl Precision {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    pub device: DeviceChoice,
    /// On the CPU; `None` is [`Precision::default`].
    pub precision: Option<Precision>,
    /// CPU threads; `None` is one per core.
    pub threads: Option<usize>,
}

/// The bi-encoder of that name, or the store's default.
pub fn load_embedder(store: &ModelStore, name: Option<&str>, options: &LoadOptions) -> Result<BiEncoder, LoadError> {
    let (folder, entry) = store.find(Kind::BiEncoder, name)?;
    let model = BiEncoder::load(&folder, &entry, options)?;
    let Some(Chinese { model: name, weight }) = &entry.chinese else { return Ok(model) };
    let (folder, entry) = store.find(Kind::BiEncoder, Some(name))?;
    Ok(model.with_chinese(BiEncoder::load(&folder, &entry, options)?, *weight))
}

/// The cross-encoder of that name, or the store's default.
pub fn load_reranker(store: &ModelStore, name: Option<&str>, options: &LoadOptions) -> Result<CrossEncoder, LoadError> {
    let (folder, entry) = store.find(Kind::CrossEncoder, name)?;
    CrossEncoder::load(&folder, &entry, options)
}
