//! Times whole questions over the index of the watched folders, at each stage. The cross-encoder reads every candidate.

use std::path::Path;

use nuthatch_engine::{Cancel, Engine, SearchRequest, Stage};
use serde::Serialize;

use crate::eval::run::quantile;
use crate::failure::Failure;

/// Questions asked at each stage.
const N_QUESTIONS: usize = 20;

/// Medians in milliseconds, each from the question to the hits with their snippets.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Questions {
    pub(crate) passages: u64,
    pub(crate) questions: usize,
    /// Most candidates that the cross-encoder gets.
    pub(crate) candidates: usize,
    pub(crate) lexical_ms: f64,
    pub(crate) vector_ms: f64,
    pub(crate) hybrid_ms: f64,
    pub(crate) rerank_ms: f64,
}

/// Asks for notes by the names of their files; `None` if nothing is indexed.
pub(crate) fn ask(engine: &Engine, cancel: &Cancel) -> Result<Option<Questions>, Failure> {
    let status = engine.status(true)?;
    let files = status.files.unwrap_or_default();
    let names: Vec<String> = files.iter().filter_map(|file| question(&file.path)).collect();
    let each = names.len().div_ceil(N_QUESTIONS).max(1);
    let questions: Vec<String> = names.into_iter().step_by(each).collect();
    if questions.is_empty() || status.n_chunks == 0 {
        return Ok(None);
    }
    let candidates = engine.settings().candidates;
    let median = |stage: Stage| -> Result<f64, Failure> {
        let mut times = Vec::new();
        for question in &questions {
            let request = SearchRequest { stage, candidates, ..SearchRequest::new(question.as_str()) };
            times.push(engine.search(&request, cancel, &mut |_, _| {})?.took_ms.total);
        }
        times.sort_by(f64::total_cmp);
        Ok(quantile(&times, 0.5))
    };
    // A first round that does not count brings the index into memory. It leaves out reranking, whose scores are cached.
    median(Stage::Hybrid)?;
    Ok(Some(Questions {
        passages: status.n_chunks,
        questions: questions.len(),
        candidates,
        lexical_ms: median(Stage::Lexical)?,
        vector_ms: median(Stage::Vector)?,
        hybrid_ms: median(Stage::Hybrid)?,
        rerank_ms: median(Stage::Rerank)?,
    }))
}

fn question(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_string_lossy().replace(['-', '_', '.'], " ");
    (!name.trim().is_empty()).then_some(name)
}
