//! `model.safetensors`, whole or in shards: named tensors in f32, f16 or bf16, checked as they are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::{LoadError, files};

pub const FILE: &str = "model.safetensors";

/// File beside the shards of a large model that says which shard holds each tensor.
pub const INDEX: &str = "model.safetensors.index.json";

/// Names of weights saved as Python pickles. They are refused, because opening a pickle runs the code in it.
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Possible prefixes of the encoder's tensor names: none (sentence-transformers), or that of a classifier's encoder.
const PREFIXES: [&str; 4] = ["", "bert.", "roberta.", "model."];

/// Names of the word embeddings. Every encoder has one of these tables, whatever its family.
const WORDS: [&str; 2] = ["embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight"];

/// Suffix of the tensor that holds the row scales of a matrix in 8 bits. The built-in models are stored in 8 bits.
const SCALE: &str = "_scale";

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Names of the files in `folder` that hold the weights: `model.safetensors`, or an index and its shards.
pub fn names(folder: &Path) -> Result<Vec<String>, LoadError> {
    let (whole, index) = (folder.join(FILE), folder.join(INDEX));
    if whole.is_file() {
        return Ok(vec![FILE.to_owned()]);
    }
    if index.is_file() {
        let parsed: Result<Index, _> = serde_json::from_slice(&files::read(&index)?);
        let map = parsed.map_err(|source| LoadError::Config { file: index.clone(), source })?.weight_map;
        let shards: BTreeSet<String> = map.into_values().collect();
        if let Some(name) = shards.iter().find(|name| !files::is_plain(name)) {
            return Err(LoadError::OutsideFolder { file: index, name: name.clone() });
        }
        return Ok(std::iter::once(INDEX.to_owned()).chain(shards).collect());
    }
    match PICKLES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) {
        Some(file) => Err(LoadError::Pickled { file, wanted: whole }),
        None => Err(LoadError::NoFile { file: whole }),
    }
}

/// The content of a model's weight files.
pub struct WeightFiles(Vec<(PathBuf, Vec<u8>)>);

impl WeightFiles {
    pub fn read(folder: &Path) -> Result<Self, LoadError> {
        let names = names(folder)?.into_iter().filter(|name| name != INDEX).map(|name| folder.join(name));
        Ok(Self(names.map(|file| Ok((file.clone(), files::read(&file)?))).collect::<Result<_, LoadError>>()?))
    }

    /// The bytes of each file, in order of name.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, bytes)| bytes.as_slice())
    }

    pub fn parse(&self) -> Result<Weights<'_>, LoadError> {
        let mut shards = Vec::new();
        for (file, bytes) in &self.0 {
            let tensors = SafeTensors::deserialize(bytes);
            shards.push((file.clone(), tensors.map_err(|source| LoadError::Weights { file: file.clone(), source })?));
        }
        let has = |name: &str| shards.iter().any(|(_, tensors)| tensors.tensor(name).is_ok());
        let holds_words = |prefix: &&str| WORDS.iter().any(|words| has(&format!("{prefix}{words}")));
        let prefix = PREFIXES.into_iter().find(holds_words).unwrap_or("");
        Ok(Weights { shards, prefix })
    }
}

