//! The handle everything goes through.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crossbeam_channel::Sender;
use serde::Serialize;

use crate::blend;
use crate::index::{Damage, Generation, Generations, Hold, Snapshot, Writer, guarded};
use crate::indexer::Indexer;
use crate::neighbour::{HOLD_VECTORS, Limits, Neighbour};
use crate::pipeline::{self, Answer, Models, Question};
use crate::scan::scan;
use crate::{
    Cancel, Degraded, Embedder, EngineError, FolderError, Preview, Reranker, SearchRequest, SearchResults, Settings,
    Stage, Status, Watch, catalog, hits,
};

#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Holds `settings.toml` and `index/`. Made if absent.
    pub data_dir: PathBuf,
}

/// Where an indexing run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Scanning,
    /// Text goes in first: every note is found by its words within seconds.
    Text,
    /// Then vectors, as fast as the embedder goes.
    Vectors,
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IndexProgress {
    pub phase: Phase,
    /// Files (text phase) or passages (vector phase).
    pub done: usize,
    pub total: usize,
    /// The file at work.
    pub current: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IndexReport {
    pub files_seen: usize,
    pub files_indexed: usize,
    pub files_unchanged: usize,
    pub files_removed: usize,
    pub files_skipped: usize,
    pub files_failed: usize,
    pub chunks_embedded: usize,
    pub seconds: f64,
}

/// A cheap handle: clones share one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// A model, or why there is none.
enum Slot<M: ?Sized> {
    /// Nobody has said yet whether one comes.
    Undecided,
    Ready(Arc<M>),
    Missing(String),
}

impl<M: ?Sized> Slot<M> {
    fn ready(&self) -> Option<Arc<M>> {
        if let Slot::Ready(model) = self { Some(model.clone()) } else { None }
    }

    fn why_missing(&self) -> String {
        match self {
            Slot::Missing(reason) => reason.clone(),
            _ => "the model is still being loaded".to_owned(),
        }
    }
}

struct Inner {
    data_dir: PathBuf,
    settings: Mutex<Settings>,
    embedder: Mutex<Slot<dyn Embedder>>,
    /// Raised when `embedder` is decided; the watch thread waits for it.
    embedder_decided: Condvar,
    reranker: Mutex<Slot<dyn Reranker>>,
    generations: Generations,
    /// What serves searches; `None` before the first indexing.
    serving: RwLock<Option<Arc<Generation>>>,
    /// What was wrong with the settings when they were read.
    settings_damage: Mutex<Option<Damage>>,
    neighbour: Neighbour,
    /// Whether a thread checks the index now.
    checking: AtomicBool,
    /// Wakes a running watch: folders or models have changed.
    wake: Mutex<Vec<Sender<Wake>>>,
}

/// Why a watch thread should look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something under a watched folder may have changed.
    Disk,
    /// Folders were added or removed, or another embedder was set.
    Setup,
    Stop,
}

impl Engine {
    /// Opens or makes the data folder. Takes no lock: many may search; the first to index holds the writer.
    pub fn open(options: EngineOptions) -> Result<Self, EngineError> {
        let io = |action, source| EngineError::Io { action, path: options.data_dir.clone(), source };
        std::fs::create_dir_all(&options.data_dir).map_err(|e| io("make the folder", e))?;
        let data_dir = options.data_dir.canonicalize().map_err(|e| io("open the folder", e))?;
        let (settings, settings_damage) = Settings::load(&data_dir)?;
        if let Some(damage) = &settings_damage {
            tracing::warn!("{}", damage.message);
        }
        // So that the first question does not wait for the dictionary.
        std::thread::spawn(crate::text::warm_up);
        Ok(Self {
            inner: Arc::new(Inner {
                generations: Generations::new(&data_dir),
                data_dir,
                settings: Mutex::new(settings),
                embedder: Mutex::new(Slot::Undecided),
                embedder_decided: Condvar::new(),
                reranker: Mutex::new(Slot::Undecided),
                serving: RwLock::new(None),
                settings_damage: Mutex::new(settings_damage),
                neighbour: Neighbour::default(),
                checking: AtomicBool::new(false),
                wake: Mutex::new(Vec::new()),
            }),
        })
    }

    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    pub fn settings(&self) -> Settings {
        lock(&self.inner.settings).clone()
    }

