//! What a measurement says; the JSON of `nuthatch eval` is this, field for field.

use std::io::Write;

use nuthatch_engine::Stage;
use serde::Serialize;

use crate::eval::metrics::{Judgements, ndcg, recall, reciprocal_rank};
use crate::style::Style;

/// Documents ranked for each question: as deep as the deepest measure looks.
pub(crate) const DEPTH: usize = 100;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) dir: String,
    pub(crate) n_docs: usize,
    pub(crate) n_queries: usize,
    pub(crate) stages: Stages,
}

/// A stage that could not run is absent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stages {
    #[serde(skip_serializing_if = "Option::is_none")]
    lexical: Option<Measures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<Measures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hybrid: Option<Measures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerank: Option<Measures>,
}

impl Stages {
    pub(crate) fn set(&mut self, stage: Stage, measures: Measures) {
        let slot = match stage {
            Stage::Lexical => &mut self.lexical,
            Stage::Vector => &mut self.vector,
            Stage::Hybrid => &mut self.hybrid,
            Stage::Rerank => &mut self.rerank,
        };
        *slot = Some(measures);
    }
}

pub(crate) fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Lexical => "lexical",
        Stage::Vector => "vector",
        Stage::Hybrid => "hybrid",
        Stage::Rerank => "rerank",
    }
}

/// Means over the questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Measures {
    pub(crate) ndcg_10: f64,
    pub(crate) mrr_10: f64,
    pub(crate) recall_100: f64,
    pub(crate) ms_per_query: f64,
}

/// Adds up the measures of one stage, question by question.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    n: usize,
    ndcg_10: f64,
    mrr_10: f64,
    recall_100: f64,
    took_ms: f64,
}

impl Tally {
    /// `ranking` holds document ids, the best first.
    pub(crate) fn add(&mut self, ranking: &[&str], judged: &Judgements, took_ms: f64) {
        self.n += 1;
        self.ndcg_10 += ndcg(ranking, judged, 10);
        self.mrr_10 += reciprocal_rank(ranking, judged, 10);
        self.recall_100 += recall(ranking, judged, DEPTH);
        self.took_ms += took_ms;
    }

    pub(crate) fn means(&self) -> Measures {
        let n = self.n.max(1) as f64;
        Measures {
            ndcg_10: self.ndcg_10 / n,
            mrr_10: self.mrr_10 / n,
            recall_100: self.recall_100 / n,
            ms_per_query: self.took_ms / n,
        }
    }
}

pub(crate) fn write(out: &mut dyn Write, report: &Report, style: Style) -> std::io::Result<()> {
    writeln!(out, "{}: {} documents, {} questions", style.bold(&report.dir), report.n_docs, report.n_queries)?;
    writeln!(out, "{}", style.dim("stage    nDCG@10  MRR@10  recall@100  ms/query"))?;
    let Stages { lexical, vector, hybrid, rerank } = &report.stages;
    for (name, measures) in [("lexical", lexical), ("vector", vector), ("hybrid", hybrid), ("rerank", rerank)] {
        if let Some(Measures { ndcg_10, mrr_10, recall_100, ms_per_query }) = measures {
            writeln!(out, "{name:<7}    {ndcg_10:.4}  {mrr_10:.4}      {recall_100:.4}  {ms_per_query:>8.1}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_averages_over_questions() {
        let judged = Judgements::from([("a".to_owned(), 1.0)]);
        let mut tally = Tally::default();
        tally.add(&["a"], &judged, 3.0);
        tally.add(&["b"], &judged, 5.0);
        assert_eq!(tally.means(), Measures { ndcg_10: 0.5, mrr_10: 0.5, recall_100: 0.5, ms_per_query: 4.0 });
    }
}
