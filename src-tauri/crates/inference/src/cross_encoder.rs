//! The cross-encoder: reads question and passage together.

use nuthatch_engine::calibrate::logit;
use nuthatch_engine::model::name_of;
use nuthatch_engine::{Blend, Calibration, Cancel, ModelError, Reranker};

use crate::device::Placed;
use crate::model::Model;
use crate::store::{Activation, Entry, Pair};
use crate::tokenize::Tokens;
use crate::{Kind, LoadError, LoadOptions};

/// See [`crate::load_reranker`].
pub struct CrossEncoder {
    model: Model,
    id: String,
    activation: Activation,
    calibration: Calibration,
    pairs: Vec<Pair>,
    question_window: Option<usize>,
}

impl CrossEncoder {
    /// Loads the model in `folder`, which `entry` describes.
    pub fn load(folder: &std::path::Path, entry: &Entry, options: &LoadOptions) -> Result<Self, LoadError> {
        let model = Model::load(folder, Kind::CrossEncoder, entry, options)?;
        Ok(Self {
            id: format!("{}@{}", entry.name, model.content),
            model,
            activation: entry.activation,
            calibration: entry.calibration,
            pairs: entry.pairs.clone(),
            question_window: entry.question_window,
        })
    }

    pub fn placed(&self) -> &Placed {
        &self.model.placed
    }

    /// A pair as the model reads it: a long passage is reduced to the part that has most to do with the question, a
    /// long question to what the model can read.
    pub fn tokens(&self, query: &str, passage: &str) -> Result<Tokens, ModelError> {
        let tokenizer = &self.model.tokenizer;
        let pair = tokenizer.question(query, self.question_window).and_then(|q| tokenizer.pair(&q, passage));
        pair.map_err(|e| self.model.failed(&e))
    }

    /// The logit of a score. If the model gives probabilities they are converted, because all callers expect logits.
    fn raw(&self, score: f32) -> f32 {
        match self.activation {
            Activation::Sigmoid => score,
            Activation::Identity => logit(score),
        }
    }
}

impl Reranker for CrossEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    fn score(&self, query: &str, passages: &[&str], cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        let tokenizer = &self.model.tokenizer;
        let question = tokenizer.question(query, self.question_window).map_err(|e| self.model.failed(&e))?;
        let pairs = self.model.tokenize(passages, |passage| tokenizer.pair(&question, passage))?;
        let first_tokens = self.model.pooled(&pairs, cancel)?;
        let Some(head) = &self.model.head else {
            return Err(self.model.failed(&"it has no classification head"));
        };
        let logits = head.logits(&first_tokens).map_err(|e| self.model.failed(&e))?;
        match logits.iter().find(|x| !x.is_finite()) {
            Some(bad) => Err(self.model.failed(&format!("it scored {bad}"))),
            None => Ok(logits.into_iter().map(|x| self.raw(x)).collect()),
        }
    }

    fn calibration(&self) -> Calibration {
        self.calibration
    }

    fn blend(&self, embedder: Option<&str>) -> Option<Blend> {
        let name = name_of(embedder?);
        self.pairs.iter().find(|pair| pair.embedder == name).map(|pair| pair.blend)
    }
}
