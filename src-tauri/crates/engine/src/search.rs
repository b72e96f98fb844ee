//! A question and its answers: the shapes every face of Nuthatch (command line, window, scripts) shares.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::extract::Place;

/// How far down the pipeline a search goes, and which stage a result list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// BM25 alone.
    Lexical,
    /// Bi-encoder vectors alone.
    Vector,
    /// Both, fused.
    Hybrid,
    /// The fused candidates, read by the cross-encoder.
    Rerank,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    pub query: String,
    /// How many files to return at most (5 by default). [`crate::allowed`] has the ranges of all numbers here.
    pub top: usize,
    /// How many candidates the first stage hands to the cross-encoder (100 by default).
    pub candidates: usize,
    /// Hits with a lower score are dropped, after reranking. In `0..=1`; `None` keeps all.
    pub threshold: Option<f32>,
    pub stage: Stage,
    /// How long the cross-encoder may read. It reads candidates in the first stage's order; those that it has no time
    /// for follow in that order. `None` reads all, however long it takes.
    pub budget_ms: Option<u64>,
}

impl SearchRequest {
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: query.into(), top: 5, candidates: 100, threshold: None, stage: Stage::Rerank, budget_ms: None }
    }
}

/// The answer to a search. Its JSON has exactly these fields; a snapshot test guards them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchResults {
    pub query: String,
    /// The reranker that scored the hits; `None` where none took part.
    pub model: Option<String>,
    pub took_ms: TookMs,
    pub candidates: Counts,
    /// Everything that this answer had to do without; empty if nothing was missing.
    pub degraded: Vec<Degraded>,
    /// Probably no note answers this: after reranking the best score is below [`NOTHING_ANSWERS_BELOW`]. The hits are
    /// what came nearest.
    ///
    /// [`NOTHING_ANSWERS_BELOW`]: crate::NOTHING_ANSWERS_BELOW
    pub nothing_answers: bool,
    pub hits: Vec<Hit>,
}

/// Milliseconds spent in each stage; 0 for one that did not run. `vector` includes embedding the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TookMs {
    pub lexical: f64,
    pub vector: f64,
    pub fuse: f64,
    pub rerank: f64,
    pub total: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub asked: usize,
    pub recalled: usize,
    pub reranked: usize,
}

/// A thing that an answer had to do without. Nothing falls back silently.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Degraded {
    /// A file of the index is damaged: the answer comes from the rest of the index.
    Damaged { file: PathBuf, reason: String },
    /// There is no bi-encoder: notes are found by words alone.
    NoEmbedder { reason: String },
    /// The bi-encoder failed on this question: notes are found by words alone.
    EmbedderFailed { reason: String },
    /// There is no cross-encoder: hits are in the first stage's order.
    NoReranker { reason: String },
    /// Some passages have no vector yet: those are found by words alone.
    VectorsPending { embedded: u64, chunks: u64 },
    /// The cross-encoder failed on this question. Passages that it had read by then are in its order; the others follow
    /// in the first stage's order.
    RerankerFailed { reason: String },
    /// Nobody has fitted a [`Blend`](crate::Blend) for these two models: the cross-encoder's calibrated scores are
    /// shown as they are.
    NotCalibrated { embedder: String, reranker: String },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// 1 is the best.
    pub rank: usize,
    /// In `0..=1`: the estimated chance that a person calls the passage relevant, from what the stages up to this one
    /// know of it. Never rescaled to the other hits. `None` for a file that was not read.
    pub score: Option<f32>,
    /// The stage's own score: a logit, a cosine, a BM25 score, or the fused score. 0 for a file that was not read.
    pub raw_score: f32,
    pub path: PathBuf,
    pub title: String,
    /// A few lines of the passage, white space folded.
    pub snippet: String,
    /// Where the question's words stand in `snippet`, in Unicode code points, end exclusive.
    pub highlights: Vec<[usize; 2]>,
    /// The passage in the file's text, in bytes, end exclusive: see [`Document`](crate::extract::Document).
    pub span: [usize; 2],
    /// Where in the file the passage begins: its line, page, slide, cells ...
    pub place: Option<Place>,
    /// Rank among the candidates, 1-based, counting passages; 0 for a file that was not read.
    pub recall_rank: usize,
    pub lexical_rank: Option<usize>,
    pub vector_rank: Option<usize>,
    /// The file has changed since it was read: the passage may be different by now, or gone. A running watch reads the
    /// file again within the settle time.
    pub stale: bool,
    /// Other files with the same note: their matching passage says nothing that this file's does not say, and the rest
    /// of the file agrees. The file that is shown is, if possible, outside backup folders, and then the newest.
    pub copies: Vec<PathBuf>,
    /// Why the file was not read; set only for a file that is shown because its name was asked for.
    pub unread: Option<String>,
}
