//! Fits a blend: first weights for the features of candidates, then a scale and an offset that make the weighted sum a
//! probability.
//!
//! The weights minimise a listwise softmax loss within each question (Cao et al. 2007), so they depend on order alone.
//! Scale and offset are fitted as in Platt (1999), on the candidates that would be shown. Every set weighs the same,
//! however many questions it has.

use nuthatch_engine::Blend;

/// Candidates of a question that scale and offset are fitted on: as many as the app's window shows.
const SHOWN: usize = 5;

const PENALTY: f64 = 1e-2;
const MOST_STEPS: usize = 100;
/// Fitting stops after a step that lowers the loss by less than this.
const LEAST_GAIN: f64 = 1e-9;

/// What is known of one candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Logit of the cross-encoder's calibrated score.
    pub(crate) cross: f64,
    pub(crate) cosine: f64,
    /// Share of the question's word weight that the candidate contains, `0..=1`.
    pub(crate) words: f64,
    /// Judged grade, 0 for a candidate that is not relevant.
    pub(crate) grade: f64,
}

/// One question's candidates, as the first stage ranked them.
pub(crate) type Candidates = Vec<Known>;

/// A feature of candidates that a blend may weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Cross,
    Cosine,
    Words,
}

impl Feature {
    fn of(self, known: &Known) -> f64 {
        match self {
            Self::Cross => known.cross,
            Self::Cosine => known.cosine,
            Self::Words => known.words,
        }
    }

    /// About the largest weight that makes sense. It scales the penalty, which keeps weights below it unless the data
    /// call for more.
    fn largest(self) -> f64 {
        match self {
            Self::Cross => 3.0,
            Self::Cosine => 80.0,
            Self::Words => 20.0,
        }
    }
}

/// Fits a blend over `features` to the sets. If no candidate is relevant, all weights become 0.
pub(crate) fn fit(sets: &[&[Candidates]], features: &[Feature]) -> Blend {
    let weights = weights(sets, features);
    let sum = |known: &Known| features.iter().zip(&weights).map(|(feature, w)| w * feature.of(known)).sum::<f64>();
    let shown: Vec<Vec<(f64, bool)>> = sets.iter().map(|set| first_of_each(set, sum)).collect();
    let (scale, offset) = platt(&shown);
    let weight = |wanted| features.iter().position(|feature| *feature == wanted).map_or(0.0, |i| scale * weights[i]);
    Blend {
        offset: offset as f32,
        cross: weight(Feature::Cross) as f32,
        cosine: weight(Feature::Cosine) as f32,
        words: weight(Feature::Words) as f32,
    }
}

/// A blend's score of a candidate, before the sigmoid.
pub(crate) fn logit(blend: Blend, known: &Known) -> f64 {
    f64::from(blend.offset)
        + f64::from(blend.cross) * known.cross
        + f64::from(blend.cosine) * known.cosine
        + f64::from(blend.words) * known.words
}

/// The first [`SHOWN`] of each question by `score`, and whether they are relevant.
pub(crate) fn first_of_each(set: &[Candidates], score: impl Fn(&Known) -> f64) -> Vec<(f64, bool)> {
    let first = |candidates: &Candidates| {
        let mut scored: Vec<(f64, bool)> = candidates.iter().map(|known| (score(known), known.grade > 0.0)).collect();
        scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        scored.truncate(SHOWN);
        scored
    };
    set.iter().flat_map(first).collect()
}

/// Expected calibration error: the mean distance between the probability predicted and the share that is relevant, over
/// ten bins of probability.
pub(crate) fn calibration_error(said: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); 10];
    for (logit, is_relevant) in said {
        let p = 1.0 / (1.0 + (-logit).exp());
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        bin.0 += p;
        bin.1 += f64::from(u8::from(*is_relevant));
    }
    bins.iter().map(|(said, so)| (said - so).abs()).sum::<f64>() / said.len().max(1) as f64
}

