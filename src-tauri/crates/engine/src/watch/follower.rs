//! The thread of a watch: receives hints, looks at the paths that they name, and indexes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::hints::Hints;
use super::notifier::{Notifier, Trouble};
use super::state::Published;
use crate::catalog::{Following, Pause, WatchProblem, WatchStatus};
use crate::engine::{Phase, Scope, Wake};
use crate::index::guarded;
use crate::indexer::{Session, Step};
use crate::{Cancel, Engine, EngineError, IndexProgress, ModelError, Settings, watched};

/// The pause between two looks through folders that send no events. It is ten times as long as a look if that is
/// longer, so that polling takes at most a tenth of the time.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// How often to check whether a drive is back. A check is one question to the system.
const AWAY_POLL: Duration = Duration::from_secs(2);

/// How often to check whether the power is back.
const POWER_POLL: Duration = Duration::from_secs(10);

/// How long to wait after the index could not be written, on a full disk or while another process holds it.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The writer is closed after this long without a change. Opening it again takes some 10 ms.
const QUIET: Duration = Duration::from_secs(5);

pub(super) struct Follower {
    engine: Engine,
    cancel: Cancel,
    wake: Sender<Wake>,
    progress: Box<dyn FnMut(&IndexProgress) + Send>,
    hints: Hints,
    notifier: Option<Notifier>,
    /// The watched folders that `notifier` was made for, and whether the settings have all of them polled.
    roots: Vec<PathBuf>,
    polls_all: bool,
    /// Watched folders that are looked through every few seconds.
    polled: BTreeSet<PathBuf>,
    problems: BTreeMap<PathBuf, WatchProblem>,
    published: Published,
    next_rescan: Instant,
    next_poll: Instant,
    next_away: Instant,
    /// After a failure nothing is done until then.
    stalled_until: Option<Instant>,
    paused: Option<Pause>,
    is_told: bool,
}

impl Follower {
    pub(super) fn new(
        engine: Engine,
        cancel: Cancel,
        wake: Sender<Wake>,
        progress: Box<dyn FnMut(&IndexProgress) + Send>,
    ) -> Self {
        let now = Instant::now();
        let settle = Duration::from_millis(engine.settings().settle_ms);
        Self {
            published: Published::new(engine.data_dir()),
            engine,
            cancel,
            wake,
            progress,
            hints: Hints::new(settle),
            notifier: None,
            roots: Vec::new(),
            polls_all: false,
            polled: BTreeSet::new(),
            problems: BTreeMap::new(),
            next_rescan: now,
            next_poll: now,
            next_away: now,
            stalled_until: None,
            paused: None,
            is_told: false,
        }
    }

    pub(super) fn run(&mut self, woken: &Receiver<Wake>) {
        crate::throttle::background();
        self.engine.wait_for_embedder(&self.cancel);
        let mut session = self.engine.session();
        session.is_polite = true;
        while !self.cancel.is_cancelled() {
            if woken.try_iter().any(|why| !self.hear(why, &mut session)) {
                break;
            }
            let data_dir = self.engine.data_dir().to_owned();
            match guarded(&data_dir, || self.round(&mut session)) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(EngineError::Cancelled | EngineError::Model(ModelError::Cancelled)) => continue,
                Err(error) => self.fail(&error, &mut session),
            }
            self.published.tell(self.status());
            self.engine.check_in_background(&self.cancel);
            let goes_on = match self.wait(woken, &mut session) {
                Ok(why) => self.hear(why, &mut session),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !goes_on {
                break;
            }
        }
        self.engine.show_live(None);
        if let Err(error) = session.close() {
            tracing::warn!(%error, "the index did not close cleanly");
        }
    }

    /// Waits for a wake-up, or until something is due. If that takes longer than [`QUIET`], the writer is closed.
    fn wait(&mut self, woken: &Receiver<Wake>, session: &mut Session) -> Result<Wake, RecvTimeoutError> {
        let rest = self.rest(session);
        let short = rest.min(QUIET);
        match woken.recv_timeout(short) {
            Err(RecvTimeoutError::Timeout) if rest > short => {}
            other => return other,
        }
        if let Err(error) = session.rest() {
            self.fail(&error, session);
        }
        self.engine.throttle().threads.end();
        crate::index::give_back();
        woken.recv_timeout(rest - short)
    }

