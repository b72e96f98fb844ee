//! Decides how many candidates to read next, from the speed of reading so far.

use std::time::Duration;

/// The time that a batch should take. The list is updated this often, and a search that a newer one replaces ends this
/// soon.
const STEP: Duration = Duration::from_millis(100);

/// The size of the first batch while the speed of this machine is unknown. It covers all that a window lists.
const FIRST: usize = 16;

/// Fewer candidates are not worth a batch of their own.
const LEAST: usize = 8;

/// This many candidates are read however long it takes: reading the first ten gives nearly the quality of reading the
/// first hundred (`models/train/README.md`).
pub(crate) const TOP: usize = 10;

/// The bytes that a pair costs besides its text.
const PAIR_BYTES: usize = 32;

/// The most bytes that a pair costs. Longer text is cut off by every model's window, 512 tokens of about 4 bytes.
const MOST_BYTES: usize = 2048;

/// The cost of reading a pair, in bytes. Reading time grows nearly linearly with the number of tokens, but that number
/// is not known beforehand.
pub(super) fn cost(query: &str, text: &str) -> usize {
    (PAIR_BYTES + query.len() + text.len()).min(MOST_BYTES)
}

pub(crate) struct Pace {
    budget: Option<Duration>,
    /// Bytes a second, if known.
    speed: Option<f64>,
    has_read: bool,
}

impl Pace {
    pub(crate) fn new(budget: Option<Duration>, speed: Option<f64>) -> Self {
        Self { budget, speed, has_read: false }
    }

    pub(crate) fn speed(&self) -> Option<f64> {
        self.speed
    }

    /// How many of the next candidates, whose `costs` are given in order, make the next batch. 0 once the time left is
    /// too short for a batch. `elapsed` is the time since reading began.
    pub(crate) fn take(&self, costs: impl ExactSizeIterator<Item = usize> + Clone, elapsed: Duration) -> usize {
        let n = costs.len();
        let Some(speed) = self.speed else { return FIRST.min(n) };
        let fit_in = |time: Duration| {
            let mut room = speed * time.as_secs_f64();
            let fits = |cost: &usize| {
                room -= *cost as f64;
                room >= 0.0
            };
            costs.clone().take_while(fits).count()
        };
        let mut batch = fit_in(STEP).max(if self.has_read { LEAST } else { TOP }).min(n);
        // A remainder that is not worth a batch of its own is added to this one.
        if n - batch < LEAST {
            batch = n;
        }
        match self.budget {
            Some(budget) if self.has_read => {
                let in_time = fit_in(budget.saturating_sub(elapsed));
                if in_time < LEAST.min(n) { 0 } else { batch.min(in_time) }
            }
            Some(budget) => batch.min(fit_in(budget).max(TOP)),
            None => batch,
        }
    }

    /// Updates the speed. The last batch counts as much as all batches before, because a machine slows down and speeds
    /// up. The first batch replaces a speed known from earlier searches.
    pub(crate) fn has_read(&mut self, cost: usize, time: Duration) {
        let speed = cost as f64 / time.as_secs_f64().max(1e-6);
        self.speed = Some(self.speed.filter(|_| self.has_read).map_or(speed, |before| (before + speed) / 2.0));
        self.has_read = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Batches for `n` candidates of 1000 bytes on a machine that reads `bytes_per_ms`.
    fn batches(n: usize, bytes_per_ms: usize, budget: Option<u64>, known: Option<f64>) -> Vec<usize> {
        let mut pace = Pace::new(budget.map(MS), known);
        let (mut elapsed, mut left, mut batches) = (MS(0), n, Vec::new());
        while left > 0 {
            let batch = pace.take(vec![1000; left].into_iter(), elapsed);
            if batch == 0 {
                break;
            }
            let took = MS((batch * 1000 / bytes_per_ms) as u64);
            pace.has_read(batch * 1000, took);
            (elapsed, left) = (elapsed + took, left - batch);
            batches.push(batch);
        }
        batches
    }

    #[test]
    fn batches_are_as_large_as_a_step_allows() {
        // 250 candidates a second: 25 a step.
        assert_eq!(batches(100, 250, None, None), [16, 25, 25, 25, 9]);
        assert_eq!(batches(100, 250, None, Some(250e3)), [25, 25, 25, 25]);
        // A fast machine reads all at once, and a slow one no fewer than are worth a batch.
        assert_eq!(batches(100, 250, None, Some(1e9)), [100]);
        assert_eq!(batches(30, 10, None, None), [16, 14]);
        assert_eq!(batches(7, 10, None, None), [7]);
    }

    #[test]
    fn the_budget_picks_the_depth() {
        let depth = |bytes_per_ms, budget, known| batches(100, bytes_per_ms, Some(budget), known).iter().sum::<usize>();
        // 300 ms at 250 a second are 75.
        assert!((70..=75).contains(&depth(250, 300, Some(250e3))), "{:?}", batches(100, 250, Some(300), Some(250e3)));
        assert!((66..=75).contains(&depth(250, 300, None)), "{:?}", batches(100, 250, Some(300), None));
        assert_eq!(depth(1000, 300, None), 100);
        // The top is read however slow the machine is, but nothing after it once the budget is used up.
        assert_eq!(depth(1, 300, Some(1e3)), TOP);
        assert_eq!(depth(250, 0, Some(250e3)), TOP);
        assert_eq!(depth(250, 0, None), FIRST);
        // A speed known from earlier searches counts only for the first batch: the machine may be slower now.
        assert!(depth(50, 300, Some(1e6)) <= 100);
        assert_eq!(batches(5, 1, Some(0), Some(1e3)), [5]);
    }
}
