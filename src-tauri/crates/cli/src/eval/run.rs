//! The results of asking every question at one stage.

use nuthatch_engine::eval::RankedDoc;
use serde::Serialize;

use crate::eval::metrics::{Judgements, ndcg, recall, reciprocal_rank};

/// Documents ranked for each question: as many as the deepest measure, recall@100, needs.
pub(crate) const DEPTH: usize = 100;

/// Documents of a ranking that are kept to be listed.
const LISTED: usize = 10;

/// All questions at a stage, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// `lexical`, `vector`, `hybrid`, `rerank` (the blend) or `cross` (the cross-encoder alone).
    pub(crate) stage: &'static str,
    /// The cross-encoder, where one took part.
    pub(crate) model: Option<String>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// One question at a stage.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) ndcg_10: f64,
    pub(crate) mrr_10: f64,
    pub(crate) recall_100: f64,
    pub(crate) took_ms: f64,
    /// The first documents and their scores.
    pub(crate) top: Vec<(String, f32)>,
}

/// Means over the questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Measures {
    pub(crate) ndcg_10: f64,
    pub(crate) mrr_10: f64,
    /// Share of the questions whose first document is relevant.
    pub(crate) first: f64,
    pub(crate) recall_100: f64,
    pub(crate) ms_per_query: f64,
    pub(crate) ms_median: f64,
    pub(crate) ms_p95: f64,
}

impl Outcome {
    /// `docs` best first; `score` is what they were ordered by.
    pub(crate) fn new(
        docs: &[&RankedDoc],
        score: impl Fn(&RankedDoc) -> f32,
        judged: &Judgements,
        took_ms: f64,
    ) -> Self {
        let ids: Vec<&str> = docs.iter().map(|doc| doc.id.as_str()).collect();
        Self {
            ndcg_10: ndcg(&ids, judged, 10),
            mrr_10: reciprocal_rank(&ids, judged, 10),
            recall_100: recall(&ids, judged, DEPTH),
            took_ms,
            top: docs.iter().take(LISTED).map(|doc| (doc.id.clone(), score(doc))).collect(),
        }
    }

    pub(crate) fn is_first(&self) -> bool {
        self.mrr_10 == 1.0
    }

    /// Score of the first document; 0 where nothing was found.
    pub(crate) fn best_score(&self) -> f32 {
        self.top.first().map_or(0.0, |(_, score)| *score)
    }
}

impl Run {
    pub(crate) fn means(&self) -> Measures {
        let n = self.outcomes.len().max(1) as f64;
        let mean = |of: fn(&Outcome) -> f64| self.outcomes.iter().map(of).sum::<f64>() / n;
        let mut times: Vec<f64> = self.outcomes.iter().map(|outcome| outcome.took_ms).collect();
        times.sort_by(f64::total_cmp);
        Measures {
            ndcg_10: mean(|outcome| outcome.ndcg_10),
            mrr_10: mean(|outcome| outcome.mrr_10),
            first: self.n_first() as f64 / n,
            recall_100: mean(|outcome| outcome.recall_100),
            ms_per_query: mean(|outcome| outcome.took_ms),
            ms_median: quantile(&times, 0.5),
            ms_p95: quantile(&times, 0.95),
        }
    }

    /// Questions whose first document is relevant.
    pub(crate) fn n_first(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_first()).count()
    }

    pub(crate) fn ndcg_10(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.ndcg_10).collect()
    }

    pub(crate) fn best_scores(&self) -> Vec<f32> {
        self.outcomes.iter().map(Outcome::best_score).collect()
    }
}

/// The `q` quantile (`q` in `0..=1`) by nearest rank: the smallest of the `sorted` values that at least a share `q` of
/// them do not exceed. 0 if there are none.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], q: f64) -> T {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_questions() {
        let outcome = |hit: f64, took_ms| Outcome { ndcg_10: hit, mrr_10: hit, recall_100: hit, took_ms, top: vec![] };
        let run = Run { stage: "hybrid", model: None, outcomes: vec![outcome(1.0, 3.0), outcome(0.0, 5.0)] };
        let Measures { ndcg_10, first, ms_per_query, ms_median, ms_p95, .. } = run.means();
        assert_eq!((ndcg_10, first, ms_per_query, ms_median, ms_p95), (0.5, 0.5, 4.0, 3.0, 5.0));
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&hundred, 0.5), quantile(&hundred, 0.95), quantile(&hundred, 1.0)), (50.0, 95.0, 100.0));
        assert_eq!((quantile(&[7.0], 0.0), quantile::<f64>(&[], 0.5)), (7.0, 0.0));
    }
}
