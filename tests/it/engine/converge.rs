//! Whatever happened to the files, one pass brings the index in line with the disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use nuthatch_engine::{Cancel, EngineError, FileState, Phase};
use proptest::prelude::*;

use super::Bench;
use super::behaviours::wait_until;
use super::model::Disk;
use crate::support::BagOfWords;

/// Every note holds one of these words. No two share a stem, so a search for one finds no note of another.
const WORDS: [&str; 5] = ["heron", "kingfisher", "owl", "红叶", "押金"];

const FOLDERS: [&str; 5] = ["", "deep/", "deep/er/", "side/", "n1.md/"];

const RULES: [&str; 8] = ["n0.md", "!n0.md", "n1.md", "er/", "!er/", "deep", "!deep/", "side/"];

/// How many steps each of the two tests below takes; `NUTHATCH_STEPS=100000` for a long run.
fn n_steps() -> usize {
    std::env::var("NUTHATCH_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}

/// Steps in one case. A case is long because some faults show only after many changes.
const STEPS_A_CASE: usize = 100;

#[derive(Clone, Debug)]
enum Step {
    Write {
        path: String,
        word: usize,
    },
    Delete {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Rules {
        path: String,
        lines: Vec<&'static str>,
    },
    #[cfg_attr(not(unix), expect(dead_code, reason = "links are made on Unix"))]
    Link {
        path: String,
        target: String,
    },
    /// Takes a file's permissions away and gives them back: its metadata change, its content does not.
    #[cfg_attr(not(unix), expect(dead_code, reason = "permissions are those of Unix"))]
    Chmod {
        path: String,
    },
    Look,
}

fn file() -> impl Strategy<Value = String> {
    (0..FOLDERS.len(), 0..3_usize).prop_map(|(folder, n)| format!("{}n{n}.md", FOLDERS[folder]))
}

fn folder() -> impl Strategy<Value = String> {
    (1..FOLDERS.len()).prop_map(|folder| FOLDERS[folder].trim_end_matches('/').to_owned())
}

fn rules() -> impl Strategy<Value = (String, Vec<&'static str>)> {
    let name = prop_oneof![Just(".gitignore"), Just(".nuthatchignore")];
    (0..FOLDERS.len(), name, prop::collection::vec(prop::sample::select(RULES.to_vec()), 0..4))
        .prop_map(|(folder, name, lines)| (format!("{}{name}", FOLDERS[folder]), lines))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (file(), 0..WORDS.len()).prop_map(|(path, word)| Step::Write { path, word }),
        2 => prop_oneof![file(), folder()].prop_map(|path| Step::Delete { path }),
        3 => (file(), file()).prop_map(|(from, to)| Step::Rename { from, to }),
        2 => (folder(), folder()).prop_map(|(from, to)| Step::Rename { from, to }),
        2 => rules().prop_map(|(path, lines)| Step::Rules { path, lines }),
        1 => rules().prop_map(|(path, _)| Step::Delete { path }),
        1 => (file(), prop_oneof![file(), folder()]).prop_map(|(path, target)| Step::Link { path, target }),
        1 => file().prop_map(|path| Step::Chmod { path }),
        4 => Just(Step::Look),
    ]
}

fn happen(disk: &mut Disk, at: &Path, step: &Step) {
    match step {
        Step::Write { path, word } => disk.write(at, path, WORDS[*word]),
        Step::Delete { path } => disk.remove(at, path),
        Step::Rename { from, to } => disk.rename(at, from, to),
        Step::Rules { path, lines } => disk.rules(at, path, lines.clone()),
        #[cfg(unix)]
        Step::Link { path, target } => disk.link(at, path, target),
        #[cfg(unix)]
        Step::Chmod { path } => {
            use std::os::unix::fs::PermissionsExt;
            if at.join(path).symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                fs::set_permissions(at.join(path), fs::Permissions::from_mode(0o000)).unwrap();
                fs::set_permissions(at.join(path), fs::Permissions::from_mode(0o640)).unwrap();
            }
        }
        #[cfg(not(unix))]
        Step::Link { .. } | Step::Chmod { .. } => {}
        Step::Look => {}
    }
}

/// Where the index and the model disagree.
fn differences(bench: &Bench, disk: &Disk) -> Vec<String> {
    let at = bench.notes.path().canonicalize().unwrap();
    let status = bench.engine.status(true).unwrap();
    let (mut indexed, mut skipped, mut differences) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for file in status.files.unwrap() {
        let path = file.path.strip_prefix(&at).unwrap().to_str().unwrap().to_owned();
        let is_new = match file.state {
            FileState::Indexed => indexed.insert(path.clone()),
            FileState::Skipped => skipped.insert(path.clone()) && file.reason.is_some(),
            _ => false,
        };
        if !is_new {
            differences.push(format!("{path}: {:?} {:?}", file.state, file.reason));
        }
    }
    let found = disk.found();
    let mut compare = |what: &str, is: BTreeSet<String>, ought: BTreeSet<String>| {
        differences.extend(ought.difference(&is).map(|path| format!("{path} is not {what}")));
        differences.extend(is.difference(&ought).map(|path| format!("{path} is {what}")));
    };
    compare("indexed", indexed, found.keys().map(|path| (*path).to_owned()).collect());
    compare("skipped", skipped, disk.skipped().into_iter().map(str::to_owned).collect());
    for word in WORDS {
        let ought = found.iter().filter(|(_, held)| **held == word).map(|(path, _)| (*path).to_owned());
        compare(&format!("found by {word}"), bench.find_paths(word), ought.collect());
    }
    if status.n_chunks != status.n_vectors || status.n_chunks != found.len() as u64 {
        differences.push(format!("{} passages, {} vectors, {} notes", status.n_chunks, status.n_vectors, found.len()));
    }
    differences
}

fn cases() -> ProptestConfig {
    let cases = (n_steps() / STEPS_A_CASE).max(1) as u32;
    // Shrinking is slow because each step writes real files: a failing case is shrunk a little, not to the minimum.
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default() }
}

