//! The handle everything goes through.

mod indexing;
mod searching;
mod status;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crossbeam_channel::Sender;
use serde::Serialize;

use crate::catalog::Ledger;
use crate::extract::worker::{Urgency, WorkerCommand, WorkerLimits, Workers};
use crate::extract::{Document, ExtractError};
use crate::index::{Damage, Generation, Generations};
use crate::indexer::Session;
use crate::preview::Recent;
use crate::rerank::Scores;
use crate::scan::{Rules, Stamp, Verdict};
use crate::throttle::{Throttle, on_battery};
use crate::watch::Trouble;
use crate::{Cancel, Embedder, EngineError, FolderError, Preview, Reranker, Settings, reading, watched};

pub(crate) use indexing::Scope;
pub(crate) use searching::SearchContext;

#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Holds `settings.toml` and `index/`. Made if absent.
    pub data_dir: PathBuf,
    /// How to start the worker process that reads risky formats. Without one, such files fail with that reason.
    pub worker: Option<WorkerCommand>,
    pub worker_limits: WorkerLimits,
    /// Says whether the machine runs on its battery: asked before each step of a watch.
    pub on_battery: fn() -> bool,
}

impl EngineOptions {
    /// Options with nothing but a data folder: risky formats are not read.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), worker: None, worker_limits: WorkerLimits::default(), on_battery }
    }
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
    /// The file that is being worked on.
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
    /// It is not known yet whether there will be one.
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
    scores: Arc<Scores>,
    generations: Generations,
    /// The generation that answers searches; `None` before the first indexing.
    serving: RwLock<Option<Arc<Generation>>>,
    /// What was wrong with the settings when they were read.
    settings_damage: Mutex<Option<Damage>>,
    throttle: Throttle,
    on_battery: fn() -> bool,
    /// Whether a thread checks the index now.
    checking: AtomicBool,
    workers: Workers,
    recent: Recent,
    /// Wakes a running watch: folders or models have changed.
    wake: Mutex<Vec<Sender<Wake>>>,
    /// The catalog of a running watch, which knows the disk without looking.
    live: Mutex<Option<Arc<Mutex<Ledger>>>>,
    wishes: Mutex<Wishes>,
}

/// What the user asked the next look at the disk to do.
#[derive(Debug, Default)]
struct Wishes {
    /// Failed files to read again.
    retry: BTreeSet<PathBuf>,
    /// Folders that are away and will not come back.
    forget: BTreeSet<PathBuf>,
}

/// Why a watch thread should look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// These may have changed.
    Paths(Vec<PathBuf>),
    /// Anything may have changed: events were lost.
    Everything,
    /// The system cannot report changes at these paths, and why. No paths means all watched folders.
    Trouble {
        paths: Vec<PathBuf>,
        trouble: Trouble,
    },
    /// Folders were added or removed, or another embedder was set.
    Setup,
    /// The limits of indexing (memory, threads, battery) have changed.
    Limits,
    Stop,
}

