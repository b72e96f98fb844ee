//! Follows the watched folders. Events are only hints; the disk is what counts. So every hint leads to a look at its
//! path, and now and then everything is looked at.

mod follower;
mod hints;
mod notifier;
mod state;

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

pub(crate) use notifier::Trouble;
pub(crate) use state::status;

use crate::engine::Wake;
use crate::{Cancel, Engine, EngineError, IndexProgress};

/// A running watch. Dropping it stops its thread, once the passages at work are done.
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
        let mut follower = follower::Follower::new(engine, cancel.clone(), wake.clone(), progress);
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
