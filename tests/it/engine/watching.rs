//! More on the watch and the catalog: drives that are away, polling, files that are being written, retries.

use std::fs;
use std::sync::mpsc::{Receiver, channel};

use nuthatch_engine::{
    Cancel, Engine, EngineOptions, FileRow, FileState, FolderError, Following, Phase, SearchRequest, Stage, Watch,
};

use super::Bench;
use super::behaviours::wait_until;

fn watch(bench: &Bench) -> (Watch, Receiver<()>) {
    let (sender, done) = channel();
    let watch = bench.engine.watch(Box::new(move |progress| {
        if progress.phase == Phase::Done {
            let _ = sender.send(());
        }
    }));
    (watch.unwrap(), done)
}

fn row(bench: &Bench, name: &str) -> FileRow {
    let files = bench.engine.status(true).unwrap().files.unwrap();
    let mut rows = files.into_iter().filter(|row| row.path.ends_with(name));
    let row = rows.next().unwrap_or_else(|| panic!("{name} has no row"));
    assert!(rows.next().is_none(), "{name} has one row");
    row
}

#[test]
fn a_deleted_file_is_found_no_more_even_before_it_is_noticed() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.write("b.md", "# Birds\n\nThe heron flies.");
    bench.index();
    fs::remove_file(bench.path("a.md")).unwrap();
    assert_eq!(bench.find_words("heron"), ["b.md"]);
    fs::create_dir(bench.path("a.md")).unwrap();
    assert_eq!(bench.find_words("heron"), ["b.md"], "a folder of the same name is not the note");
}

#[test]
fn a_hit_that_changed_since_it_was_read_says_so() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.index();
    let stale = || bench.search(&SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") }).hits[0].stale;
    assert!(!stale());
    bench.write("a.md", "# Birds\n\nThe heron stands quite still.");
    assert!(stale());
    bench.index();
    assert!(!stale());
}

#[test]
fn a_drive_that_returns_is_noticed_and_one_that_does_not_is_forgotten_only_when_told() {
    let bench = Bench::with_models();
    let elsewhere = tempfile::tempdir().unwrap();
    bench.write("stick/a.md", "# A\n\nA heron.");
    bench.write("stick/b.md", "# B\n\nA heron.");
    let stick = bench.path("stick").canonicalize().unwrap();
    bench.engine.remove_folder(bench.notes.path()).unwrap();
    bench.engine.add_folder(&stick).unwrap();
    let (watch, done) = watch(&bench);
    let offline = |n: usize| {
        wait_until(
            &done,
            || {
                let root = bench.engine.status(false).unwrap().roots.remove(0);
                let is = (root.files, root.indexed, root.offline, root.away.is_some());
                if is == (2, 2 - n, n, n > 0) { Vec::new() } else { vec![format!("{root:?}")] }
            },
            "the drive is not as it is",
        );
    };
    offline(0);
    fs::rename(&stick, elsewhere.path().join("stick")).unwrap();
    offline(2);
    assert_eq!(bench.find_words("heron"), ["a.md", "b.md"], "kept and found");
    assert!(row(&bench, "a.md").reason.unwrap().contains("not there now"));
    fs::rename(elsewhere.path().join("stick"), &stick).unwrap();
    offline(0);
    assert!(matches!(bench.engine.forget(&stick), Err(FolderError::NotAway { .. })), "it is there");

    fs::rename(&stick, elsewhere.path().join("stick")).unwrap();
    offline(2);
    bench.engine.forget(&stick).unwrap();
    wait_until(
        &done,
        || match bench.engine.status(false).unwrap().n_chunks {
            0 => Vec::new(),
            n => vec![format!("{n} passages are left")],
        },
        "not forgotten",
    );
    drop(watch);
}

#[test]
fn an_empty_mount_point_is_a_drive_that_is_away() {
    let bench = Bench::with_models();
    bench.write("a.md", "# A\n\nA heron.");
    bench.index();
    // Pretend that the notes were on another device than the empty folder that is left.
    let places = bench.data.path().join("places.toml");
    let noted = fs::read_to_string(&places).unwrap();
    let device = noted.lines().find_map(|line| line.strip_prefix("device = ")).unwrap().to_owned();
    fs::write(&places, noted.replace(&format!("device = {device}"), "device = 123456789")).unwrap();
    fs::remove_file(bench.path("a.md")).unwrap();
    assert_eq!(bench.index().files_removed, 0);
    assert_eq!(row(&bench, "a.md").state, FileState::Offline);
    assert_eq!(bench.find_words("heron"), ["a.md"]);

    // The device number of a folder may change: while the folder holds its notes, it does not count as away.
    bench.write("a.md", "# A\n\nA heron.");
    bench.index();
    assert_eq!(row(&bench, "a.md").state, FileState::Indexed);
    fs::remove_file(bench.path("a.md")).unwrap();
    assert_eq!(bench.index().files_removed, 1, "the device is known again: this is a deletion");
}

