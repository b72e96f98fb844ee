//! Puts random bytes, and valid files that were damaged, through every reader and the chunker. `NUTHATCH_FUZZ_CASES`
//! sets how many of each (2,000 unless it is set).

#![expect(clippy::print_stdout, reason = "how much was tried is part of the result")]

use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestRunner};

use super::broken::SAMPLES;
use super::*;
use crate::chunk::{ChunkRules, chunks};

fn cases() -> u32 {
    std::env::var("NUTHATCH_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

/// Reads a file and cuts it into passages. Returns their number, or `None` if the file could not be read.
fn check_all(name: &str, bytes: &[u8], also: impl Fn(&Document)) -> Result<Option<usize>, TestCaseError> {
    let Ok(document) = extract(Path::new(name), bytes) else { return Ok(None) };
    check_invariants(&document)?;
    let rules = ChunkRules { target_tokens: 30, overlap_tokens: 8, max_tokens: 48 };
    let passages = chunks(&document, &rules);
    let mut start = 0;
    for passage in &passages {
        prop_assert!(start <= passage.span.start && passage.span.start <= passage.span.end);
        prop_assert!(document.text.get(passage.span.clone()).is_some());
        start = passage.span.start;
    }
    also(&document);
    Ok(Some(passages.len()))
}

/// `also` is called with each document that could be read.
pub(super) fn run<S: Strategy>(
    strategy: S,
    bytes_of: impl Fn(S::Value) -> (&'static str, Vec<u8>),
    also: impl Fn(&Document),
) {
    let mut runner = TestRunner::new(Config { cases: cases(), failure_persistence: None, ..Config::default() });
    let counts = std::cell::RefCell::new(BTreeMap::<&str, [usize; 3]>::new());
    let outcome = runner.run(&strategy, |value| {
        let (name, bytes) = bytes_of(value);
        let n_passages = check_all(name, &bytes, &also)?;
        let mut counts = counts.borrow_mut();
        let of_format = counts.entry(name).or_default();
        of_format[0] += 1;
        of_format[1] += usize::from(n_passages.is_some());
        of_format[2] += n_passages.unwrap_or(0);
        Ok(())
    });
    for (name, [n_files, n_read, n_passages]) in counts.into_inner() {
        println!("{name}: {n_files} files, {n_read} read, {n_passages} passages");
    }
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_bytes_in_any_format() {
    let name = prop::sample::select(SAMPLES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    run((name, prop::collection::vec(any::<u8>(), 0..300)), |(name, bytes)| (name, bytes), |_| {});
}

/// Files put together from parts of valid files of the same format, with some bytes changed.
#[test]
fn mutated_files_of_any_format() {
    let edits =
        prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..6u8), 0..12);
    run(
        (0..SAMPLES.len(), edits),
        |(at, edits)| {
            let (name, sample) = SAMPLES[at];
            let mut bytes = sample.as_bytes().to_vec();
            for (from, to, byte, what) in edits {
                let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
                let (from, to) = (from.min(to), from.max(to));
                match what {
                    0 => bytes.truncate(to),
                    1 => drop(bytes.drain(from..to)),
                    2 => bytes.extend_from_within(from..to),
                    3 => bytes.insert(from, byte),
                    4 => bytes.splice(from..from, sample.bytes().skip(to % sample.len()).take(40)).for_each(drop),
                    _ => bytes.iter_mut().skip(from).take(1).for_each(|old| *old = byte),
                }
            }
            (name, bytes)
        },
        |_| {},
    );
}
