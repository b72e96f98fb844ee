//! What is kept from step to step: the writer, the catalog, and what is still to be done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::vectors::Batch;
use super::{COMMIT_EVERY, COMMIT_FIRST};
use crate::catalog::{Ledger, Pause};
use crate::engine::IndexReport;
use crate::index::vectors::Quantized;
use crate::index::{Generation, Generations, Hold, Row, RowState, Snapshot, Writer, guarded};
use crate::neighbour::Limits;
use crate::scan::{Places, Stamp};
use crate::{EngineError, index::Passage};

/// A file that is written to without end is read after so long all the same, if it can be read whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long vectors of removed passages are at hand: a folder can leave one watched folder long before it comes into
/// another, where it is copied first, say.
const KEEP_VECTORS: Duration = Duration::from_secs(60);

/// Snapshots kept for that: they hold files on disk that would be gone otherwise.
const MAX_OLDER: usize = 8;

/// A session holds the one writer of an index, so that a watch neither waits for its lock nor loses it.
pub(crate) struct Session {
    open: Option<(Arc<Generation>, Writer)>,
    /// The right to write; let go of after the writer.
    hold: Option<Hold>,
    ledger: Arc<Mutex<Ledger>>,
    pub(super) report: IndexReport,
    /// Files to be read, and how many of them have been since there were none.
    pub(super) text: VecDeque<PathBuf>,
    pub(super) n_read: usize,
    /// Somebody waits for what stands first in `text`.
    pub(super) is_urgent: bool,
    /// Files that are being written, since when, and when they are to be looked at again; `None` while that is done.
    unsettled: BTreeMap<PathBuf, (Instant, Option<Instant>)>,
    pub(super) batch: Option<Batch>,
    pub(super) n_embedded: usize,
    /// Files that are passed over when vectors are made, until they have been looked at again.
    pub(super) deferred: BTreeSet<PathBuf>,
    /// Written, not published: what the catalog will say then.
    pub(super) written: BTreeMap<PathBuf, Row>,
    /// Files of commits in which the words of a text could not be found, and how they were then: each is looked at by
    /// itself to find out which it was. See `index/analysis.rs`.
    pub(super) suspects: BTreeMap<PathBuf, Stamp>,
    is_dirty: bool,
    pub(super) last_commit: Instant,
    /// How long after it the next one is due, unless something is urgent.
    pub(super) commit_after: Duration,
    n_commits: u64,
    /// The commit at which [`Session::outgrows`] was asked last.
    compared_at: Option<u64>,
    /// The index as it was before files left it, up to [`KEEP_VECTORS`] ago, oldest first.
    older: VecDeque<(Instant, Snapshot)>,
    /// Everything was looked at since the writer was opened: once all text is in, the generation can serve.
    pub(crate) is_swept: bool,
    /// All of it is done, and what it replaced is removed.
    pub(crate) is_complete: bool,
    /// It runs unasked, and puts off on battery what can wait.
    pub(crate) is_polite: bool,
    /// Since when vectors wait for searches.
    pub(super) held_since: Option<Instant>,
    /// The embedder has failed: words go on without.
    pub(crate) skips_vectors: bool,
    /// Why vectors are wanted and not made, as of the last step.
    pub(crate) paused: Option<Pause>,
}

impl Session {
    pub(crate) fn new(places: Places) -> Self {
        Self {
            open: None,
            hold: None,
            ledger: Arc::new(Mutex::new(Ledger { places, ..Ledger::default() })),
            report: IndexReport::default(),
            text: VecDeque::new(),
            n_read: 0,
            is_urgent: false,
            unsettled: BTreeMap::new(),
            batch: None,
            n_embedded: 0,
            deferred: BTreeSet::new(),
            written: BTreeMap::new(),
            suspects: BTreeMap::new(),
            is_dirty: false,
            last_commit: Instant::now(),
            commit_after: Duration::ZERO,
            n_commits: 0,
            compared_at: None,
            older: VecDeque::new(),
            is_swept: false,
            is_complete: false,
            is_polite: false,
            held_since: None,
            skips_vectors: false,
            paused: None,
        }
    }

