//! Whether one stage ranks better than another, or only seems to: a paired bootstrap over the questions (Efron and
//! Tibshirani 1993, chapters 13 and 16; for ranking: Sakai 2006).

use fastrand::Rng;
use serde::Serialize;

use crate::eval::run::Run;

/// Which stages are compared with which.
const PAIRS: [(&str, &str); 5] =
    [("hybrid", "lexical"), ("hybrid", "vector"), ("rerank", "hybrid"), ("rerank", "vector"), ("cross", "hybrid")];

/// Two measures of one question that differ by no more than this are equal apart from rounding.
const TIE: f64 = 1e-9;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bootstrap {
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
}

/// nDCG@10 of `a` less that of `b`, over the same questions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// `a-b`
    pub(crate) name: String,
    pub(crate) a: String,
    pub(crate) b: String,
    /// Mean difference, and the interval that holds 95 % of its resampled values.
    pub(crate) difference: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The difference as a percentage of `b`; absent where that is 0.
    pub(crate) gain_percent: Option<f64>,
    /// Two-sided: how likely a difference this far from 0 would be if there were none.
    pub(crate) p: f64,
    /// Questions that `a` ranks better than `b`, worse, and alike.
    pub(crate) wins: usize,
    pub(crate) losses: usize,
    pub(crate) ties: usize,
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
}

/// Every pair of stages that were both measured.
pub(crate) fn stages(runs: &[Run], bootstrap: Bootstrap) -> Vec<Comparison> {
    let run = |stage: &str| runs.iter().find(|run| run.stage == stage);
    PAIRS.iter().filter_map(|(a, b)| Some(compare(a, &run(a)?.ndcg_10(), b, &run(b)?.ndcg_10(), bootstrap))).collect()
}

/// `a` and `b` hold a measure of the same questions in the same order.
pub(crate) fn compare(name_a: &str, a: &[f64], name_b: &str, b: &[f64], bootstrap: Bootstrap) -> Comparison {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let difference = mean(&differences);
    let mean_b = mean(b);
    let means = resampled_means(&differences, bootstrap);
    Comparison {
        name: format!("{name_a}-{name_b}"),
        a: name_a.to_owned(),
        b: name_b.to_owned(),
        difference,
        low: percentile(&means, 0.025),
        high: percentile(&means, 0.975),
        gain_percent: (mean_b > 0.0).then(|| 100.0 * difference / mean_b),
        p: two_sided(&means),
        wins: differences.iter().filter(|d| **d > TIE).count(),
        losses: differences.iter().filter(|d| **d < -TIE).count(),
        ties: differences.iter().filter(|d| d.abs() <= TIE).count(),
        resamples: bootstrap.resamples,
        seed: bootstrap.seed,
    }
}

impl Comparison {
    /// Whether the difference is unlikely to be chance (the interval does not contain 0).
    pub(crate) fn is_certain(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The mean of each resample of the differences, sorted. A resample has as many differences, drawn with replacement.
fn resampled_means(differences: &[f64], bootstrap: Bootstrap) -> Vec<f64> {
    let n = differences.len();
    let mut random = Rng::with_seed(bootstrap.seed);
    let mut means: Vec<f64> = (0..bootstrap.resamples)
        .map(|_| (0..n).map(|_| differences[random.usize(0..n)]).sum::<f64>() / n.max(1) as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    means
}

/// Twice the smaller of two shares: of the means not above 0, and of those not below it. One is added to each count, so
/// that no p is 0 (Davison and Hinkley 1997, section 4.2.2).
fn two_sided(means: &[f64]) -> f64 {
    let share = |n: usize| (n + 1) as f64 / (means.len() + 1) as f64;
    let (not_above, not_below) =
        (means.partition_point(|mean| *mean <= TIE), means.len() - means.partition_point(|mean| *mean < -TIE));
    (2.0 * share(not_above.min(not_below))).min(1.0)
}

/// The `q` quantile of `sorted`, interpolated linearly between the two nearest values.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = q * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(a), Some(b)) => a + (b - a) * at.fract(),
        _ => 0.0,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 10_000, seed: 1 };

    #[test]
    fn two_questions_have_three_outcomes() {
        // Two draws from {0, 1}: the mean is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4. No mean is below 0, and a
        // quarter is 0, so a quarter is not above 0: p is twice that.
        let found = compare("a", &[0.0, 1.0], "b", &[0.0, 0.0], BOOTSTRAP);
        assert_eq!((found.difference, found.low, found.high), (0.5, 0.0, 1.0));
        assert!((found.p - 0.5).abs() < 0.03, "{}", found.p);
        assert_eq!((found.wins, found.losses, found.ties, found.gain_percent), (1, 0, 1, None));
        assert!(!found.is_certain());
    }

    #[test]
    fn many_questions_agree_with_the_normal_law() {
        // The differences alternate between -0.1 and 0.3: their mean is 0.1 and their deviation 0.2. The mean of 400
        // has the deviation 0.01, so the interval is 0.1 ± 1.96 * 0.01.
        let b = vec![0.5; 400];
        let a: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 0.4 } else { 0.8 }).collect();
        let found = compare("a", &a, "b", &b, BOOTSTRAP);
        assert!((found.difference - 0.1).abs() < 1e-9 && (found.gain_percent.unwrap() - 20.0).abs() < 1e-6);
        assert!((found.low - 0.0804).abs() < 0.001 && (found.high - 0.1196).abs() < 0.001, "{found:?}");
        assert!(found.p < 0.001 && found.is_certain() && (found.wins, found.losses) == (200, 200));
    }

    #[test]
    fn p_agrees_with_the_normal_law() {
        // Mean 0.02 with a deviation of 0.01 (0.2 / sqrt(400)): two deviations from 0, p = 0.0455.
        let a: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { -0.18 } else { 0.22 }).collect();
        let found = compare("a", &a, "b", &[0.0; 400], BOOTSTRAP);
        assert!((found.p - 0.0455).abs() < 0.01, "{}", found.p);
    }

    #[test]
    fn equal_stages_do_not_differ_and_a_seed_repeats() {
        let same = compare("a", &[0.3, 0.7], "b", &[0.3, 0.7], BOOTSTRAP);
        assert_eq!((same.difference, same.low, same.high, same.p, same.ties), (0.0, 0.0, 0.0, 1.0, 2));
        let (a, b) = ([0.9, 0.1, 0.4, 0.8], [0.2, 0.3, 0.1, 0.9]);
        let interval = |seed| {
            let found = compare("a", &a, "b", &b, Bootstrap { resamples: 1000, seed });
            (found.low, found.high, found.p)
        };
        assert_eq!(interval(7), interval(7));
        assert_ne!(interval(7), interval(8));
    }
}
