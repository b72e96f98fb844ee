//! A test collection with known answers, ranked by the same stages over the same index as everyday search.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::index::vectors::Quantized;
use crate::index::{Generations, Passage, Row, RowState, Snapshot};
use crate::pipeline::{self, Models, Question};
use crate::search::{Stage, TookMs};
use crate::{Cancel, Embedder, EngineError, IndexProgress, Phase, Reranker};

/// Documents embedded and written at once.
const DOCS_AT_ONCE: usize = 256;

#[derive(Clone, Debug, PartialEq)]
pub struct EvalDoc {
    pub id: String,
    pub title: String,
    pub text: String,
}

/// A document in a ranking, with all that its score was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedDoc {
    pub id: String,
    /// In `0..=1`, as shown.
    pub score: f32,
    /// BM25, cosine, fused z-score or logit, by stage.
    pub raw_score: f32,
    /// What the cross-encoder said, calibrated; `None` before it.
    pub cross: Option<f32>,
    pub cosine: Option<f32>,
    /// The part of the question's weight in words that the document holds, `0..=1`.
    pub words: f32,
    /// 1-based rank among the candidates.
    pub recall_rank: usize,
}

/// Documents, best first.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub docs: Vec<RankedDoc>,
    pub took_ms: TookMs,
    /// The last stage that ran.
    pub stage: Stage,
}

/// An indexed test collection. Each document is one passage, however long: models read as much as fits their window.
pub struct Collection {
    snapshot: Snapshot,
    models: Models,
}

impl Collection {
    /// Opens the index in `dir`, made from `docs` if it is not there or was not finished.
    pub fn build(
        dir: &Path,
        docs: &[EvalDoc],
        embedder: Option<Arc<dyn Embedder>>,
        reranker: Option<Arc<dyn Reranker>>,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<Self, EngineError> {
        let generations = Generations::new(dir);
        let generation = generations.open_or_create(embedder.as_deref().map(|e| (e.id(), e.dimensions())))?;
        let snapshot = generation.snapshot()?;
        if snapshot.n_files().map_err(|e| snapshot.failed(e))? != docs.len() {
            let mut writer = generation.writer()?;
            for (i, batch) in docs.chunks(DOCS_AT_ONCE).enumerate() {
                if cancel.is_cancelled() {
                    return Err(EngineError::Cancelled);
                }
                let done = i * DOCS_AT_ONCE;
                progress(&IndexProgress { phase: Phase::Vectors, done, total: docs.len(), current: None });
                let passages: Vec<Passage> = batch.iter().map(passage).collect();
                let vectors = match &embedder {
                    Some(embedder) => {
                        let texts: Vec<String> = passages.iter().map(Passage::model_text).collect();
                        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                        let vectors = embedder.embed_passages(&texts, cancel)?;
                        vectors.iter().map(|v| Some(Quantized::from_f32(v))).collect()
                    }
                    None => vec![None; passages.len()],
                };
                for (passage, vector) in passages.into_iter().zip(vectors) {
                    writer.replace(&row(&passage), &[passage], &[vector])?;
                }
            }
            writer.commit()?;
            writer.close()?;
        }
        let snapshot = generation.snapshot()?;
        Ok(Self { snapshot, models: Models { embedder, reranker } })
    }

    /// The best `depth` documents for a question at a stage, from `candidates` candidates.
    pub fn rank(
        &self,
        query: &str,
        stage: Stage,
        candidates: usize,
        depth: usize,
        cancel: &Cancel,
    ) -> Result<Ranking, EngineError> {
        let question = Question { text: query, candidates: candidates.max(depth), stage };
        let question = if stage == Stage::Rerank { Question { candidates, ..question } } else { question };
        let answer = pipeline::run(&self.snapshot, &self.models, &question, cancel, &mut |_| {})?;
        let mut docs = Vec::with_capacity(depth);
        let mut seen = HashSet::new();
        for scored in answer.scored {
            let id = self.snapshot.passage(scored.candidate.address).map_err(|e| self.snapshot.failed(e))?.path;
            if docs.len() < depth && seen.insert(id.clone()) {
                docs.push(RankedDoc {
                    id,
                    score: scored.score,
                    raw_score: scored.raw_score,
                    cross: scored.cross,
                    cosine: scored.candidate.evidence.cosine,
                    words: scored.words,
                    recall_rank: scored.recall_rank,
                });
            }
        }
        Ok(Ranking { docs, took_ms: answer.took_ms, stage: answer.stage })
    }
}

fn passage(doc: &EvalDoc) -> Passage {
    Passage {
        path: doc.id.clone(),
        title: doc.title.clone(),
        tags: Vec::new(),
        chunk: Chunk { ordinal: 0, span: 0..doc.text.len(), heading_path: Vec::new(), text: doc.text.clone() },
    }
}

fn row(passage: &Passage) -> Row {
    Row {
        path: passage.path.clone().into(),
        state: RowState::Indexed,
        reason: None,
        at: 0,
        embedded: true,
        passages: 1,
        modified: 0,
        changed: 0,
        size: passage.chunk.text.len() as u64,
    }
}