    /// The catalog, for whoever wants to read it while work goes on.
    pub(crate) fn shared_ledger(&self) -> Arc<Mutex<Ledger>> {
        self.ledger.clone()
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Counts since the session began.
    pub(crate) fn report(&self) -> &IndexReport {
        &self.report
    }

    pub(crate) fn generation(&self) -> Option<&Arc<Generation>> {
        self.open.as_ref().map(|(generation, _)| generation)
    }

    /// Takes the right to write, if this session does not have it.
    pub(crate) fn hold(&mut self, generations: &Generations) -> Result<(), EngineError> {
        if self.hold.is_none() {
            self.hold = Some(generations.hold()?);
        }
        Ok(())
    }

    /// Opens the writer of `generation` and reads its catalog, unless that is done.
    pub(crate) fn attach(&mut self, generation: &Arc<Generation>, limits: &Limits) -> Result<(), EngineError> {
        if self.generation().is_some_and(|open| open.folder() == generation.folder()) {
            return Ok(());
        }
        self.forget();
        let writer = generation.writer(limits)?;
        let snapshot = generation.snapshot()?;
        let rows = snapshot.rows().map_err(|e| snapshot.failed(e))?;
        let mut ledger = self.ledger();
        ledger.rows = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        ledger.has_vectors = generation.embedder().is_some();
        drop(ledger);
        self.open = Some((generation.clone(), writer));
        Ok(())
    }

    /// Lets go of the writer without waiting for merges; what was not committed is dropped.
    pub(crate) fn forget(&mut self) {
        self.open = None;
        self.ledger().rows.clear();
        self.text.clear();
        self.unsettled.clear();
        self.batch = None;
        self.deferred.clear();
        self.written.clear();
        self.is_dirty = false;
        self.older.clear();
        self.compared_at = None;
        self.commit_after = Duration::ZERO;
        self.is_swept = false;
        self.is_complete = false;
    }

    /// Closes the writer until it is needed again, for its memory and threads.
    pub(crate) fn rest(&mut self) -> Result<(), EngineError> {
        self.commit()?;
        self.open.as_mut().map_or(Ok(()), |(_, writer)| writer.rest())
    }

    /// Has the writer keep to `limits`, which may have changed since it was opened.
    pub(crate) fn keep_to(&mut self, limits: Limits) -> Result<(), EngineError> {
        if self.open.as_ref().is_none_or(|(_, writer)| writer.limits() == limits) {
            return Ok(());
        }
        self.rest()?;
        if let Some((_, writer)) = &mut self.open {
            writer.keep_to(limits);
        }
        Ok(())
    }

    /// Waits for running merges, then lets go.
    pub(crate) fn close(self) -> Result<(), EngineError> {
        self.open.map_or(Ok(()), |(_, writer)| writer.close())
    }

    /// Whether every file that was seen is in the index, and published, by its words.
    pub(crate) fn has_all_text(&mut self) -> Result<bool, EngineError> {
        if !self.is_swept || !self.text.is_empty() {
            return Ok(false);
        }
        self.commit()?;
        Ok(self.text.is_empty())
    }

    /// Whether every file that `serving` finds and that is to be found on is published here as well.
    pub(crate) fn outgrows(&mut self, serving: Option<&Generation>) -> Result<bool, EngineError> {
        let Some(serving) = serving else { return Ok(self.is_swept) };
        if !self.is_swept || self.compared_at == Some(self.n_commits) {
            return Ok(false);
        }
        self.compared_at = Some(self.n_commits);
        // Of one that cannot be read it is not known what it finds: then all text has to be in.
        let rows = || serving.snapshot().and_then(|snapshot| snapshot.rows().map_err(|e| snapshot.failed(e)));
        let Ok(found) = guarded(serving.folder(), rows) else { return Ok(false) };
        let ledger = self.ledger();
        let is_lost = |row: &Row| row.passages > 0 && ledger.keeps(&row.path) && !ledger.rows.contains_key(&row.path);
        Ok(!found.iter().any(is_lost))
    }

    /// Publishes what was written, text and vectors together, and then lets the catalog say so. Where the words of a text
    /// could not be found, what was written waits to be read once more, each file by itself.
    pub(crate) fn commit(&mut self) -> Result<(), EngineError> {
        if !self.is_dirty {
            return Ok(());
        }
        let writer = self.writer()?;
        writer.commit()?;
        let was_spoilt = writer.was_spoilt();
        self.is_dirty = false;
        self.last_commit = Instant::now();
        self.commit_after = (2 * self.commit_after).clamp(COMMIT_FIRST, COMMIT_EVERY);
        self.n_commits += 1;
        let written = std::mem::take(&mut self.written);
        if was_spoilt {
            for row in written.values().filter(|row| row.state == RowState::Indexed) {
                let stamp = Stamp { modified: row.modified, changed: row.changed, size: row.size };
                // What was looked at before as it is now was found sound.
                if self.suspects.insert(row.path.clone(), stamp) != Some(stamp) {
                    self.text.push_back(row.path.clone());
                    self.report.files_indexed = self.report.files_indexed.saturating_sub(1);
                }
            }
        }
        self.ledger().rows.extend(written);
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        row: Row,
        passages: &[Passage],
        vectors: &[Option<Quantized>],
    ) -> Result<(), EngineError> {
        self.is_dirty = true;
        self.writer()?.replace(&row, passages, vectors)?;
        self.written.insert(row.path.clone(), row);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), EngineError> {
        self.is_dirty = true;
        self.writer()?.remove(path);
        self.written.remove(path);
        self.unsettled.remove(path);
        Ok(())
    }

    pub(super) fn queue(&mut self, paths: Vec<PathBuf>, first: bool) {
        self.deferred.clear();
        if !first {
            self.text.extend(paths);
            return;
        }
        self.is_urgent = true;
        paths.into_iter().rev().for_each(|path| self.text.push_front(path));
    }

    /// Has `path` looked at again once it has been at rest.
    pub(super) fn wait_for(&mut self, path: PathBuf, settle: Duration) {
        let now = Instant::now();
        let next = Some(now + settle);
        self.unsettled.entry(path).and_modify(|(_, old)| *old = next).or_insert((now, next));
    }

    pub(super) fn is_settled(&mut self, path: &Path) {
        self.unsettled.remove(path);
    }

    /// Whether a file has been waited for long enough.
    pub(super) fn is_overdue(&self, path: &Path) -> bool {
        self.unsettled.get(path).is_some_and(|(since, _)| since.elapsed() >= PATIENCE)
    }

    /// Takes the files that were being written and are to be looked at again by now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<PathBuf> {
        let due = self.unsettled.iter_mut().filter(|(_, (_, next))| next.is_some_and(|next| next <= now));
        due.map(|(path, (_, next))| {
            *next = None;
            path.clone()
        })
        .collect()
    }

