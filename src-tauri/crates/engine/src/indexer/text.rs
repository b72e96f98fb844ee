//! Indexes the text of changed files.

use std::path::PathBuf;
use std::time::Duration;

use rayon::prelude::*;

use super::Indexer;
use super::prepare::{Outcome, Prepared, Reader, prepare};
use super::session::vector_of;
use crate::EngineError;
use crate::engine::Phase;
use crate::index::{RowState, Snapshot};
use crate::scan::{Seen, Stamp, Verdict};
use crate::throttle::fitting;

/// Files read and cut at once; bounds memory and how long a cancel waits.
const FILES_AT_ONCE: usize = 64;

/// How many files are read at once at the beginning of a run.
const FIRST_FILES: usize = 8;

impl Indexer<'_> {
    /// Reads and indexes the next files. Returns `false` if there is none.
    pub(super) fn text(&mut self) -> Result<bool, EngineError> {
        if self.session.text.is_empty() {
            self.session.n_read = 0;
            return Ok(false);
        }
        self.give_way();
        let n = {
            let ledger = self.session.ledger();
            let size = |path| ledger.entries.get(path).map_or(0, |seen| seen.stamp.size);
            // The first batches are small, so that something can be found at once.
            let most = FILES_AT_ONCE.min(FIRST_FILES + self.session.n_read);
            fitting(self.session.text.iter().map(size), most, self.limits.batch_bytes())
        };
        let (done, left) = (self.session.n_read, self.session.text.len());
        self.tell(Phase::Text, done, done + left, self.session.text.front().cloned());
        let batch: Vec<(PathBuf, Duration)> = self
            .session
            .text
            .drain(..n)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|path| (path.clone(), if self.session.is_overdue(&path) { Duration::ZERO } else { self.settle }))
            .collect();
        let reader = Reader { workers: self.workers, suspects: &self.session.suspects, cancel: self.cancel };
        let read = |(path, settle): (PathBuf, Duration)| {
            let outcome = prepare(&path, settle, reader);
            (path, outcome)
        };
        let all = || batch.into_par_iter().map(read).collect::<Vec<(PathBuf, Outcome)>>();
        let prepared = self.throttle.threads.run(self.limits.threads(), all);
        let snapshots = self.session.snapshots()?;
        for (path, outcome) in prepared {
            self.take_text(path, outcome, &snapshots)?;
        }
        self.session.n_read += n;
        let is_last = self.session.text.is_empty();
        if is_last {
            self.tell(Phase::Text, done + n, done + n, None);
        }
        if is_last || std::mem::take(&mut self.session.is_urgent) {
            self.session.commit()?;
        }
        self.commit_now_and_then()?;
        Ok(true)
    }

    fn take_text(&mut self, path: PathBuf, outcome: Outcome, snapshots: &[Snapshot]) -> Result<(), EngineError> {
        let file = match outcome {
            Outcome::Ready(file) => file,
            Outcome::Unsettled => {
                self.session.wait_for(path, self.settle);
                return Ok(());
            }
            Outcome::Gone => {
                self.session.keep_vectors()?;
                let mut ledger = self.session.ledger();
                ledger.entries.remove(&path);
                let was_known = ledger.rows.remove(&path).is_some();
                drop(ledger);
                if was_known {
                    self.session.report.files_removed += 1;
                }
                return self.session.remove(&path);
            }
            Outcome::OutOfReach(file) => {
                // What was read before stays in the index until the file can be read again.
                let known = self.session.ledger().rows.get(&path).map(|row| row.state);
                if known == Some(RowState::Indexed) {
                    self.session.is_settled(&path);
                    self.session.report.files_failed += 1;
                    return Ok(());
                }
                file
            }
        };
        self.session.is_settled(&path);
        // The file has been read again, so its vectors can be made.
        self.session.deferred.remove(&path);
        match file.row.state {
            RowState::Indexed => self.session.report.files_indexed += 1,
            RowState::Skipped => self.session.report.files_skipped += 1,
            RowState::Failed => self.session.report.files_failed += 1,
        }
        // The file that was read may be newer than the one that the last look saw.
        let row = &file.row;
        let stamp = Stamp { modified: row.modified, changed: row.changed, size: row.size };
        self.session.ledger().entries.insert(path, Seen { stamp, verdict: Verdict::Read });
        let vectors = file.hashes.iter().map(|hash| vector_of(snapshots, *hash)).collect::<Result<Vec<_>, _>>()?;
        let Prepared { mut row, passages, .. } = file;
        row.embedded = row.state == RowState::Indexed && vectors.iter().all(Option::is_some);
        self.session.write(row, &passages, &vectors)
    }
}
