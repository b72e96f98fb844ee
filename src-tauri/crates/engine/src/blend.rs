//! From what all stages know of a passage to the one score that is shown and sorted by.

use crate::calibrate::sigmoid;
use crate::pipeline::Answer;
use crate::search::Stage;
use crate::text::script::is_han;

/// A logistic regression over the evidence:
/// `sigmoid(offset + cross * logit(p) + cosine * cos + words * share - rank * ln(recall rank) + first * z)`, where `p`
/// is the cross-encoder's calibrated score, `share` the part of the question's weight in words that the passage holds,
/// and `z` the first stage's score, standardised over the candidates.
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
}

/// After the cross-encoder.
const RERANKED: Blend = Blend { offset: -9.63, cross: 0.348, cosine: 9.95, words: 0.0, rank: 0.064, first: 0.448 };

/// The same for a Chinese question. The first stage nearly always has those right, and the cross-encoder has read fewer of
/// them: it counts for less.
const RERANKED_CHINESE: Blend =
    Blend { offset: -15.677, cross: 0.282, cosine: 14.084, words: 0.0, rank: 0.093, first: 1.127 };

/// Before it: what words alone, vectors alone and both say.
pub(crate) const LEXICAL: Blend = Blend { offset: -1.0, cross: 0.0, cosine: 0.0, words: 2.5, rank: 0.6, first: 0.0 };
pub(crate) const VECTOR: Blend = Blend { offset: -13.0, cross: 0.0, cosine: 15.0, words: 0.0, rank: 0.6, first: 0.0 };
pub(crate) const HYBRID: Blend = Blend { offset: -0.5, cross: 0.0, cosine: 0.0, words: 1.5, rank: 0.7, first: 0.0 };

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
    /// What to order by once the cross-encoder has read.
    pub(crate) fn reranked(question: &str) -> Self {
        let letters = || question.chars().filter(|c| c.is_alphabetic());
        let is_chinese = letters().filter(|c| is_han(*c)).count() * 2 > letters().count();
        if is_chinese { RERANKED_CHINESE } else { RERANKED }
    }

    /// In `0..=1`. What is absent counts as 0, a cosine as a middling one.
    pub(crate) fn score(self, known: &Known) -> f32 {
        let logit = known.cross.map_or(0.0, |p| {
            let p = p.clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        });
        let rank = (known.recall_rank.max(1) as f32).ln();
        sigmoid(
            self.offset
                + self.cross * logit
                + self.cosine * known.cosine.unwrap_or(ABSENT_COSINE)
                + self.words * known.words
                - self.rank * rank
                + self.first * known.first,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_letters_tell_a_chinese_question() {
        for question in ["怎么撤销提交？", "怎样用 git 撤销最近一次提交"] {
            assert_eq!(Blend::reranked(question), RERANKED_CHINESE, "{question}");
        }
        for question in ["undo a commit", "Python 读取 JSON", "", "42?"] {
            assert_eq!(Blend::reranked(question), RERANKED, "{question}");
        }
    }
}