impl Engine {
    /// Opens or makes the data folder. Takes no lock: many processes may search; the first to index holds the writer.
    pub fn open(options: EngineOptions) -> Result<Self, EngineError> {
        let io = |action, source| EngineError::Io { action, path: options.data_dir.clone(), source };
        std::fs::create_dir_all(&options.data_dir).map_err(|e| io("make the folder", e))?;
        let data_dir = watched::real(&options.data_dir).map_err(|e| io("open the folder", e))?;
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
                scores: Arc::default(),
                serving: RwLock::new(None),
                settings_damage: Mutex::new(settings_damage),
                throttle: Throttle::default(),
                on_battery: options.on_battery,
                checking: AtomicBool::new(false),
                workers: Workers::new(options.worker, options.worker_limits),
                recent: Recent::default(),
                wake: Mutex::new(Vec::new()),
                live: Mutex::new(None),
                wishes: Mutex::new(Wishes::default()),
            }),
        })
    }

    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// The workers with which indexing reads files.
    pub fn workers(&self) -> &Workers {
        &self.inner.workers
    }

    pub fn settings(&self) -> Settings {
        lock(&self.inner.settings).clone()
    }

    /// Changes the settings and writes them, atomically. On an error nothing is changed. A running watch keeps to new
    /// limits (`memory_mb`, `threads`, `pause_on_battery`) from its next step on.
    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, EngineError> {
        let mut settings = lock(&self.inner.settings);
        // Another process may have written since: its change must not be lost.
        let (mut new, _) = Settings::load(&self.inner.data_dir)?;
        change(&mut new);
        new.save(&self.inner.data_dir)?;
        let old = std::mem::replace(&mut *settings, new.clone());
        drop(settings);
        let takes = |settings: &Settings| (settings.memory_mb, settings.threads, settings.pause_on_battery);
        if takes(&old) != takes(&new) {
            self.wake(Wake::Limits);
        }
        Ok(new)
    }

    /// Adds a watched folder (made absolute). Adding it twice, or one inside another, is no error. The folder is
    /// indexed by the next [`Engine::index`], or by a running [`Engine::watch`], which notices it.
    pub fn add_folder(&self, path: &Path) -> Result<PathBuf, FolderError> {
        let folder = watched::real(path).map_err(|source| match source.kind() {
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
            if !settings.folders.iter().any(|known| watched::is_same(known, &folder)) {
                settings.folders.push(folder.clone());
            }
        })
        .map_err(Box::new)?;
        self.wake(Wake::Setup);
        Ok(folder)
    }

    /// Stops watching a folder. Its notes leave the index at the next [`Engine::index`], or at once where a watch runs;
    /// searches leave them out from now on.
    pub fn remove_folder(&self, path: &Path) -> Result<(), FolderError> {
        let folder = watched::named(path);
        // The settings may spell the folder in another way.
        let is_meant = |watched: &PathBuf| watched == path || watched::is_same(watched, &folder);
        if !self.settings().folders.iter().any(is_meant) {
            return Err(FolderError::NotWatched { path: folder });
        }
        self.update_settings(|settings| settings.folders.retain(|watched| !is_meant(watched))).map_err(Box::new)?;
        self.wake(Wake::Setup);
        Ok(())
    }

    /// Makes vectors with this model from now on. If the index was made with another model, the next [`Engine::index`]
    /// or a running watch builds a new one beside it; until then searches go by words.
    pub fn set_embedder(&self, embedder: Arc<dyn Embedder>) {
        self.decide_embedder(Slot::Ready(embedder));
    }

    /// Sets the reason why there is no bi-encoder. Every answer shows it until one is set.
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

    /// Sets the reason why there is no cross-encoder. Every answer shows it until one is set.
    pub fn set_reranker_missing(&self, reason: String) {
        *lock(&self.inner.reranker) = Slot::Missing(reason);
    }

    /// The generation to index into: that of `embedder`. Without an embedder it is the one of the serving generation's
    /// model, so that its vectors are kept.
    pub(crate) fn generation_to_write(
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

    /// The generation that answers searches. Opened at the first use, and again when another process has replaced it.
    fn serving(&self) -> Result<Option<Arc<Generation>>, EngineError> {
        if let Some(generation) = read(&self.inner.serving).as_ref()
            && self.inner.generations.is_current(generation)
        {
            return Ok(Some(generation.clone()));
        }
        let mut serving = write(&self.inner.serving);
        match self.inner.generations.current() {
            Ok(Some(generation)) => *serving = Some(Arc::new(generation)),
            // The generation that could be read until now goes on serving.
            Err(error) if serving.is_none() => return Err(error),
            _ => {}
        }
        Ok(serving.clone())
    }

    /// Every file of the data folder that is known to be damaged.
    fn damage(&self, serving: Option<&Generation>) -> Vec<Damage> {
        let mut all: Vec<Damage> = lock(&self.inner.settings_damage).iter().cloned().collect();
        all.extend(self.inner.generations.damage());
        all.extend(serving.into_iter().flat_map(Generation::damage));
        all
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }

    /// Blocks until an embedder is set or said to be missing, or `stop` is raised.
    pub(crate) fn wait_for_embedder(&self, stop: &Cancel) {
        let mut slot = lock(&self.inner.embedder);
        while matches!(*slot, Slot::Undecided) && !stop.is_cancelled() {
            let waited = self.inner.embedder_decided.wait_timeout(slot, Duration::from_millis(200));
            slot = waited.unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    fn wake(&self, why: Wake) {
        lock(&self.inner.wake).retain(|watch| watch.send(why.clone()).is_ok());
    }

    /// Sets the catalog of the running watch, which then tells the state of the disk; `None` once it is not up to date.
    pub(crate) fn show_live(&self, ledger: Option<Arc<Mutex<Ledger>>>) {
        *lock(&self.inner.live) = ledger;
    }

    /// The text of a note around `span` (bytes, as in a hit). Reads only files that would be indexed: under a watched
    /// folder, no pipe or device, nothing through a link, nothing over the limits of the settings.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] as soon as `cancel` is raised, also while a worker process reads the document.
    pub fn preview(&self, path: &Path, span: [usize; 2], query: &str, cancel: &Cancel) -> Result<Preview, EngineError> {
        let settings = self.settings();
        let real = watched::inside(path, &settings.folders)?;
        let document = self.document(&real, &settings, cancel)?;
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        Ok(crate::preview::preview(&real, &document, span, query))
    }

    /// A file's content, from memory if it was read recently and has not changed since.
    fn document(&self, real: &Path, settings: &Settings, cancel: &Cancel) -> Result<Arc<Document>, EngineError> {
        let bad = |message: String| EngineError::BadInput { path: real.to_owned(), message };
        let io = |source| EngineError::Io { action: "read", path: real.to_owned(), source };
        let stamp = Stamp::of(&std::fs::symlink_metadata(real).map_err(io)?);
        if let Some(document) = self.inner.recent.get(real, &stamp) {
            return Ok(document);
        }
        if let Verdict::Skip(reason) | Verdict::TooLarge(reason) =
            Rules::new(settings, &self.inner.data_dir).file(real, &stamp)
        {
            return Err(bad(reason));
        }
        let (bytes, stamp) =
            reading::read(real, &|_| !cancel.is_cancelled()).map_err(io)?.ok_or_else(|| {
                match cancel.is_cancelled() {
                    true => EngineError::Cancelled,
                    false => bad("is being written just now: try again in a moment".to_owned()),
                }
            })?;
        let read = self.inner.workers.extract(real, bytes, Urgency::Urgent, cancel);
        let document = Arc::new(read.map_err(|error| match error {
            ExtractError::Cancelled => EngineError::Cancelled,
            error => bad(error.to_string()),
        })?);
        self.inner.recent.put(real, stamp, Arc::clone(&document));
        Ok(document)
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