    /// When the next of them is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.unsettled.values().filter_map(|(_, next)| *next).min()
    }

    /// Waits no longer for files that were looked at (all where `scopes` is `None`) and are not to be read.
    pub(super) fn wait_only_for(&mut self, changed: &[PathBuf], scopes: Option<&[PathBuf]>) {
        let changed: BTreeSet<&PathBuf> = changed.iter().collect();
        let looked_at = |path: &Path| scopes.is_none_or(|scopes| scopes.iter().any(|scope| path.starts_with(scope)));
        self.unsettled.retain(|path, _| changed.contains(path) || !looked_at(path));
    }

    /// Keeps the vectors of what is about to leave the index at hand.
    pub(super) fn keep_vectors(&mut self) -> Result<(), EngineError> {
        if let Some(generation) = self.generation() {
            let snapshot = generation.snapshot()?;
            let commit = |snapshot: &Snapshot| snapshot.searcher().generation().generation_id();
            if self.older.back().is_none_or(|(_, last)| commit(last) != commit(&snapshot)) {
                self.older.push_back((Instant::now(), snapshot));
            }
        }
        let is_old = |(since, _): &(Instant, Snapshot)| since.elapsed() > KEEP_VECTORS;
        while self.older.len() > MAX_OLDER || self.older.front().is_some_and(is_old) {
            self.older.pop_front();
        }
        Ok(())
    }

    /// Where vectors of known texts are looked up: the index now, and as it was a moment ago.
    pub(super) fn snapshots(&self) -> Result<Vec<Snapshot>, EngineError> {
        let now = self.generation().map(|generation| generation.snapshot()).transpose()?;
        let older = self.older.iter().rev().map(|(_, snapshot)| snapshot.clone());
        Ok(now.into_iter().chain(older).filter(Snapshot::has_vectors).collect())
    }

    fn writer(&mut self) -> Result<&mut Writer, EngineError> {
        // Every way here goes through `attach`; after a failure there is nothing to write to until the next.
        self.open.as_mut().map(|(_, writer)| writer).ok_or(EngineError::Cancelled)
    }
}

/// The vector of a text, from the first of `snapshots` that holds it.
pub(super) fn vector_of(snapshots: &[Snapshot], hash: u64) -> Result<Option<Quantized>, EngineError> {
    for snapshot in snapshots {
        if let Some(vector) = snapshot.vector_of(hash).map_err(|e| snapshot.failed(e))? {
            return Ok(Some(vector));
        }
    }
    Ok(None)
}
