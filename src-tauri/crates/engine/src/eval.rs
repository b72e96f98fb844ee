//! A test collection with known answers, ranked by the same stages over the same index as everyday search.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::index::vectors::Quantized;
use crate::index::{Generations, Passage, Row, Snapshot};
use crate::notes::IndexedNotes;
use crate::pipeline::{self, Models, Question};
use crate::search::{Stage, TookMs};
use crate::throttle::Limits;
use crate::{Cancel, Embedder, EngineError, IndexProgress, Phase, Reranker, model};

/// Passages embedded and written at once.
const DOCS_AT_ONCE: usize = 256;

/// A passage of a collection. Neighbouring passages of the same id form one document, which ranks by its best passage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvalDoc {
    pub id: String,
    pub title: String,
    /// The headings above the text, outermost first.
    pub headings: Vec<String>,
    pub text: String,
}

impl EvalDoc {
    /// The text that the models read: see [`crate::chunk::embedding_text`].
    pub fn model_text(&self) -> String {
        passage(self, 0).model_text()
    }
}

/// A document in a ranking, with everything that its score was computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedDoc {
    pub id: String,
    /// In `0..=1`, as shown.
    pub score: f32,
    /// BM25, cosine, fused score or the cross-encoder's logit, by stage.
    pub raw_score: f32,
    /// The cross-encoder's calibrated score; `None` where it did not read the document.
    pub cross: Option<f32>,
    pub cosine: Option<f32>,
    /// 0 where the document holds no word of the question.
    pub bm25: f32,
    /// How much of the weight of the question's words the document holds, `0..=1`.
    pub words: f32,
    /// 1-based rank among the candidates.
    pub recall_rank: usize,
    /// The score that the first stage ranked it by: the fused score, or one side's score where only that side ran.
    pub first_score: f32,
}

/// Documents, best first.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub docs: Vec<RankedDoc>,
    /// The same candidates in the order of the cross-encoder alone; empty where it read none.
    pub by_cross: Vec<RankedDoc>,
    pub took_ms: TookMs,
    /// The last stage that ran.
    pub stage: Stage,
}

/// An indexed test collection. Each [`EvalDoc`] is one passage, however long: models read as much as fits their window.
pub struct Collection {
    snapshot: Snapshot,
    models: Models,
}

