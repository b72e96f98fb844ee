//! What makes a cross-encoder of an encoder: the first token's state to one logit.

use rten_gemm::GemmError;

use crate::config::{Config, Family};
use crate::kernels::{Activation, Linear, Scratch, tanh};
use crate::weights::Weights;
use crate::{LoadError, Precision};

/// BERT's pooler and classifier, or XLM-RoBERTa's two-layer classifier: the same sum under other names. It runs on
/// the CPU in f32 whatever the encoder runs on: a row a passage.
pub struct Head {
    dense: Linear,
    out: Linear,
}

impl Head {
    pub fn load(weights: &Weights<'_>, config: &Config) -> Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let linear = |matrix: Vec<f32>, bias: Vec<f32>| Linear::new(&matrix, bias, Precision::F32);
        let dense = match config.family() {
            Family::Bert => linear(
                weights.body("pooler.dense.weight", &[hidden, hidden])?,
                weights.body("pooler.dense.bias", &[hidden])?,
            ),
            Family::XlmRoberta => linear(
                weights.head("classifier.dense.weight", &[hidden, hidden])?,
                weights.head("classifier.dense.bias", &[hidden])?,
            ),
        };
        let out = match config.family() {
            Family::Bert => "classifier",
            Family::XlmRoberta => "classifier.out_proj",
        };
        let matrix = weights.head(&format!("{out}.weight"), &[1, hidden])?;
        Ok(Self { dense, out: linear(matrix, weights.head(&format!("{out}.bias"), &[1])?) })
    }

    /// One logit for each row of hidden size.
    pub fn logits(&self, first_tokens: &[f32]) -> Result<Vec<f32>, GemmError> {
        let mut scratch = Scratch::default();
        let (mut pooled, mut logits) = (Vec::new(), Vec::new());
        self.dense.apply(first_tokens, Activation::None, &mut pooled, &mut scratch)?;
        tanh(&mut pooled);
        self.out.apply(&pooled, Activation::None, &mut logits, &mut scratch)?;
        Ok(logits)
    }
}
