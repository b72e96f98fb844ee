//! ModernBERT; `encoder/modern.rs` says how it differs from BERT.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::rotary_emb::rope;

use super::TensorLoadError;
use super::parts::{Linear, Loader, Norm, Padded, attend, heads};
use crate::Pooling;
use crate::batch::Batch;

pub struct ModernBert {
    device: Device,
    dtype: DType,
    words: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    final_norm: Norm,
    n_heads: usize,
    pooling: Pooling,
}

struct Layer {
    attention_norm: Option<Norm>,
    projection: Linear,
    /// Cosines and sines of the rotary positions, `window x dim / 2` each.
    cosines: Tensor,
    sines: Tensor,
    reach: Option<usize>,
    output: Linear,
    norm: Norm,
    up: Linear,
    down: Linear,
}

impl ModernBert {
    pub fn load(loader: &Loader<'_>, pooling: Pooling, window: usize) -> std::result::Result<Self, TensorLoadError> {
        let (config, bias) = (loader.config, loader.config.modern().norm_bias);
        Ok(Self {
            words: loader.table("embeddings.tok_embeddings.weight", config.vocab_size)?,
            norm: loader.norm("embeddings.norm", bias)?,
            layers: (0..config.num_hidden_layers)
                .map(|i| Layer::load(loader, i, window))
                .collect::<std::result::Result<_, _>>()?,
            final_norm: loader.norm("final_norm", bias)?,
            n_heads: config.num_attention_heads,
            pooling,
            device: loader.device.clone(),
            dtype: loader.dtype,
        })
    }

    /// See [`super::TensorEncoder::pooled`].
    pub fn pooled(&self, batch: &Batch) -> Result<Vec<f32>> {
        let padded = Padded::new(batch, &self.device);
        let mut hidden = self.norm.apply(&padded.embed(&self.words, &batch.ids)?)?;
        let all = padded.mask(self.dtype)?;
        // All local layers of a model reach equally far, so one mask serves them all.
        let reach = self.layers.iter().find_map(|layer| layer.reach);
        let near = match reach {
            Some(reach) if padded.longest > reach + 1 => padded.mask_near(reach, self.dtype)?,
            _ => all.clone(),
        };
        for layer in &self.layers {
            let mask = if layer.reach.is_some() { &near } else { &all };
            hidden = layer.forward(&hidden, mask, self.n_heads)?;
        }
        padded.pool(&self.final_norm.apply(&hidden)?, self.pooling)
    }
}

impl Layer {
    fn load(loader: &Loader<'_>, index: usize, window: usize) -> std::result::Result<Self, TensorLoadError> {
        let (config, modern) = (loader.config, loader.config.modern());
        let (hidden, wide, half) = (config.hidden_size, config.intermediate_size, config.head_dim() / 2);
        let at = |name: &str| format!("layers.{index}.{name}");
        let (theta, dim) = (modern.theta(index), config.head_dim() as f64);
        let angle = |place: usize, i: usize| place as f64 * theta.powf(-2.0 * i as f64 / dim);
        let angles = || (0..window).flat_map(|place| (0..half).map(move |i| (place, i)));
        let table = |of: fn(f64) -> f64| {
            loader.tensor(angles().map(|(place, i)| of(angle(place, i)) as f32).collect(), &[window, half])
        };
        Ok(Self {
            attention_norm: match index {
                0 => None,
                _ => Some(loader.norm(&at("attn_norm"), modern.norm_bias)?),
            },
            projection: loader.linear(&[at("attn.Wqkv")], [3 * hidden, hidden], modern.attention_bias)?,
            cosines: table(f64::cos)?,
            sines: table(f64::sin)?,
            reach: modern.reach(index),
            output: loader.linear(&[at("attn.Wo")], [hidden, hidden], modern.attention_bias)?,
            norm: loader.norm(&at("mlp_norm"), modern.norm_bias)?,
            up: loader.linear(&[at("mlp.Wi")], [2 * wide, hidden], modern.mlp_bias)?,
            down: loader.linear(&[at("mlp.Wo")], [hidden, wide], modern.mlp_bias)?,
        })
    }

    fn forward(&self, hidden: &Tensor, mask: &Tensor, n_heads: usize) -> Result<Tensor> {
        let (_, tokens, width) = hidden.dims3()?;
        let normed = match &self.attention_norm {
            Some(norm) => norm.apply(hidden)?,
            None => hidden.clone(),
        };
        let projected = self.projection.apply(&normed)?;
        let (cosines, sines) = (self.cosines.narrow(0, 0, tokens)?, self.sines.narrow(0, 0, tokens)?);
        let turned = |i| rope(&heads(&projected, i, width, n_heads)?, &cosines, &sines);
        let attended = attend(&turned(0)?, &turned(1)?, &heads(&projected, 2, width, n_heads)?, mask)?;
        let hidden = (hidden + self.output.apply(&attended)?)?;
        let both = self.up.apply(&self.norm.apply(&hidden)?)?;
        let wide = both.dim(D::Minus1)? / 2;
        let (values, gates) = (both.narrow(D::Minus1, 0, wide)?, both.narrow(D::Minus1, wide, wide)?);
        let update = self.down.apply(&(values.contiguous()?.gelu_erf()? * gates)?.contiguous()?)?;
        hidden + update
    }
}
