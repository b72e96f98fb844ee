//! The same encoder in Candle's operations, for GPUs: texts of like length padded to the longest.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use crate::batch::Batch;
use crate::config::Config;
use crate::weights::Weights;
use crate::{LoadError, Pooling};

pub struct TensorEncoder {
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

struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

/// `weight` lies transposed, `inputs x outputs`, contiguous.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

struct Layer {
    projection: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// Puts tensors of one model on one device in one type.
struct Loader<'a> {
    weights: &'a Weights<'a>,
    config: &'a Config,
    device: &'a Device,
    dtype: DType,
}

/// A failure of the file, or of the device.
pub enum TensorLoadError {
    File(LoadError),
    Device(candle_core::Error),
}

impl From<LoadError> for TensorLoadError {
    fn from(e: LoadError) -> Self {
        Self::File(e)
    }
}

impl From<candle_core::Error> for TensorLoadError {
    fn from(e: candle_core::Error) -> Self {
        Self::Device(e)
    }
}

impl Loader<'_> {
    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_vec(values, shape, self.device)?.to_dtype(self.dtype)
    }

    fn table(&self, name: &str, rows: usize) -> std::result::Result<Tensor, TensorLoadError> {
        let shape = [rows, self.config.hidden_size];
        Ok(self.tensor(self.weights.body(name, &shape)?, &shape)?)
    }

    fn norm(&self, name: &str) -> std::result::Result<Norm, TensorLoadError> {
        let shape = [self.config.hidden_size];
        Ok(Norm {
            weight: self.tensor(self.weights.body(&format!("{name}.weight"), &shape)?, &shape)?,
            bias: self.tensor(self.weights.body(&format!("{name}.bias"), &shape)?, &shape)?,
            epsilon: self.config.layer_norm_eps as f32,
        })
    }

    /// Several layers over the same input, side by side.
    fn linear(&self, names: &[String], outputs: usize, inputs: usize) -> std::result::Result<Linear, TensorLoadError> {
        let (mut matrix, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            matrix.extend(self.weights.body(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend(self.weights.body(&format!("{name}.bias"), &[outputs])?);
        }
        let outputs = bias.len();
        Ok(Linear {
            weight: self.tensor(matrix, &[outputs, inputs])?.t()?.contiguous()?,
            bias: self.tensor(bias, &[outputs])?,
        })
    }

    fn layer(&self, index: usize) -> std::result::Result<Layer, TensorLoadError> {
        let (hidden, wide) = (self.config.hidden_size, self.config.intermediate_size);
        let at = |name: &str| format!("encoder.layer.{index}.{name}");
        let three = ["query", "key", "value"].map(|name| at(&format!("attention.self.{name}")));
        Ok(Layer {
            projection: self.linear(&three, hidden, hidden)?,
            output: self.linear(&[at("attention.output.dense")], hidden, hidden)?,
            attention_norm: self.norm(&at("attention.output.LayerNorm"))?,
            up: self.linear(&[at("intermediate.dense")], wide, hidden)?,
            down: self.linear(&[at("output.dense")], hidden, wide)?,
            norm: self.norm(&at("output.LayerNorm"))?,
        })
    }
}

impl TensorEncoder {
    /// `dtype` is f16 on a GPU; f32 on Candle's CPU device gives the numbers the CPU's own kernels are tested against.
    pub fn load(
        weights: &Weights<'_>,
        config: &Config,
        pooling: Pooling,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<Self, TensorLoadError> {
        let loader = Loader { weights, config, device, dtype };
        Ok(Self {
            words: loader.table("embeddings.word_embeddings.weight", config.vocab_size)?,
            positions: loader.table("embeddings.position_embeddings.weight", config.max_position_embeddings)?,
            types: loader.table("embeddings.token_type_embeddings.weight", config.type_vocab_size)?,
            n_types: u32::try_from(config.type_vocab_size).unwrap_or(u32::MAX),
            first_position: config.first_position(),
            norm: loader.norm("embeddings.LayerNorm")?,
            layers: (0..config.num_hidden_layers).map(|i| loader.layer(i)).collect::<std::result::Result<_, _>>()?,
            n_heads: config.num_attention_heads,
            pooling,
            device: device.clone(),
            dtype,
        })
    }

    /// As [`crate::encoder::Encoder::pooled`].
    pub fn pooled(&self, batch: &Batch) -> Result<Vec<f32>> {
        let (texts, longest) = (batch.rows.len(), batch.longest());
        let padded = |values: &[u32]| -> Result<Tensor> {
            let mut out = vec![0; texts * longest];
            for (rows, out) in batch.rows.iter().zip(out.chunks_exact_mut(longest)) {
                out[..rows.count].copy_from_slice(&values[rows.first..rows.first + rows.count]);
            }
            Tensor::from_vec(out, (texts, longest), &self.device)
        };
        let kinds: Vec<u32> = batch.types.iter().map(|t| (*t).min(self.n_types - 1)).collect();
        let words = embedding(&self.words, &padded(&batch.ids)?)?;
        let kinds = embedding(&self.types, &padded(&kinds)?)?;
        let positions = self.positions.narrow(0, self.first_position, longest)?;
        let mut hidden = self.norm.apply(&(words + kinds)?.broadcast_add(&positions)?)?;

        let present = |at: f32, gone: f32| -> Result<Tensor> {
            let mark = |count: usize| (0..longest).map(move |i| if i < count { at } else { gone });
            let marks: Vec<f32> = batch.rows.iter().flat_map(|rows| mark(rows.count)).collect();
            Tensor::from_vec(marks, (texts, longest), &self.device)
        };
        let mask = present(0.0, f32::NEG_INFINITY)?.to_dtype(self.dtype)?.reshape((texts, 1, 1, longest))?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, &mask, self.n_heads)?;
        }
        let hidden = hidden.to_dtype(DType::F32)?;
        let pooled = match self.pooling {
            Pooling::First => hidden.narrow(1, 0, 1)?.contiguous()?,
            Pooling::Mean => {
                let present = present(1.0, 0.0)?;
                let sums = hidden.broadcast_mul(&present.unsqueeze(2)?)?.sum(1)?;
                sums.broadcast_div(&present.sum_keepdim(1)?)?
            }
        };
        pooled.flatten_all()?.to_vec1()
    }
}

