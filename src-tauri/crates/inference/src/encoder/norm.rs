//! Layer normalisation with its weights.

use crate::LoadError;
use crate::kernels::{add_layer_norm, layer_norm};
use crate::weights::Weights;

pub struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    /// Loads the encoder's tensors `{name}.weight` and, if the model has biases, `{name}.bias`.
    pub fn load(
        weights: &Weights<'_>,
        name: &str,
        width: usize,
        epsilon: f64,
        has_bias: bool,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            weight: weights.body(&format!("{name}.weight"), &[width])?,
            bias: if has_bias { weights.body(&format!("{name}.bias"), &[width])? } else { vec![0.0; width] },
            epsilon: epsilon as f32,
        })
    }

    pub fn apply(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, self.epsilon);
    }

    /// `hidden` becomes the norm of `hidden + update`.
    pub fn add(&self, hidden: &mut [f32], update: &[f32]) {
        add_layer_norm(hidden, update, &self.weight, &self.bias, self.epsilon);
    }
}
