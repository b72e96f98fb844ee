//! Looks at the disk and brings the index in line with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Engine, IndexProgress, IndexReport, Phase, Wake, lock, write};
use crate::catalog::{FileState, Ledger, Pause};
use crate::index::{Generation, RowState, guarded};
use crate::indexer::{Indexer, Session, Step};
use crate::scan::{self, Look, Places, Rules};
use crate::throttle::{HOLD_VECTORS, Limits};
use crate::{Cancel, EngineError, FolderError, Settings, Watch, watched};

/// How often a wait for files that are being written looks whether it is cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// The part of the disk to look at.
pub(crate) enum Scope<'a> {
    Everything,
    /// These paths and everything below them. Changed files among them are read before files that wait already.
    Paths(&'a [PathBuf]),
}

impl Engine {
    /// Brings the index in line with what is on disk, then returns. Text of all files first, then vectors.
    ///
    /// A file that is being written is waited for, up to ten seconds. An index that is damaged or of another version
    /// goes on serving as far as it can be read, while a new one is built beside it. After a crash, and once a day,
    /// every file of the index is first compared with its checksum.
    pub fn index(&self, progress: &mut dyn FnMut(&IndexProgress), cancel: &Cancel) -> Result<IndexReport, EngineError> {
        let mut session = self.session();
        session.hold(&self.inner.generations)?;
        if let Ok(Some(serving)) = self.serving()
            && serving.check_is_due()
        {
            // Damage that it finds is noted, and the indexing below repairs it.
            let _ = guarded(serving.folder(), || serving.examine(cancel, &|| {}));
        }
        let mut report = guarded(self.data_dir(), || self.index_in(&mut session, progress, cancel));
        if report.as_ref().is_err_and(|error| self.is_damage(error)) {
            session.forget();
            report = guarded(self.data_dir(), || self.index_in(&mut session, progress, cancel));
        }
        session.close()?;
        report
    }

    /// Whether this process could index now. Nothing is read or written to find out.
    ///
    /// # Errors
    /// [`EngineError::Locked`] says which other process, or part of this one, holds the index.
    pub fn check_free(&self) -> Result<(), EngineError> {
        self.inner.generations.check_free()
    }

    /// Whether damage to the index explains an error. If so, the damaged part is noted and left out from now on.
    pub(crate) fn is_damage(&self, error: &EngineError) -> bool {
        self.serving().ok().flatten().is_some_and(|serving| serving.explains(error))
    }

    /// Checks the files of the index if a check is due, in a thread of its own. New damage wakes the watch.
    pub(crate) fn check_in_background(&self, cancel: &Cancel) {
        let Ok(Some(serving)) = self.serving() else { return };
        if !serving.check_is_due() || self.inner.checking.swap(true, Ordering::Relaxed) {
            return;
        }
        let (engine, cancel) = (self.clone(), cancel.clone());
        std::thread::spawn(move || {
            crate::throttle::background();
            let turn = || {
                engine.inner.throttle.give_way(HOLD_VECTORS, &cancel);
            };
            if let Ok(true) = guarded(serving.folder(), || serving.examine(&cancel, &turn)) {
                engine.wake(Wake::Setup);
            }
            engine.inner.checking.store(false, Ordering::Relaxed);
        });
    }

    /// Starts a thread that indexes everything and then follows the folders until the [`Watch`] is dropped. `progress`
    /// is called from that thread.
    pub fn watch(&self, progress: Box<dyn FnMut(&IndexProgress) + Send>) -> Result<Watch, EngineError> {
        let (wake, woken) = crossbeam_channel::unbounded();
        lock(&self.inner.wake).push(wake.clone());
        Watch::start(self.clone(), wake, woken, progress)
    }

    /// Has failed files read again: those at `paths` and below, or all of them if `paths` is empty. A running watch of
    /// this engine does so at once, otherwise the next [`Engine::index`] does. Returns the number of these files.
    pub fn retry(&self, paths: &[PathBuf]) -> Result<usize, EngineError> {
        // The index may spell a path as given, or through its watched folder.
        let folders = self.settings().folders;
        let spelt: Vec<PathBuf> =
            paths.iter().flat_map(|path| watched::spellings(&watched::named(path), &folders)).collect();
        let meant = |path: &Path| paths.is_empty() || paths.iter().chain(&spelt).any(|meant| path.starts_with(meant));
        let files = self.status(true)?.files.unwrap_or_default();
        let failed: Vec<PathBuf> = files
            .into_iter()
            .filter(|file| file.state == FileState::Failed && meant(&file.path))
            .map(|file| file.path)
            .collect();
        lock(&self.inner.wishes).retry.extend(failed.iter().cloned());
        self.wake(Wake::Paths(failed.clone()));
        Ok(failed.len())
    }

    /// Gives up the notes of a folder that is away: a watched folder or a folder in one. A running watch of this engine
    /// takes them out of the index at once, otherwise the next [`Engine::index`] does. The folder stays watched, and is
    /// indexed anew should it come back.
    pub fn forget(&self, folder: &Path) -> Result<(), FolderError> {
        let folder = watched::named(folder);
        if !self.settings().folders.iter().any(|root| folder.starts_with(root)) {
            return Err(FolderError::NotWatched { path: folder });
        }
        let status = self.status(true).map_err(Box::new)?;
        let is_away = |file: &crate::FileRow| file.state == FileState::Offline && file.path.starts_with(&folder);
        if !status.files.iter().flatten().any(is_away) {
            return Err(FolderError::NotAway { path: folder });
        }
        lock(&self.inner.wishes).forget.insert(folder);
        self.wake(Wake::Everything);
        Ok(())
    }

