//! Previews of the note around a hit. They refuse the files that indexing refuses, a newer one cancels an older one,
//! and recent documents are not read twice.

use std::fs;
use std::path::Path;

use nuthatch_engine::extract::worker::{WorkerCommand, WorkerLimits};
use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions, Preview, SearchRequest, Stage};

use super::Bench;
use crate::support::worker;

fn preview(bench: &Bench, path: &Path) -> Result<Preview, EngineError> {
    bench.engine.preview(path, [0, 5], "heron", &Cancel::new())
}

/// Puts something in the place of a file.
#[cfg(unix)]
type Replace<'a> = &'a dyn Fn(&Path);

/// The path was a note when it was indexed, and is something else now.
#[cfg(unix)]
#[test]
fn what_took_the_place_of_a_note_is_named_and_not_opened() {
    let bench = Bench::with_models();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.md");
    fs::write(&secret, "# Secret\n\nA heron.").unwrap();
    let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let link = |path: &Path| std::os::unix::fs::symlink(&secret, path).unwrap();
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    let gone = |_: &Path| {};
    let cases: [(Replace<'_>, &str); 5] = [
        (&pipe, "a pipe"),
        (&link, "not among the watched folders"),
        (&socket, "a socket"),
        (&folder, "a folder"),
        (&gone, "No such file"),
    ];
    for (replace, expect) in cases {
        bench.write("a.md", "# A\n\nA heron.");
        bench.index();
        let path =
            bench.search(&SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") }).hits[0].path.clone();
        assert!(preview(&bench, &path).is_ok());
        fs::remove_file(&path).unwrap();
        replace(&path);
        let error = preview(&bench, &path).unwrap_err().to_string();
        assert!(error.contains(expect), "{expect}: {error}");
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir(&path);
    }
}

#[test]
fn what_is_too_large_to_be_indexed_is_not_shown_either() {
    let bench = Bench::with_models();
    bench.engine.update_settings(|settings| settings.max_text_mb = 1).unwrap();
    bench.write("a.md", &"heron ".repeat(200_000));
    let error = preview(&bench, &bench.path("a.md")).unwrap_err().to_string();
    assert!(error.contains("larger than 1 MB"), "{error}");
}

#[test]
fn a_preview_that_was_overtaken_ends() {
    let bench = Bench::with_models();
    fs::write(bench.path("trip.pdf"), include_bytes!("../../fixtures/formats/trip.pdf")).unwrap();
    bench.write("a.md", "A heron.");
    let overtaken = Cancel::new();
    overtaken.cancel();
    for name in ["trip.pdf", "a.md"] {
        let ended = bench.engine.preview(&bench.path(name), [0, 5], "heron", &overtaken);
        assert!(matches!(ended, Err(EngineError::Cancelled)), "{name}: {ended:?}");
        preview(&bench, &bench.path(name)).unwrap();
    }
}

/// The program that reads PDFs is removed after the first preview: a document that is still shown was kept.
#[cfg(unix)]
#[test]
fn the_last_few_documents_are_read_once() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, other) = (notes.path().join("trip.pdf"), notes.path().join("again.pdf"));
    let pdf = include_bytes!("../../fixtures/formats/trip.pdf");
    fs::write(&path, pdf).unwrap();
    fs::write(&other, pdf).unwrap();
    let program = data.path().join("reader");
    std::os::unix::fs::symlink(worker().program, &program).unwrap();
    let worker = Some(WorkerCommand { program: program.clone(), ..worker() });
    let worker_limits = WorkerLimits { files_each: 1, ..WorkerLimits::default() };
    let engine = Engine::open(EngineOptions { worker, worker_limits, ..EngineOptions::new(data.path()) }).unwrap();
    engine.add_folder(notes.path()).unwrap();
    let preview = |path: &Path| engine.preview(path, [0, 5], "trip", &Cancel::new());
    let shown = preview(&path).unwrap();
    fs::remove_file(program).unwrap();
    assert!(preview(&other).is_err());
    assert_eq!(preview(&path).unwrap(), shown);
    fs::write(&path, pdf).unwrap();
    assert!(preview(&path).is_err(), "it may be another by now");
}
