//! Brings the index in line with the disk: text of every changed file first, then vectors.
//!
//! Work is done in steps of a second or so, so that between any two of them a change on disk can be looked at, a watch
//! can be stopped, and what the user just wrote goes in before the rest of a long run.

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
use crate::neighbour::{HOLD_TEXT, Limits, Neighbour};
use crate::scan::{Look, under};
use crate::{Cancel, Embedder, EngineError};

/// How often what is done so far is published. Each commit makes a segment, which merging then has to clear.
const COMMIT_EVERY: Duration = Duration::from_secs(10);

/// After the first commit of a run the second is due so soon, and each after that in twice the time: whoever watches a new
/// folder being read sees what is found grow from the first second.
const COMMIT_FIRST: Duration = Duration::from_millis(500);

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Text,
    Vectors,
    /// Nothing is left to do, and all of it is published.
    Idle,
}

/// One step's view of a [`Session`].
pub(crate) struct Indexer<'a> {
    pub session: &'a mut Session,
    /// `None` where the generation is another model's.
    pub embedder: Option<&'a dyn Embedder>,
    pub settle: Duration,
    pub neighbour: &'a Neighbour,
    pub limits: Limits,
    pub workers: &'a Workers,
    pub cancel: &'a Cancel,
    pub progress: &'a mut dyn FnMut(&IndexProgress),
}

impl Indexer<'_> {
    /// Takes in what was seen: what is gone leaves the index, what is new or changed is read by the next steps, before
    /// anything that waits already if `first`.
    pub(crate) fn take(&mut self, look: Look, first: bool) -> Result<(), EngineError> {
        // The catalog knows what is published: a file written and deleted since must not be forgotten.
        self.session.commit()?;
        let scopes = look.scopes.clone();
        let taken = self.session.ledger().take(look);
        self.session.wait_only_for(&taken.changed, scopes.as_deref());
        let report = &mut self.session.report;
        report.files_removed += taken.gone.len();
        if !first {
            // A look at single files sees what has been counted.
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

    /// Takes what is known under `folder` out of the index, but for what was seen there.
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

    /// Reads or embeds a little. On an error, [`EngineError::Cancelled`] among them, all that was finished is kept.
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
        // A commit can find that a file has to be read once more.
        Ok(if self.session.text.is_empty() { Step::Idle } else { Step::Text })
    }

    fn commit_now_and_then(&mut self) -> Result<(), EngineError> {
        let is_due = self.session.last_commit.elapsed() >= self.session.commit_after;
        if is_due { self.session.commit() } else { Ok(()) }
    }

    /// Lets searches go first for a little while, unless somebody waits for this very run. `true` where one still runs, or
    /// has only just ended.
    fn give_way(&self) -> bool {
        self.session.is_polite && self.neighbour.give_way(HOLD_TEXT, self.cancel)
    }

    fn check(&self) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }

    fn tell(&mut self, phase: Phase, done: usize, total: usize, current: Option<PathBuf>) {
        (self.progress)(&IndexProgress { phase, done, total, current });
    }
}
