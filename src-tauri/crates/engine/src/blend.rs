//! Turns what the stages know of a passage into the one score that is shown and sorted by.

use serde::{Deserialize, Serialize};

use crate::calibrate::{logit, sigmoid};
use crate::pipeline::Answer;
use crate::search::Stage;

/// A logistic regression over what is known of one passage:
/// `sigmoid(offset + cross * logit(p) + cosine * cos + words * share)`, where `p` is the cross-encoder's calibrated
/// score, `cos` the cosine of question and passage, and `share` the matched part of the weight of the question's words.
///
/// Nothing in it is relative to the other candidates, so a score is the same whatever else was recalled. Weights belong
/// to a pair of models ([`Reranker::blend`](crate::Reranker::blend)) or to a bi-encoder
/// ([`Embedder::first_stage`](crate::Embedder::first_stage)); `models/train/README.md` says how they are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    pub offset: f32,
    #[serde(default)]
    pub cross: f32,
    #[serde(default)]
    pub cosine: f32,
    #[serde(default)]
    pub words: f32,
}

/// The blends of a bi-encoder for the first stage, before the cross-encoder has read anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstStage {
    /// For a search by vectors alone.
    pub vector: Blend,
    /// For a search by vectors and words.
    pub hybrid: Blend,
}

/// The evidence about one passage that a blend weighs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    /// Calibrated score of the cross-encoder, in `0..=1`; `None` where it did not read the passage.
    pub cross: Option<f32>,
    pub cosine: Option<f32>,
    /// In `0..=1`.
    pub words: f32,
}

/// For passages that are scored by words alone. Fitted together with the blends of the built-in bi-encoder.
const WORDS: Blend = Blend { offset: -3.172, cross: 0.0, cosine: 0.0, words: 3.912 };

/// The cross-encoder alone: for a passage without a vector, and for a pair of models without a fitted blend.
const CROSS: Blend = Blend { offset: 0.0, cross: 1.0, cosine: 0.0, words: 0.0 };

/// For a bi-encoder that nobody has fitted: a rough curve that maps a cosine of 0.5 to a score of 0.5.
const COSINE: Blend = Blend { offset: -3.0, cross: 0.0, cosine: 6.0, words: 0.0 };

/// If the best reranked score is below this, probably no note answers the question. `models/train/README.md` says how
/// often this verdict is right for questions that nothing answers, and how often it is wrong for others.
pub const NOTHING_ANSWERS_BELOW: f32 = 0.04;

/// Judges reranked answers only: scores of the first stage are hardly comparable between questions.
pub(crate) fn nothing_answers(answer: &Answer) -> bool {
    answer.stage == Stage::Rerank && answer.scored.iter().all(|s| s.score < NOTHING_ANSWERS_BELOW)
}

/// The score of a passage that the cross-encoder has not read.
pub(crate) fn first_stage(stage: Stage, of_embedder: Option<FirstStage>, features: &Features) -> f32 {
    let blend = match (stage, features.cosine, of_embedder) {
        (Stage::Lexical, ..) | (_, None, _) => WORDS,
        (_, Some(_), None) => COSINE,
        (Stage::Vector, Some(_), Some(fitted)) => fitted.vector,
        (Stage::Hybrid | Stage::Rerank, Some(_), Some(fitted)) => fitted.hybrid,
    };
    blend.score(features)
}

/// The score of a passage that the cross-encoder read; `of_pair` is the blend of the two models.
pub(crate) fn reranked(of_pair: Option<Blend>, features: &Features) -> f32 {
    of_pair.filter(|_| features.cosine.is_some()).unwrap_or(CROSS).score(features)
}

impl Blend {
    /// In `0..=1`. Absent evidence counts as 0.
    fn score(self, features: &Features) -> f32 {
        sigmoid(self.logit(features))
    }

    /// The score before the sigmoid.
    pub(crate) fn logit(self, features: &Features) -> f32 {
        let cross = features.cross.map_or(0.0, logit);
        self.offset + self.cross * cross + self.cosine * features.cosine.unwrap_or(0.0) + self.words * features.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Blend = Blend { offset: -4.0, cross: 0.5, cosine: 6.0, words: 1.0 };

    fn features(cross: Option<f32>, cosine: Option<f32>, words: f32) -> Features {
        Features { cross, cosine, words }
    }

    #[test]
    fn each_piece_of_evidence_raises_the_score() {
        let base = reranked(Some(PAIR), &features(Some(0.3), Some(0.3), 0.3));
        for more in [
            features(Some(0.6), Some(0.3), 0.3),
            features(Some(0.3), Some(0.6), 0.3),
            features(Some(0.3), Some(0.3), 0.6),
        ] {
            assert!(reranked(Some(PAIR), &more) > base, "{more:?}");
        }
    }

    /// Without a vector, or without a blend, the calibrated score stands as it is.
    #[test]
    fn the_cross_encoder_stands_alone_where_nothing_else_is_known() {
        for (pair, cosine) in [(Some(PAIR), None), (None, Some(0.9)), (None, None)] {
            let score = reranked(pair, &features(Some(0.7), cosine, 1.0));
            assert!((score - 0.7).abs() < 1e-5, "{score}");
        }
    }

    #[test]
    fn scores_are_probabilities_at_every_end() {
        for cross in [0.0, 1.0, f32::NAN] {
            for cosine in [-1.0, 1.0] {
                let score = reranked(Some(PAIR), &features(Some(cross), Some(cosine), 1.0));
                assert!((0.0..=1.0).contains(&score), "{cross} {cosine}: {score}");
            }
        }
        let fitted = FirstStage { vector: PAIR, hybrid: PAIR };
        for stage in [Stage::Lexical, Stage::Vector, Stage::Hybrid] {
            for of_embedder in [None, Some(fitted)] {
                for cosine in [None, Some(-1.0), Some(1.0)] {
                    let score = first_stage(stage, of_embedder, &features(None, cosine, 0.5));
                    assert!((0.0..=1.0).contains(&score), "{stage:?} {cosine:?}: {score}");
                }
            }
        }
    }
}
