//! From what all stages know of a passage to the one score that is shown and sorted by.

use crate::calibrate::sigmoid;
use crate::pipeline::Answer;
use crate::search::Stage;

/// A logistic regression over the evidence:
/// `sigmoid(offset + cross * logit(p) + cosine * cos + words * share - rank * ln(recall rank) + first * z + near * n)`,
/// where `p` is the cross-encoder's calibrated score, `share` the part of the question's weight in words that the passage
/// holds, `z` the first stage's score, standardised over the candidates, and `n` how near the passage lies to the best
/// ones (`rerank/feedback.rs`).
///
/// Those for after the cross-encoder come from `models/train/fit_blend.py`; the sets and what came out stand in
/// `models/train/README.md`. The others were set by hand: a first stage's scores say little across questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blend {
    pub offset: f32,
    pub cross: f32,
    pub cosine: f32,
    pub words: f32,
    pub rank: f32,
    pub first: f32,
    pub near: f32,
}

/// What is known of one passage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Calibrated score of the cross-encoder, in `0..=1`; `None` where it did not read the passage.
    pub cross: Option<f32>,
    pub cosine: Option<f32>,
    /// In `0..=1`.
    pub words: f32,
    /// 1-based place among the candidates.
    pub recall_rank: usize,
    /// The first stage's score as a z-score among the candidates; 0 where they are all alike.
    pub first: f32,
    /// How near it lies to the best ones, as a difference of cosines; 0 on average.
    pub near: f32,
}

/// After the cross-encoder.
pub(crate) const RERANKED: Blend =
    Blend { offset: -9.297, cross: 0.398, cosine: 9.548, words: 0.0, rank: 0.0, first: 0.398, near: 4.42 };

/// Before it: what words alone, vectors alone and both say.
pub(crate) const LEXICAL: Blend =
    Blend { offset: -1.0, cross: 0.0, cosine: 0.0, words: 2.5, rank: 0.6, first: 0.0, near: 0.0 };
pub(crate) const VECTOR: Blend =
    Blend { offset: -13.0, cross: 0.0, cosine: 15.0, words: 0.0, rank: 0.6, first: 0.0, near: 0.0 };
pub(crate) const HYBRID: Blend =
    Blend { offset: -0.5, cross: 0.0, cosine: 0.0, words: 1.5, rank: 0.7, first: 0.0, near: 0.0 };

/// The cosine of a passage that has no vector, for the blend: that of a middling candidate on the sets it was fitted
/// on, so that an index without vectors is judged by the cross-encoder and not condemned.
const ABSENT_COSINE: f32 = 0.81;

/// A question whose best reranked score is below has probably no answer here. `models/train/README.md` says how often
/// that is right for questions from another domain, and wrong for others.
pub const NOTHING_ANSWERS_BELOW: f32 = 0.15;

/// Only what the cross-encoder read is judged: scores of the first stage say little across questions.
pub(crate) fn nothing_answers(answer: &Answer) -> bool {
    answer.stage == Stage::Rerank && answer.scored.iter().all(|s| s.score < NOTHING_ANSWERS_BELOW)
}

impl Blend {
    /// In `0..=1`. What is absent counts as 0, a cosine as a middling one.
    pub(crate) fn score(self, known: &Known) -> f32 {
        sigmoid(self.logit(known))
    }

    /// The same, before the sigmoid.
    pub(crate) fn logit(self, known: &Known) -> f32 {
        let logit = known.cross.map_or(0.0, |p| {
            let p = p.clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        });
        let rank = (known.recall_rank.max(1) as f32).ln();
        self.offset
            + self.cross * logit
            + self.cosine * known.cosine.unwrap_or(ABSENT_COSINE)
            + self.words * known.words
            - self.rank * rank
            + self.first * known.first
            + self.near * known.near
    }
}
