//! Holds indexing back: it gives way to searches and to other programs, saves power on battery, and keeps to its share
//! of memory and threads.

mod power;
mod priority;
mod threads;

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use power::on_battery;
pub use priority::{background, release_memory};
pub use threads::Threads;

use crate::{Cancel, Settings};

/// How long indexing waits after a search, because the next keystroke or the reranking is likely to follow.
const QUIET_AFTER_SEARCH: Duration = Duration::from_secs(1);

/// How long searches may hold up each batch of files whose text is indexed: a note must be found within a second of
/// settling, however busily somebody searches.
pub(crate) const HOLD_TEXT: Duration = Duration::from_millis(200);

/// How long searches may hold up a batch of embeddings: vectors must be made even while somebody types without a pause.
pub(crate) const HOLD_VECTORS: Duration = Duration::from_secs(5);

/// What indexing may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    memory_bytes: usize,
    threads: usize,
}

impl Limits {
    pub fn of(settings: &Settings) -> Self {
        let all = std::thread::available_parallelism().map_or(1, |n| n.get());
        Self { memory_bytes: settings.memory_mb << 20, threads: settings.threads.unwrap_or(all).clamp(1, all) }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Memory for documents that are not in a segment yet, for all writing threads together. It is a sixth of the
    /// limit: with files being read, merges, mapped files, and some 50 MB that are always there, the process held
    /// 249 MB of 600 (README).
    pub fn writer_bytes(&self) -> usize {
        self.memory_bytes / 6
    }

    /// At most four, as more threads would only make more segments to merge. Each needs the 15 MB Tantivy asks for.
    pub fn writer_threads(&self) -> usize {
        self.threads.min(4).min(self.writer_bytes() / 15_000_000).max(1)
    }

    /// Bytes of files that are read and cut at once. On its way into the index a text file takes about six times its
    /// size: as read, decoded, in blocks, in passages, and twice in documents. So they all take a sixth of the limit.
    pub fn batch_bytes(&self) -> u64 {
        self.memory_bytes as u64 / 36
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

/// How many of `sizes` (bytes), at least one and at most `most`, fit into `limit` bytes together.
pub(crate) fn fitting(sizes: impl Iterator<Item = u64>, most: usize, limit: u64) -> usize {
    let mut sum = 0_u64;
    let fit = sizes.take(most).take_while(|size| {
        sum = sum.saturating_add(*size);
        sum <= limit
    });
    fit.count().max(1)
}

/// Knows who searches, and lets indexing wait for them.
#[derive(Debug, Default)]
pub struct Throttle {
    searches: Mutex<Searches>,
    ended: Condvar,
    pub(crate) threads: Threads,
}

#[derive(Debug, Default)]
struct Searches {
    running: usize,
    last: Option<Instant>,
}

/// A search that runs until this is dropped.
#[derive(Debug)]
pub struct Searching<'a>(&'a Throttle);

impl Throttle {
    pub fn search(&self) -> Searching<'_> {
        self.lock().running += 1;
        Searching(self)
    }

    /// Waits until no search runs or has just ended, but not longer than `at_most`, and not after `cancel` is raised.
    /// Returns whether a search still runs or has just ended.
    pub fn give_way(&self, at_most: Duration, cancel: &Cancel) -> bool {
        let until = Instant::now() + at_most;
        let mut searches = self.lock();
        loop {
            let now = Instant::now();
            let quiet = match (searches.running, searches.last) {
                (0, None) => return false,
                (0, Some(last)) => last + QUIET_AFTER_SEARCH,
                _ => until,
            };
            let left = quiet.min(until).saturating_duration_since(now);
            if left.is_zero() || cancel.is_cancelled() {
                return searches.running > 0 || quiet > now;
            }
            // Wakes now and then to look at `cancel`.
            let slice = left.min(Duration::from_millis(100));
            searches = self.ended.wait_timeout(searches, slice).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Searches> {
        self.searches.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Drop for Searching<'_> {
    fn drop(&mut self) {
        let mut searches = self.0.lock();
        searches.running -= 1;
        searches.last = Some(Instant::now());
        drop(searches);
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_from_memory_and_threads() {
        let limits = |memory_mb, threads| {
            let limits = Limits::of(&Settings { memory_mb, threads, ..Settings::default() });
            (limits.writer_bytes() >> 20, limits.batch_bytes() >> 20, limits.writer_threads())
        };
        assert_eq!(limits(600, Some(1)), (100, 16, 1));
        assert_eq!(limits(100, None), (16, 2, 1), "too little for a second thread");
    }

    #[test]
    fn a_batch_is_at_least_one_file_and_fits() {
        let fit = |sizes: &[u64]| fitting(sizes.iter().copied(), 3, 100);
        assert_eq!([fit(&[500, 1]), fit(&[60, 40, 1]), fit(&[1, 1, 1, 1]), fit(&[])], [1, 2, 3, 1]);
    }

    #[test]
    fn indexing_gives_way_to_a_search_but_not_for_ever() {
        let throttle = Throttle::default();
        let waited = |at_most, cancel: &Cancel| {
            let start = Instant::now();
            throttle.give_way(at_most, cancel);
            start.elapsed()
        };
        let (short, cancel) = (Duration::from_millis(30), Cancel::new());
        assert!(waited(Duration::from_secs(600), &cancel) < Duration::from_secs(600), "nobody searches");
        let search = throttle.search();
        assert!(waited(short, &cancel) >= short, "a search holds it up");
        drop(search);
        assert!(waited(short, &cancel) >= short, "and so does one that has just ended");
        assert!(waited(Duration::from_secs(600), &cancel) >= QUIET_AFTER_SEARCH - short * 2, "until it is quiet");
        let _search = throttle.search();
        cancel.cancel();
        assert!(waited(Duration::from_secs(600), &cancel) < Duration::from_secs(600), "a cancel ends the wait");
    }
}