impl Collection {
    /// Opens the index in `dir`, and builds it from `docs` if it is missing or unfinished. Texts of which `known` has
    /// the vector are not embedded again.
    pub fn build(
        dir: &Path,
        docs: &[EvalDoc],
        known: Option<&IndexedNotes>,
        embedder: Option<Arc<dyn Embedder>>,
        reranker: Option<Arc<dyn Reranker>>,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<Self, EngineError> {
        let generations = Generations::new(dir);
        let generation = generations.open_or_create(embedder.as_deref().map(|e| (e.id(), e.dimensions())))?;
        let snapshot = generation.snapshot()?;
        let files: Vec<&[EvalDoc]> = docs.chunk_by(|a, b| a.id == b.id).collect();
        if snapshot.n_files().map_err(|e| snapshot.failed(e))? != files.len() {
            let mut writer = generation.writer(&Limits::default())?;
            let (mut done, mut rest) = (0, &files[..]);
            while !rest.is_empty() {
                if cancel.is_cancelled() {
                    return Err(EngineError::Cancelled);
                }
                progress(&IndexProgress { phase: Phase::Vectors, done, total: docs.len(), current: None });
                let (batch, later) = rest.split_at(files_of_a_batch(rest));
                let batch: Vec<Vec<Passage>> = batch.iter().map(|file| passages(file)).collect();
                let mut vectors = vectors(&batch.concat(), known, embedder.as_deref(), cancel)?.into_iter();
                for file in &batch {
                    done += file.len();
                    let vectors: Vec<_> = vectors.by_ref().take(file.len()).collect();
                    writer.replace(&row(file), file, &vectors)?;
                }
                rest = later;
            }
            writer.commit()?;
            writer.close()?;
        }
        let snapshot = generation.snapshot()?;
        Ok(Self { snapshot, models: Models { embedder, reranker, scores: None } })
    }

    /// The same collection with another cross-encoder.
    pub fn with_reranker(&self, reranker: Arc<dyn Reranker>) -> Self {
        let models = Models { embedder: self.models.embedder.clone(), reranker: Some(reranker), scores: None };
        Self { snapshot: self.snapshot.clone(), models }
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
        let question =
            Question { text: query, candidates: candidates.max(depth), stage, budget: None, folds_twins: false };
        let question = if stage == Stage::Rerank { Question { candidates, ..question } } else { question };
        let answer = pipeline::run(&self.snapshot, &self.models, &question, cancel, &mut |_| {})?;
        // If a model failed, the ranking made without it must not count as its own.
        answer.failures.clone().into_result()?;
        let mut ranked = Vec::with_capacity(answer.scored.len());
        for scored in answer.scored {
            let id = self.snapshot.passage(scored.candidate.address).map_err(|e| self.snapshot.failed(e))?.path;
            ranked.push(RankedDoc {
                id,
                score: scored.score,
                raw_score: scored.raw_score,
                cross: scored.cross,
                cosine: scored.candidate.evidence.cosine,
                bm25: scored.candidate.evidence.bm25,
                words: scored.words,
                recall_rank: scored.recall_rank,
                first_score: scored.candidate.score,
            });
        }
        let mut by_cross: Vec<RankedDoc> = ranked.iter().filter(|doc| doc.cross.is_some()).cloned().collect();
        // Raw scores are finer: far from 0, calibrated ones round to the same number. Ties keep the order of recall.
        by_cross.sort_by(|a, b| b.raw_score.total_cmp(&a.raw_score).then(a.recall_rank.cmp(&b.recall_rank)));
        let (docs, by_cross) = (best_of_each(ranked, depth), best_of_each(by_cross, depth));
        Ok(Ranking { docs, by_cross, took_ms: answer.took_ms, stage: answer.stage })
    }
}

/// The first passage of each document, for at most `depth` documents.
fn best_of_each(mut ranked: Vec<RankedDoc>, depth: usize) -> Vec<RankedDoc> {
    let mut seen = HashSet::new();
    ranked.retain(|doc| seen.len() < depth && seen.insert(doc.id.clone()));
    ranked
}

/// How many of `files`, at least one, make a batch for the embedder.
fn files_of_a_batch(files: &[&[EvalDoc]]) -> usize {
    let mut n = 0;
    let full = files.iter().position(|file| {
        n += file.len();
        n >= DOCS_AT_ONCE
    });
    full.map_or(files.len(), |i| i + 1)
}

/// One vector for each passage, in order; all are `None` without an embedder.
fn vectors(
    passages: &[Passage],
    known: Option<&IndexedNotes>,
    embedder: Option<&dyn Embedder>,
    cancel: &Cancel,
) -> Result<Vec<Option<Quantized>>, EngineError> {
    let Some(embedder) = embedder else { return Ok(vec![None; passages.len()]) };
    let texts: Vec<String> = passages.iter().map(Passage::model_text).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for text in &texts {
        vectors.push(match known {
            Some(notes) => notes.vector_of(text, embedder.id())?,
            None => None,
        });
    }
    let unknown: Vec<&str> =
        texts.iter().zip(&vectors).filter(|(_, vector)| vector.is_none()).map(|(text, _)| text.as_str()).collect();
    let made = if unknown.is_empty() { Vec::new() } else { model::embed_passages(embedder, &unknown, cancel)? };
    for (slot, made) in vectors.iter_mut().filter(|vector| vector.is_none()).zip(&made) {
        *slot = Some(Quantized::from_f32(made));
    }
    Ok(vectors)
}

fn passages(file: &[EvalDoc]) -> Vec<Passage> {
    file.iter().enumerate().map(|(ordinal, doc)| passage(doc, ordinal)).collect()
}

fn passage(doc: &EvalDoc, ordinal: usize) -> Passage {
    let span = 0..doc.text.len();
    Passage {
        path: doc.id.clone(),
        title: doc.title.clone(),
        tags: Arc::default(),
        chunk: Chunk {
            ordinal,
            span,
            heading_path: doc.headings.as_slice().into(),
            place: None,
            text: doc.text.clone(),
            unseen: String::new(),
        },
    }
}

fn row(file: &[Passage]) -> Row {
    Row::indexed(file.first().map_or_else(Default::default, |passage| passage.path.clone().into()), file.len())
}
