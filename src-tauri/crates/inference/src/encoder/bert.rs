//! BERT and XLM-RoBERTa.

use rayon::prelude::*;
use rten_gemm::GemmError;

use super::{Norm, Workspace, keep_first_tokens, pool};
use crate::batch::Batch;
use crate::config::Config;
use crate::kernels::{Activation, Heads, Linear, Projected, Rows, Scratch};
use crate::weights::{Table, Weights};
use crate::{LoadError, Pooling, Precision};

/// Rows that kernels process together. A text of no more rows than this is not split among threads.
const PART_ROWS: usize = 8;

/// Embeddings and layers; BERT and XLM-RoBERTa differ only in where positions start.
pub struct Bert {
    words: Table,
    /// One row for each position.
    positions: Table,
    types: Table,
    first_position: usize,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Heads,
    pooling: Pooling,
}

struct Layer {
    projection: Projection,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

enum Projection {
    /// Queries, keys and values of every token, side by side.
    All(Linear),
    /// For a last layer of which only each text's first token is used: queries for the first tokens, keys and values
    /// for all.
    First { queries: Linear, keys_values: Linear },
}

impl Bert {
    pub fn load(
        weights: &Weights<'_>,
        config: &Config,
        pooling: Pooling,
        precision: Precision,
    ) -> Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let last = config.num_hidden_layers - 1;
        let layer = |i| Layer::load(weights, config, i, pooling == Pooling::First && i == last, precision);
        Ok(Self {
            words: weights.table("embeddings.word_embeddings.weight", [config.vocab_size, hidden])?,
            positions: weights
                .table("embeddings.position_embeddings.weight", [config.max_position_embeddings, hidden])?,
            types: weights.table("embeddings.token_type_embeddings.weight", [config.token_types(), hidden])?,
            first_position: config.first_position(),
            norm: Norm::load(weights, "embeddings.LayerNorm", hidden, config.norm_epsilon(), true)?,
            layers: (0..=last).map(layer).collect::<Result<_, _>>()?,
            heads: Heads { count: config.num_attention_heads, dim: config.head_dim() },
            pooling,
        })
    }

    /// See [`super::Encoder::pooled`].
    pub fn pooled(&self, batch: &Batch, room: &mut Workspace) -> Result<Vec<f32>, GemmError> {
        self.embed(batch, &mut room.hidden);
        for layer in &self.layers {
            match (&layer.projection, &batch.rows[..]) {
                (Projection::All(linear), [text]) if room.scratch.threads > 1 && text.count > PART_ROWS => {
                    layer.forward_shared(linear, self.heads, *text, room)?;
                }
                _ => layer.forward(self.heads, &batch.rows, room)?,
            }
        }
        let width = self.heads.count * self.heads.dim;
        Ok(pool(self.pooling, &room.hidden, &batch.rows, width))
    }

    fn embed(&self, batch: &Batch, hidden: &mut Vec<f32>) {
        let width = self.heads.count * self.heads.dim;
        hidden.resize(batch.ids.len() * width, 0.0);
        let mut row = vec![0.0; width];
        for rows in &batch.rows {
            for offset in 0..rows.count {
                let token = rows.first + offset;
                let sum = &mut hidden[token * width..(token + 1) * width];
                self.words.copy_row(batch.ids[token] as usize, sum);
                // The tokenizer may give the second text of a pair a type that the model has no row for.
                let kind = (batch.types[token] as usize).min(self.types.rows() - 1);
                for (table, id) in [(&self.positions, self.first_position + offset), (&self.types, kind)] {
                    table.copy_row(id, &mut row);
                    sum.iter_mut().zip(&row).for_each(|(s, x)| *s += x);
                }
            }
        }
        self.norm.apply(hidden);
    }
}