#[test]
fn polling_follows_where_events_do_not() {
    let bench = Bench::with_models();
    bench.engine.update_settings(|settings| settings.poll = true).unwrap();
    bench.write("a.md", "# A\n\nA heron.");
    let (watch, done) = watch(&bench);
    done.recv().unwrap();
    assert_eq!(bench.engine.status(false).unwrap().watch.unwrap().following, Following::Polling);
    bench.write("b.md", "# B\n\nA heron.");
    fs::remove_file(bench.path("a.md")).unwrap();
    let found = || match bench.find_words("heron") {
        found if found == ["b.md"] => Vec::new(),
        found => vec![format!("{found:?}")],
    };
    wait_until(&done, found, "polling finds nothing");
    drop(watch);
}

#[test]
fn another_process_sees_that_somebody_watches() {
    let bench = Bench::with_models();
    bench.write("a.md", "# A\n\nA heron.");
    let other = Engine::open(EngineOptions::new(bench.data.path())).unwrap();
    assert_eq!(other.status(false).unwrap().watch, None);
    let (watch, done) = watch(&bench);
    done.recv().unwrap();
    let seen = other.status(false).unwrap().watch.unwrap();
    assert_eq!((seen.process, seen.following, seen.problems), (std::process::id(), Following::Events, Vec::new()));
    drop(watch);
    assert_eq!(other.status(false).unwrap().watch, None);
}

#[test]
fn a_file_that_is_being_written_is_not_indexed_half() {
    let bench = Bench::with_models();
    bench.engine.update_settings(|settings| settings.settle_ms = 60_000).unwrap();
    bench.write("a.md", "# A\n\nA heron begins");
    let (watch, done) = watch(&bench);
    done.recv().unwrap();
    assert_eq!(row(&bench, "a.md").state, FileState::Waiting, "written less than a minute ago");
    assert_eq!(bench.find_words("heron"), Vec::<String>::new());
    drop(watch);
    bench.engine.update_settings(|settings| settings.settle_ms = 20).unwrap();
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md"]);
}

#[test]
fn failed_files_are_read_again_when_asked() {
    let bench = Bench::with_models();
    let garbage = b"\x00\xff\x00\xfe\x00\x00\x01";
    fs::write(bench.path("a.md"), garbage).unwrap();
    bench.write("b.md", "# B\n\nA heron.");
    assert_eq!(bench.index().files_failed, 1);
    assert_eq!(row(&bench, "a.md").state, FileState::Failed);
    assert_eq!(bench.index().files_failed, 0, "not read again by itself: it has not changed");
    assert_eq!(bench.engine.retry(&[bench.path("b.md")]).unwrap(), 0);
    assert_eq!(bench.engine.retry(&[]).unwrap(), 1);
    assert_eq!(bench.index().files_failed, 1, "read again, and failed again");
    let reasons = bench.engine.status(false).unwrap().reasons;
    assert_eq!((reasons.len(), reasons[0].files, reasons[0].state), (1, 1, FileState::Failed));
    assert!(reasons[0].reason.starts_with("is not text"), "{reasons:?}: without the file's name");
}

/// `/tmp` on macOS is such a link. `folders add` saves real paths, but a person may write a path through a link.
#[cfg(unix)]
#[test]
fn a_folder_that_somebody_wrote_into_the_settings_may_go_through_a_link() {
    let bench = Bench::with_models();
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("real/notes")).unwrap();
    std::os::unix::fs::symlink("real", place.path().join("way")).unwrap();
    let folder = place.path().join("way/notes");
    fs::write(folder.join("a.md"), "# A\n\nA heron.").unwrap();
    fs::write(folder.join("b.md"), b"\x00\xff\x00\xfe\x00\x00\x01").unwrap();
    bench.engine.update_settings(|settings| settings.folders = vec![folder.clone()]).unwrap();
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md"]);
    bench.engine.preview(&folder.join("a.md"), [0, 3], "heron", &Cancel::new()).unwrap();
    assert_eq!(bench.engine.retry(&[folder.join("b.md")]).unwrap(), 1);
    bench.engine.remove_folder(&folder).unwrap();
    assert!(bench.engine.settings().folders.is_empty());
}

