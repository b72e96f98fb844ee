//! Paths that may have changed, held until they are at rest: editors save in steps, and one look is enough for all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The longest time that a path is held: even a file that is written to without end is looked at after it.
const PATIENCE: Duration = Duration::from_secs(10);

/// With more paths than this, everything is looked at in one walk, which is cheaper.
const MANY: usize = 20_000;

#[derive(Debug)]
pub(super) struct Hints {
    settle: Duration,
    /// When each path was first and last hinted at.
    paths: BTreeMap<PathBuf, (Instant, Instant)>,
    everything: bool,
}

impl Hints {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, paths: BTreeMap::new(), everything: false }
    }

    pub(super) fn set_settle(&mut self, settle: Duration) {
        self.settle = settle;
    }

    pub(super) fn add(&mut self, path: PathBuf, now: Instant) {
        self.paths.entry(path).and_modify(|(_, last)| *last = now).or_insert((now, now));
        if self.paths.len() > MANY {
            self.add_everything();
        }
    }

    pub(super) fn add_everything(&mut self) {
        self.everything = true;
        self.paths.clear();
    }

    /// Whether everything is to be looked at. Asking clears the request.
    pub(super) fn take_everything(&mut self) -> bool {
        if self.everything {
            self.paths.clear();
        }
        std::mem::take(&mut self.everything)
    }

    /// Takes the paths that are at rest, and those that have been held for [`PATIENCE`].
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<PathBuf> {
        let settle = self.settle;
        let due = |first: Instant, last: Instant| now >= due_at(first, last, settle);
        let paths: Vec<PathBuf> =
            self.paths.iter().filter(|(_, (first, last))| due(*first, *last)).map(|(path, _)| path.clone()).collect();
        self.paths.retain(|_, (first, last)| !due(*first, *last));
        paths
    }

    /// When the next path is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.paths.values().map(|(first, last)| due_at(*first, *last, self.settle)).min()
    }
}

fn due_at(first: Instant, last: Instant, settle: Duration) -> Instant {
    (last + settle).min(first + PATIENCE.max(settle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_path_is_due_when_it_has_been_at_rest() {
        let start = Instant::now();
        let mut hints = Hints::new(Duration::from_millis(400));
        hints.add("/n/a.md".into(), start);
        hints.add("/n/b.md".into(), at(start, 100));
        hints.add("/n/a.md".into(), at(start, 300));
        assert_eq!(hints.next_due(), Some(at(start, 500)));
        assert_eq!(hints.take_due(at(start, 499)), Vec::<PathBuf>::new());
        assert_eq!(hints.take_due(at(start, 500)), [PathBuf::from("/n/b.md")]);
        assert_eq!(hints.take_due(at(start, 700)), [PathBuf::from("/n/a.md")]);
        assert_eq!(hints.next_due(), None);
    }

    #[test]
    fn a_file_that_never_rests_is_looked_at_all_the_same() {
        let start = Instant::now();
        let mut hints = Hints::new(Duration::from_millis(400));
        let mut looks = 0;
        for ms in (0..30_000).step_by(100) {
            hints.add("/n/log.txt".into(), at(start, ms));
            looks += hints.take_due(at(start, ms)).len();
        }
        assert_eq!(looks, 2, "after ten seconds each");
    }

    #[test]
    fn a_flood_becomes_one_look_at_everything() {
        let start = Instant::now();
        let mut hints = Hints::new(Duration::from_millis(400));
        for i in 0..=MANY {
            hints.add(format!("/n/{i}.md").into(), start);
        }
        assert!(hints.take_everything());
        assert!(!hints.take_everything());
        assert!(hints.take_due(at(start, 1000)).is_empty());
    }
}