impl Layer {
    fn load(
        weights: &Weights<'_>,
        config: &Config,
        index: usize,
        first_only: bool,
        precision: Precision,
    ) -> Result<Self, LoadError> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let at = |name: &str| format!("encoder.layer.{index}.{name}");
        // Joins several layers that read the same input into one matrix.
        let followed = |names: &[&str], outputs: usize, inputs: usize, by: Activation| -> Result<Linear, LoadError> {
            let (mut matrix, mut bias) = (Vec::new(), Vec::new());
            for name in names {
                matrix.extend(weights.body(&at(&format!("{name}.weight")), &[outputs, inputs])?);
                bias.extend(weights.body(&at(&format!("{name}.bias")), &[outputs])?);
            }
            Ok(Linear::new(matrix, bias, by, precision))
        };
        let linear = |names: &[&str], outputs, inputs| followed(names, outputs, inputs, Activation::None);
        let [q, k, v] = ["attention.self.query", "attention.self.key", "attention.self.value"];
        let projection = if first_only {
            Projection::First { queries: linear(&[q], hidden, hidden)?, keys_values: linear(&[k, v], hidden, hidden)? }
        } else {
            Projection::All(linear(&[q, k, v], hidden, hidden)?)
        };
        let norm = |name: &str| Norm::load(weights, &at(name), hidden, config.norm_epsilon(), true);
        Ok(Self {
            projection,
            output: linear(&["attention.output.dense"], hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: followed(&["intermediate.dense"], wide, hidden, Activation::Gelu)?,
            down: linear(&["output.dense"], hidden, wide)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    /// Applies the layer to `room.hidden`. The last layer may leave only one row per text.
    fn forward(&self, heads: Heads, texts: &[Rows], room: &mut Workspace) -> Result<(), GemmError> {
        let Workspace { hidden, projected, queries, attended, wide, update, scratch, attention, .. } = room;
        let width = heads.width();
        match &self.projection {
            Projection::All(linear) => {
                for texts in groups(texts, linear.rows_at_once()) {
                    let (first, end) = bounds(texts);
                    let hidden = &mut hidden[first * width..end * width];
                    linear.apply(hidden, projected, scratch)?;
                    attended.resize(hidden.len(), 0.0);
                    let part = |first| Projected { rows: projected, stride: 3 * width, first };
                    for text in texts {
                        let text = Rows { first: text.first - first, count: text.count };
                        let out = &mut attended[text.first * width..(text.first + text.count) * width];
                        attention.attend(heads, (part(0), text), (part(width), part(2 * width), text), out);
                    }
                    self.output.apply(attended, update, scratch)?;
                    self.attention_norm.add(hidden, update);
                }
            }
            Projection::First { queries: linear, keys_values } => {
                keys_values.apply(hidden, projected, scratch)?;
                keep_first_tokens(hidden, texts, width);
                linear.apply(hidden, queries, scratch)?;
                attended.resize(hidden.len(), 0.0);
                let asking = Projected { rows: queries, stride: width, first: 0 };
                let part = |first| Projected { rows: projected, stride: 2 * width, first };
                for (i, text) in texts.iter().enumerate() {
                    let out = &mut attended[i * width..(i + 1) * width];
                    let only = Rows { first: i, count: 1 };
                    attention.attend(heads, (asking, only), (part(0), part(width), *text), out);
                }
                self.output.apply(attended, update, scratch)?;
                self.attention_norm.add(hidden, update);
            }
        }
        self.widen(hidden, wide, update, scratch)
    }

    /// The feed-forward step and its norm.
    fn widen(
        &self,
        hidden: &mut [f32],
        wide: &mut Vec<f32>,
        update: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) -> Result<(), GemmError> {
        let width = self.up.inputs();
        for hidden in hidden.chunks_mut(self.up.rows_at_once().saturating_mul(width)) {
            self.up.apply(hidden, wide, scratch)?;
            self.down.apply(wide, update, scratch)?;
            self.norm.add(hidden, update);
        }
        Ok(())
    }

    /// Applies the layer to one text whose tokens are split among threads. A thread needs only the keys and values of
    /// the other threads' tokens, so threads wait for each other only twice. [`forward`](Self::forward) gives the same
    /// numbers, but there threads would wait at each linear layer and one thread would do everything else.
    fn forward_shared(
        &self,
        projection: &Linear,
        heads: Heads,
        text: Rows,
        room: &mut Workspace,
    ) -> Result<(), GemmError> {
        let width = heads.width();
        let rows = text.count.div_ceil(room.scratch.threads).next_multiple_of(PART_ROWS);
        room.part(text.count.div_ceil(rows));
        let Workspace { hidden, projected, parts, .. } = room;
        projected.resize(3 * hidden.len(), 0.0);
        let projecting = hidden.par_chunks(rows * width).zip(projected.par_chunks_mut(3 * rows * width));
        projecting
            .zip(parts.par_iter_mut())
            .try_for_each(|((hidden, projected), part)| projection.fill(hidden, projected, &mut part.scratch))?;
        let one = |first| Projected { rows: projected, stride: 3 * width, first };
        hidden.par_chunks_mut(rows * width).zip(parts.par_iter_mut()).enumerate().try_for_each(|(i, (hidden, part))| {
            let Workspace { attended, wide, update, scratch, attention, .. } = part;
            attended.resize(hidden.len(), 0.0);
            let asking = Rows { first: i * rows, count: hidden.len() / width };
            attention.attend(heads, (one(0), asking), (one(width), one(2 * width), text), attended);
            self.output.apply(attended, update, scratch)?;
            self.attention_norm.add(hidden, update);
            self.widen(hidden, wide, update, scratch)
        })
    }
}

/// Splits texts into groups of at most `tokens` tokens; a longer text is a group of its own.
fn groups(texts: &[Rows], tokens: usize) -> impl Iterator<Item = &[Rows]> {
    let mut first = texts.first().map_or(0, |text| text.first);
    texts.chunk_by(move |_, next| {
        let fits = next.first + next.count - first <= tokens;
        if !fits {
            first = next.first;
        }
        fits
    })
}

/// The range of tokens of neighbouring texts: the first, and the one after the last.
fn bounds(texts: &[Rows]) -> (usize, usize) {
    let (first, last) = (texts.first().copied(), texts.last().copied());
    (first.map_or(0, |text| text.first), last.map_or(0, |text| text.first + text.count))
}
