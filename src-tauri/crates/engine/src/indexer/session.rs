//! The state that is kept from step to step: the writer, the catalog, and the work that is still to be done.

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
use crate::scan::{Places, Stamp};
use crate::throttle::Limits;
use crate::{EngineError, index::Passage};

/// The longest wait for a file to be at rest: after it, even a file that is written to without end is read, if it can
/// be read whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long vectors of removed passages can be reused. A folder that moves can leave one watched folder long before it
/// comes into another.
const KEEP_VECTORS: Duration = Duration::from_secs(60);

/// How many snapshots are kept for that. They keep files on disk that would be removed otherwise.
const MAX_OLDER: usize = 8;

/// A session holds the one writer of an index, so that a watch neither waits for its lock nor loses it.
pub(crate) struct Session {
    open: Option<(Arc<Generation>, Writer)>,
    /// The right to write. Declared after `open`, so that it is dropped after the writer.
    hold: Option<Hold>,
    ledger: Arc<Mutex<Ledger>>,
    pub(super) report: IndexReport,
    /// Files to be read.
    pub(super) text: VecDeque<PathBuf>,
    /// How many files have been read since `text` was last empty.
    pub(super) n_read: usize,
    /// Somebody waits for the first files in `text`.
    pub(super) is_urgent: bool,
    /// Files that are being written, since when, and when they are to be looked at again (`None` while that is done).
    unsettled: BTreeMap<PathBuf, (Instant, Option<Instant>)>,
    pub(super) batch: Option<Batch>,
    pub(super) n_embedded: usize,
    /// Files that are passed over when vectors are made, until they have been looked at again.
    pub(super) deferred: BTreeSet<PathBuf>,
    /// Rows of files that are written but not committed. The commit moves them into the catalog.
    pub(super) written: BTreeMap<PathBuf, Row>,
    /// Files of commits in which a text could not be analysed, with their stamps. Each of them is read once more and
    /// analysed by itself, to find the file at fault: see `index/analysis.rs`.
    pub(super) suspects: BTreeMap<PathBuf, Stamp>,
    is_dirty: bool,
    pub(super) last_commit: Instant,
    /// How long after `last_commit` the next commit is due, unless something is urgent.
    pub(super) commit_after: Duration,
    n_commits: u64,
    /// The value of `n_commits` when [`Session::outgrows`] was asked last.
    compared_at: Option<u64>,
    /// The index as it was before files left it, up to [`KEEP_VECTORS`] ago, oldest first.
    older: VecDeque<(Instant, Snapshot)>,
    /// Everything has been looked at since the writer was opened. Once all text is indexed, the generation can serve.
    pub(crate) is_swept: bool,
    /// All work on the generation is done, and the generations that it replaced are removed.
    pub(crate) is_complete: bool,
    /// Nobody waits for this session: it gives way to searches, and puts off vectors while on battery.
    pub(crate) is_polite: bool,
    /// Since when vectors wait for searches.
    pub(super) held_since: Option<Instant>,
    /// The embedder has failed: text is indexed without vectors.
    pub(crate) skips_vectors: bool,
    /// Why missing vectors are not made, as of the last step.
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

    /// Opens the writer of `generation` and reads its catalog, unless it is open already.
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

    /// Drops the writer, which waits for its running merges, and everything that was not committed.
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

    /// Commits and closes the writer until it is needed again, to free its memory and threads.
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

    /// Waits for running merges, then closes the writer.
    pub(crate) fn close(self) -> Result<(), EngineError> {
        self.open.map_or(Ok(()), |(_, writer)| writer.close())
    }

    /// Whether the text of every file that was seen is indexed and committed.
    pub(crate) fn has_all_text(&mut self) -> Result<bool, EngineError> {
        if !self.is_swept || !self.text.is_empty() {
            return Ok(false);
        }
        self.commit()?;
        Ok(self.text.is_empty())
    }

    /// Whether every file that `serving` finds is committed here as well, except files that are to leave the index.
    pub(crate) fn outgrows(&mut self, serving: Option<&Generation>) -> Result<bool, EngineError> {
        let Some(serving) = serving else { return Ok(self.is_swept) };
        if !self.is_swept || self.compared_at == Some(self.n_commits) {
            return Ok(false);
        }
        self.compared_at = Some(self.n_commits);
        // If `serving` cannot be read, it is unknown what it finds. Then all text has to be indexed first.
        let rows = || serving.snapshot().and_then(|snapshot| snapshot.rows().map_err(|e| snapshot.failed(e)));
        let Ok(found) = guarded(serving.folder(), rows) else { return Ok(false) };
        let ledger = self.ledger();
        let is_lost = |row: &Row| row.passages > 0 && ledger.keeps(&row.path) && !ledger.rows.contains_key(&row.path);
        Ok(!found.iter().any(is_lost))
    }

    /// Publishes what was written, text and vectors together, and then brings the catalog up to date. If a text could
    /// not be analysed, all files of this commit are queued to be read once more and analysed one by one.
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
                // A file that was a suspect before, with the same stamp, has been analysed by itself and was sound.
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

    /// When the next file that is being written is to be looked at again.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.unsettled.values().filter_map(|(_, next)| *next).min()
    }

    /// Stops waiting for files that were looked at (all files if `scopes` is `None`) and are not to be read.
    pub(super) fn wait_only_for(&mut self, changed: &[PathBuf], scopes: Option<&[PathBuf]>) {
        let changed: BTreeSet<&PathBuf> = changed.iter().collect();
        let looked_at = |path: &Path| scopes.is_none_or(|scopes| scopes.iter().any(|scope| path.starts_with(scope)));
        self.unsettled.retain(|path, _| changed.contains(path) || !looked_at(path));
    }

    /// Keeps a snapshot with the vectors of files that are about to leave the index, so that they can be reused.
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

    /// The snapshots in which vectors of known texts are looked up: of the index now, and as it was a moment ago.
    pub(super) fn snapshots(&self) -> Result<Vec<Snapshot>, EngineError> {
        let now = self.generation().map(|generation| generation.snapshot()).transpose()?;
        let older = self.older.iter().rev().map(|(_, snapshot)| snapshot.clone());
        Ok(now.into_iter().chain(older).filter(Snapshot::has_vectors).collect())
    }

    fn writer(&mut self) -> Result<&mut Writer, EngineError> {
        // Every caller has gone through `attach`. After a failure there is no writer until the next `attach`.
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
