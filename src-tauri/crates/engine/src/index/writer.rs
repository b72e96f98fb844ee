//! The one writer of an index. One commit removes a file's old documents and adds its new ones.

use std::io;
use std::path::{Path, PathBuf};

use tantivy::directory::error::LockError;
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexWriter, TantivyDocument, TantivyError, Term};

use super::analysis::Spoilt;
use super::directory::{Fault, Folder};
use super::hold;
use super::merging::merge_policy;
use super::pages::GivingBack;
use super::passage::{Passage, Row, add_row, passage_document, row_alone};
use super::schema::Fields;
use super::vectors::Quantized;
use crate::EngineError;
use crate::throttle::Limits;

/// What a writer's thread needs at the least; see Tantivy's `MEMORY_BUDGET_NUM_BYTES_MIN`.
const MIN_HEAP_BYTES: usize = 15_000_000;

/// After a fault everything since the last commit is dropped, and the next [`Writer::commit`] returns the error. From
/// then on the writer works again, as the fault may be gone.
pub struct Writer {
    /// `None` after a fault or [`Writer::rest`], until the writer is used again.
    open: Option<(IndexWriter, GivingBack)>,
    index: Index,
    /// Raised by the tokenizers of `index`.
    spoilt: Spoilt,
    folder: Folder,
    fields: Fields,
    path: PathBuf,
    limits: Limits,
    /// What went wrong since the last commit.
    failed: Option<Failed>,
    /// Whether there is anything to commit.
    changed: bool,
}

#[derive(Clone)]
struct Failed {
    source: TantivyError,
    fault: Option<Fault>,
}

/// Waits for merges: a merge that outlived its writer would remove files that the next writer uses.
impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.rest() {
            tracing::warn!(%error, "merges of a writer that is no longer needed");
        }
    }
}

impl Writer {
    pub(super) fn open(
        (index, spoilt): (Index, Spoilt),
        folder: Folder,
        fields: Fields,
        path: &Path,
        limits: &Limits,
    ) -> Result<Self, EngineError> {
        let (path, limits) = (path.to_owned(), *limits);
        let (open, failed, changed) = (None, None, false);
        let mut writer = Self { open, index, spoilt, folder, fields, path, limits, failed, changed };
        writer.ready()?;
        Ok(writer)
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Keeps to `limits` from the next time it opens (see [`Writer::rest`]): its threads and buffers are made then.
    pub fn keep_to(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Tantivy's writer, which is opened first if it is not open.
    fn ready(&mut self) -> Result<&mut IndexWriter, EngineError> {
        if let Some(failed) = &self.failed {
            return Err(failed.error(&self.path));
        }
        if self.open.is_none() {
            // Other processes are kept out already. If Tantivy's lock is busy, a child process that is being started
            // still holds a copy of ours.
            let threads = self.limits.writer_threads();
            let options = IndexWriterOptions::builder()
                .num_worker_threads(threads)
                .memory_budget_per_thread((self.limits.writer_bytes() / threads).max(MIN_HEAP_BYTES))
                // Merging holds a segment's vectors in memory: one at a time.
                .num_merge_threads(1)
                .build();
            let open = || self.index.writer_with_options(options.clone());
            match hold::when_free(open, |tried| matches!(tried, Err(TantivyError::LockFailure(LockError::LockBusy, _))))
            {
                Ok(writer) => {
                    writer.set_merge_policy(Box::new(merge_policy()));
                    // The first operation of a writer gets the number of the last commit. If it were a deletion, a
                    // merge of segments that this commit deleted from would take it for done already, and the deleted
                    // documents would come back. So an empty operation uses up that number.
                    if let Err(source) = writer.run(std::iter::empty()) {
                        return Err(self.fail(source));
                    }
                    // Files that a failed commit left behind must be removed first. The next commit may give its list
                    // of deletions the same name, and would fail, time after time, because that file exists.
                    if let Err(error) = writer.garbage_collect_files().wait() {
                        tracing::debug!(%error, "left-over files stay until the next commit");
                    }
                    self.open = Some((writer, GivingBack::start()));
                }
                Err(TantivyError::LockFailure(LockError::LockBusy, _)) => {
                    let holder = "a process that left no note".to_owned();
                    return Err(EngineError::Locked { path: self.path.clone(), holder });
                }
                Err(source) => return Err(self.fail(source)),
            }
        }
        match &mut self.open {
            Some((writer, _)) => Ok(writer),
            None => Err(EngineError::Cancelled),
        }
    }

    /// Writes the documents of a file in place of its old ones. `passages` and `vectors` are of the same length; `row`
    /// goes with the first passage, or alone if there is none.
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
                add_row(&self.fields, &mut doc, row, Some(passage));
            }
            self.add(doc)?;
        }
        Ok(())
    }

    /// Takes a file out of the index. If that fails, the next commit returns the error.
    pub fn remove(&mut self, path: &Path) {
        let term = Term::from_field_text(self.fields.path, &path.to_string_lossy());
        if let Ok(writer) = self.ready() {
            writer.delete_term(term);
            self.changed = true;
        }
    }

    /// Publishes everything since the last commit, or, on an error, nothing. Costs nothing if nothing was changed.
    pub fn commit(&mut self) -> Result<(), EngineError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed.error(&self.path));
        }
        if !self.changed {
            return Ok(());
        }
        match self.ready()?.commit() {
            Ok(_) => {
                self.changed = false;
                Ok(())
            }
            Err(source) => {
                let error = self.fail(source);
                // The error is returned now, so the next commit need not return it again.
                self.failed = None;
                Err(error)
            }
        }
    }

    /// Whether a text that was written since the last call could not be analysed. Right after a commit, the answer
    /// covers everything that it published. Such a text is found only by the words before the failure.
    pub fn was_spoilt(&self) -> bool {
        self.spoilt.take()
    }

    /// Waits for merges that still run, then closes until it is used again. Call it after a commit: changes that are
    /// not committed are lost.
    pub fn rest(&mut self) -> Result<(), EngineError> {
        let Some((writer, pages)) = self.open.take() else { return Ok(()) };
        let merged = writer.wait_merging_threads();
        drop(pages);
        merged.map_err(|source| self.fail(source))
    }

    /// Waits for merges that still run, then lets go of the index.
    pub fn close(mut self) -> Result<(), EngineError> {
        self.rest()
    }

    fn add(&mut self, doc: TantivyDocument) -> Result<(), EngineError> {
        self.changed = true;
        match self.ready()?.add_document(doc) {
            Ok(_) => Ok(()),
            Err(source) => Err(self.fail(source)),
        }
    }

    /// Drops everything that was not committed, because Tantivy itself would go on with half of it.
    fn fail(&mut self, source: TantivyError) -> EngineError {
        // The writer's threads end here, so that their faults are known below.
        self.open = None;
        self.changed = false;
        let failed = Failed { source, fault: self.folder.fault() };
        let error = failed.error(&self.path);
        self.failed = Some(failed);
        error
    }
}

impl Failed {
    fn error(&self, path: &Path) -> EngineError {
        match (&self.fault, &self.source) {
            (Some((kind, message)), _) => {
                let source = io::Error::new(*kind, message.clone());
                EngineError::writing("write the index in", path.to_owned(), source)
            }
            (None, TantivyError::IoError(e)) => {
                let source = io::Error::new(e.kind(), e.to_string());
                EngineError::writing("write the index in", path.to_owned(), source)
            }
            (None, source) => EngineError::Index { path: path.to_owned(), source: source.clone() },
        }
    }
}
