//! Every question at every stage: `--per-query` and the `queries` of the JSON answer.

use serde::Serialize;

use crate::eval::run::{Outcome, Run};
use crate::eval::test_set::{Question, TestSet};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueryLine {
    pub(crate) query: String,
    pub(crate) text: String,
    pub(crate) stage: &'static str,
    /// The cross-encoder, where one took part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The note asked for, on one's own notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    pub(crate) ndcg_10: f64,
    pub(crate) mrr_10: f64,
    pub(crate) recall_100: f64,
    pub(crate) ms: f64,
    /// The first ten.
    pub(crate) top: Vec<Found>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

/// Stage by stage, the questions in their order.
pub(crate) fn lines(set: &TestSet, runs: &[Run]) -> Vec<QueryLine> {
    let path = |id: &str| set.paths.get(id).map(|path| path.display().to_string());
    let line = |run: &Run, question: &Question, outcome: &Outcome| QueryLine {
        query: question.id.clone(),
        text: question.text.clone(),
        stage: run.stage,
        model: run.model.clone(),
        path: path(&question.id),
        ndcg_10: outcome.ndcg_10,
        mrr_10: outcome.mrr_10,
        recall_100: outcome.recall_100,
        ms: outcome.took_ms,
        top: outcome.top.iter().map(|(id, score)| Found { id: id.clone(), score: *score, path: path(id) }).collect(),
    };
    runs.iter()
        .flat_map(|run| set.questions.iter().zip(&run.outcomes).map(|((question, _), o)| line(run, question, o)))
        .collect()
}
