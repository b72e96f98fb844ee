//! Fuses the ranking by words and the ranking by vectors into one.

use crate::blend::{Features, FirstStage};

/// Weight of the cosine in the sum for a bi-encoder that nobody has fitted; the rest is BM25's. Chosen with
/// multilingual-e5, like [`BM25_POWER`].
const COSINE_WEIGHT: f32 = 0.45;

/// BM25 scores are raised to this power before they are standardised. They are skewed: a few passages that hold a rare
/// word lie so far above the others that, without this, they would outvote any cosine.
const BM25_POWER: f32 = 0.6;

/// Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).
const RRF_K: f32 = 60.0;

/// What the first stage knows of one candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    pub bm25: f32,
    /// `None` where the passage has no vector.
    pub cosine: Option<f32>,
    /// 1-based rank by words alone; `None` where the words did not bring the passage in.
    pub lexical_rank: Option<usize>,
    /// 1-based rank by vectors alone; `None` where the vectors did not bring the passage in.
    pub vector_rank: Option<usize>,
}

/// One fused score for each candidate, higher is better; comparable within one question only.
///
/// With a fitted bi-encoder, the score is the logit of the blend [`FirstStage::hybrid`]. There `share` turns a BM25
/// score into the matched part of the weight of the question's words, so that words count for as much as they matched.
/// Without a fitted one, the score is a weighted sum of z-scores, with BM25 evened out by [`BM25_POWER`].
///
/// Where one side is silent (no word matched, or there are no vectors) its scores say nothing, and standardising them
/// would add noise. Reciprocal rank fusion then keeps the other side's order.
pub fn fuse(candidates: &[Evidence], share: impl Fn(f32) -> f32, fitted: Option<FirstStage>) -> Vec<f32> {
    let lexical_speaks = candidates.iter().any(|c| c.bm25 > 0.0);
    let vector_speaks = candidates.iter().any(|c| c.cosine.is_some());
    if !(lexical_speaks && vector_speaks) {
        return candidates.iter().map(|c| reciprocal(c.lexical_rank) + reciprocal(c.vector_rank)).collect();
    }
    if let Some(FirstStage { hybrid, .. }) = fitted {
        let lowest = candidates.iter().filter_map(|c| c.cosine).fold(f32::INFINITY, f32::min);
        let features = |c: &Evidence| Features { cross: None, cosine: c.cosine.or(Some(lowest)), words: share(c.bm25) };
        return candidates.iter().map(|c| hybrid.logit(&features(c))).collect();
    }
    let bm25 = z_scores(candidates.iter().map(|c| Some(c.bm25.max(0.0).powf(BM25_POWER))));
    let cosine = z_scores(candidates.iter().map(|c| c.cosine));
    bm25.iter().zip(&cosine).map(|(b, c)| (1.0 - COSINE_WEIGHT) * b + COSINE_WEIGHT * c).collect()
}

fn reciprocal(rank: Option<usize>) -> f32 {
    rank.map_or(0.0, |r| 1.0 / (RRF_K + r as f32))
}

/// `(x - mean) / standard deviation`; an absent value counts as the lowest, all-equal values as 0.
fn z_scores(values: impl Iterator<Item = Option<f32>>) -> Vec<f32> {
    let values: Vec<Option<f32>> = values.collect();
    let lowest = values.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let values: Vec<f32> = values.into_iter().map(|v| v.unwrap_or(lowest)).collect();
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt();
    if deviation > 1e-6 { values.iter().map(|v| (v - mean) / deviation).collect() } else { vec![0.0; values.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blend::Blend;

    fn candidate(bm25: f32, cosine: Option<f32>, lexical_rank: Option<usize>, vector_rank: Option<usize>) -> Evidence {
        Evidence { bm25, cosine, lexical_rank, vector_rank }
    }

    fn share(bm25: f32) -> f32 {
        bm25 / 10.0
    }

    /// Scattered common words do not outvote the nearest passage; most of the question in one passage does.
    #[test]
    fn words_count_for_as_much_as_they_found() {
        let hybrid = Blend { offset: -6.0, cross: 0.0, cosine: 12.0, words: 4.0 };
        let fitted = Some(FirstStage { vector: hybrid, hybrid });
        let nearest = candidate(0.0, Some(0.5), None, Some(1));
        for (bm25, wins) in [(1.0, false), (9.0, true)] {
            let scores = fuse(&[nearest, candidate(bm25, Some(0.3), Some(1), Some(2))], share, fitted);
            assert_eq!(scores[1] > scores[0], wins, "{bm25}: {scores:?}");
        }
        // A passage without a vector counts as the farthest.
        let scores = fuse(&[nearest, candidate(5.0, None, Some(1), None)], share, fitted);
        assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
    }

    fn order(candidates: &[Evidence]) -> Vec<usize> {
        let scores = fuse(candidates, share, None);
        assert!(scores.iter().all(|s| s.is_finite()));
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order
    }

    #[test]
    fn both_sides_count() {
        let c = [
            candidate(9.0, Some(0.2), Some(1), None),
            candidate(8.0, Some(0.8), Some(2), Some(1)),
            candidate(0.0, Some(0.7), None, Some(2)),
        ];
        assert_eq!(order(&c)[0], 1);
    }

    #[test]
    fn a_silent_side_leaves_the_other_in_its_order() {
        let by_words = [candidate(3.0, None, Some(2), None), candidate(9.0, None, Some(1), None)];
        assert_eq!(order(&by_words), [1, 0]);
        let by_vectors = [candidate(0.0, Some(0.1), None, Some(2)), candidate(0.0, Some(0.9), None, Some(1))];
        assert_eq!(order(&by_vectors), [1, 0]);
    }

    #[test]
    fn nothing_and_all_equal_are_finite() {
        assert!(fuse(&[], share, None).is_empty());
        assert_eq!(fuse(&[candidate(1.0, Some(0.5), Some(1), Some(1)); 3], share, None), [0.0; 3]);
    }
}