    pub(crate) fn session(&self) -> Session {
        Session::new(Places::load(&self.inner.data_dir))
    }

    /// One pass over everything.
    fn index_in(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<IndexReport, EngineError> {
        let start = Instant::now();
        progress(&IndexProgress { phase: Phase::Scanning, done: 0, total: 0, current: None });
        self.look(session, &Scope::Everything, progress, cancel, &mut |_| {})?;
        loop {
            let due = session.take_due(Instant::now());
            if !due.is_empty() {
                self.look(session, &Scope::Paths(&due), progress, cancel, &mut |_| {})?;
            }
            if self.step(session, progress, cancel)? != Step::Idle {
                continue;
            }
            let Some(next) = session.next_due() else { break };
            std::thread::sleep(next.saturating_duration_since(Instant::now()).min(CANCEL_POLL));
        }
        let mut report = session.report().clone();
        report.seconds = start.elapsed().as_secs_f64();
        progress(&IndexProgress {
            phase: Phase::Done,
            done: report.files_seen,
            total: report.files_seen,
            current: None,
        });
        Ok(report)
    }

    /// Looks at the disk and takes in what is there; the work that follows from it is done by [`Engine::step`]s.
    /// `entered` is told of each folder before it is listed.
    pub(crate) fn look(
        &self,
        session: &mut Session,
        scope: &Scope<'_>,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
        entered: &mut dyn FnMut(&Path),
    ) -> Result<(), EngineError> {
        let settings = self.settings();
        if session.generation().is_none() || matches!(scope, Scope::Everything) {
            let embedder = lock(&self.inner.embedder).ready();
            let generation = self.generation_to_write(embedder.as_deref(), session)?;
            session.attach(&generation, &Limits::of(&settings))?;
            if self.serving().ok().flatten().is_none() {
                // No other generation can answer, so this one serves from its first commit.
                self.let_serve(&generation)?;
            }
        }
        let rules = Rules::new(&settings, &self.inner.data_dir);
        let wishes = std::mem::take(&mut *lock(&self.inner.wishes));
        let look = {
            let mut ledger = session.ledger();
            let Ledger { rows, places, .. } = &mut *ledger;
            wishes.forget.iter().for_each(|folder| places.forget(folder));
            for path in &wishes.retry {
                // No file has this size, so the file counts as changed.
                if let Some(row) = rows.get_mut(path).filter(|row| row.state == RowState::Failed) {
                    row.size = u64::MAX;
                }
            }
            let places = places.clone();
            drop(ledger);
            let known = session.shared_ledger();
            match scope {
                Scope::Everything => scan::everything(&rules, &places, &*known, entered),
                Scope::Paths(paths) => scan::some(&rules, &places, &*known, paths, entered),
            }
        };
        self.note_places(session, &look);
        let (settle, workers) = (settle(&settings), &self.inner.workers);
        let (throttle, limits) = (&self.inner.throttle, Limits::of(&settings));
        let mut indexer = Indexer { session, embedder: None, settle, workers, throttle, limits, cancel, progress };
        indexer.take(look, matches!(scope, Scope::Paths(_)))?;
        for folder in &wishes.forget {
            indexer.forget(folder)?;
        }
        if matches!(scope, Scope::Everything) {
            session.is_swept = true;
        }
        Ok(())
    }

    /// Does the next piece of work, which takes about a second.
    pub(crate) fn step(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<Step, EngineError> {
        let Some(generation) = session.generation().cloned() else { return Ok(Step::Idle) };
        // A generation that does not serve yet takes over as soon as it finds every file that the serving one finds.
        // That can be early: the serving one may hold next to nothing, if building it was broken off.
        let serving = self.serving().ok().flatten();
        let serves = serving.as_ref().is_some_and(|serving| serving.folder() == generation.folder());
        if !serves && (session.has_all_text()? || session.outgrows(serving.as_deref())?) {
            self.let_serve(&generation)?;
        }
        let embedder = lock(&self.inner.embedder).ready();
        let (settings, throttle) = (self.settings(), &self.inner.throttle);
        let (settle, workers, limits) = (settle(&settings), &self.inner.workers, Limits::of(&settings));
        session.keep_to(limits)?;
        let fits = embedder.as_deref().filter(|e| generation.embedder() == Some(e.id()));
        let fits = fits.filter(|_| !session.skips_vectors);
        let saves_power = session.is_polite && settings.pause_on_battery && (self.inner.on_battery)();
        let at_work = fits.filter(|_| !saves_power);
        let mut indexer = Indexer { session, embedder: at_work, settle, workers, throttle, limits, cancel, progress };
        let step = indexer.step()?;
        let waits = saves_power && fits.is_some() && step == Step::Idle && session.ledger().lacks_vectors();
        session.paused = waits.then_some(Pause::OnBattery);
        if step == Step::Idle && session.is_swept && !session.is_complete {
            self.inner.generations.complete(&generation)?;
            session.is_complete = true;
        }
        Ok(step)
    }

    fn let_serve(&self, generation: &Arc<Generation>) -> Result<(), EngineError> {
        self.inner.generations.promote(generation)?;
        *write(&self.inner.serving) = Some(generation.clone());
        Ok(())
    }

    /// Remembers which drives were there. If that fails, indexing goes on all the same.
    fn note_places(&self, session: &Session, look: &Look) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let mut ledger = session.ledger();
        if ledger.places.note(&look.devices, &look.away, now)
            && let Err(error) = ledger.places.save(&self.inner.data_dir)
        {
            tracing::warn!(%error, "which drives the watched folders are on could not be noted");
        }
    }
}

fn settle(settings: &Settings) -> Duration {
    Duration::from_millis(settings.settle_ms)
}
