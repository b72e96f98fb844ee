//! ModernBERT (Warner et al. 2024, arXiv:2412.13663). Unlike BERT it normalises before each step rather than after it,
//! puts positions into queries and keys by rotation, lets most layers attend to a window only, and has a gate in the
//! feed-forward step.

use rten_gemm::GemmError;

use super::{Norm, Workspace, keep_first_tokens, pool};
use crate::batch::Batch;
use crate::config::Config;
use crate::kernels::{Activation, Heads, Linear, Projected, Rotation, Rows, gelu_gate};
use crate::weights::{Table, Weights};
use crate::{LoadError, Pooling, Precision};

pub struct ModernBert {
    words: Table,
    norm: Norm,
    layers: Vec<Layer>,
    final_norm: Norm,
    heads: Heads,
    pooling: Pooling,
}

struct Layer {
    /// The first layer has none: the embeddings are normalised already.
    attention_norm: Option<Norm>,
    projection: Projection,
    rotation: Rotation,
    /// How many tokens to either side a token attends to; `None` means all.
    reach: Option<usize>,
    output: Linear,
    norm: Norm,
    /// The first half of its outputs goes through GELU; the second half is the gate.
    up: Linear,
    down: Linear,
}

enum Projection {
    /// Queries, keys and values of every token, side by side.
    All(Linear),
    /// For a last layer of which only each text's first token is used: queries for the first tokens, keys and values
    /// for all.
    First { queries: Linear, keys_values: Linear },
}

impl ModernBert {
    pub fn load(
        weights: &Weights<'_>,
        config: &Config,
        pooling: Pooling,
        precision: Precision,
        window: usize,
    ) -> Result<Self, LoadError> {
        let (hidden, epsilon, bias) = (config.hidden_size, config.norm_epsilon(), config.modern().norm_bias);
        let norm = |name: &str| Norm::load(weights, name, hidden, epsilon, bias);
        let last = config.num_hidden_layers - 1;
        let layer = |i| {
            let layer = LayerOf { weights, config, precision, index: i };
            layer.load(pooling == Pooling::First && i == last, window)
        };
        Ok(Self {
            words: weights.table("embeddings.tok_embeddings.weight", [config.vocab_size, hidden])?,
            norm: norm("embeddings.norm")?,
            layers: (0..=last).map(layer).collect::<Result<_, _>>()?,
            final_norm: norm("final_norm")?,
            heads: Heads { count: config.num_attention_heads, dim: config.head_dim() },
            pooling,
        })
    }

    /// See [`super::Encoder::pooled`].
    pub fn pooled(&self, batch: &Batch, room: &mut Workspace) -> Result<Vec<f32>, GemmError> {
        let width = self.heads.count * self.heads.dim;
        room.hidden.resize(batch.ids.len() * width, 0.0);
        for (id, row) in batch.ids.iter().zip(room.hidden.chunks_exact_mut(width)) {
            self.words.copy_row(*id as usize, row);
        }
        self.norm.apply(&mut room.hidden);
        for layer in &self.layers {
            layer.forward(self.heads, &batch.rows, room)?;
        }
        self.final_norm.apply(&mut room.hidden);
        Ok(pool(self.pooling, &room.hidden, &batch.rows, width))
    }
}

/// Everything needed to load one layer.
struct LayerOf<'a> {
    weights: &'a Weights<'a>,
    config: &'a Config,
    precision: Precision,
    index: usize,
}

