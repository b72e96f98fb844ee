//! Raw scores differ by model; what the user sees does not.

use serde::{Deserialize, Serialize};

/// Platt scaling: `p = 1 / (1 + exp(-(slope * raw + offset)))`, the chance that a person calls the passage relevant
/// (Platt 1999). `slope` 1 and `offset` 0 is the plain sigmoid, right for an uncalibrated logit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub slope: f32,
    pub offset: f32,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { slope: 1.0, offset: 0.0 }
    }
}

impl Calibration {
    /// In `0..=1` and finite for every input; NaN counts as 0.
    pub fn probability(self, raw: f32) -> f32 {
        sigmoid(self.slope * raw + self.offset)
    }
}

/// The logistic function; NaN counts as 0.
pub fn sigmoid(x: f32) -> f32 {
    if x.is_nan() {
        return 0.0;
    }
    1.0 / (1.0 + (-x).exp())
}