/// Minimises the loss by Newton's method, keeping every weight at 0 or above. The problem is convex and has few
/// dimensions.
fn weights(sets: &[&[Candidates]], features: &[Feature]) -> Vec<f64> {
    let mut weights: Vec<f64> = features.iter().map(|feature| 0.1 * feature.largest()).collect();
    let mut here = listwise(sets, features, &weights);
    for _ in 0..MOST_STEPS {
        let free: Vec<usize> = (0..features.len()).filter(|&i| weights[i] > 0.0 || here.slope[i] < 0.0).collect();
        let curve = free.iter().map(|&i| free.iter().map(|&j| here.curve[i][j]).collect()).collect();
        let Some(step) = solve(curve, free.iter().map(|&i| -here.slope[i]).collect()) else { break };
        let mut share = 1.0;
        let better = loop {
            let mut next = weights.clone();
            for (&i, step) in free.iter().zip(&step) {
                next[i] = (next[i] + share * step).max(0.0);
            }
            let there = listwise(sets, features, &next);
            if there.value < here.value {
                break Some((next, there));
            }
            share /= 2.0;
            if share < 1e-6 {
                break None;
            }
        };
        let Some((next, there)) = better else { break };
        let gain = here.value - there.value;
        (weights, here) = (next, there);
        if gain < LEAST_GAIN {
            break;
        }
    }
    weights
}

/// A loss at a point, with its first and second derivatives.
struct Loss {
    value: f64,
    slope: Vec<f64>,
    curve: Vec<Vec<f64>>,
}

impl Loss {
    fn new(dimensions: usize) -> Self {
        Self { value: 0.0, slope: vec![0.0; dimensions], curve: vec![vec![0.0; dimensions]; dimensions] }
    }
}

fn listwise(sets: &[&[Candidates]], features: &[Feature], weights: &[f64]) -> Loss {
    let mut loss = Loss::new(features.len());
    for (i, (feature, weight)) in features.iter().zip(weights).enumerate() {
        let largest = feature.largest();
        loss.value += PENALTY * (weight / largest).powi(2);
        loss.slope[i] += 2.0 * PENALTY * weight / largest.powi(2);
        loss.curve[i][i] += 2.0 * PENALTY / largest.powi(2);
    }
    for set in sets {
        let answered: Vec<&Candidates> = set.iter().filter(|c| c.iter().any(|known| known.grade > 0.0)).collect();
        let share = 1.0 / (answered.len().max(1) * sets.len()) as f64;
        for candidates in answered {
            add_question(&mut loss, candidates, features, weights, share);
        }
    }
    loss
}

fn add_question(loss: &mut Loss, candidates: &Candidates, features: &[Feature], weights: &[f64], share: f64) {
    let rows: Vec<Vec<f64>> =
        candidates.iter().map(|known| features.iter().map(|feature| feature.of(known)).collect()).collect();
    let sums: Vec<f64> = rows.iter().map(|row| row.iter().zip(weights).map(|(x, w)| x * w).sum()).collect();
    let highest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = sums.iter().map(|s| (s - highest).exp()).sum();
    let grades: f64 = candidates.iter().map(|known| known.grade).sum();
    let n = features.len();
    let mut mean = vec![0.0; n];
    for ((row, sum), known) in rows.iter().zip(&sums).zip(candidates) {
        let p = (sum - highest).exp() / total;
        let target = known.grade / grades;
        loss.value -= share * target * (sum - highest - total.ln());
        for i in 0..n {
            loss.slope[i] += share * (p - target) * row[i];
            mean[i] += p * row[i];
            for j in 0..n {
                loss.curve[i][j] += share * p * row[i] * row[j];
            }
        }
    }
    for i in 0..n {
        for j in 0..n {
            loss.curve[i][j] -= share * mean[i] * mean[j];
        }
    }
}

