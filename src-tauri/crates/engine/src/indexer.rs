//! Brings the index in line with the disk: text of every changed file first, then vectors.
//!
//! Work is done in steps of about a second. Between two steps a change on disk can be looked at, a watch can be
//! stopped, and a note that the user just wrote can be indexed before the rest of a long run.

mod prepare;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod vectors;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use session::Session;

use crate::catalog::Ledger;
use crate::engine::{IndexProgress, Phase};
use crate::extract::worker::Workers;
use crate::scan::{Look, under};
use crate::throttle::{HOLD_TEXT, Limits, Throttle};
use crate::{Cancel, Embedder, EngineError};

/// The longest time between two commits of a run. Each commit makes a segment that has to be merged later.
const COMMIT_EVERY: Duration = Duration::from_secs(10);

/// The time from the first commit of a run to the second; it doubles with each further one. So whoever watches a new
/// folder being read can find more and more notes from the first second on.
const COMMIT_FIRST: Duration = Duration::from_millis(500);

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Text,
    Vectors,
    /// Nothing is left to do, and everything is committed.
    Idle,
}

/// One step's view of a [`Session`].
pub(crate) struct Indexer<'a> {
    pub session: &'a mut Session,
    /// `None` where no vectors are to be made, e.g. because the generation belongs to another model.
    pub embedder: Option<&'a dyn Embedder>,
    pub settle: Duration,
    pub throttle: &'a Throttle,
    pub limits: Limits,
    pub workers: &'a Workers,
    pub cancel: &'a Cancel,
    pub progress: &'a mut dyn FnMut(&IndexProgress),
}

impl Indexer<'_> {
    /// Takes in a look at the disk: files that are gone leave the index, and the next steps read those that are new or
    /// changed. With `first` they are read before files that wait already.
    pub(crate) fn take(&mut self, look: Look, first: bool) -> Result<(), EngineError> {
        // The catalog lists committed files only. Without a commit, it would miss a file that was written to the index
        // and has been deleted since.
        self.session.commit()?;
        let scopes = look.scopes.clone();
        let taken = self.session.ledger().take(look);
        self.session.wait_only_for(&taken.changed, scopes.as_deref());
        let report = &mut self.session.report;
        report.files_removed += taken.gone.len();
        if !first {
            // A look at single files (`first`) sees files that have been counted before.
            report.files_skipped += taken.n_skipped;
            report.files_failed += taken.n_unreadable;
            report.files_unchanged += taken.n_unchanged;
            report.files_seen += taken.n_skipped + taken.n_unreadable + taken.n_unchanged + taken.changed.len();
        }
        if !taken.gone.is_empty() {
            self.session.keep_vectors()?;
        }
        for path in &taken.gone {
            self.session.remove(path)?;
        }
        for row in taken.noted {
            self.session.write(row, &[], &[])?;
        }
        self.session.queue(taken.changed, first);
        Ok(())
    }

    /// Takes the files known under `folder` out of the index, except those that the last look saw there.
    pub(crate) fn forget(&mut self, folder: &Path) -> Result<(), EngineError> {
        let gone: Vec<PathBuf> = {
            let mut ledger = self.session.ledger();
            let Ledger { rows, entries, .. } = &mut *ledger;
            let gone: Vec<PathBuf> =
                under(rows, folder).map(|(path, _)| path.clone()).filter(|path| !entries.contains_key(path)).collect();
            gone.iter().for_each(|path| drop(rows.remove(path)));
            gone
        };
        self.session.report.files_removed += gone.len();
        gone.iter().try_for_each(|path| self.session.remove(path))
    }

    /// Does a step of reading or embedding. On any error, also [`EngineError::Cancelled`], finished work is committed.
    pub(crate) fn step(&mut self) -> Result<Step, EngineError> {
        let step = self.work();
        if step.is_err() {
            self.session.commit()?;
        }
        step
    }

    fn work(&mut self) -> Result<Step, EngineError> {
        self.check()?;
        if self.text()? {
            return Ok(Step::Text);
        }
        if self.vectors()? {
            return Ok(Step::Vectors);
        }
        self.session.commit()?;
        self.session.commit_after = Duration::ZERO;
        // The commit may have queued files that have to be read once more.
        Ok(if self.session.text.is_empty() { Step::Idle } else { Step::Text })
    }

    fn commit_now_and_then(&mut self) -> Result<(), EngineError> {
        let is_due = self.session.last_commit.elapsed() >= self.session.commit_after;
        if is_due { self.session.commit() } else { Ok(()) }
    }

    /// Waits a little for searches, unless somebody waits for this very run. Returns `true` if a search still runs, or
    /// has only just ended.
    fn give_way(&self) -> bool {
        self.session.is_polite && self.throttle.give_way(HOLD_TEXT, self.cancel)
    }

    fn check(&self) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }

    fn tell(&mut self, phase: Phase, done: usize, total: usize, current: Option<PathBuf>) {
        (self.progress)(&IndexProgress { phase, done, total, current });
    }
}
