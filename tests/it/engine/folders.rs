//! Watched folders: added, removed, away and back again. Files outside them are not shown.

use std::fs;
use std::sync::mpsc;

use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions, FolderError, Phase, SearchRequest};

use super::Bench;

#[test]
fn a_folder_that_is_away_keeps_its_notes_until_it_is_back() {
    let bench = Bench::with_models();
    let away = tempfile::tempdir().unwrap();
    let folder = bench.path("stick");
    for name in ["a.md", "b.md"] {
        bench.write(&format!("stick/{name}"), "# Birds\n\nThe heron stands still.");
    }
    bench.engine.remove_folder(bench.notes.path()).unwrap();
    bench.engine.add_folder(&folder).unwrap();
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md", "b.md"]);

    let elsewhere = away.path().join("stick");
    fs::rename(&folder, &elsewhere).unwrap();
    assert_eq!(bench.index().files_removed, 0);
    assert_eq!(bench.find_words("heron"), ["a.md", "b.md"]);
    let root = bench.engine.status(false).unwrap().roots.remove(0);
    assert_eq!((root.files, root.offline, root.away.is_some()), (2, 2, true));

    fs::remove_file(elsewhere.join("a.md")).unwrap();
    fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(bench.index().files_removed, 1);
    assert_eq!(bench.find_words("heron"), ["b.md"]);
}

#[test]
fn a_removed_folder_is_not_searched_any_more() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.index();
    bench.engine.remove_folder(bench.notes.path()).unwrap();
    assert_eq!(bench.find("heron"), Vec::<String>::new());
    bench.index();
    assert_eq!(bench.engine.status(false).unwrap().n_chunks, 0);
    assert!(matches!(bench.engine.remove_folder(bench.notes.path()), Err(FolderError::NotWatched { .. })));
}

#[test]
fn folders_outlive_the_process_and_are_listed_once() {
    let bench = Bench::new();
    bench.engine.add_folder(bench.notes.path()).unwrap();
    let again = Engine::open(EngineOptions::new(bench.data.path())).unwrap();
    assert_eq!(again.settings().folders, [bench.notes.path().canonicalize().unwrap()]);
    assert!(matches!(again.add_folder(bench.data.path()), Err(FolderError::IsDataDir { .. })));
    assert!(matches!(again.add_folder(&bench.path("gone")), Err(FolderError::NotFound { .. })));
}

#[test]
fn only_watched_files_are_shown() {
    let bench = Bench::with_models();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.md");
    fs::write(&secret, "# Secret\n\nheron").unwrap();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.index();
    let hit = bench.search(&SearchRequest::new("heron")).hits.remove(0);
    let preview = bench.engine.preview(&hit.path, hit.span, "heron", &Cancel::new()).unwrap();
    assert!(preview.text.contains("stands still"));
    let refused = bench.engine.preview(&secret, [0, 5], "heron", &Cancel::new());
    assert!(matches!(refused, Err(EngineError::Folder(FolderError::NotWatched { .. }))), "{refused:?}");
}

#[test]
fn a_watch_follows_what_happens() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    let (sender, phases) = mpsc::channel();
    let watch = bench
        .engine
        .watch(Box::new(move |progress| {
            let _ = sender.send(progress.phase);
        }))
        .unwrap();
    let wait_for = |query: &str, expected: &[&str]| {
        // Every change ends in a finished pass. A pass that saw only half of a change is followed by another.
        while phases.iter().any(|phase| phase == Phase::Done) {
            if bench.find_words(query) == expected {
                return;
            }
        }
        panic!("the watch ended");
    };
    wait_for("heron", &["a.md"]);
    bench.write("b.md", "# More birds\n\nAnother heron.");
    wait_for("heron", &["a.md", "b.md"]);
    fs::remove_file(bench.path("a.md")).unwrap();
    wait_for("heron", &["b.md"]);
    drop(watch);
}
