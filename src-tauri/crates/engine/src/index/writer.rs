//! The one writer: a file's old documents go and its new ones come in the same commit.

use std::fs;
use std::path::{Path, PathBuf};

use tantivy::{Index, IndexWriter, TantivyDocument, TantivyError, Term};

use super::merging::merge_policy;
use super::passage::{Passage, ROW_WITH_PASSAGE, Row, add_row, passage_document, row_alone};
use super::schema::Fields;
use super::vectors::Quantized;
use crate::EngineError;

/// Memory for documents not yet in a segment, of each writing thread. Larger makes fewer segments to merge.
const HEAP_BYTES: usize = 64 << 20;

pub struct Writer {
    writer: IndexWriter,
    fields: Fields,
    folder: PathBuf,
}

impl Writer {
    pub(super) fn open(index: &Index, fields: Fields, folder: &Path) -> Result<Self, EngineError> {
        let holder_file = folder.join("HOLDER");
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(4);
        let writer = index.writer_with_num_threads(threads, HEAP_BYTES * threads).map_err(|e| match e {
            TantivyError::LockFailure(..) => EngineError::Locked {
                path: folder.to_owned(),
                holder: fs::read_to_string(&holder_file).unwrap_or_else(|_| "unknown".into()),
            },
            source => EngineError::Index { path: folder.to_owned(), source },
        })?;
        writer.set_merge_policy(Box::new(merge_policy()));
        // Only for the message another process shows; the lock itself is the system's and ends with this process.
        if let Err(error) = fs::write(&holder_file, std::process::id().to_string()) {
            tracing::warn!(%error, "the index's holder could not be noted");
        }
        Ok(Self { writer, fields, folder: folder.to_owned() })
    }

    /// Puts a file in, in place of what was there. `passages` and `vectors` are of the same length; `row` goes with
    /// the first passage, or alone where there is none.
    pub fn replace(
        &mut self,
        row: &Row,
        passages: &[Passage],
        vectors: &[Option<Quantized>],
    ) -> Result<(), EngineError> {
        self.remove(&row.path);
        if passages.is_empty() {
            return self.add(row_alone(&self.fields, row));
        }
        for (i, (passage, vector)) in passages.iter().zip(vectors).enumerate() {
            let mut doc = passage_document(&self.fields, passage, vector.as_ref());
            if i == 0 {
                add_row(&self.fields, &mut doc, row, ROW_WITH_PASSAGE);
            }
            self.add(doc)?;
        }
        Ok(())
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &Path) {
        self.writer.delete_term(Term::from_field_text(self.fields.path, &path.to_string_lossy()));
    }

    /// Publishes everything since the last commit, or nothing.
    pub fn commit(&mut self) -> Result<(), EngineError> {
        self.writer.commit().map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// Waits for merges that still run, then lets go of the index.
    pub fn close(self) -> Result<(), EngineError> {
        let folder = self.folder;
        self.writer.wait_merging_threads().map_err(|source| EngineError::Index { path: folder.clone(), source })
    }

    fn add(&self, doc: TantivyDocument) -> Result<(), EngineError> {
        self.writer.add_document(doc).map(|_| ()).map_err(|e| self.failed(e))
    }

    fn failed(&self, source: TantivyError) -> EngineError {
        EngineError::Index { path: self.folder.clone(), source }
    }
}
