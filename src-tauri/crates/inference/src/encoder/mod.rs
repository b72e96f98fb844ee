//! The encoders on the CPU: tokens packed end to end, so that no padding is computed.

mod bert;
mod modern;
mod norm;

use rten_gemm::GemmError;

pub use norm::Norm;

use crate::batch::Batch;
use crate::config::{Config, Family};
use crate::kernels::{Attention, Rows, Scratch};
use crate::weights::Weights;
use crate::{LoadError, Pooling, Precision};

/// An encoder of any supported family. `Bert` also covers XLM-RoBERTa.
pub enum Encoder {
    Bert(bert::Bert),
    ModernBert(modern::ModernBert),
}

/// Buffers for one batch at a time, reused from batch to batch.
pub struct Workspace {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    projected: Vec<f32>,
    queries: Vec<f32>,
    attended: Vec<f32>,
    wide: Vec<f32>,
    gated: Vec<f32>,
    update: Vec<f32>,
    scratch: Scratch,
    attention: Attention,
    precision: Precision,
    /// One workspace for each part of a text whose tokens are split among threads.
    parts: Vec<Workspace>,
}

impl Workspace {
    /// For an encoder that was loaded with `precision`.
    pub fn new(precision: Precision) -> Self {
        Self {
            hidden: Vec::new(),
            normed: Vec::new(),
            projected: Vec::new(),
            queries: Vec::new(),
            attended: Vec::new(),
            wide: Vec::new(),
            gated: Vec::new(),
            update: Vec::new(),
            scratch: Scratch::default(),
            attention: Attention::new(precision),
            precision,
            parts: Vec::new(),
        }
    }

    /// Lets layers split their work among `threads` threads of the current pool, for when there are fewer batches than
    /// threads.
    pub fn share_among(&mut self, threads: usize) {
        self.scratch.threads = threads;
    }

    /// Makes sure that there are workspaces for `count` parts of a text.
    fn part(&mut self, count: usize) {
        let precision = self.precision;
        self.parts.resize_with(count.max(self.parts.len()), || Self::new(precision));
    }
}

impl Encoder {
    /// Loads an encoder for texts of up to `window` tokens.
    pub fn load(
        weights: &Weights<'_>,
        config: &Config,
        pooling: Pooling,
        precision: Precision,
        window: usize,
    ) -> Result<Self, LoadError> {
        Ok(match config.family() {
            Family::Bert | Family::XlmRoberta => Self::Bert(bert::Bert::load(weights, config, pooling, precision)?),
            Family::ModernBert => {
                Self::ModernBert(modern::ModernBert::load(weights, config, pooling, precision, window)?)
            }
        })
    }

    /// One row of hidden size for each text of the batch: its first token's, or the mean over its tokens.
    pub fn pooled(&self, batch: &Batch, room: &mut Workspace) -> Result<Vec<f32>, GemmError> {
        match self {
            Self::Bert(encoder) => encoder.pooled(batch, room),
            Self::ModernBert(encoder) => encoder.pooled(batch, room),
        }
    }
}

/// One row per text: its first token's, or the mean over its tokens. With [`Pooling::First`] the last layer has left
/// only the first tokens' rows.
fn pool(pooling: Pooling, hidden: &[f32], texts: &[Rows], width: usize) -> Vec<f32> {
    match pooling {
        Pooling::First => hidden.to_vec(),
        Pooling::Mean => texts.iter().flat_map(|rows| mean(hidden, *rows, width)).collect(),
    }
}

fn mean(hidden: &[f32], rows: Rows, width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for row in hidden[rows.first * width..(rows.first + rows.count) * width].chunks_exact(width) {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
    }
    sum.iter_mut().for_each(|s| *s /= rows.count as f32);
    sum
}

fn keep_first_tokens(hidden: &mut Vec<f32>, texts: &[Rows], width: usize) {
    for (i, text) in texts.iter().enumerate() {
        // Texts lie in order, so no row is overwritten before it is moved.
        hidden.copy_within(text.first * width..(text.first + 1) * width, i * width);
    }
    hidden.truncate(texts.len() * width);
}
