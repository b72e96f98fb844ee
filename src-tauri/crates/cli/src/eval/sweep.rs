//! How many candidates are worth reading: quality and time at several depths.

use nuthatch_engine::Stage;
use nuthatch_engine::eval::Collection;
use serde::Serialize;

use crate::eval::asking::{Asked, Asking};
use crate::eval::run::Measures;
use crate::eval::test_set::TestSet;
use crate::failure::Failure;
use crate::session::Session;

/// Depths that `--depth-sweep` measures: the numbers that the app's window offers, and some between.
pub(crate) const DEPTHS: [u16; 6] = [10, 20, 30, 50, 100, 200];

/// A depth counts as good as the best if its nDCG@10 is this near. That is less than if the answer to one in ten
/// questions moved by one place near the top.
const AS_GOOD: f64 = 0.005;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sweep {
    /// nDCG@10 without reranking; absent where it was not measured.
    pub(crate) hybrid_ndcg_10: Option<f64>,
    /// The smallest depth within 0.005 of the best blended nDCG@10.
    pub(crate) enough: usize,
    /// By depth, ascending.
    pub(crate) rows: Vec<DepthRow>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DepthRow {
    pub(crate) depth: usize,
    /// What is shown: cross-encoder and first stage blended.
    pub(crate) rerank: Quality,
    /// The cross-encoder alone.
    pub(crate) cross: Quality,
    /// Milliseconds for a whole question.
    pub(crate) ms_median: f64,
    pub(crate) ms_p95: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quality {
    pub(crate) ndcg_10: f64,
    pub(crate) mrr_10: f64,
    pub(crate) first: f64,
}

impl From<Measures> for Quality {
    fn from(Measures { ndcg_10, mrr_10, first, .. }: Measures) -> Self {
        Self { ndcg_10, mrr_10, first }
    }
}

impl Sweep {
    /// Asks every question at every depth except `measured.0`, whose answers are in `measured.1`.
    pub(crate) fn run(
        collection: &Collection,
        set: &TestSet,
        depths: &[u16],
        measured: (usize, &Asked),
        hybrid: Option<Measures>,
        session: &mut Session<'_, '_>,
    ) -> Result<Self, Failure> {
        let mut depths: Vec<usize> = depths.iter().copied().map(usize::from).collect();
        depths.sort_unstable();
        depths.dedup();
        let mut rows = Vec::new();
        for depth in depths {
            if depth == measured.0 {
                rows.extend(DepthRow::of(depth, measured.1));
                continue;
            }
            let label = format!("{depth} candidates");
            let asking = Asking { collection, set, stage: Stage::Rerank, candidates: depth, model: None, label };
            let asked = asking.ask(None, session)?;
            rows.extend(asked.and_then(|asked| DepthRow::of(depth, &asked)));
        }
        Ok(Self { hybrid_ndcg_10: hybrid.map(|hybrid| hybrid.ndcg_10), enough: enough(&rows), rows })
    }
}

impl DepthRow {
    fn of(depth: usize, asked: &Asked) -> Option<Self> {
        let (rerank, cross) = (asked.run.means(), asked.cross.as_ref()?.means());
        let Measures { ms_median, ms_p95, .. } = rerank;
        Some(Self { depth, rerank: rerank.into(), cross: cross.into(), ms_median, ms_p95 })
    }
}

fn enough(rows: &[DepthRow]) -> usize {
    let best = rows.iter().map(|row| row.rerank.ndcg_10).fold(0.0, f64::max);
    rows.iter().find(|row| row.rerank.ndcg_10 >= best - AS_GOOD).map_or(0, |row| row.depth)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(depth: usize, ndcg_10: f64, ms_median: f64) -> DepthRow {
        let quality = |ndcg_10| Quality { ndcg_10, mrr_10: ndcg_10, first: ndcg_10 };
        DepthRow { depth, rerank: quality(ndcg_10), cross: quality(ndcg_10 / 2.0), ms_median, ms_p95: 2.0 * ms_median }
    }

    #[test]
    fn enough_is_the_least_depth_near_the_best() {
        let enough = |quality: &[(usize, f64)]| {
            super::enough(&quality.iter().map(|(depth, ndcg)| row(*depth, *ndcg, 1.0)).collect::<Vec<_>>())
        };
        assert_eq!(enough(&[(10, 0.50), (20, 0.596), (50, 0.600), (100, 0.58)]), 20);
        assert_eq!(enough(&[(10, 0.50), (20, 0.594), (50, 0.600)]), 50);
        assert_eq!(enough(&[(10, 0.3), (200, 0.3)]), 10);
    }
}
