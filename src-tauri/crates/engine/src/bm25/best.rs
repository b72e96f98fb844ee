//! Finds exactly the passages with the highest sums of clause scores, without computing every sum.
//!
//! This is MaxScore (Turtle and Flood 1995), for one window of documents at a time. Lists are sorted by the most that
//! each can give, relative to the work of reading it. Once `n` passages are known, the first lists are *optional*: as
//! many of them as give less together than the worst of the `n` has. A passage that is only in optional lists cannot be
//! among the best. The other lists are *essential* and read entry by entry. The optional ones are consulted only for
//! passages that may still be among the best. So the longest lists, those of the commonest words, cost the least, but
//! their scores still count.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;
use tantivy::{DocAddress, DocId, TERMINATED};

use super::LexicalQuery;
use super::list::List;
use crate::index::vectors::top::{Scored, Top};

/// How the work is divided. It does not change the result.
pub(super) struct Pace {
    /// How many documents a window has.
    pub(super) window: DocId,
    /// How many list entries make it worth waking another thread.
    pub(super) entries_of_a_thread: u64,
}

/// The sums of a window fit into the fastest cache, and a thread is woken for half a millisecond of work.
pub(super) const USUAL: Pace = Pace { window: 4096, entries_of_a_thread: 100_000 };

/// The most threads, because the vectors are searched at the same time.
const MAX_THREADS: usize = 4;

/// How many sums of a window are checked together.
const STRIPE: usize = 32;

/// Looking up one document in a list takes as long as reading this many of its entries.
const ENTRIES_OF_A_LOOKUP: f32 = 4.0;

/// Adding this few entries of a window takes less time than counting the passages that may still get among the best.
const FEW_ENTRIES: f32 = 64.0;

/// The documents of one segment from `start` to before `end`.
struct Stretch {
    segment: u32,
    start: DocId,
    end: DocId,
}

pub(super) fn best(words: &LexicalQuery, n: usize, pace: &Pace) -> tantivy::Result<Vec<(f32, DocAddress)>> {
    if n == 0 || words.clauses.is_empty() {
        return Ok(Vec::new());
    }
    let n_threads = (words.n_entries() / pace.entries_of_a_thread) as usize;
    let n_threads = n_threads.clamp(1, rayon::current_num_threads().min(MAX_THREADS));
    // A score that at least `n` passages have reached, found by any thread. It is never negative, and the bits of such
    // floats have the order of their values.
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

/// Divides all documents into `n` shares of about equal size.
fn shares(words: &LexicalQuery, n: usize) -> Vec<Vec<Stretch>> {
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
    words: &'a LexicalQuery,
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
        // The most that the first `i + 1` lists can give together.
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
            // The least sum that a passage must have so that the first `n` lists can still raise it to the floor.
            let least_before = |n: usize| (floor - together[..n].last().copied().unwrap_or(0.0)).max(1.0);
            let mut n_late = n_optional;
            let mut least = least_before(n_late);
            // Phrases come last: once the other scores are known, the positions of most phrases need not be read.
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
                // Most stripes have no such sum. A fold without an early exit compiles to a few vector instructions.
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
    // `wrapping_add`, because a check for overflow would prevent vector instructions.
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