/// The engine knows its data folder by the real path. Here the watched folder leads to it through a link.
#[cfg(unix)]
#[test]
fn our_own_data_is_not_read_whichever_way_leads_to_it() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("real/notes/deep")).unwrap();
    std::os::unix::fs::symlink("real", place.path().join("way")).unwrap();
    let folder = place.path().join("way/notes");
    fs::write(folder.join("a.md"), "# A\n\nA heron.").unwrap();
    let engine = Engine::open(EngineOptions::new(place.path().join("real/notes/deep/data"))).unwrap();
    engine.update_settings(|settings| (settings.folders, settings.settle_ms) = (vec![folder.clone()], 20)).unwrap();
    engine.index(&mut |_| {}, &Cancel::new()).unwrap();
    let files = engine.status(true).unwrap().files.unwrap();
    let states: Vec<_> = files.iter().map(|file| (file.path.as_path(), file.state)).collect();
    let data = folder.join("deep/data");
    let expect = [(folder.join("a.md"), FileState::Indexed), (data, FileState::Skipped)];
    assert_eq!(states, expect.iter().map(|(path, state)| (path.as_path(), *state)).collect::<Vec<_>>());
}

/// A few of a project's thousand files are bundles. Nothing is wrong with them, so they count as skipped, not failed.
#[test]
fn what_a_program_wrote_for_a_program_is_left_out_and_no_failure() {
    let bench = Bench::with_models();
    bench.write("bundle.js", &"var heron=1;".repeat(1000));
    let report = bench.index();
    assert_eq!((report.files_skipped, report.files_failed), (1, 0));
    let found = row(&bench, "bundle.js");
    assert_eq!(found.state, FileState::Skipped);
    assert!(found.reason.as_ref().unwrap().starts_with("bundle.js is minified or generated"), "{found:?}");
    assert_eq!(bench.engine.retry(&[]).unwrap(), 0, "nothing to be tried again");
    assert_eq!(bench.index().files_unchanged, 1);
    bench.write("bundle.js", "// Where the heron stands.\nlet heron = 1;\n");
    bench.index();
    assert_eq!(bench.find_words("heron"), ["bundle.js"]);
    // The file is a bundle again, and is not found any more.
    bench.write("bundle.js", &"var heron=22;".repeat(1000));
    bench.index();
    assert_eq!(bench.find_words("heron"), [""; 0]);
}

/// Takes all permissions away, and returns whether that keeps us from reading: it does not if we are root.
#[cfg(unix)]
fn deny(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    if path.is_dir() { fs::read_dir(path).is_err() } else { fs::File::open(path).is_err() }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_said_and_what_was_known_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::with_models();
    bench.write("a.md", "# A\n\nA heron.");
    bench.write("closed/b.md", "# B\n\nA heron.");
    bench.index();
    let (file, folder) = (deny(&bench.path("a.md")), deny(&bench.path("closed")));
    bench.index();
    assert_eq!(bench.find_words("heron"), ["a.md", "b.md"], "kept in either case");
    let expected = |denied: bool, state| if denied { state } else { FileState::Indexed };
    assert_eq!(row(&bench, "a.md").state, expected(file, FileState::Failed));
    assert_eq!(row(&bench, "closed/b.md").state, expected(folder, FileState::Offline));
    if folder {
        assert_eq!(row(&bench, "closed").state, FileState::Failed);
    }
    for path in ["a.md", "closed"] {
        fs::set_permissions(bench.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    bench.index();
    assert_eq!([row(&bench, "a.md").state, row(&bench, "closed/b.md").state], [FileState::Indexed; 2]);
}

#[test]
fn removing_an_inner_folder_keeps_what_the_outer_one_holds() {
    let bench = Bench::with_models();
    bench.write("inner/a.md", "# A\n\nA heron.");
    bench.engine.add_folder(&bench.path("inner")).unwrap();
    bench.index();
    bench.engine.remove_folder(&bench.path("inner")).unwrap();
    let report = bench.index();
    assert_eq!((report.files_removed, report.files_unchanged), (0, 1));
    assert_eq!(bench.find_words("heron"), ["a.md"]);
}
