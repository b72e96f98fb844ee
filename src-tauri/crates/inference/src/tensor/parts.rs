//! The parts of the GPU encoders: layers and padded batches, as tensors.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::TensorLoadError;
use crate::Pooling;
use crate::batch::Batch;
use crate::config::Config;
use crate::weights::Weights;

type Loaded<T> = std::result::Result<T, TensorLoadError>;

/// Loads the tensors of a model onto a device, in one number type.
pub struct Loader<'a> {
    pub weights: &'a Weights<'a>,
    pub config: &'a Config,
    pub device: &'a Device,
    pub dtype: DType,
}

pub struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

/// `weight` is stored transposed (`inputs x outputs`) and contiguous.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Loader<'_> {
    pub fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_vec(values, shape, self.device)?.to_dtype(self.dtype)
    }

    pub fn table(&self, name: &str, rows: usize) -> Loaded<Tensor> {
        let shape = [rows, self.config.hidden_size];
        Ok(self.tensor(self.weights.body(name, &shape)?, &shape)?)
    }

    pub fn norm(&self, name: &str, has_bias: bool) -> Loaded<Norm> {
        let width = self.config.hidden_size;
        let bias = if has_bias { self.weights.body(&format!("{name}.bias"), &[width])? } else { vec![0.0; width] };
        Ok(Norm {
            weight: self.tensor(self.weights.body(&format!("{name}.weight"), &[width])?, &[width])?,
            bias: self.tensor(bias, &[width])?,
            epsilon: self.config.norm_epsilon() as f32,
        })
    }

    /// Joins several layers that read the same input into one.
    pub fn linear(&self, names: &[String], [outputs, inputs]: [usize; 2], has_bias: bool) -> Loaded<Linear> {
        let (mut matrix, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            matrix.extend(self.weights.body(&format!("{name}.weight"), &[outputs, inputs])?);
            if has_bias {
                bias.extend(self.weights.body(&format!("{name}.bias"), &[outputs])?);
            }
        }
        let outputs = outputs * names.len();
        Ok(Linear {
            weight: self.tensor(matrix, &[outputs, inputs])?.t()?.contiguous()?,
            bias: if has_bias { Some(self.tensor(bias, &[outputs])?) } else { None },
        })
    }
}

impl Norm {
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.epsilon)
    }
}

impl Linear {
    /// `x` is `texts x tokens x inputs`. All rows go into one product.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (texts, tokens, inputs) = x.dims3()?;
        let rows = x.reshape((texts * tokens, inputs))?.matmul(&self.weight)?;
        let rows = match &self.bias {
            Some(bias) => rows.broadcast_add(bias)?,
            None => rows,
        };
        rows.reshape((texts, tokens, ()))
    }
}

/// A batch whose texts are padded to the longest.
pub struct Padded<'a> {
    batch: &'a Batch,
    device: &'a Device,
    pub longest: usize,
}

impl<'a> Padded<'a> {
    pub fn new(batch: &'a Batch, device: &'a Device) -> Self {
        Self { batch, device, longest: batch.longest() }
    }

    /// The row of `table` for each token, whose index is in `values`: `texts x longest x width`.
    pub fn embed(&self, table: &Tensor, values: &[u32]) -> Result<Tensor> {
        let (texts, longest) = (self.batch.rows.len(), self.longest);
        let mut ids = vec![0; texts * longest];
        for (rows, out) in self.batch.rows.iter().zip(ids.chunks_exact_mut(longest)) {
            out[..rows.count].copy_from_slice(&values[rows.first..rows.first + rows.count]);
        }
        let ids = Tensor::from_vec(ids, texts * longest, self.device)?;
        table.index_select(&ids, 0)?.reshape((texts, longest, table.dim(1)?))
    }

    /// `at` where there is a token, `gone` where there is padding: `texts x longest`.
    fn present(&self, at: f32, gone: f32) -> Result<Tensor> {
        let longest = self.longest;
        let mark = |count: usize| (0..longest).map(move |i| if i < count { at } else { gone });
        let marks: Vec<f32> = self.batch.rows.iter().flat_map(|rows| mark(rows.count)).collect();
        Tensor::from_vec(marks, (self.batch.rows.len(), longest), self.device)
    }

    /// To be added to attention scores so that padding is not attended to: `texts x 1 x 1 x longest`.
    pub fn mask(&self, dtype: DType) -> Result<Tensor> {
        let (texts, longest) = (self.batch.rows.len(), self.longest);
        self.present(0.0, f32::NEG_INFINITY)?.to_dtype(dtype)?.reshape((texts, 1, 1, longest))
    }

    /// The same for tokens that attend no farther than `reach`: `texts x 1 x longest x longest`.
    pub fn mask_near(&self, reach: usize, dtype: DType) -> Result<Tensor> {
        let (texts, longest) = (self.batch.rows.len(), self.longest);
        let mut mask = vec![f32::NEG_INFINITY; texts * longest * longest];
        for (rows, mask) in self.batch.rows.iter().zip(mask.chunks_exact_mut(longest * longest)) {
            for (place, row) in mask.chunks_exact_mut(longest).enumerate() {
                let to = (place + reach + 1).min(rows.count);
                let from = place.saturating_sub(reach).min(to);
                row[from..to].fill(0.0);
                // Padding attends to itself: a row of only minus infinity would give NaN, which spreads.
                row[place] = 0.0;
            }
        }
        Tensor::from_vec(mask, (texts, 1, longest, longest), self.device)?.to_dtype(dtype)
    }

    /// As [`crate::encoder::Encoder::pooled`], from `texts x longest x width`.
    pub fn pool(&self, hidden: &Tensor, pooling: Pooling) -> Result<Vec<f32>> {
        let hidden = hidden.to_dtype(DType::F32)?;
        let pooled = match pooling {
            Pooling::First => hidden.narrow(1, 0, 1)?.contiguous()?,
            Pooling::Mean => {
                let present = self.present(1.0, 0.0)?;
                let sums = hidden.broadcast_mul(&present.unsqueeze(2)?)?.sum(1)?;
                sums.broadcast_div(&present.sum_keepdim(1)?)?
            }
        };
        pooled.flatten_all()?.to_vec1()
    }
}

/// Part `i` of `projected`, `texts x tokens x (parts * width)`, as `texts x heads x tokens x dim`.
pub fn heads(projected: &Tensor, i: usize, width: usize, n_heads: usize) -> Result<Tensor> {
    let (texts, tokens, _) = projected.dims3()?;
    let heads = projected.narrow(D::Minus1, i * width, width)?.reshape((texts, tokens, n_heads, width / n_heads))?;
    heads.transpose(1, 2)?.contiguous()
}

/// Softmax attention; the result is `texts x tokens x width`.
pub fn attend(queries: &Tensor, keys: &Tensor, values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (texts, n_heads, tokens, dim) = queries.dims4()?;
    // Scaled before the product, so that the product stays within the range of f16.
    let queries = (queries * (1.0 / (dim as f64).sqrt()))?;
    let scores = queries.matmul(&keys.t()?)?.broadcast_add(mask)?;
    let attended = softmax_last_dim(&scores)?.matmul(values)?;
    attended.transpose(1, 2)?.contiguous()?.reshape((texts, tokens, n_heads * dim))
}
