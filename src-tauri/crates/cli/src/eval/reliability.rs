//! Whether a score means what it says: of the candidates shown at 0.7, are seven in ten relevant?

use serde::Serialize;

const N_BINS: usize = 10;

/// A reranked candidate and what the judges said. A candidate nobody judged counts as not relevant, so that scores
/// look too high where judgements are sparse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// The score a user sees.
    pub(crate) shown: f32,
    /// The cross-encoder's own score, calibrated.
    pub(crate) cross: f32,
    pub(crate) relevant: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Calibration {
    /// Of the scores shown.
    #[serde(flatten)]
    pub(crate) shown: Reliability,
    /// Of the cross-encoder's own scores, before they are blended.
    pub(crate) cross: Reliability,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Reliability {
    pub(crate) n: usize,
    /// Expected calibration error (Naeini et al. 2015): the mean distance between score and share of relevant
    /// candidates, over bins weighted by their candidates.
    pub(crate) ece: f64,
    /// Mean squared distance between score and judgement (Brier 1950).
    pub(crate) brier: f64,
    /// Ten, equally wide.
    pub(crate) bins: Vec<Bin>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Bin {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) n: usize,
    /// Absent in an empty bin.
    pub(crate) mean_score: Option<f64>,
    pub(crate) share_relevant: Option<f64>,
}

impl Calibration {
    /// `None` where nothing was reranked.
    pub(crate) fn of(judged: &[Judged]) -> Option<Self> {
        let of = |score: fn(&Judged) -> f32| {
            Reliability::of(judged.iter().map(|judged| (f64::from(score(judged)), judged.relevant)))
        };
        (!judged.is_empty()).then(|| Self { shown: of(|judged| judged.shown), cross: of(|judged| judged.cross) })
    }
}

impl Reliability {
    /// Computed from pairs of a score in `0..=1` and whether its candidate is relevant.
    pub(crate) fn of(scored: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut bins = [(0_usize, 0.0, 0.0); N_BINS];
        let mut squares = 0.0;
        for (score, relevant) in scored {
            let truth = f64::from(u8::from(relevant));
            let (n, scores, relevants) = &mut bins[((score * N_BINS as f64) as usize).min(N_BINS - 1)];
            *n += 1;
            *scores += score;
            *relevants += truth;
            squares += (score - truth).powi(2);
        }
        let n: usize = bins.iter().map(|(n, ..)| n).sum();
        let apart: f64 = bins.iter().map(|(_, scores, relevants)| (scores - relevants).abs()).sum();
        let of_all = |sum: f64| if n > 0 { sum / n as f64 } else { 0.0 };
        let bins = bins.iter().enumerate().map(|(i, &(n, scores, relevants))| Bin {
            low: i as f64 / N_BINS as f64,
            high: (i + 1) as f64 / N_BINS as f64,
            n,
            mean_score: (n > 0).then(|| scores / n as f64),
            share_relevant: (n > 0).then(|| relevants / n as f64),
        });
        Self { n, ece: of_all(apart), brier: of_all(squares), bins: bins.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_table_worked_out_by_hand() {
        let scored = [(0.12, false), (0.18, true), (0.82, true), (0.88, true), (1.0, false)];
        let found = Reliability::of(scored.into_iter());
        // Bin 0.1 to 0.2: mean .15, half relevant; 0.8 to 0.9: mean .85, all; 0.9 to 1: 1.0, none.
        // (2 * |.15 - .5| + 2 * |.85 - 1| + 1 * |1 - 0|) / 5 = (.7 + .3 + 1) / 5
        assert!((found.ece - 0.4).abs() < 1e-9, "{}", found.ece);
        // (.0144 + .6724 + .0324 + .0144 + 1) / 5
        assert!((found.brier - 0.34672).abs() < 1e-9, "{}", found.brier);
        let filled: Vec<_> = found.bins.iter().filter(|bin| bin.n > 0).map(|bin| (bin.low, bin.n)).collect();
        assert_eq!((found.n, filled), (5, vec![(0.1, 2), (0.8, 2), (0.9, 1)]));
        let low = &found.bins[1];
        assert!((low.mean_score.unwrap() - 0.15).abs() < 1e-9 && low.share_relevant == Some(0.5));
        assert_eq!((found.bins[0].mean_score, found.bins.len()), (None, 10));
    }

    #[test]
    fn nothing_reranked_has_no_calibration() {
        assert!(Calibration::of(&[]).is_none());
        assert_eq!(Reliability::of(std::iter::empty()).ece, 0.0);
    }
}
