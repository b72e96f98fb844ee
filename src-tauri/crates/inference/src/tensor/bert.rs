//! BERT and XLM-RoBERTa.

use candle_core::{DType, Device, Result, Tensor};

use super::TensorLoadError;
use super::parts::{Linear, Loader, Norm, Padded, attend, heads};
use crate::Pooling;
use crate::batch::Batch;

pub struct Bert {
    device: Device,
    dtype: DType,
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    n_types: u32,
    first_position: usize,
    norm: Norm,
    layers: Vec<Layer>,
    n_heads: usize,
    pooling: Pooling,
}

struct Layer {
    projection: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

impl Bert {
    pub fn load(loader: &Loader<'_>, pooling: Pooling) -> std::result::Result<Self, TensorLoadError> {
        let config = loader.config;
        Ok(Self {
            words: loader.table("embeddings.word_embeddings.weight", config.vocab_size)?,
            positions: loader.table("embeddings.position_embeddings.weight", config.max_position_embeddings)?,
            types: loader.table("embeddings.token_type_embeddings.weight", config.token_types())?,
            n_types: u32::try_from(config.token_types()).unwrap_or(u32::MAX),
            first_position: config.first_position(),
            norm: loader.norm("embeddings.LayerNorm", true)?,
            layers: (0..config.num_hidden_layers)
                .map(|i| Layer::load(loader, i))
                .collect::<std::result::Result<_, _>>()?,
            n_heads: config.num_attention_heads,
            pooling,
            device: loader.device.clone(),
            dtype: loader.dtype,
        })
    }

    /// See [`super::TensorEncoder::pooled`].
    pub fn pooled(&self, batch: &Batch) -> Result<Vec<f32>> {
        let padded = Padded::new(batch, &self.device);
        let kinds: Vec<u32> = batch.types.iter().map(|t| (*t).min(self.n_types - 1)).collect();
        let words = padded.embed(&self.words, &batch.ids)?;
        let kinds = padded.embed(&self.types, &kinds)?;
        let positions = self.positions.narrow(0, self.first_position, padded.longest)?;
        let mut hidden = self.norm.apply(&(words + kinds)?.broadcast_add(&positions)?)?;
        let mask = padded.mask(self.dtype)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, &mask, self.n_heads)?;
        }
        padded.pool(&hidden, self.pooling)
    }
}

impl Layer {
    fn load(loader: &Loader<'_>, index: usize) -> std::result::Result<Self, TensorLoadError> {
        let (hidden, wide) = (loader.config.hidden_size, loader.config.intermediate_size);
        let at = |name: &str| format!("encoder.layer.{index}.{name}");
        let three = ["query", "key", "value"].map(|name| at(&format!("attention.self.{name}")));
        Ok(Self {
            projection: loader.linear(&three, [hidden, hidden], true)?,
            output: loader.linear(&[at("attention.output.dense")], [hidden, hidden], true)?,
            attention_norm: loader.norm(&at("attention.output.LayerNorm"), true)?,
            up: loader.linear(&[at("intermediate.dense")], [wide, hidden], true)?,
            down: loader.linear(&[at("output.dense")], [hidden, wide], true)?,
            norm: loader.norm(&at("output.LayerNorm"), true)?,
        })
    }

    fn forward(&self, hidden: &Tensor, mask: &Tensor, n_heads: usize) -> Result<Tensor> {
        let width = hidden.dim(2)?;
        let projected = self.projection.apply(hidden)?;
        let part = |i| heads(&projected, i, width, n_heads);
        let attended = attend(&part(0)?, &part(1)?, &part(2)?, mask)?;
        let hidden = self.attention_norm.apply(&(hidden + self.output.apply(&attended)?)?)?;
        let update = self.down.apply(&self.up.apply(&hidden)?.gelu_erf()?)?;
        self.norm.apply(&(hidden + update)?)
    }
}