    /// Changes the settings and writes them, atomically. On an error nothing is changed.
    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, EngineError> {
        let mut settings = lock(&self.inner.settings);
        // Another process may have written since: its change must not be lost.
        let (mut new, _) = Settings::load(&self.inner.data_dir)?;
        change(&mut new);
        new.save(&self.inner.data_dir)?;
        *settings = new.clone();
        Ok(new)
    }

    /// Adds a watched folder (made absolute). Adding it twice, or one inside another, is no error. Indexing is
    /// another step: [`Engine::index`] or a running [`Engine::watch`], which notices.
    pub fn add_folder(&self, path: &Path) -> Result<PathBuf, FolderError> {
        let folder = path.canonicalize().map_err(|source| match source.kind() {
            ErrorKind::NotFound => FolderError::NotFound { path: path.to_owned() },
            _ => FolderError::Unreadable { path: path.to_owned(), source },
        })?;
        if !folder.is_dir() {
            return Err(FolderError::NotAFolder { path: folder });
        }
        if folder.starts_with(&self.inner.data_dir) {
            return Err(FolderError::IsDataDir { path: folder });
        }
        std::fs::read_dir(&folder).map_err(|source| FolderError::Unreadable { path: folder.clone(), source })?;
        self.update_settings(|settings| {
            if !settings.folders.contains(&folder) {
                settings.folders.push(folder.clone());
            }
        })
        .map_err(Box::new)?;
        self.wake(Wake::Setup);
        Ok(folder)
    }

    /// Stops watching. Its notes leave the index at the next [`Engine::index`] or at once where a watch runs, and
    /// searches leave them out from now on.
    pub fn remove_folder(&self, path: &Path) -> Result<(), FolderError> {
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.settings().folders.contains(&folder) {
            return Err(FolderError::NotWatched { path: folder });
        }
        self.update_settings(|settings| settings.folders.retain(|f| *f != folder)).map_err(Box::new)?;
        self.wake(Wake::Setup);
        Ok(())
    }

    /// From now on vectors come from this model. An index made by another is made anew beside it, by the next
    /// [`Engine::index`] or a running watch; until then searches go by words.
    pub fn set_embedder(&self, embedder: Arc<dyn Embedder>) {
        self.decide_embedder(Slot::Ready(embedder));
    }

    /// Says why there is no bi-encoder; shown with every answer until one is set.
    pub fn set_embedder_missing(&self, reason: String) {
        self.decide_embedder(Slot::Missing(reason));
    }

    fn decide_embedder(&self, slot: Slot<dyn Embedder>) {
        *lock(&self.inner.embedder) = slot;
        self.inner.embedder_decided.notify_all();
        self.wake(Wake::Setup);
    }

    pub fn set_reranker(&self, reranker: Arc<dyn Reranker>) {
        *lock(&self.inner.reranker) = Slot::Ready(reranker);
    }

    /// Says why there is no cross-encoder; shown with every answer until one is set.
    pub fn set_reranker_missing(&self, reason: String) {
        *lock(&self.inner.reranker) = Slot::Missing(reason);
    }

    /// Brings the index in line with what is on disk, then returns. Text of all files first, then vectors.
    ///
    /// An index that is damaged or of another version goes on serving as far as it can be read, while one is made anew
    /// beside it. After a crash, and once a day, every file of it is held against its checksum first.
    pub fn index(&self, progress: &mut dyn FnMut(&IndexProgress), cancel: &Cancel) -> Result<IndexReport, EngineError> {
        let mut session = Session::default();
        session.hold(&self.inner.generations)?;
        if let Ok(Some(serving)) = self.serving()
            && serving.check_is_due()
        {
            // What it finds is named, and made anew by what follows.
            let _ = guarded(serving.folder(), || serving.examine(cancel, &|| {}));
        }
        let report = self.index_in(&mut session, progress, cancel);
        session.close()?;
        report
    }