/// Scale and offset of a logistic regression on one number. Every set weighs the same.
fn platt(sets: &[Vec<(f64, bool)>]) -> (f64, f64) {
    let (mut scale, mut offset) = (1.0, -3.0);
    let value = |scale: f64, offset: f64| -> f64 {
        let of_row = |(sum, is_relevant): &(f64, bool)| {
            let z = scale * sum + offset;
            // ln(1 + e^z), written so that it does not overflow.
            z.max(0.0) + (-z.abs()).exp().ln_1p() - if *is_relevant { z } else { 0.0 }
        };
        sets.iter().map(|rows| rows.iter().map(of_row).sum::<f64>() / rows.len().max(1) as f64).sum()
    };
    for _ in 0..MOST_STEPS {
        let mut loss = Loss::new(2);
        for rows in sets {
            let share = 1.0 / rows.len().max(1) as f64;
            for (sum, is_relevant) in rows {
                let p = 1.0 / (1.0 + (-(scale * sum + offset)).exp());
                let (slope, curve) = (share * (p - f64::from(u8::from(*is_relevant))), share * p * (1.0 - p));
                for (i, x) in [*sum, 1.0].into_iter().enumerate() {
                    loss.slope[i] += slope * x;
                    for (j, y) in [*sum, 1.0].into_iter().enumerate() {
                        loss.curve[i][j] += curve * x * y;
                    }
                }
            }
        }
        // Keeps the matrix invertible even if all sums are equal.
        (0..2).for_each(|i| loss.curve[i][i] += 1e-9);
        let here = value(scale, offset);
        let Some(step) = solve(loss.curve, loss.slope.iter().map(|x| -x).collect()) else { break };
        let mut share = 1.0;
        while value(scale + share * step[0], offset + share * step[1]) > here && share > 1e-6 {
            share /= 2.0;
        }
        (scale, offset) = (scale + share * step[0], offset + share * step[1]);
        if here - value(scale, offset) < LEAST_GAIN {
            break;
        }
    }
    (scale, offset)
}

/// Solves `matrix x = right` by elimination; `None` if there is no unique solution.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs()))?;
        if matrix[pivot][i].abs() < 1e-15 {
            return None;
        }
        matrix.swap(i, pivot);
        right.swap(i, pivot);
        for row in i + 1..n {
            let (above, below) = matrix.split_at_mut(row);
            let share = below[0][i] / above[i][i];
            below[0].iter_mut().zip(&above[i]).for_each(|(x, of_pivot)| *x -= share * of_pivot);
            right[row] -= share * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// Random candidates, relevant with the probability that `blend` gives them.
    fn drawn(blend: Blend, n_questions: usize, seed: u64) -> Vec<Candidates> {
        let mut random = Rng::with_seed(seed);
        let mut candidate = || {
            let (cross, cosine, words) = (8.0 * random.f64() - 6.0, random.f64(), random.f64());
            let known = Known { cross, cosine, words, grade: 0.0 };
            let chance = 1.0 / (1.0 + (-logit(blend, &known)).exp());
            Known { grade: f64::from(u8::from(random.f64() < chance)), ..known }
        };
        (0..n_questions).map(|_| (0..20).map(|_| candidate()).collect()).collect()
    }

    #[test]
    fn a_blend_is_found_again() {
        let drawn_by = Blend { offset: -6.0, cross: 0.8, cosine: 5.0, words: 2.0 };
        let (one, other) = (drawn(drawn_by, 1500, 1), drawn(drawn_by, 1500, 2));
        let found = fit(&[&one, &other], &[Feature::Cross, Feature::Cosine, Feature::Words]);
        for (found, wanted) in [
            (found.cross, drawn_by.cross),
            (found.cosine, drawn_by.cosine),
            (found.words, drawn_by.words),
            (found.offset, drawn_by.offset),
        ] {
            assert!((found - wanted).abs() < 0.15 * wanted.abs(), "{found} is not {wanted}");
        }
        let unseen = drawn(drawn_by, 1500, 3);
        let error = calibration_error(&first_of_each(&unseen, |known| logit(found, known)));
        assert!(error < 0.03, "{error}");
    }

    /// A feature that contradicts the judgements gets the weight 0, not a negative one.
    #[test]
    fn no_weight_is_negative() {
        let mut sets = drawn(Blend { offset: -5.0, cross: 1.0, cosine: 0.0, words: 0.0 }, 300, 4);
        sets.iter_mut().flatten().for_each(|known| known.cosine = -known.cross / 8.0);
        let found = fit(&[&sets], &[Feature::Cross, Feature::Cosine]);
        assert_eq!(found.cosine, 0.0);
        assert!(found.cross > 0.5, "{found:?}");
    }

    #[test]
    fn nothing_relevant_gives_finite_weights() {
        let nothing = vec![vec![Known { cross: 0.0, cosine: 0.5, words: 0.0, grade: 0.0 }; 3]; 2];
        for sets in [&[][..], &[&nothing[..]][..]] {
            let Blend { offset, cross, cosine, words } = fit(sets, &[Feature::Cosine]);
            assert!([offset, cross, cosine, words].iter().all(|x| x.is_finite()));
        }
    }
}