fn embedding(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (texts, longest) = ids.dims2()?;
    table.index_select(&ids.flatten_all()?, 0)?.reshape((texts, longest, table.dim(1)?))
}

impl Norm {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.epsilon)
    }
}

impl Linear {
    /// `x` is `texts x tokens x inputs`: one product over all rows.
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (texts, tokens, inputs) = x.dims3()?;
        let rows = x.reshape((texts * tokens, inputs))?.matmul(&self.weight)?;
        rows.broadcast_add(&self.bias)?.reshape((texts, tokens, ()))
    }
}

impl Layer {
    fn forward(&self, hidden: &Tensor, mask: &Tensor, n_heads: usize) -> Result<Tensor> {
        let (texts, tokens, width) = hidden.dims3()?;
        let dim = width / n_heads;
        let projected = self.projection.apply(hidden)?;
        let part = |i: usize| {
            let heads = projected.narrow(D::Minus1, i * width, width)?.reshape((texts, tokens, n_heads, dim))?;
            heads.transpose(1, 2)?.contiguous()
        };
        // Scaled before the product, which keeps it within f16.
        let queries = (part(0)? * (1.0 / (dim as f64).sqrt()))?;
        let scores = queries.matmul(&part(1)?.t()?)?.broadcast_add(mask)?;
        let attended = softmax_last_dim(&scores)?.matmul(&part(2)?)?;
        let attended = attended.transpose(1, 2)?.contiguous()?.reshape((texts, tokens, width))?;
        let hidden = self.attention_norm.apply(&(hidden + self.output.apply(&attended)?)?)?;
        let update = self.down.apply(&self.up.apply(&hidden)?.gelu_erf()?)?;
        self.norm.apply(&(hidden + update)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::encoder::{Encoder, Workspace};
    use crate::tokenize::Tokenizer;
    use crate::{Precision, batch, files, weights};

    /// The two encoders share nothing but the weights' names: where they agree on texts of unlike length, in one
    /// batch, both are right. `tests/` holds one of them to stored numbers.
    #[test]
    fn candle_and_our_kernels_agree() {
        for (model, pooling) in [
            ("bert-bi", Pooling::Mean),
            ("xlmr-bi", Pooling::Mean),
            ("bert-cross", Pooling::First),
            ("xlmr-cross", Pooling::First),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny").join(model);
            let config = Config::read(&folder).expect("reads");
            let file = folder.join(weights::FILE);
            let bytes = files::read(&file).expect("reads");
            let weights = Weights::parse(&file, &bytes).expect("parses");
            let tokenizer = Tokenizer::load(&folder, config.vocab_size, config.window()).expect("loads");
            let texts = ["undo", "use git reset to undo the last commit and keep your changes", "面包", "a b c d"];
            let tokens: Vec<_> = texts.iter().map(|t| tokenizer.text(t).expect("tokenizes")).collect();
            let batches = batch::cut(&tokens, 1000);
            let ours = Encoder::load(&weights, &config, pooling, Precision::F32).expect("loads");
            let ours = ours.pooled(&batches[0], &mut Workspace::default()).expect("computes");
            let Ok(theirs) = TensorEncoder::load(&weights, &config, pooling, &Device::Cpu, DType::F32) else {
                panic!("{model} does not load");
            };
            let theirs = theirs.pooled(&batches[0]).expect("computes");
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-4, "{model}: {a} against {b}");
            }
        }
    }
}
