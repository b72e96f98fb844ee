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

/// Documents of a window whose sums are looked at together.
const STRIPE: usize = 32;

/// Going through so many entries of a list takes as long as looking one document up in it.
const ENTRIES_OF_A_LOOKUP: f32 = 4.0;

/// So few entries of a window that counting what they leave over takes longer than they do.
const FEW_ENTRIES: f32 = 64.0;

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
        lists.sort_by(|a, b| a.worth().total_cmp(&b.worth()));
        if stretch.start > 0 {
            lists.iter_mut().for_each(|list| list.seek(stretch.start));
        }
        let segment = self.words.searcher.segment_reader(stretch.segment);
        let (alive, max_doc) = (segment.alive_bitset(), segment.max_doc() as f32);
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
            // What a passage lacks beyond this, the first `n` lists cannot make up for.
            let least_before = |n: usize| (floor - together[..n].last().copied().unwrap_or(0.0)).max(1.0);
            let mut n_late = n_optional;
            let mut least = least_before(n_late);
            // Phrases last: most of them need not be read once the rest is known.
            essential.iter_mut().filter(|list| !list.is_phrase()).for_each(|list| list.add(start, end, sums, least));
            let mut to_come: f32 = essential.iter().filter(|list| list.is_phrase()).map(|list| list.most).sum();
            for phrase in essential.iter_mut().filter(|list| list.is_phrase()) {
                to_come -= phrase.most;
                phrase.add(start, end, sums, least - to_come);
            }
            let mut n_left = n_reaching(sums, least);
            while n_late > 0 && n_left > 0 {
                let list = &mut optional[n_late - 1];
                let entries = list.n_entries * sums.len() as f32 / max_doc;
                if n_left as f32 * ENTRIES_OF_A_LOOKUP < entries {
                    break;
                }
                n_late -= 1;
                least = least_before(n_late);
                list.seek(start);
                list.add(start, end, sums, least);
                if entries > FEW_ENTRIES || n_late == 0 {
                    n_left = n_reaching(sums, least);
                }
            }
            let optional = &mut optional[..n_late];
            for (first, stripe) in (start..end).step_by(STRIPE).zip(sums.chunks(STRIPE)) {
                // Without an early end, so that it is a few vector instructions. Most stripes have nothing.
                if !stripe.iter().fold(false, |any, sum| any | (*sum >= least)) {
                    continue;
                }
                for (document, sum) in (first..).zip(stripe).filter(|(_, sum)| **sum >= least) {
                    let may_answer = || self.words.allows(DocAddress::new(stretch.segment, document));
                    let is_alive = || alive.is_none_or(|alive| alive.is_alive(document)) && may_answer();
                    let floor = self.floor();
                    if let Some(score) = complete(*sum, document, optional, &together, floor).filter(|_| is_alive()) {
                        self.top.push(Scored { score, segment: stretch.segment, row: document });
                        self.raise();
                    }
                }
            }
            sums.fill(0.0);
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

/// How many of `sums` are at least `least`.
fn n_reaching(sums: &[f32], least: f32) -> u32 {
    // `wrapping_add`: a check for overflow would keep it from being done in vector instructions.
    sums.iter().fold(0, |n, sum| n.wrapping_add(u32::from(*sum >= least)))
}

/// The whole score of a document that has `sum` from the essential lists; `None` if it stays below `floor`.
fn complete(mut sum: f32, document: DocId, optional: &mut [List<'_>], together: &[f32], floor: f32) -> Option<f32> {
    for (i, list) in optional.iter_mut().enumerate().rev() {
        if sum + together[i] < floor {
            return None;
        }
        let below = if i == 0 { 0.0 } else { together[i - 1] };
        sum += list.grains_at(document, floor - sum - below);
    }
    (sum >= floor).then_some(sum)
}
