//! Whether a question that nothing answers can be told from the others by its best score.

use serde::Serialize;

use crate::eval::run::quantile;

/// Best scores of the set's questions and, if such were given, of off-topic questions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answerable {
    /// The stage that gave the scores: the last one measured.
    pub(crate) stage: &'static str,
    pub(crate) threshold: Option<f32>,
    pub(crate) real: BestScores,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) off_topic: Option<BestScores>,
    /// The chance that a real question's best score is above that of an off-topic question (a tie counts half).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auc: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct BestScores {
    pub(crate) n: usize,
    pub(crate) p5: f32,
    pub(crate) median: f32,
    pub(crate) p95: f32,
    /// Questions without a hit at or above the threshold; absent where there is no threshold.
    pub(crate) n_below: Option<usize>,
    pub(crate) share_below: Option<f64>,
}

impl Answerable {
    pub(crate) fn new(stage: &'static str, threshold: Option<f32>, real: &[f32], off_topic: Option<&[f32]>) -> Self {
        Self {
            stage,
            threshold,
            real: BestScores::of(real, threshold),
            off_topic: off_topic.map(|scores| BestScores::of(scores, threshold)),
            auc: off_topic.map(|off_topic| auc(real, off_topic)),
        }
    }
}

impl BestScores {
    fn of(scores: &[f32], threshold: Option<f32>) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f32::total_cmp);
        let n_below = threshold.map(|threshold| sorted.partition_point(|score| *score < threshold));
        Self {
            n: sorted.len(),
            p5: quantile(&sorted, 0.05),
            median: quantile(&sorted, 0.5),
            p95: quantile(&sorted, 0.95),
            n_below,
            share_below: n_below.map(|n| n as f64 / sorted.len().max(1) as f64),
        }
    }
}

/// Area under the ROC curve: the share of all pairs in which `high` is above `low`, ties counted half (Hanley and
/// McNeil 1982). 0.5 where either is empty.
fn auc(high: &[f32], low: &[f32]) -> f64 {
    let mut low = low.to_vec();
    low.sort_by(f32::total_cmp);
    let won: f64 = high
        .iter()
        .map(|score| {
            let below = low.partition_point(|other| other < score);
            let not_above = low.partition_point(|other| other <= score);
            (below + not_above) as f64 / 2.0
        })
        .sum();
    let pairs = high.len() * low.len();
    if pairs > 0 { won / pairs as f64 } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        // Of six pairs .9 wins three, .3 wins one and ties one: 4.5 of 6.
        assert_eq!(auc(&[0.9, 0.3], &[0.1, 0.3, 0.8]), 0.75);
        assert_eq!((auc(&[0.9], &[0.1]), auc(&[0.1], &[0.9]), auc(&[], &[0.1])), (1.0, 0.0, 0.5));
    }

    #[test]
    fn below_the_threshold_is_counted_on_both_sides() {
        let found = Answerable::new("rerank", Some(0.5), &[0.5, 0.9, 0.2, 0.7], Some(&[0.1, 0.6]));
        let off_topic = found.off_topic.unwrap();
        assert_eq!((found.real.n_below, found.real.share_below), (Some(1), Some(0.25)));
        assert_eq!((off_topic.n_below, off_topic.n, off_topic.median), (Some(1), 2, 0.1));
        let without = Answerable::new("rerank", None, &[0.5], None);
        assert_eq!((without.real.n_below, without.auc), (None, None));
    }
}
