//! Keeps the process small while it writes: merges read whole segments, and what is read of a mapped file counts as memory
//! until it is given back; and among the allocator's arenas, what was freed in one thread is of no use to another.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::mapped::give_back_pages;
use crate::neighbour::release_memory;

/// A search after it reads again what it needs, a millisecond's worth over a million passages.
const EVERY: Duration = Duration::from_secs(2);

/// Gives back mapped pages and freed memory every now and then, as long as it lives.
pub(super) struct GivingBack(Option<(Sender<()>, JoinHandle<()>)>);

impl GivingBack {
    /// Where there is no thread to be had, nothing is given back.
    pub(super) fn start() -> Self {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                give_back();
            }
        };
        let thread = std::thread::Builder::new().name("nuthatch-pages".to_owned()).spawn(work);
        Self(thread.ok().map(|thread| (stop, thread)))
    }
}

/// What is mapped, and what was freed.
pub(crate) fn give_back() {
    give_back_pages();
    release_memory();
}

impl Drop for GivingBack {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // It ends at once, and panics nowhere.
            let _ = thread.join();
        }
    }
}
