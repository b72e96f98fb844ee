//! `model.safetensors`: named tensors in f32, f16 or bf16, checked as they are taken.

use std::path::{Path, PathBuf};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::LoadError;

pub const FILE: &str = "model.safetensors";

/// Where BERT's tensors may lie: bare (sentence-transformers), or inside a classifier's wrapper.
const PREFIXES: [&str; 3] = ["", "bert.", "roberta."];

/// A weights file held in memory while a model is built from it.
pub struct Weights<'a> {
    file: PathBuf,
    tensors: SafeTensors<'a>,
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// `bytes` is the content of `file`, which is named in errors.
    pub fn parse(file: &Path, bytes: &'a [u8]) -> Result<Self, LoadError> {
        let file = file.to_owned();
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|source| LoadError::Weights { file: file.clone(), source })?;
        let holds_words = |prefix: &&str| tensors.tensor(&format!("{prefix}embeddings.word_embeddings.weight")).is_ok();
        let prefix = PREFIXES.into_iter().find(holds_words).unwrap_or("");
        Ok(Self { file, tensors, prefix })
    }

    /// A tensor of the encoder, e.g. `encoder.layer.0.output.dense.weight`, row by row.
    pub fn body(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.read(&format!("{}{name}", self.prefix), shape)
    }

    /// A tensor outside the encoder, e.g. `classifier.weight`.
    pub fn head(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.read(name, shape)
    }

    /// A table of the encoder, kept in f16 where the file has f16.
    pub fn table(&self, name: &str, shape: [usize; 2]) -> Result<Table, LoadError> {
        let name = format!("{}{name}", self.prefix);
        let view = self.view(&name, &shape)?;
        let numbers = match view.dtype() {
            Dtype::F16 => Numbers::F16(self.finite(&name, f16s(view.data()), |x| x.is_finite())?),
            _ => Numbers::F32(self.values(&name, &view)?),
        };
        Ok(Table { numbers, columns: shape[1] })
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let view = self.view(name, shape)?;
        self.values(name, &view)
    }

    fn view(&self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, LoadError> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| LoadError::NoTensor { file: self.file.clone(), tensor: name.to_owned() })?;
        if view.shape() != shape {
            return Err(LoadError::WrongShape {
                file: self.file.clone(),
                tensor: name.to_owned(),
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        Ok(view)
    }

    fn values(&self, name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, LoadError> {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => to_f32(&f16s(data)),
            Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => {
                let (file, tensor) = (self.file.clone(), name.to_owned());
                return Err(LoadError::WrongNumbers { file, tensor, dtype: format!("{other:?}") });
            }
        };
        self.finite(name, values, |x: &f32| x.is_finite())
    }

    fn finite<T>(&self, name: &str, values: Vec<T>, is_finite: impl Fn(&T) -> bool) -> Result<Vec<T>, LoadError> {
        if values.iter().all(is_finite) {
            return Ok(values);
        }
        Err(LoadError::NotFinite { file: self.file.clone(), tensor: name.to_owned() })
    }
}

fn f16s(data: &[u8]) -> Vec<f16> {
    data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect()
}

fn to_f32(values: &[f16]) -> Vec<f32> {
    let mut wide = vec![0.0; values.len()];
    values.convert_to_f32_slice(&mut wide);
    wide
}

/// An embedding matrix: one row an id. The largest tensor of a small model, so f16 stays f16.
pub struct Table {
    numbers: Numbers,
    columns: usize,
}

enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl Table {
    pub fn rows(&self) -> usize {
        match &self.numbers {
            Numbers::F32(values) => values.len() / self.columns,
            Numbers::F16(values) => values.len() / self.columns,
        }
    }

    /// Writes row `id` to `row`. The caller has checked `id` against [`Table::rows`].
    pub fn copy_row(&self, id: usize, row: &mut [f32]) {
        let range = id * self.columns..(id + 1) * self.columns;
        match &self.numbers {
            Numbers::F32(values) => row.copy_from_slice(&values[range]),
            Numbers::F16(values) => values[range].convert_to_f32_slice(row),
        }
    }
}
