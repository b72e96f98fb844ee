//! From what all stages know of a passage to the one score that is shown and sorted by.

use crate::calibrate::sigmoid;

/// A logistic regression over absolute evidence, so that the score means the same for every question and never
/// depends on the other hits: `sigmoid(offset + cross * logit(p) + cosine * cos + words * share)`, where `p` is the
/// cross-encoder's calibrated score and `share` the part of the question's weight in words that the passage holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blend {
    pub offset: f32,
    pub cross: f32,
    pub cosine: f32,
    pub words: f32,
}

/// After the cross-encoder.
pub(crate) const RERANKED: Blend = Blend { offset: 0.0, cross: 1.0, cosine: 0.0, words: 0.0 };

/// Before it: what words alone, vectors alone and both say.
pub(crate) const LEXICAL: Blend = Blend { offset: -3.0, cross: 0.0, cosine: 0.0, words: 5.0 };
pub(crate) const VECTOR: Blend = Blend { offset: -25.0, cross: 0.0, cosine: 30.0, words: 0.0 };
pub(crate) const HYBRID: Blend = Blend { offset: -26.0, cross: 0.0, cosine: 28.0, words: 4.0 };

impl Blend {
    /// In `0..=1`. `cross` is the calibrated score of the cross-encoder, `None` where it did not read the passage; an
    /// absent cosine counts as 0.
    pub(crate) fn score(self, cross: Option<f32>, cosine: Option<f32>, words: f32) -> f32 {
        let logit = cross.map_or(0.0, |p| {
            let p = p.clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        });
        sigmoid(self.offset + self.cross * logit + self.cosine * cosine.unwrap_or(0.0) + self.words * words)
    }
}
