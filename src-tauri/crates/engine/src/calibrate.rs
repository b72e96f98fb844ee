//! Calibration: raw scores differ from model to model, but a score that the user sees always means the same.

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

/// Probabilities are kept this far from 0 and 1, where the logit is ±16: nearer, an f32 can hardly be told from 1.
const NEAREST: f32 = 1.2e-7;

/// From a probability back to its logit, within -16 and 16; the inverse of [`sigmoid`]. NaN counts as 0.
pub fn logit(p: f32) -> f32 {
    let p = if p.is_nan() { NEAREST } else { p.clamp(NEAREST, 1.0 - NEAREST) };
    (p / (1.0 - p)).ln()
}

/// The logistic function; NaN counts as 0.
pub fn sigmoid(x: f32) -> f32 {
    if x.is_nan() {
        return 0.0;
    }
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logit_leads_back_to_its_probability() {
        for p in [1e-6, 0.02, 0.5, 0.98] {
            assert!((sigmoid(logit(p)) - p).abs() < 1e-6, "{p}");
        }
        for (end, expected) in [(0.0, -16.0), (1.0, 16.0), (-1.0, -16.0), (2.0, 16.0), (f32::NAN, -16.0)] {
            assert!((logit(end) - expected).abs() < 0.1, "{end}: {}", logit(end));
        }
    }
}
