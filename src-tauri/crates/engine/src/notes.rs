//! The watched notes as the index holds them, for measurements.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tantivy::collector::DocSetCollector;
use tantivy::query::AllQuery;

use crate::extract::BlockKind;
use crate::extract::worker::{Urgency, Workers};
use crate::index::vectors::Quantized;
use crate::index::{Generations, Passage, Snapshot, text_hash};
use crate::{Cancel, EngineError, reading};

/// One indexed file.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub path: PathBuf,
    pub title: String,
    /// The text of every heading in the file, in order; empty where the file cannot be read any more.
    pub headings: Vec<String>,
    /// In order, as they were indexed.
    pub passages: Vec<Passage>,
}

/// All indexed notes of some folders, and their vectors.
pub struct IndexedNotes {
    snapshot: Snapshot,
    embedder: Option<String>,
    notes: Vec<Note>,
}

impl IndexedNotes {
    /// Reads all files under `folders` from the index in `data_dir`, in the order of their paths.
    ///
    /// # Errors
    /// [`EngineError::NoIndex`] where nothing was indexed yet.
    pub fn open(data_dir: &Path, folders: &[PathBuf], workers: &Workers) -> Result<Self, EngineError> {
        let Some(generation) = Generations::new(data_dir).current()? else {
            return Err(EngineError::NoIndex { path: data_dir.to_owned() });
        };
        let snapshot = generation.snapshot()?;
        let mut files: BTreeMap<PathBuf, Vec<Passage>> = BTreeMap::new();
        let all = snapshot.searcher().search(&AllQuery, &DocSetCollector).map_err(|e| snapshot.failed(e))?;
        for address in all {
            let passage = snapshot.passage(address).map_err(|e| snapshot.failed(e))?;
            let path = PathBuf::from(&passage.path);
            // The row of a file without passages has no title; a passage always has one.
            if !passage.title.is_empty() && folders.iter().any(|folder| path.starts_with(folder)) {
                files.entry(path).or_default().push(passage);
            }
        }
        let notes = files
            .into_iter()
            .map(|(path, mut passages)| {
                passages.sort_by_key(|passage| passage.chunk.ordinal);
                let title = passages.first().map(|passage| passage.title.clone()).unwrap_or_default();
                Note { headings: headings(&path, workers), path, title, passages }
            })
            .collect();
        Ok(Self { snapshot, embedder: generation.embedder().map(str::to_owned), notes })
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The vector that the index holds for a text in the form that models read; `None` if there is none, or if its
    /// vectors come from another model than `embedder`.
    pub fn vector_of(&self, model_text: &str, embedder: &str) -> Result<Option<Quantized>, EngineError> {
        if self.embedder.as_deref() != Some(embedder) {
            return Ok(None);
        }
        self.snapshot.vector_of(text_hash(model_text)).map_err(|e| self.snapshot.failed(e))
    }
}

/// All headings of a file. It is read again for them, because an indexed passage has only the headings above it, not
/// those inside it.
fn headings(path: &Path, workers: &Workers) -> Vec<String> {
    let read = |bytes: Vec<u8>| workers.extract(path, bytes, Urgency::Background, &Cancel::new()).ok();
    let bytes = reading::read(path, &|_| true).ok().flatten().map(|(bytes, _)| bytes);
    let document = bytes.and_then(read);
    let blocks = document.map(|document| document.blocks).unwrap_or_default();
    let headings = blocks.into_iter().filter(|block| matches!(block.kind, BlockKind::Heading { .. }));
    headings.map(|heading| heading.text).collect()
}
