//! Follows the watched folders. Events are hints; what counts is the disk, so every hint ends in a scan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::engine::{Session, Wake};
use crate::{Cancel, Engine, EngineError, IndexProgress};

/// How long a file must be at rest before it is read: editors write in steps.
const SETTLE: Duration = Duration::from_millis(400);

/// A look at the disk even without a hint, for file systems that send none.
const RESCAN_EVERY: Duration = Duration::from_secs(300);

/// After a failure, and while something waits for the mains, so often: space may be made, a cable plugged in.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// After so long without a change the writer is closed; opening it again takes some 10 ms.
const QUIET: Duration = Duration::from_secs(5);

/// Dropping it stops the watching thread, after the passages at work.
pub struct Watch {
    wake: Sender<Wake>,
    cancel: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(
        engine: Engine,
        wake: Sender<Wake>,
        woken: Receiver<Wake>,
        progress: Box<dyn FnMut(&IndexProgress) + Send>,
    ) -> Result<Self, EngineError> {
        let cancel = Cancel::new();
        let mut follower = Follower {
            data_dir: engine.data_dir().to_owned(),
            engine,
            cancel: cancel.clone(),
            progress,
            notifier: None,
            wake: wake.clone(),
            watched: BTreeSet::new(),
        };
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || follower.run(&woken))
            .map_err(|source| EngineError::Io { action: "start a thread to watch", path: PathBuf::new(), source })?;
        Ok(Self { wake, cancel, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.cancel.cancel();
        // The thread may have ended already; then there is nobody to tell.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Follower {
    engine: Engine,
    data_dir: PathBuf,
    cancel: Cancel,
    progress: Box<dyn FnMut(&IndexProgress) + Send>,
    notifier: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    wake: Sender<Wake>,
    watched: BTreeSet<PathBuf>,
}

impl Follower {
    fn run(&mut self, woken: &Receiver<Wake>) {
        crate::neighbour::background();
        self.engine.wait_for_embedder(&self.cancel);
        let mut session = Session::polite();
        while !self.cancel.is_cancelled() {
            let mut look_again = RESCAN_EVERY;
            // First the notifier, then the scan: a change in between is a hint for the next round, never lost.
            self.follow_folders();
            match self.engine.index_in(&mut session, &mut self.progress, &self.cancel) {
                Ok(_) | Err(EngineError::Cancelled) => {}
                Err(error) => {
                    tracing::warn!(%error, "indexing stopped; it goes on by itself");
                    look_again = TRY_AGAIN;
                }
            }
            self.engine.check_in_background(&self.cancel);
            if self.engine.neighbour().has_put_off() {
                look_again = TRY_AGAIN;
            }
            let mut why = woken.recv_timeout(QUIET.min(look_again));
            if why == Err(RecvTimeoutError::Timeout) && look_again > QUIET {
                // Nobody writes: let go of the writer, its memory and threads, and of the right to write.
                if let Err(error) = std::mem::replace(&mut session, Session::polite()).close() {
                    tracing::warn!(%error, "the index did not close cleanly");
                }
                self.engine.neighbour().threads.end();
                crate::neighbour::release_memory();
                why = woken.recv_timeout(look_again - QUIET);
            }
            match why {
                Ok(Wake::Stop) => break,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // One pass serves every hint that came meanwhile.
            if woken.try_iter().any(|why| why == Wake::Stop) {
                break;
            }
        }
        if let Err(error) = session.close() {
            tracing::warn!(%error, "the index did not close cleanly");
        }
    }

    /// Brings the notifier in line with the settings; folders that come back are followed again.
    fn follow_folders(&mut self) {
        if self.notifier.is_none() {
            let (wake, data_dir) = (self.wake.clone(), self.data_dir.clone());
            let on_events = move |result: DebounceEventResult| {
                let relevant = match &result {
                    Ok(events) => events.iter().any(|e| {
                        e.need_rescan()
                            || (!matches!(e.kind, EventKind::Access(_))
                                && e.paths.iter().any(|p| !is_ours(p, &data_dir)))
                    }),
                    Err(_) => true,
                };
                if relevant {
                    let _ = wake.send(Wake::Disk);
                }
            };
            match new_debouncer(SETTLE, None, on_events) {
                Ok(notifier) => self.notifier = Some(notifier),
                Err(error) => {
                    tracing::warn!(%error, "changes are only noticed by a scan every five minutes");
                    return;
                }
            }
        }
        let Some(notifier) = &mut self.notifier else { return };
        let wanted: BTreeSet<PathBuf> =
            self.engine.settings().folders.into_iter().filter(|folder| folder.is_dir()).collect();
        for gone in self.watched.difference(&wanted) {
            let _ = notifier.unwatch(gone);
        }
        for new in wanted.difference(&self.watched) {
            if let Err(error) = notifier.watch(new, RecursiveMode::Recursive) {
                tracing::warn!(folder = %new.display(), %error, "this folder is only followed by a scan every five minutes");
            }
        }
        self.watched = wanted;
    }
}

fn is_ours(path: &Path, data_dir: &Path) -> bool {
    path.starts_with(data_dir)
}
