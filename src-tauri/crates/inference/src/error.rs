//! Why a model could not be loaded: what is wrong, in which file, and what to do.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the model folder {} is not there: check the path, or run `nuthatch models list`", folder.display())]
    NoFolder { folder: PathBuf },
    #[error("{} is missing: a model folder needs config.json, tokenizer.json and model.safetensors", file.display())]
    NoFile { file: PathBuf },
    #[error(
        "{} keeps the weights as a Python pickle, which can run code when opened: Nuthatch reads {} instead; take the \
         publisher's, or write one with `AutoModelForSequenceClassification.from_pretrained(DIR).save_pretrained(DIR)` \
         of transformers",
        file.display(), wanted.file_name().unwrap_or_default().display()
    )]
    Pickled { file: PathBuf, wanted: PathBuf },
    #[error(
        "{} is missing and {} cannot stand in for it: write one with \
         `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)` of transformers",
        file.display(), found.file_name().unwrap_or_default().display()
    )]
    OldTokenizer { file: PathBuf, found: PathBuf },
    #[error("{} names {name}, which is outside the model's folder: fetch or import the model again", file.display())]
    OutsideFolder { file: PathBuf, name: String },
    #[error("cannot read {}: {source}", file.display())]
    Io { file: PathBuf, source: std::io::Error },
    #[error("{} is not valid JSON for a model ({source}): fetch or import the model again", file.display())]
    Config { file: PathBuf, source: serde_json::Error },
    #[error("{} is not valid TOML for a model ({source}): mend it, or import the model again", file.display())]
    Manifest { file: PathBuf, source: Box<toml::de::Error> },
    #[error("{} says `{setting}` is {value}, which Nuthatch cannot run: choose a BERT, XLM-RoBERTa or ModernBERT model with {expected}", file.display())]
    Unsupported { file: PathBuf, setting: &'static str, value: String, expected: &'static str },
    #[error("{} names the architecture {architecture}: Nuthatch runs BERT, XLM-RoBERTa and ModernBERT models", file.display())]
    UnknownArchitecture { file: PathBuf, architecture: String },
    #[error("{} is damaged or cut off ({source}): fetch or import the model again", file.display())]
    Weights { file: PathBuf, source: safetensors::SafeTensorError },
    #[error("{} has no tensor `{tensor}`: it is not the model that config.json describes", file.display())]
    NoTensor { file: PathBuf, tensor: String },
    #[error("{}: tensor `{tensor}` has shape {found:?} where config.json asks for {expected:?}: the two files belong to different models", file.display())]
    WrongShape { file: PathBuf, tensor: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("{}: tensor `{tensor}` holds {dtype} numbers: export the model as f32, f16 or bf16", file.display())]
    WrongNumbers { file: PathBuf, tensor: String, dtype: String },
    #[error("{}: tensor `{tensor}` holds numbers that are not finite: fetch or import the model again", file.display())]
    NotFinite { file: PathBuf, tensor: String },
    #[error("{} cannot be read as a tokenizer ({message}): fetch or import the model again", file.display())]
    Tokenizer { file: PathBuf, message: String },
    #[error(
        "{} knows token {highest_id} but the embedding matrix has {rows} rows: tokenizer and weights belong to different models",
        file.display()
    )]
    TokenizerDoesNotFit { file: PathBuf, highest_id: u32, rows: usize },
    #[error(
        "the scoring head in {} has a step for {found} numbers where {expected} arrive: its parts belong to different models",
        folder.display()
    )]
    HeadDoesNotFit { folder: PathBuf, found: usize, expected: usize },
    #[error("the model in {} is a {found}, a {wanted} is needed here: choose another model", folder.display())]
    WrongKind { folder: PathBuf, found: crate::Kind, wanted: crate::Kind },
    #[error("there is no model called `{name}`: `nuthatch models list` shows those known")]
    UnknownModel { name: String },
    #[error("the model `{name}` is not on this machine: `nuthatch models fetch {name}` downloads it")]
    NotFetched { name: String },
    #[error("the manifest has no default {kind}: name one")]
    NoDefault { kind: crate::Kind },
    #[error("{device} cannot be used ({reason}): choose another device, or `auto`")]
    Device { device: &'static str, reason: String },
    #[error("this processor cannot multiply in {precision} (it takes AVX-512 BF16): choose int8 or f32")]
    Precision { precision: &'static str },
    #[error("the tensors of {} could not be put on the device: {source}", folder.display())]
    Tensors { folder: PathBuf, source: candle_core::Error },
    #[error("no threads could be started for the model: {source}")]
    Threads { source: rayon::ThreadPoolBuildError },
}
