//! Keeps the process small while it writes. Merges read whole segments, and the pages read of a mapped file count as
//! memory until they are given back. And memory that was freed in one thread stays in that thread's arena of the
//! allocator, where other threads cannot use it.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::mapped::give_back_pages;
use crate::throttle::release_memory;

/// How often memory is given back. The next search has to read the pages that it needs again, which takes about a
/// millisecond over a million passages.
const EVERY: Duration = Duration::from_secs(2);

/// Gives back mapped pages and freed memory every now and then, as long as it lives.
pub(super) struct GivingBack(Option<(Sender<()>, JoinHandle<()>)>);

impl GivingBack {
    /// If the system starts no thread, nothing is given back.
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

/// Gives back mapped pages and freed memory.
pub(crate) fn give_back() {
    give_back_pages();
    release_memory();
}

impl Drop for GivingBack {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // The thread ends at once, and has nothing to report.
            let _ = thread.join();
        }
    }
}
