//! Whatever happened to the files, one pass brings the index in line with the disk.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nuthatch_engine::{Cancel, EngineError, FileState, Phase};
use proptest::prelude::*;

use super::Bench;
use crate::support::BagOfWords;

/// Each is in a note, or not; no two share a stem.
const WORDS: [&str; 5] = ["heron", "kingfisher", "owl", "红叶", "押金"];

#[derive(Clone, Debug)]
enum Step {
    Write { file: usize, word: usize },
    Delete { file: usize },
    Rename { from: usize, to: usize },
    Index,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_usize, 0..WORDS.len()).prop_map(|(file, word)| Step::Write { file, word }),
        1 => (0..6_usize).prop_map(|file| Step::Delete { file }),
        2 => (0..6_usize, 0..6_usize).prop_map(|(from, to)| Step::Rename { from, to }),
        2 => Just(Step::Index),
    ]
}

/// Two of them in a folder, so that folders come and go as well.
fn name(file: usize) -> String {
    if file < 2 { format!("deep/n{file}.md") } else { format!("n{file}.md") }
}

proptest! {
    // Each case writes and commits real files: few, but long.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_changes_ends_in_what_is_on_disk(steps in prop::collection::vec(step(), 1..24)) {
        let bench = Bench::new();
        bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
        let mut disk: BTreeMap<String, &str> = BTreeMap::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write { file, word } => {
                    // Of a length of its own: two writes within one tick of the file system's clock differ in size.
                    bench.write(&name(file), &format!("# Note\n\n{} {}", WORDS[word], "x".repeat(at + 1)));
                    disk.insert(name(file), WORDS[word]);
                }
                Step::Delete { file } => {
                    if disk.remove(&name(file)).is_some() {
                        fs::remove_file(bench.path(&name(file))).unwrap();
                    }
                }
                Step::Rename { from, to } => {
                    if let Some(word) = disk.remove(&name(from)) {
                        fs::create_dir_all(bench.path(&name(to)).parent().unwrap()).unwrap();
                        fs::rename(bench.path(&name(from)), bench.path(&name(to))).unwrap();
                        disk.insert(name(to), word);
                    }
                }
                Step::Index => drop(bench.index()),
            }
        }
        bench.index();
        for word in WORDS {
            let holders = disk.iter().filter(|(_, held)| **held == word);
            let mut expected: Vec<String> =
                holders.map(|(name, _)| name.rsplit('/').next().unwrap().to_owned()).collect();
            expected.sort();
            prop_assert_eq!(bench.find_words(word), expected, "{}", word);
        }
        let status = bench.engine.status(true).unwrap();
        prop_assert_eq!(status.roots[0].indexed, disk.len());
        prop_assert_eq!(status.n_chunks, status.n_vectors);
        prop_assert_eq!(bench.index().files_unchanged, disk.len());
    }
}

#[test]
fn the_same_text_is_embedded_once() {
    let embedder = Arc::new(BagOfWords::new("bag-of-words@1"));
    let bench = Bench::with_embedder(embedder.clone());
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    assert_eq!(bench.index().chunks_embedded, 1);
    fs::rename(bench.path("a.md"), bench.path("b.md")).unwrap();
    bench.write("c.md", "# Birds\n\nThe heron stands still.");
    assert_eq!(bench.index().chunks_embedded, 0, "renamed and copied, but not new");
    assert_eq!(embedder.n_embedded.load(Ordering::Relaxed), 1);
    assert_eq!(bench.find_words("heron"), ["b.md", "c.md"]);
}

#[test]
fn a_cancelled_pass_is_finished_by_the_next() {
    let bench = Bench::with_models();
    for i in 0..200 {
        bench.write(&format!("n{i}.md"), &format!("# Note {i}\n\nheron number {i}"));
    }
    let cancel = Cancel::new();
    let stop_at_vectors = cancel.clone();
    let mut seen = |progress: &nuthatch_engine::IndexProgress| {
        if progress.phase == Phase::Vectors {
            stop_at_vectors.cancel();
        }
    };
    let stopped = bench.engine.index(&mut seen, &cancel);
    assert!(matches!(stopped, Err(EngineError::Cancelled) | Err(EngineError::Model(_))), "{stopped:?}");
    assert_eq!(bench.find_words("heron").len(), 100, "the text of all was published, 100 shown at most");

    assert_eq!(bench.index().files_unchanged, 200);
    let status = bench.engine.status(false).unwrap();
    assert_eq!((status.n_chunks, status.n_vectors), (200, 200));
}

#[test]
fn every_file_is_in_exactly_one_state() {
    let bench = Bench::with_models();
    bench.write("good.md", "# Good\n\nfine");
    bench.write("picture.png", "not a note");
    fs::write(bench.path("binary.md"), b"\x00\xff\x00\xfe\x00\x00\x01").unwrap();
    let state = |name: &str| {
        let files = bench.engine.status(true).unwrap().files.unwrap();
        let rows: Vec<_> = files.into_iter().filter(|row| row.path.ends_with(name)).collect();
        assert_eq!(rows.len(), 1, "{name}: {rows:?}");
        rows[0].state
    };
    assert_eq!(state("good.md"), FileState::Waiting, "seen, not read yet");
    bench.index();
    let states = ["good.md", "picture.png", "binary.md"].map(state);
    assert_eq!(states, [FileState::Indexed, FileState::Skipped, FileState::Failed]);
    bench.write("good.md", "# Good\n\nfiner still");
    assert_eq!(state("good.md"), FileState::Waiting, "changed since it was read");
    let root = bench.engine.status(false).unwrap().roots.remove(0);
    assert_eq!((root.files, root.indexed + root.waiting + root.skipped + root.failed), (3, 3));
}