static STEPS: AtomicUsize = AtomicUsize::new(0);
static PASSES: AtomicUsize = AtomicUsize::new(0);

#[test]
#[allow(clippy::print_stdout, reason = "the counts are what is asked for")]
fn any_order_of_changes_ends_in_what_is_on_disk() {
    proptest!(cases(), |(steps in prop::collection::vec(step(), STEPS_A_CASE))| {
        let bench = Bench::in_memory();
        bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
        let mut disk = Disk::default();
        for step in steps.iter().chain([&Step::Look]) {
            happen(&mut disk, bench.notes.path(), step);
            STEPS.fetch_add(1, Ordering::Relaxed);
            if matches!(step, Step::Look) {
                bench.index();
                PASSES.fetch_add(1, Ordering::Relaxed);
                let differences = differences(&bench, &disk);
                prop_assert!(differences.is_empty(), "{:#?}\n{:#?}", differences, disk);
            }
        }
        prop_assert_eq!(bench.index().files_unchanged, disk.found().len());
    });
    let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
    println!("{} steps, {} passes, each compared with the disk: 0 losses", count(&STEPS), count(&PASSES));
}

#[test]
#[allow(clippy::print_stdout, reason = "the counts are what is asked for")]
fn events_alone_end_in_what_is_on_disk() {
    let n = AtomicUsize::new(0);
    proptest!(cases(), |(steps in prop::collection::vec(step(), STEPS_A_CASE))| {
        let bench = Bench::in_memory();
        bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
        let (sender, done) = channel();
        let watch = bench.engine.watch(Box::new(move |progress| {
            if progress.phase == Phase::Done {
                let _ = sender.send(());
            }
        })).unwrap();
        let mut disk = Disk::default();
        // The watch looks at all files once, before the first step. Its next full look is minutes away, so it learns of
        // the steps from events alone.
        prop_assert!(done.recv().is_ok());
        for step in &steps {
            happen(&mut disk, bench.notes.path(), step);
            n.fetch_add(1, Ordering::Relaxed);
        }
        wait_until(&done, || differences(&bench, &disk), "the index does not come to what is on disk");
        drop(watch);
    });
    println!("{} steps followed by events alone: 0 losses", n.load(Ordering::Relaxed));
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