impl LayerOf<'_> {
    fn at(&self, name: &str) -> String {
        format!("layers.{}.{name}", self.index)
    }

    fn norm(&self, name: &str) -> Result<Norm, LoadError> {
        let (config, bias) = (self.config, self.config.modern().norm_bias);
        Norm::load(self.weights, &self.at(name), config.hidden_size, config.norm_epsilon(), bias)
    }

    /// Matrix and bias; models without biases get zeros.
    fn parts(&self, name: &str, [outputs, inputs]: [usize; 2], bias: bool) -> Result<(Vec<f32>, Vec<f32>), LoadError> {
        let matrix = self.weights.body(&self.at(&format!("{name}.weight")), &[outputs, inputs])?;
        let bias =
            if bias { self.weights.body(&self.at(&format!("{name}.bias")), &[outputs])? } else { vec![0.0; outputs] };
        Ok((matrix, bias))
    }

    fn linear(&self, name: &str, shape: [usize; 2], bias: bool) -> Result<Linear, LoadError> {
        let (matrix, bias) = self.parts(name, shape, bias)?;
        Ok(Linear::new(matrix, bias, Activation::None, self.precision))
    }

    fn load(&self, first_only: bool, window: usize) -> Result<Layer, LoadError> {
        let (hidden, wide, modern) = (self.config.hidden_size, self.config.intermediate_size, self.config.modern());
        let (matrix, bias) = self.parts("attn.Wqkv", [3 * hidden, hidden], modern.attention_bias)?;
        let whole = |matrix: &[f32], bias: &[f32]| {
            Linear::new(matrix.to_vec(), bias.to_vec(), Activation::None, self.precision)
        };
        let projection = if first_only {
            let ((q, kv), (q_bias, kv_bias)) = (matrix.split_at(hidden * hidden), bias.split_at(hidden));
            Projection::First { queries: whole(q, q_bias), keys_values: whole(kv, kv_bias) }
        } else {
            Projection::All(whole(&matrix, &bias))
        };
        Ok(Layer {
            attention_norm: if self.index == 0 { None } else { Some(self.norm("attn_norm")?) },
            projection,
            rotation: Rotation::new(modern.theta(self.index), self.config.head_dim(), window),
            reach: modern.reach(self.index),
            output: self.linear("attn.Wo", [hidden, hidden], modern.attention_bias)?,
            norm: self.norm("mlp_norm")?,
            up: self.linear("mlp.Wi", [2 * wide, hidden], modern.mlp_bias)?,
            down: self.linear("mlp.Wo", [hidden, wide], modern.mlp_bias)?,
        })
    }
}

impl Layer {
    /// Applies the layer to `room.hidden`. The last layer may leave only one row per text.
    fn forward(&self, heads: Heads, texts: &[Rows], room: &mut Workspace) -> Result<(), GemmError> {
        self.attend(heads, texts, room)?;
        let Workspace { hidden, normed, wide, gated, update, scratch, .. } = room;
        self.output.apply(&room.attended, update, scratch)?;
        add(hidden, update);
        normed.clone_from(hidden);
        self.norm.apply(normed);
        self.up.apply(normed, wide, scratch)?;
        gated.resize(wide.len() / 2, 0.0);
        gelu_gate(wide, self.up.outputs() / 2, gated);
        self.down.apply(gated, update, scratch)?;
        add(hidden, update);
        Ok(())
    }

    /// Fills `room.attended`.
    fn attend(&self, heads: Heads, texts: &[Rows], room: &mut Workspace) -> Result<(), GemmError> {
        let Workspace { hidden, normed, projected, queries, attended, scratch, attention, .. } = room;
        let width = heads.count * heads.dim;
        normed.clone_from(hidden);
        if let Some(norm) = &self.attention_norm {
            norm.apply(normed);
        }
        match &self.projection {
            Projection::All(linear) => {
                linear.apply(normed, projected, scratch)?;
                self.rotation.turn(projected, 3 * width, 0..2 * width, texts);
                attended.resize(hidden.len(), 0.0);
                let part = |first| Projected { rows: projected, stride: 3 * width, first };
                let reach = self.reach.unwrap_or(usize::MAX);
                for text in texts {
                    let out = &mut attended[text.first * width..(text.first + text.count) * width];
                    attention.attend_near(heads, [part(0), part(width), part(2 * width)], *text, reach, out);
                }
            }
            Projection::First { queries: linear, keys_values } => {
                keys_values.apply(normed, projected, scratch)?;
                self.rotation.turn(projected, 2 * width, 0..width, texts);
                keep_first_tokens(hidden, texts, width);
                keep_first_tokens(normed, texts, width);
                // The rotation leaves the first position as it is, so these queries need none.
                linear.apply(normed, queries, scratch)?;
                attended.resize(hidden.len(), 0.0);
                let asking = Projected { rows: queries, stride: width, first: 0 };
                let part = |first| Projected { rows: projected, stride: 2 * width, first };
                for (i, text) in texts.iter().enumerate() {
                    let out = &mut attended[i * width..(i + 1) * width];
                    let seen = self.reach.map_or(text.count, |reach| text.count.min(reach + 1));
                    let asked = Rows { first: text.first, count: seen };
                    attention.attend(heads, (asking, Rows { first: i, count: 1 }), (part(0), part(width), asked), out);
                }
            }
        }
        Ok(())
    }
}

fn add(hidden: &mut [f32], update: &[f32]) {
    hidden.iter_mut().zip(update).for_each(|(x, y)| *x += y);
}
