//! What Nuthatch reads from files made by independent programs.

use std::ffi::OsStr;

use nuthatch_engine::extract::{BlockKind, Document};

use super::{FIXTURES, check, fixture, read, workers};
use crate::support::{Nuthatch, root};

/// A line for the file, one for each block: place, kind, headings above, text.
fn outline(document: &Document) -> String {
    let mut lines = vec![format!("{} {:?} {:?}", document.format.as_str(), document.title, document.tags)];
    let places = document.places_at(document.blocks.iter().map(|block| block.span.start));
    for (block, place) in document.blocks.iter().zip(places) {
        let kind = match block.kind {
            BlockKind::Heading { level } => format!("h{level}"),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let place = place.map_or("-".to_owned(), |place| place.to_string());
        let path: String = block.heading_path.iter().map(|heading| format!("{heading} > ")).collect();
        lines.push(format!("[{place}] {kind} {path}{:?}", block.text));
    }
    lines.join("\n")
}

#[test]
fn files_made_by_others_are_read_as_they_say() {
    let workers = workers();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/fixtures/formats/expected"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (path, bytes) in FIXTURES.iter() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let read = match read(&workers, name, bytes) {
            Ok(document) => {
                check(&document);
                outline(&document)
            }
            Err(error) => error.to_string(),
        };
        settings.bind(|| insta::assert_snapshot!(name, read));
    }
}

#[test]
fn a_hit_names_its_page_slide_cells_or_chapter() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in FIXTURES.iter() {
        std::fs::write(folder.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    nuthatch.index(folder.path());
    for (query, file, place) in [
        ("official tram pass", "trip.pdf", "(p. 3)"),
        ("液体必须装在透明袋里", "trip.pdf", "(p. 2)"),
        ("kinds of disk", "backups.pptx", "(slide 2)"),
        ("恢复演练 停机", "backups.pptx", "(slide 3)"),
        ("Insurance cost", "household.xlsx", "(Budget!A1:C9)"),
        ("graft when the bark slips", "orchard.epub", "(Part: Spring)"),
        ("grey heron stands still", "heron.docx", ""),
        ("spoke wrench", "tools.xls", "(Tools!A1:B3)"),
        ("carrot", "seeds.ods", "(Seeds!A1:B3)"),
        ("meter reading keys", "tenancy.odt", "(p. 1)"),
    ] {
        let answer = nuthatch.run(&["search", "--stage", "lexical", "--top", "1", query]);
        let line = answer.out.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{query}: {answer:?}"));
        assert!(line.contains(&format!("{file} {place}").trim_end().to_owned()), "{query}: {line}");
    }
    let status = nuthatch.run(&["status", "--files"]).out;
    for (file, reason) in [("locked.pdf", "protected by a password"), ("scan.pdf", "holds no text, only pictures")] {
        assert!(status.lines().any(|line| line.contains(file) && line.contains(reason)), "{file}: {status}");
    }
}

#[test]
fn what_is_shown_around_a_hit_comes_from_a_process_as_well() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("heron.docx"), fixture("heron.docx")).unwrap();
    nuthatch.index(folder.path());
    let engine = nuthatch_engine::Engine::open(nuthatch_engine::EngineOptions {
        worker: Some(crate::support::worker()),
        ..nuthatch_engine::EngineOptions::new(nuthatch.data_dir())
    })
    .unwrap();
    let json = nuthatch.run(&[OsStr::new("search"), OsStr::new("--json"), OsStr::new("alder")]).json();
    let path = json["hits"][0]["path"].as_str().unwrap();
    let preview = engine.preview(path.as_ref(), [0, 10], "alder", &nuthatch_engine::Cancel::new()).unwrap();
    assert!(preview.text.contains("- Oak\n- Alder"), "{}", preview.text);
    assert_eq!(preview.format, "docx");
}
