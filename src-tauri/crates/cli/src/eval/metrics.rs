//! How good a ranking is, for one question; averages over questions are the caller's.
//!
//! As in trec_eval and BEIR: a document without a judgement counts as not relevant, gains are linear in the judged
//! grade, and the ideal ranking is made from all judgements of the question.

use std::collections::HashMap;

/// Judged documents of one question with their grade; above 0 is relevant.
pub(crate) type Judgements = HashMap<String, f64>;

/// Normalised discounted cumulative gain over the first `depth`, in `0..=1` (Järvelin and Kekäläinen 2002):
/// `sum(grade / log2(rank + 1))` over that of the best ranking there could be.
pub(crate) fn ndcg(ranking: &[&str], judged: &Judgements, depth: usize) -> f64 {
    let found = ranking.iter().take(depth).map(|id| grade(judged, id));
    let mut best: Vec<f64> = judged.values().map(|grade| grade.max(0.0)).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let ideal = discounted(best.into_iter().take(depth));
    if ideal > 0.0 { discounted(found) / ideal } else { 0.0 }
}

/// One over the rank of the first relevant document, 0 if it is not among the first `depth`.
pub(crate) fn reciprocal_rank(ranking: &[&str], judged: &Judgements, depth: usize) -> f64 {
    let first = ranking.iter().take(depth).position(|id| grade(judged, id) > 0.0);
    first.map_or(0.0, |at| 1.0 / (at + 1) as f64)
}

/// Share of the relevant documents that are among the first `depth`.
pub(crate) fn recall(ranking: &[&str], judged: &Judgements, depth: usize) -> f64 {
    let relevant = judged.values().filter(|grade| **grade > 0.0).count();
    let found = ranking.iter().take(depth).filter(|id| grade(judged, id) > 0.0).count();
    if relevant > 0 { found as f64 / relevant as f64 } else { 0.0 }
}

fn grade(judged: &Judgements, id: &str) -> f64 {
    judged.get(id).copied().unwrap_or(0.0).max(0.0)
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    gains.zip(2..).map(|(gain, rank_plus_1)| gain / f64::from(rank_plus_1).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(grades: &[(&str, f64)]) -> Judgements {
        grades.iter().map(|(id, grade)| ((*id).to_owned(), *grade)).collect()
    }

    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-4, "{actual} is not {expected}");
    }

    #[test]
    fn ndcg_agrees_with_values_worked_out_by_hand() {
        let one = judged(&[("a", 1.0)]);
        assert_close(ndcg(&["a", "b"], &one, 10), 1.0);
        // 1 / log2(3)
        assert_close(ndcg(&["b", "a"], &one, 10), 0.63093);
        // 1 / log2(4)
        assert_close(ndcg(&["b", "c", "a"], &one, 10), 0.5);
        assert_close(ndcg(&["b", "c", "a"], &one, 2), 0.0);
        assert_close(ndcg(&[], &one, 10), 0.0);

        // Grades are linear gains. Found: 1/1 + 0 + 3/2 = 2.5; ideal: 3/1 + 2/1.58496 + 1/2 = 4.76186.
        let graded = judged(&[("a", 3.0), ("b", 2.0), ("c", 1.0), ("d", 0.0)]);
        assert_close(ndcg(&["c", "d", "a"], &graded, 10), 0.52501);
        // The ideal is cut at the depth as well: 3/1 + 2/1.58496 = 4.26186; found 2/1 + 3/1.58496 = 3.89279.
        assert_close(ndcg(&["b", "a"], &graded, 2), 0.91340);
        assert_close(ndcg(&["a"], &judged(&[("a", 0.0)]), 10), 0.0);
    }

    #[test]
    fn reciprocal_rank_is_that_of_the_first_relevant() {
        let two = judged(&[("a", 1.0), ("b", 2.0), ("c", 0.0), ("d", -1.0)]);
        assert_close(reciprocal_rank(&["b", "a"], &two, 10), 1.0);
        assert_close(reciprocal_rank(&["c", "d", "x", "a", "b"], &two, 10), 0.25);
        assert_close(reciprocal_rank(&["c", "d", "x", "a", "b"], &two, 3), 0.0);
    }

    #[test]
    fn recall_counts_relevant_documents_only() {
        let three = judged(&[("a", 1.0), ("b", 2.0), ("c", 1.0), ("d", 0.0)]);
        assert_close(recall(&["a", "d", "x"], &three, 100), 1.0 / 3.0);
        assert_close(recall(&["a", "b", "c"], &three, 100), 1.0);
        assert_close(recall(&["a", "b", "c"], &three, 2), 2.0 / 3.0);
        assert_close(recall(&["d"], &judged(&[("d", 0.0)]), 100), 0.0);
    }
}
