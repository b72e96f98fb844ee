//! A test collection: documents, questions, and which documents answer which question.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use nuthatch_engine::eval::EvalDoc;
use serde::Deserialize;

use crate::eval::metrics::Judgements;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Question {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) text: String,
}

/// Documents, and the questions that have a relevant one.
#[derive(Debug, Default)]
pub(crate) struct TestSet {
    /// Shown to the reader.
    pub(crate) name: String,
    pub(crate) documents: Vec<EvalDoc>,
    /// Names the content of the documents, 32 hexadecimal digits.
    pub(crate) corpus_hash: String,
    /// In the order of the file, each with its judgements.
    pub(crate) questions: Vec<(Question, Judgements)>,
    /// Ids of questions that are also documents with the same id and text (as in ArguAna). Such a document does not
    /// count as an answer to itself.
    pub(crate) own_document: HashSet<String>,
    /// The file of each document, if the documents are files.
    pub(crate) paths: HashMap<String, PathBuf>,
}

impl TestSet {
    /// Whether document `id` is `question` itself.
    pub(crate) fn is_itself(&self, question: &Question, id: &str) -> bool {
        question.id == id && self.own_document.contains(id)
    }
}

/// Names the content of `documents`, 32 hexadecimal digits.
pub(crate) fn hash(documents: &[EvalDoc]) -> String {
    let mut hash = blake3::Hasher::new();
    for EvalDoc { id, title, headings, text } in documents {
        for field in [id, title, text].into_iter().chain(headings) {
            hash.update(&(field.len() as u64).to_le_bytes()).update(field.as_bytes());
        }
    }
    hash.finalize().to_hex()[..32].to_owned()
}