    /// Notes what a wake-up asks for. Returns `false` if the watch has to end.
    fn hear(&mut self, why: Wake, session: &mut Session) -> bool {
        let now = Instant::now();
        match why {
            Wake::Stop => return false,
            Wake::Paths(paths) => paths.into_iter().for_each(|path| self.hints.add(path, now)),
            Wake::Everything => self.hints.add_everything(),
            Wake::Trouble { paths, trouble } => {
                let roots: BTreeSet<PathBuf> = match paths.is_empty() {
                    true => self.roots.iter().cloned().collect(),
                    false => paths.iter().filter_map(|path| root_of(&self.roots, path)).collect(),
                };
                roots.into_iter().for_each(|root| self.trouble(root, trouble.clone()));
                self.hints.add_everything();
            }
            // The next step reads the limits from the settings.
            Wake::Limits => {}
            Wake::Setup => {
                session.skips_vectors = false;
                self.stalled_until = None;
                self.hints.add_everything();
            }
        }
        true
    }

    /// Does the next thing that is due. Returns `false` if there is nothing to do now.
    fn round(&mut self, session: &mut Session) -> Result<bool, EngineError> {
        let now = Instant::now();
        if self.stalled_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        if self.hints.take_everything() || now >= self.next_rescan || session.generation().is_none() {
            self.look_at_everything(session)?;
            return Ok(true);
        }
        let mut paths = self.hints.take_due(now);
        paths.extend(session.take_due(now));
        if !paths.is_empty() {
            self.look(session, &Scope::Paths(&paths))?;
            self.is_told = false;
            return Ok(true);
        }
        let quietly = self.unasked(session, now);
        if !quietly.is_empty() {
            let start = Instant::now();
            let before = (session.ledger().away.clone(), session.report().files_removed);
            self.look(session, &Scope::Paths(&quietly))?;
            // A look that found nothing new is not reported.
            self.is_told &= before == (session.ledger().away.clone(), session.report().files_removed);
            self.next_poll = Instant::now() + POLL_EVERY.max(10 * start.elapsed());
            return Ok(true);
        }
        let step = self.engine.step(session, &mut self.progress, &self.cancel)?;
        if session.paused != self.paused {
            self.paused = session.paused;
            tracing::info!(paused = ?self.paused, "vectors");
            self.published.tell(self.status());
            self.is_told = false;
        }
        if step != Step::Idle {
            self.is_told = false;
            return Ok(true);
        }
        if !self.is_told {
            self.is_told = true;
            // Published before the report that all is done, because whoever gets the report may ask for the status.
            self.published.tell(self.status());
            let n = session.ledger().entries.len();
            (self.progress)(&IndexProgress { phase: Phase::Done, done: n, total: n, current: None });
        }
        Ok(false)
    }

    fn look_at_everything(&mut self, session: &mut Session) -> Result<(), EngineError> {
        let settings = self.engine.settings();
        (self.progress)(&IndexProgress { phase: Phase::Scanning, done: 0, total: 0, current: None });
        self.hints.set_settle(Duration::from_millis(settings.settle_ms));
        session.skips_vectors = false;
        // First the notifier, then the look, so that a change in between becomes a hint and is not lost.
        self.follow(&settings);
        self.look(session, &Scope::Everything)?;
        self.problems.remove(self.engine.data_dir());
        self.stalled_until = None;
        self.is_told = false;
        self.next_rescan = Instant::now() + Duration::from_secs(60 * settings.rescan_minutes);
        self.engine.show_live(Some(session.shared_ledger()));
        Ok(())
    }