/// Weights held in memory while a model is built from them.
pub struct Weights<'a> {
    /// Never empty; only large models have more than one.
    shards: Vec<(PathBuf, SafeTensors<'a>)>,
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// A tensor of the encoder, e.g. `encoder.layer.0.output.dense.weight`, row by row.
    pub fn body(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.read(&format!("{}{name}", self.prefix), shape)
    }

    /// A tensor outside the encoder, e.g. `classifier.weight`.
    pub fn head(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.read(name, shape)
    }

    /// A tensor that most models do not have.
    pub fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LoadError> {
        let is_there = self.shards.iter().any(|(_, tensors)| tensors.tensor(name).is_ok());
        if is_there { self.read(name, shape).map(Some) } else { Ok(None) }
    }

    /// A table of the encoder. It stays in f16 or in 8 bits if the file has it so.
    pub fn table(&self, name: &str, shape: [usize; 2]) -> Result<Table, LoadError> {
        let name = format!("{}{name}", self.prefix);
        let (file, view) = self.view(&name, &shape)?;
        let numbers = match view.dtype() {
            Dtype::F16 => Numbers::F16(finite(file, &name, f16s(view.data()), |x| x.is_finite())?),
            Dtype::I8 => Numbers::I8 {
                values: view.data().iter().map(|byte| byte.cast_signed()).collect(),
                scales: self.scales(&name, &shape)?,
            },
            _ => Numbers::F32(values(file, &name, &view)?),
        };
        Ok(Table { numbers, columns: shape[1] })
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let (file, view) = self.view(name, shape)?;
        if view.dtype() != Dtype::I8 {
            return values(file, name, &view);
        }
        let scales = self.scales(name, shape)?;
        let columns = view.data().len() / scales.len().max(1);
        let rows = view.data().chunks(columns.max(1)).zip(scales);
        Ok(rows.flat_map(|(row, scale)| row.iter().map(move |byte| f32::from(byte.cast_signed()) * scale)).collect())
    }

    /// The scale of each row of a matrix in 8 bits: the value that the integer 1 stands for.
    fn scales(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let name = format!("{name}{SCALE}");
        let (file, view) = self.view(&name, &shape[..1])?;
        values(file, &name, &view)
    }

    fn view(&self, name: &str, shape: &[usize]) -> Result<(&Path, TensorView<'a>), LoadError> {
        let found = self.shards.iter().find_map(|(file, tensors)| Some((file, tensors.tensor(name).ok()?)));
        let Some((file, view)) = found else {
            let file = self.shards.first().map(|(file, _)| file.clone()).unwrap_or_default();
            return Err(LoadError::NoTensor { file, tensor: name.to_owned() });
        };
        if view.shape() != shape {
            return Err(LoadError::WrongShape {
                file: file.clone(),
                tensor: name.to_owned(),
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        Ok((file, view))
    }
}

fn values(file: &Path, name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, LoadError> {
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => to_f32(&f16s(data)),
        Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        other => {
            let (file, tensor) = (file.to_owned(), name.to_owned());
            return Err(LoadError::WrongNumbers { file, tensor, dtype: format!("{other:?}") });
        }
    };
    finite(file, name, values, |x: &f32| x.is_finite())
}

fn finite<T>(file: &Path, name: &str, values: Vec<T>, is_finite: impl Fn(&T) -> bool) -> Result<Vec<T>, LoadError> {
    if values.iter().all(is_finite) {
        return Ok(values);
    }
    Err(LoadError::NotFinite { file: file.to_owned(), tensor: name.to_owned() })
}

fn f16s(data: &[u8]) -> Vec<f16> {
    data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect()
}

fn to_f32(values: &[f16]) -> Vec<f32> {
    let mut wide = vec![0.0; values.len()];
    values.convert_to_f32_slice(&mut wide);
    wide
}

/// An embedding matrix with one row per id. It is the largest tensor of a small model, so it is not widened to f32.
pub struct Table {
    numbers: Numbers,
    columns: usize,
}

enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
    /// Integers, and the scale of each row.
    I8 {
        values: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Table {
    pub fn rows(&self) -> usize {
        match &self.numbers {
            Numbers::F32(values) => values.len() / self.columns,
            Numbers::F16(values) => values.len() / self.columns,
            Numbers::I8 { scales, .. } => scales.len(),
        }
    }

    /// Writes row `id` to `row`. The caller has checked `id` against [`Table::rows`].
    pub fn copy_row(&self, id: usize, row: &mut [f32]) {
        let range = id * self.columns..(id + 1) * self.columns;
        match &self.numbers {
            Numbers::F32(values) => row.copy_from_slice(&values[range]),
            Numbers::F16(values) => values[range].convert_to_f32_slice(row),
            Numbers::I8 { values, scales } => {
                for (number, value) in row.iter_mut().zip(&values[range]) {
                    *number = f32::from(*value) * scales[id];
                }
            }
        }
    }
}
