//! `config.json`: the shape of a model, as Hugging Face writes it.

mod modern;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

pub use modern::Modern;

use crate::LoadError;
use crate::files;

pub const FILE: &str = "config.json";

/// The supported families. BERT and XLM-RoBERTa differ only in how they count positions and use token types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Bert,
    /// Positions start after the padding id; there is one token type.
    XlmRoberta,
    ModernBert,
}

/// The settings read from `config.json`. Sizes are counts, not bytes.
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
    #[serde(default = "two")]
    type_vocab_size: usize,
    /// The epsilon of layer norms, under the name that BERT and XLM-RoBERTa use.
    layer_norm_eps: Option<f64>,
    /// The same under ModernBERT's name. Its published files hold both names, so a serde alias would not do.
    norm_eps: Option<f64>,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    pad_token_id: Option<usize>,
    /// The labels of a classifier's outputs.
    id2label: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    sentence_transformers: SentenceTransformers,
    /// The activation function as it was written before sentence-transformers 4.
    sbert_ce_default_activation_function: Option<String>,
    #[serde(flatten)]
    modern: Modern,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SentenceTransformers {
    activation_fn: Option<String>,
}

/// The default number of token types in `transformers`, for files that leave it out.
fn two() -> usize {
    2
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
        let modern = self.family() == Family::ModernBert;
        if !modern && self.hidden_act != "gelu" {
            return unsupported("hidden_act", &self.hidden_act, "`gelu` activations");
        }
        if !modern && self.position_embedding_type != "absolute" {
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
        if let Some((setting, value, expected)) = self.modern.refusal(self.num_hidden_layers, self.head_dim())
            && modern
        {
            return unsupported(setting, &value, expected);
        }
        if let Some(labels) = self.id2label.as_ref().map(BTreeMap::len)
            && self.classifies()
            && labels != 1
        {
            return unsupported("id2label", &format!("{labels} labels"), "a single score");
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
        let one_of = |families: &[&str]| architecture.is_none_or(|name| families.iter().any(|f| known(name, f)));
        match self.model_type.as_str() {
            "bert" if one_of(&["Bert"]) => Ok(Family::Bert),
            "xlm-roberta" | "roberta" if one_of(&["XLMRoberta", "Roberta"]) => Ok(Family::XlmRoberta),
            "modernbert" if one_of(&["ModernBert"]) => Ok(Family::ModernBert),
            _ => Err(LoadError::UnknownArchitecture {
                file: file.to_owned(),
                architecture: architecture.unwrap_or(&self.model_type).clone(),
            }),
        }
    }

    /// The model's family; [`Config::read`] has refused models of any other.
    pub fn family(&self) -> Family {
        match self.model_type.as_str() {
            "bert" => Family::Bert,
            "modernbert" => Family::ModernBert,
            _ => Family::XlmRoberta,
        }
    }

    /// The settings that only ModernBERT has; for other families, their defaults.
    pub fn modern(&self) -> &Modern {
        &self.modern
    }

    /// Whether the published class has a classification head of its own.
    pub fn classifies(&self) -> bool {
        self.architectures.first().is_some_and(|name| name.ends_with("ForSequenceClassification"))
    }

    /// The PyTorch class that sentence-transformers applies to a cross-encoder's logit, e.g.
    /// `torch.nn.modules.linear.Identity`. `None` means its default, the sigmoid.
    pub fn output_activation(&self) -> Option<&str> {
        let newer = self.sentence_transformers.activation_fn.as_deref();
        newer.or(self.sbert_ce_default_activation_function.as_deref())
    }

    pub fn norm_epsilon(&self) -> f64 {
        match self.family() {
            Family::ModernBert => self.norm_eps.unwrap_or(1e-5),
            Family::Bert | Family::XlmRoberta => self.layer_norm_eps.unwrap_or(1e-12),
        }
    }

    /// Number of token types that have an embedding.
    pub fn token_types(&self) -> usize {
        self.type_vocab_size
    }

    /// The class name in `architectures`, or the model type.
    pub fn architecture(&self) -> &str {
        self.architectures.first().unwrap_or(&self.model_type)
    }

    /// Position of a text's first token: XLM-RoBERTa reserves the positions up to the padding id.
    pub fn first_position(&self) -> usize {
        match self.family() {
            Family::Bert | Family::ModernBert => 0,
            Family::XlmRoberta => self.pad_token_id.unwrap_or(1) + 1,
        }
    }

    /// Number of tokens that the model can read at once, special ones included.
    pub fn window(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}