    /// Folders to look at without a hint: those without events, and those that were away and may be back.
    fn unasked(&mut self, session: &Session, now: Instant) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if now >= self.next_poll {
            paths.extend(self.polled.iter().cloned());
            self.next_poll = now + POLL_EVERY;
        }
        if now >= self.next_away {
            let ledger = session.ledger();
            let away = ledger.away.iter().map(|away| &away.path);
            paths.extend(away.filter(|path| path.exists()).cloned());
            self.next_away = now + AWAY_POLL;
        }
        paths
    }

    fn look(&mut self, session: &mut Session, scope: &Scope<'_>) -> Result<(), EngineError> {
        let mut troubles: BTreeMap<PathBuf, Trouble> = BTreeMap::new();
        let mut away: BTreeSet<PathBuf> = session.ledger().away.iter().map(|away| away.path.clone()).collect();
        let (notifier, roots, polled) = (&mut self.notifier, &self.roots, &self.polled);
        let mut entered = |folder: &Path| {
            let Some(notifier) = notifier else { return };
            let Some(root) = root_of(roots, folder) else { return };
            if troubles.contains_key(&root) || polled.contains(&root) {
                return;
            }
            // To the system, a watched folder that is back is another one than before, so it has to be followed again.
            let is_back = away.remove(folder) && *folder == *root;
            let followed = if is_back { notifier.follow(folder) } else { Ok(()) };
            if let Err(trouble) = followed.and_then(|()| notifier.entered(folder)) {
                troubles.insert(root, trouble);
            }
        };
        let looked = self.engine.look(session, scope, &mut self.progress, &self.cancel, &mut entered);
        troubles.into_iter().for_each(|(root, trouble)| self.trouble(root, trouble));
        looked
    }

    /// Brings the notifier in line with the settings.
    fn follow(&mut self, settings: &Settings) {
        if self.roots != settings.folders || self.polls_all != settings.poll || !self.polled.is_empty() {
            // A new notifier does not follow folders that are no longer watched, and notices a limit that was raised.
            self.notifier = None;
            self.problems.clear();
            self.polled.clear();
            self.roots.clone_from(&settings.folders);
            self.polls_all = settings.poll;
        }
        if settings.poll {
            self.polled = self.roots.iter().cloned().collect();
            return;
        }
        if self.notifier.is_none() {
            let data_dirs = watched::spellings(self.engine.data_dir(), &self.roots);
            match Notifier::new(self.wake.clone(), data_dirs) {
                Ok(notifier) => self.notifier = Some(notifier),
                Err(trouble) => {
                    self.roots.clone().into_iter().for_each(|root| self.trouble(root, trouble.clone()));
                    return;
                }
            }
        }
        for root in self.roots.clone() {
            let Some(notifier) = &mut self.notifier else { break };
            if let Err(trouble) = notifier.follow(&root) {
                self.trouble(root, trouble);
            }
        }
    }

    /// Notes a problem with `root`, which is looked through every few seconds from now on.
    fn trouble(&mut self, root: PathBuf, trouble: Trouble) {
        let message = format!("{}; this folder is looked through every few seconds instead", trouble.message);
        tracing::warn!(folder = %root.display(), "{message}: {}", trouble.advice);
        let problem = WatchProblem { folder: root.clone(), message, advice: trouble.advice, at: seconds_now() };
        self.problems.entry(root.clone()).or_insert(problem);
        self.polled.insert(root);
    }

    /// Notes a failure and what to do about it. Nothing is lost: what failed is tried again.
    fn fail(&mut self, error: &EngineError, session: &mut Session) {
        tracing::warn!(%error, "indexing stopped; it is tried again");
        let advice = match error {
            EngineError::Model(_) => {
                // Text is still indexed. Vectors are tried again at the next look at everything.
                session.skips_vectors = true;
                "notes are found by their words; vectors are tried again at the next look at everything".to_owned()
            }
            _ => {
                session.forget();
                self.engine.show_live(None);
                self.hints.add_everything();
                if self.engine.is_damage(error) {
                    // The damage is known now, so the next look builds a new index beside this one.
                    return;
                }
                self.stalled_until = Some(Instant::now() + RETRY_AFTER);
                format!("it is tried again every {} seconds", RETRY_AFTER.as_secs())
            }
        };
        let folder = self.engine.data_dir().to_owned();
        let problem = WatchProblem { folder: folder.clone(), message: error.to_string(), advice, at: seconds_now() };
        self.problems.entry(folder).or_insert(problem);
    }

    fn status(&self) -> WatchStatus {
        WatchStatus {
            process: std::process::id(),
            following: if self.polled.is_empty() { Following::Events } else { Following::Polling },
            paused: self.paused,
            problems: self.problems.values().cloned().collect(),
        }
    }

    /// How long there is nothing to do, unless a wake-up comes.
    fn rest(&self, session: &Session) -> Duration {
        let now = Instant::now();
        if let Some(until) = self.stalled_until.filter(|until| now < *until) {
            return until - now;
        }
        let mut next = [Some(self.next_rescan), self.hints.next_due(), session.next_due()].to_vec();
        if self.paused.is_some() {
            next.push(Some(now + POWER_POLL));
        }
        if !self.polled.is_empty() {
            next.push(Some(self.next_poll));
        }
        if !session.ledger().away.is_empty() {
            next.push(Some(self.next_away));
        }
        next.into_iter().flatten().min().map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }
}

fn root_of(roots: &[PathBuf], path: &Path) -> Option<PathBuf> {
    let holding = roots.iter().filter(|root| path.starts_with(root));
    holding.max_by_key(|root| root.components().count()).cloned()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
