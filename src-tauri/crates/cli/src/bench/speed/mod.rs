//! How fast the models are on this machine: reranking, embedding, tokenizing, loading, memory, whole questions.

mod machine;
mod models;
mod pairs;
mod questions;
mod timing;

use serde::Serialize;

pub(crate) use machine::{Machine, Memory, resident};
pub(crate) use models::{Models, Start};
pub(crate) use pairs::{Pairs, made, read};
pub(crate) use questions::{Questions, ask};
pub(crate) use timing::{Embed, Rerank, Tokenize, embed, rerank, tokenize};

/// Seconds are medians over the runs.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The pairs given, or 100 made ones of 128 tokens.
    pub(crate) rerank: Rerank,
    /// Made pairs of other numbers and lengths; empty where pairs were given.
    pub(crate) rerank_sizes: Vec<Rerank>,
    pub(crate) embed: Embed,
    pub(crate) tokenize: Tokenize,
    pub(crate) start: Start,
    /// Absent if the system does not report it; Linux does.
    pub(crate) memory: Option<Memory>,
    /// Over the index of the watched folders; absent where nothing is indexed.
    pub(crate) query: Option<Questions>,
}
