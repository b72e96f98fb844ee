//! The best passages by the sum of their clauses' scores, exactly, without adding up all of them.
//!
//! MaxScore (Turtle and Flood 1995), a window of documents at a time. Lists are put in the order of the most that each
//! can give. Once `n` passages are known, a passage that is only in the first of them, whose sum stays below the worst
//! of the `n`, cannot be among the best: the *essential* other lists are gone through entry by entry, and the first
//! ones are only looked into for passages that may still make it. So the longest lists, of the commonest words, cost
//! the least, and what they add is not lost.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;
use tantivy::{DocAddress, DocId, TERMINATED};

use super::Words;
use super::list::List;
use crate::index::vectors::top::{Scored, Top};

/// How the work is cut up, which changes nothing of what is found.
pub(super) struct Pace {
    /// Documents of a window.
    pub(super) window: DocId,
    /// Entries from which on another thread is worth waking.
    pub(super) entries_of_a_thread: u64,
}

/// A window's sums fit the fastest cache; a thread is woken for half a millisecond's work.
pub(super) const USUAL: Pace = Pace { window: 4096, entries_of_a_thread: 100_000 };

/// No more threads than this: the vectors are looked through at the same time.
const MAX_THREADS: usize = 4;

/// The documents of one segment, from one to before another.
struct Stretch {
    segment: u32,
    start: DocId,
    end: DocId,
}

pub(super) fn best(words: &Words, n: usize, pace: &Pace) -> tantivy::Result<Vec<(f32, DocAddress)>> {
    if n == 0 || words.clauses.is_empty() {
        return Ok(Vec::new());
    }
    let n_threads = (words.n_entries() / pace.entries_of_a_thread) as usize;
    let n_threads = n_threads.clamp(1, rayon::current_num_threads().min(MAX_THREADS));
    // What `n` passages have reached, by any thread. Grains are whole and not negative: their bits are in their order.
    let floor = AtomicU32::new(0.0_f32.to_bits());
    let go = |stretches: Vec<Stretch>| -> tantivy::Result<Top> {
        let mut top = Top::new(n);
        for stretch in stretches {
            Search { words, window: pace.window, floor: &floor, top: &mut top }.run(&stretch)?;
        }
        Ok(top)
    };
    let shares = shares(words, n_threads);
    let top = if n_threads == 1 {
        shares.into_iter().map(go).collect::<tantivy::Result<Vec<Top>>>()
    } else {
        shares.into_par_iter().map(go).collect()
    };
    let top = top?.into_iter().reduce(Top::merge).map(Top::into_vec);
    let mut best = top.unwrap_or_default();
    best.sort_unstable_by(Scored::best_first);
    Ok(best.into_iter().map(|row| (row.score * words.grain, DocAddress::new(row.segment, row.row))).collect())
}

/// All documents in `n` shares of like size.
fn shares(words: &Words, n: usize) -> Vec<Vec<Stretch>> {
    let segments = words.searcher.segment_readers();
    let total: u64 = segments.iter().map(|segment| u64::from(segment.max_doc())).sum();
    let a_share = total.div_ceil(n as u64).max(1);
    let mut shares: Vec<Vec<Stretch>> = vec![Vec::new()];
    let mut left = a_share;
    for (segment, reader) in (0..).zip(segments) {
        let mut start = 0;
        while start < reader.max_doc() {
            let end = u64::from(reader.max_doc()).min(u64::from(start) + left) as DocId;
            left -= u64::from(end - start);
            if let Some(share) = shares.last_mut() {
                share.push(Stretch { segment, start, end });
            }
            if left == 0 {
                shares.push(Vec::new());
                left = a_share;
            }
            start = end;
        }
    }
    shares
}

struct Search<'a> {
    words: &'a Words,
    window: DocId,
    floor: &'a AtomicU32,
    top: &'a mut Top,
}

impl Search<'_> {
    fn run(&mut self, stretch: &Stretch) -> tantivy::Result<()> {
        let mut lists = self.words.lists(stretch.segment)?;
        lists.sort_by(|a, b| a.most.total_cmp(&b.most));
        if stretch.start > 0 {
            lists.iter_mut().for_each(|list| list.seek(stretch.start));
        }
        let alive = self.words.searcher.segment_reader(stretch.segment).alive_bitset();
        // What the first `i + 1` lists can give together.
        let together: Vec<f32> = lists
            .iter()
            .scan(0.0, |sum, list| {
                *sum += list.most;
                Some(*sum)
            })
            .collect();
        let mut sums = vec![0.0_f32; self.window as usize];
        loop {
            let floor = self.floor();
            let n_optional = together.partition_point(|sum| *sum < floor);
            let (optional, essential) = lists.split_at_mut(n_optional);
            let start = essential.iter().map(|list| list.document()).min().unwrap_or(TERMINATED);
            if start >= stretch.end {
                return Ok(());
            }
            let end = stretch.end.min(start.saturating_add(self.window));
            let sums = &mut sums[..(end - start) as usize];
            essential.iter_mut().for_each(|list| list.add(start, end, sums));
            // What a passage lacks beyond this, the optional lists cannot make up for.
            let least = (floor - together[..n_optional].last().copied().unwrap_or(0.0)).max(1.0);
            for (document, sum) in (start..end).zip(sums.iter_mut()) {
                if *sum >= least {
                    let is_alive = || alive.is_none_or(|alive| alive.is_alive(document));
                    let floor = self.floor();
                    if let Some(score) = complete(*sum, document, optional, &together, floor).filter(|_| is_alive()) {
                        self.top.push(Scored { score, segment: stretch.segment, row: document });
                        self.raise();
                    }
                }
                *sum = 0.0;
            }
        }
    }

    fn floor(&self) -> f32 {
        f32::from_bits(self.floor.load(Ordering::Relaxed))
    }

    fn raise(&self) {
        let floor = self.top.floor();
        if floor > 0.0 {
            self.floor.fetch_max(floor.to_bits(), Ordering::Relaxed);
        }
    }
}

/// The whole score of a document that has `sum` from the essential lists; `None` if it stays below `floor`.
fn complete(mut sum: f32, document: DocId, optional: &mut [List<'_>], together: &[f32], floor: f32) -> Option<f32> {
    for (i, list) in optional.iter_mut().enumerate().rev() {
        if sum + together[i] < floor {
            return None;
        }
        sum += list.grains_at(document);
    }
    (sum >= floor).then_some(sum)
}