    /// The same as [`Generation::examine`] where it is due, in a thread of its own; what it finds wakes the watch.
    pub(crate) fn check_in_background(&self, cancel: &Cancel) {
        let Ok(Some(serving)) = self.serving() else { return };
        if !serving.check_is_due() || self.inner.checking.swap(true, Ordering::Relaxed) {
            return;
        }
        let (engine, cancel) = (self.clone(), cancel.clone());
        std::thread::spawn(move || {
            crate::neighbour::background();
            let turn = || engine.inner.neighbour.give_way(HOLD_VECTORS, &cancel);
            if let Ok(true) = guarded(serving.folder(), || serving.examine(&cancel, &turn)) {
                engine.wake(Wake::Setup);
            }
            engine.inner.checking.store(false, Ordering::Relaxed);
        });
    }

    /// Indexes now and then follows the folders in a thread of its own until the [`Watch`] is dropped.
    /// `progress` is called from that thread.
    pub fn watch(&self, progress: Box<dyn FnMut(&IndexProgress) + Send>) -> Result<Watch, EngineError> {
        let (wake, woken) = crossbeam_channel::unbounded();
        lock(&self.inner.wake).push(wake.clone());
        Watch::start(self.clone(), wake, woken, progress)
    }

    /// One pass with a writer that is kept in `session` for the next one. Damage that it runs into starts it again, into
    /// a new generation.
    pub(crate) fn index_in(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<IndexReport, EngineError> {
        let report = guarded(self.data_dir(), || self.index_once(session, progress, cancel));
        match (report, session.open.as_ref().map(|(generation, _)| generation.clone())) {
            (Err(error), Some(generation)) if generation.explains(&error) => {
                session.forget();
                guarded(self.data_dir(), || self.index_once(session, progress, cancel))
            }
            (report, _) => report,
        }
    }

    fn index_once(
        &self,
        session: &mut Session,
        progress: &mut dyn FnMut(&IndexProgress),
        cancel: &Cancel,
    ) -> Result<IndexReport, EngineError> {
        progress(&IndexProgress { phase: Phase::Scanning, done: 0, total: 0, current: None });
        let embedder = lock(&self.inner.embedder).ready();
        let generation = self.generation_to_write(embedder.as_deref(), session)?;
        let scan = scan(&self.settings().folders, &self.inner.data_dir);
        let fits = embedder.as_deref().filter(|e| generation.embedder() == Some(e.id()));
        let settings = self.settings();
        let (limits, polite) = (Limits::of(&settings), session.polite);
        let writer = session.writer(&generation, &limits)?;
        // A generation that does not serve yet takes over once its text is in: until then the old one answers. Where
        // none can, it serves from its first commit.
        let mut serving = self.serving().ok().flatten();
        if serving.is_none() {
            self.inner.generations.promote(&generation)?;
            serving = self.serving()?;
        }
        let serves = serving.is_some_and(|serving| serving.folder() == generation.folder());
        let neighbour = &self.inner.neighbour;
        let mut indexer = Indexer {
            generation: &generation,
            writer,
            embedder: fits,
            neighbour,
            limits,
            settings: polite.then_some(&settings),
            cancel,
            progress,
        };
        let report = indexer.run(&scan, &mut || {
            if serves {
                return Ok(());
            }
            self.inner.generations.promote(&generation)?;
            *write(&self.inner.serving) = Some(generation.clone());
            Ok(())
        })?;
        self.inner.generations.complete(&generation)?;
        Ok(report)
    }

    /// The generation of `embedder`; without one, whichever serves, so that its vectors are kept.
    fn generation_to_write(
        &self,
        embedder: Option<&dyn Embedder>,
        session: &mut Session,
    ) -> Result<Arc<Generation>, EngineError> {
        session.hold(&self.inner.generations)?;
        let serving = self.serving().unwrap_or_else(|error| {
            tracing::warn!(%error, "the index is made anew from the files");
            None
        });
        self.inner.generations.to_write(serving.as_ref(), embedder.map(|e| (e.id(), e.dimensions())))
    }

    /// What answers searches, opened at the first use and when another process has replaced it.
    pub(crate) fn serving(&self) -> Result<Option<Arc<Generation>>, EngineError> {
        if let Some(generation) = read(&self.inner.serving).as_ref()
            && self.inner.generations.is_current(generation)
        {
            return Ok(Some(generation.clone()));
        }
        let mut serving = write(&self.inner.serving);
        match self.inner.generations.current() {
            Ok(Some(generation)) => *serving = Some(Arc::new(generation)),
            // What could be read until now goes on serving.
            Err(error) if serving.is_none() => return Err(error),
            _ => {}
        }
        Ok(serving.clone())
    }

    pub(crate) fn neighbour(&self) -> &Neighbour {
        &self.inner.neighbour
    }

    /// Blocks until an embedder is set or said to be missing, or `stop` says so.
    pub(crate) fn wait_for_embedder(&self, stop: &Cancel) {
        let mut slot = lock(&self.inner.embedder);
        while matches!(*slot, Slot::Undecided) && !stop.is_cancelled() {
            let waited = self.inner.embedder_decided.wait_timeout(slot, Duration::from_millis(200));
            slot = waited.unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    fn wake(&self, why: Wake) {
        lock(&self.inner.wake).retain(|watch| watch.send(why).is_ok());
    }

    /// `with_files` adds a row a file. The disk is looked at, so that files not yet noticed count as waiting.
    pub fn status(&self, with_files: bool) -> Result<Status, EngineError> {
        let folders = self.settings().folders;
        let scan = scan(&folders, &self.inner.data_dir);
        let serving = self.serving()?;
        let (rows, n_vectors) = match &serving {
            Some(serving) => serving.reading(|snapshot| {
                Ok((snapshot.rows().map_err(|e| snapshot.failed(e))?, snapshot.vectors().n_vectors() as u64))
            })?,
            None => (Vec::new(), 0),
        };
        let damage = self.damage(serving.as_deref());
        let n_chunks = rows.iter().map(|row| row.passages as u64).sum();
        let (roots, files) = catalog::states(&folders, &scan, &rows);
        Ok(Status {
            roots,
            generation: serving.as_ref().map(|g| g.number()).transpose()?.unwrap_or_default(),
            n_chunks,
            n_vectors,
            size_bytes: serving.map_or(0, |g| g.size_bytes()),
            damage,
            files: with_files.then_some(files),
        })
    }

    /// Every file of the data folder that is known to be damaged.
    fn damage(&self, serving: Option<&Generation>) -> Vec<Damage> {
        let mut all: Vec<Damage> = lock(&self.inner.settings_damage).iter().cloned().collect();
        all.extend(self.inner.generations.damage());
        all.extend(serving.into_iter().flat_map(Generation::damage));
        all
    }

    /// Answers a question. `stages` is called with each earlier stage's list as it lands (lexical, then hybrid);
    /// the last list is returned. A raised flag ends it with [`EngineError::Cancelled`] before the next stage.
    pub fn search(
        &self,
        request: &SearchRequest,
        cancel: &Cancel,
        stages: &mut dyn FnMut(Stage, &SearchResults),
    ) -> Result<SearchResults, EngineError> {
        if request.query.trim().is_empty() {
            return Err(EngineError::EmptyQuery);
        }
        let generation = self.serving()?;
        let Some(generation) = generation else {
            return Err(EngineError::NoIndex { path: self.inner.data_dir.clone() });
        };
        let _searching = self.inner.neighbour.search();
        let known = generation.spoilt().len();
        let answer = generation.reading(|snapshot| self.answer(request, &generation, snapshot, cancel, stages));
        if generation.spoilt().len() > known {
            // Found just now: it is mended at once.
            self.wake(Wake::Setup);
        }
        answer
    }

    fn answer(
        &self,
        request: &SearchRequest,
        generation: &Generation,
        snapshot: &Snapshot,
        cancel: &Cancel,
        stages: &mut dyn FnMut(Stage, &SearchResults),
    ) -> Result<SearchResults, EngineError> {
        let (embedder, no_embedder) = {
            let slot = lock(&self.inner.embedder);
            (slot.ready(), slot.why_missing())
        };
        // Vectors of another model than the question's mean nothing together.
        let fits = embedder.as_ref().is_some_and(|e| generation.embedder() == Some(e.id()));
        let reranker = lock(&self.inner.reranker);
        let (reranker, no_reranker) = (reranker.ready(), reranker.why_missing());
        let model = reranker.as_ref().map(|r| r.id().to_owned());
        let models = Models { embedder: embedder.clone().filter(|_| fits), reranker };

        let folders = self.settings().folders;
        let damage = generation.spoilt();
        let degraded = |stage: Stage| -> Result<Option<Degraded>, EngineError> {
            if let Some(worst) = damage.first() {
                return Ok(Some(Degraded::Damaged { file: worst.file.clone(), reason: worst.message.clone() }));
            }
            let asks = |needed: Stage| request.stage >= needed && stage >= Stage::Lexical;
            if !asks(Stage::Vector) {
                return Ok(None);
            }
            if embedder.is_none() {
                return Ok(Some(Degraded::NoEmbedder { reason: no_embedder.clone() }));
            }
            let chunks = snapshot.n_passages().map_err(|e| snapshot.failed(e))?;
            let embedded = if fits { snapshot.vectors().n_vectors() as u64 } else { 0 };
            if embedded < chunks {
                return Ok(Some(Degraded::VectorsPending { embedded, chunks }));
            }
            Ok((asks(Stage::Rerank) && models.reranker.is_none())
                .then(|| Degraded::NoReranker { reason: no_reranker.clone() }))
        };
        let results = |answer: &Answer| -> Result<SearchResults, EngineError> {
            Ok(SearchResults {
                query: request.query.clone(),
                model: model.clone().filter(|_| answer.stage == Stage::Rerank),
                took_ms: answer.took_ms,
                candidates: answer.counts,
                degraded: degraded(answer.stage)?,
                nothing_answers: blend::nothing_answers(answer),
                hits: hits::hits(answer, snapshot, request, &folders)?,
            })
        };
        let question = Question { text: &request.query, candidates: request.candidates, stage: request.stage };
        let answer = pipeline::run(snapshot, &models, &question, cancel, &mut |answer| {
            // An early list that cannot be shown is no reason to withhold the final one.
            if let Ok(results) = results(answer) {
                stages(answer.stage, &results);
            }
        })?;
        results(&answer)
    }

    /// The note around `span` (bytes, as in a hit). Only files under a watched folder are read.
    pub fn preview(&self, path: &Path, span: [usize; 2], query: &str) -> Result<Preview, EngineError> {
        let real =
            path.canonicalize().map_err(|source| EngineError::Io { action: "read", path: path.to_owned(), source })?;
        if !self.settings().folders.iter().any(|folder| real.starts_with(folder)) {
            return Err(FolderError::NotWatched { path: real }.into());
        }
        let bytes =
            std::fs::read(&real).map_err(|source| EngineError::Io { action: "read", path: real.clone(), source })?;
        crate::preview::preview(&real, &bytes, span, query)
            .map_err(|e| EngineError::BadInput { path: real, message: e.to_string() })
    }
}

/// The writer of an indexing run, kept from pass to pass so that a watch neither waits for its lock nor loses it.
#[derive(Default)]
pub(crate) struct Session {
    open: Option<(Arc<Generation>, Writer)>,
    /// Let go of after the writer.
    hold: Option<Hold>,
    /// Whether it runs unasked, and puts off on battery what can wait.
    polite: bool,
}

impl Session {
    /// Of a run that nobody asked for.
    pub(crate) fn polite() -> Self {
        Self { polite: true, ..Self::default() }
    }

    /// Takes the right to write, if this session does not have it.
    fn hold(&mut self, generations: &Generations) -> Result<(), EngineError> {
        if self.hold.is_none() {
            self.hold = Some(generations.hold()?);
        }
        Ok(())
    }

    fn writer(&mut self, generation: &Arc<Generation>, limits: &Limits) -> Result<&mut Writer, EngineError> {
        if self.open.as_ref().is_none_or(|(open, _)| open.folder() != generation.folder()) {
            self.forget();
            self.open = Some((generation.clone(), generation.writer(limits)?));
        }
        match &mut self.open {
            Some((_, writer)) => Ok(writer),
            None => Err(EngineError::Cancelled),
        }
    }

    /// Lets go of the writer without waiting for merges; what was not committed is dropped.
    fn forget(&mut self) {
        self.open = None;
    }

    /// Waits for running merges, then lets go, of the right to write as well.
    pub(crate) fn close(self) -> Result<(), EngineError> {
        self.open.map_or(Ok(()), |(_, writer)| writer.close())
    }
}

/// A lock whose holder panicked still holds valid data here: every write is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|e| e.into_inner())
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(|e| e.into_inner())
}
