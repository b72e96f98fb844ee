//! Complaints of users of other search programs, each as a test.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions, FolderError, SearchRequest, Stage};

use super::Bench;
use crate::support::BagOfWords;

#[test]
fn nothing_is_embedded_again_at_the_next_start() {
    let embedder = Arc::new(BagOfWords::new("bag-of-words@1"));
    let bench = Bench::with_embedder(embedder.clone());
    for i in 0..20 {
        bench.write(&format!("n{i}.md"), &format!("# Note {i}\n\nheron {i}"));
    }
    bench.index();
    let n = embedder.n_embedded.load(Ordering::Relaxed);
    let again = Engine::open(EngineOptions::new(bench.data.path())).unwrap();
    again.set_embedder(embedder.clone());
    let report = again.index(&mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!((report.files_unchanged, report.chunks_embedded), (20, 0));
    assert_eq!(embedder.n_embedded.load(Ordering::Relaxed), n);
}

#[test]
fn one_bad_file_stops_nothing() {
    let bench = Bench::with_models();
    bench.write("a.md", "# A\n\nA heron.");
    fs::write(bench.path("b.md"), b"\x00\xff\x00\xfe\x00\x00\x01").unwrap();
    bench.write("c.md", &format!("# C\n\n{} heron", "[".repeat(200_000)));
    bench.write("d.md", "# D\n\nA heron.");
    let report = bench.index();
    assert_eq!((report.files_indexed, report.files_failed), (3, 1));
    assert_eq!(bench.find_words("heron"), ["a.md", "c.md", "d.md"]);
}

#[test]
fn no_vector_is_left_of_a_deleted_file() {
    let bench = Bench::with_models();
    for name in ["a.md", "b.md"] {
        bench.write(name, &format!("# {name}\n\nThe heron of {name}."));
    }
    bench.index();
    fs::remove_file(bench.path("a.md")).unwrap();
    bench.index();
    let status = bench.engine.status(false).unwrap();
    assert_eq!((status.n_chunks, status.n_vectors), (1, 1));
    let request = SearchRequest { stage: Stage::Vector, ..SearchRequest::new("heron of a.md") };
    assert!(bench.search(&request).hits.iter().all(|hit| hit.path.ends_with("b.md")));
}

#[test]
fn the_exact_file_name_comes_first() {
    let bench = Bench::with_models();
    for i in 0..30 {
        bench.write(&format!("n{i}.md"), &format!("# Heron {i}\n\nHeron, heron and heron again: number {i}."));
    }
    bench.write("heron.md", "# A bird\n\nIt stands by the water.");
    bench.write("meeting-notes.md", "# 12 May\n\nWho was there.");
    bench.index();
    for query in ["heron", "Heron", "heron.md"] {
        assert_eq!(bench.find(query)[0], "heron.md", "{query}");
    }
    assert_eq!(bench.find("meeting notes")[0], "meeting-notes.md");
}

#[test]
fn frontmatter_tags_and_aliases_are_found() {
    let bench = Bench::with_models();
    bench.write("a.md", "---\ntags: [ornithology]\naliases: [Ardea]\n---\n# A bird\n\nIt stands.");
    bench.write("b.md", "# B\n\nSomething else #zoology");
    // More tags than each passage carries. They are numbered in letters, because a digit counts as a word of its own
    // and may stand in the name of the folder.
    let letter = |n: u8| char::from(b'a' + n);
    let many: Vec<String> = (0..200).map(|i| format!("species{}{}", letter(i / 26), letter(i % 26))).collect();
    bench.write("c.md", &format!("---\ntags: [{}]\n---\n{}", many.join(", "), "Of all.\n\n".repeat(500)));
    bench.index();
    let cases =
        [("ornithology", "a.md"), ("Ardea", "a.md"), ("zoology", "b.md"), ("speciesaa", "c.md"), ("specieshr", "c.md")];
    for (query, expected) in cases {
        assert_eq!(bench.find_words(query), [expected], "{query}");
    }
}

#[test]
fn one_and_two_chinese_characters_are_found() {
    let bench = Bench::with_models();
    bench.write("a.md", "# 合同\n\n退租时房东应退还押金。");
    bench.write("b.md", "# 腌萝卜\n\n加一勺醋。");
    bench.index();
    for (query, expected) in [("押金", "a.md"), ("押", "a.md"), ("醋", "b.md"), ("萝卜", "b.md")] {
        assert_eq!(bench.find_words(query), [expected], "{query}");
    }
}

#[test]
fn paths_outside_the_watched_folders_are_not_readable() {
    let bench = Bench::with_models();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "# Secret\n\nheron").unwrap();
    bench.write("a.md", "# A\n\nA heron.");
    bench.index();
    let ways = [outside.path().join("secret.md"), bench.path("../secret.md"), "/etc/passwd".into()];
    #[cfg(unix)]
    let links = {
        std::os::unix::fs::symlink(outside.path().join("secret.md"), bench.path("way-out.md")).unwrap();
        std::os::unix::fs::symlink(outside.path(), bench.path("way")).unwrap();
        [bench.path("way-out.md"), bench.path("way/secret.md")]
    };
    #[cfg(not(unix))]
    let links = [];
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md"], "nor are they indexed through a link");
    for path in ways.into_iter().chain(links) {
        match bench.engine.preview(&path, [0, 5], "heron", &Cancel::new()) {
            Err(EngineError::Folder(FolderError::NotWatched { .. }) | EngineError::Io { .. }) => {}
            other => panic!("{}: {other:?}", path.display()),
        }
    }
}

