//! `config.json`: the shape of a model, as Hugging Face writes it.

use std::path::Path;

use serde::Deserialize;

use crate::files;
use crate::{Kind, LoadError};

pub const FILE: &str = "config.json";

/// The two families, alike but for how positions are counted and token types used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Bert,
    /// Positions start behind the padding id; there is one token type.
    XlmRoberta,
}

/// What is read of `config.json`. Sizes are counts, not bytes.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: String,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    pad_token_id: Option<usize>,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    /// Reads and checks `config.json` in `folder`.
    pub fn read(folder: &Path) -> Result<Self, LoadError> {
        let file = folder.join(FILE);
        let bytes = files::read(&file)?;
        let config: Self =
            serde_json::from_slice(&bytes).map_err(|source| LoadError::Config { file: file.clone(), source })?;
        config.check(&file)?;
        Ok(config)
    }

    fn check(&self, file: &Path) -> Result<(), LoadError> {
        self.family_of(file)?;
        let unsupported = |setting, value: &dyn ToString, expected| {
            let (file, value) = (file.to_owned(), value.to_string());
            Err(LoadError::Unsupported { file, setting, value, expected })
        };
        if self.hidden_act != "gelu" {
            return unsupported("hidden_act", &self.hidden_act, "`gelu` activations");
        }
        if self.position_embedding_type != "absolute" {
            return unsupported("position_embedding_type", &self.position_embedding_type, "absolute positions");
        }
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || hidden == 0 || hidden % heads != 0 {
            return unsupported("num_attention_heads", &heads, "heads that divide `hidden_size`");
        }
        if self.num_hidden_layers == 0 {
            return unsupported("num_hidden_layers", &0, "at least one layer");
        }
        if self.intermediate_size == 0 {
            return unsupported("intermediate_size", &0, "feed-forward layers");
        }
        if self.type_vocab_size == 0 || self.window() < 8 {
            return unsupported(
                "max_position_embeddings",
                &self.max_position_embeddings,
                "a window of 8 tokens or more",
            );
        }
        Ok(())
    }

    fn family_of(&self, file: &Path) -> Result<Family, LoadError> {
        let stem = ["Model", "ForSequenceClassification"];
        let known = |name: &str, family: &str| name.strip_prefix(family).is_some_and(|rest| stem.contains(&rest));
        let architecture = self.architectures.first();
        let named =
            architecture.is_none_or(|name| known(name, "Bert") || known(name, "XLMRoberta") || known(name, "Roberta"));
        match (self.model_type.as_str(), named) {
            ("bert", true) => Ok(Family::Bert),
            ("xlm-roberta" | "roberta", true) => Ok(Family::XlmRoberta),
            _ => Err(LoadError::UnknownArchitecture {
                file: file.to_owned(),
                architecture: architecture.unwrap_or(&self.model_type).clone(),
            }),
        }
    }

    /// The family; [`Config::read`] has refused all others.
    pub fn family(&self) -> Family {
        if self.model_type == "bert" { Family::Bert } else { Family::XlmRoberta }
    }

    /// What the published class name says the model is for; without one, a bi-encoder.
    pub fn kind(&self) -> Kind {
        let classifies = self.architectures.first().is_some_and(|name| name.ends_with("ForSequenceClassification"));
        if classifies { Kind::CrossEncoder } else { Kind::BiEncoder }
    }

    /// The class name in `architectures`, or the model type.
    pub fn architecture(&self) -> &str {
        self.architectures.first().unwrap_or(&self.model_type)
    }

    /// Position of a text's first token: XLM-RoBERTa keeps those up to the padding id for padding.
    pub fn first_position(&self) -> usize {
        match self.family() {
            Family::Bert => 0,
            Family::XlmRoberta => self.pad_token_id.unwrap_or(1) + 1,
        }
    }

    /// Tokens that fit, special ones included.
    pub fn window(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}