/// For example, a user moved `~/notes` to another drive and left a link in its place.
#[cfg(unix)]
#[test]
fn a_watched_folder_that_is_a_link_leads_to_its_files_and_no_further() {
    let bench = Bench::with_models();
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("notes")).unwrap();
    fs::write(place.path().join("notes/a.md"), "# A\n\nA heron.").unwrap();
    fs::write(place.path().join("secret.md"), "# Secret\n\nheron").unwrap();
    let way = place.path().join("way");
    std::os::unix::fs::symlink("notes", &way).unwrap();
    std::os::unix::fs::symlink("../secret.md", way.join("out.md")).unwrap();
    bench.engine.update_settings(|settings| settings.folders = vec![way.clone()]).unwrap();
    let shown = bench.engine.preview(&way.join("a.md"), [0, 3], "heron", &Cancel::new()).unwrap();
    assert!(shown.text.contains("A heron."));
    for path in [way.join("out.md"), way.join("../secret.md"), place.path().join("secret.md")] {
        let refused = bench.engine.preview(&path, [0, 3], "heron", &Cancel::new());
        assert!(matches!(refused, Err(EngineError::Folder(FolderError::NotWatched { .. }))), "{refused:?}");
    }
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md"], "the one, and not the other");

    // From now on the link leads elsewhere.
    fs::create_dir(place.path().join("other")).unwrap();
    fs::write(place.path().join("other/b.md"), "# B\n\nA heron.").unwrap();
    fs::remove_file(&way).unwrap();
    std::os::unix::fs::symlink("other", &way).unwrap();
    bench.index();
    assert_eq!(bench.find_words("heron"), ["b.md"]);
    fs::remove_file(&way).unwrap();
    std::os::unix::fs::symlink("nowhere", &way).unwrap();
    bench.index();
    let away = bench.engine.status(false).unwrap().roots.remove(0).away;
    assert_eq!(away.as_deref(), Some("is a link to something that is not there now; its notes are kept"));
    assert_eq!(bench.find_words("heron"), ["b.md"], "kept and found");
}

/// For example, a user gave up one of two folders and left a link to the other in its place.
#[cfg(unix)]
#[test]
fn watched_folders_that_lead_to_one_place_are_read_once() {
    use std::path::Path;
    let bench = Bench::with_models();
    let place = tempfile::tempdir().unwrap();
    let [real, way, again] = ["real", "way", "again"].map(|name| place.path().join(name));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("a.md"), "# A\n\nA heron.").unwrap();
    std::os::unix::fs::symlink("real", &way).unwrap();
    std::os::unix::fs::symlink("real", &again).unwrap();
    let check = |folders: &[&Path], read: &Path| {
        let folders: Vec<_> = folders.iter().map(|folder| folder.to_path_buf()).collect();
        bench.engine.update_settings(|settings| settings.folders.clone_from(&folders)).unwrap();
        bench.index();
        let request = SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") };
        let found: Vec<_> = bench.search(&request).hits.into_iter().map(|hit| hit.path).collect();
        assert_eq!(found, [read.join("a.md")], "{folders:?}");
        for root in bench.engine.status(false).unwrap().roots {
            let expected = if root.path == read { (1, 0) } else { (0, 1) };
            assert_eq!((root.indexed, root.skipped), expected, "{root:?}");
        }
    };
    check(&[&way, &real], &real);
    check(&[&way, &again], &way);
    bench.engine.add_folder(&real).unwrap();
    assert_eq!(bench.engine.settings().folders, [way, again], "it is watched already");
}

#[test]
fn configuration_inside_a_searched_folder_is_not_trusted() {
    let bench = Bench::with_models();
    let before = bench.engine.settings();
    for name in ["settings.toml", "nuthatch.toml", ".nuthatch/settings.toml", "watch.toml", "places.toml"] {
        bench.write(name, "folders = [\"/\"]\nhidden = true\nmax_text_mb = 0\n");
    }
    bench.write(".hidden.md", "# H\n\nA heron.");
    bench.write("a.md", "# A\n\nA heron.");
    bench.index();
    assert_eq!(bench.engine.settings(), before);
    assert_eq!(bench.find_words("heron"), ["a.md"]);
}
