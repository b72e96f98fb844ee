//! Searches for a file by its name or title.

use std::fs;

use nuthatch_engine::{FileState, SearchRequest, Stage};

use super::Bench;

/// Writes notes that repeat `words` many times, so that only a file of that name can rank before them.
fn crowd(bench: &Bench, words: &str) {
    for i in 0..6 {
        bench.write(
            &format!("crowd{i}.md"),
            &format!("# {i}\n\n{} That was number {i}.", format!("{words} ").repeat(20)),
        );
    }
}

#[test]
fn the_file_of_that_name_comes_first_however_it_is_spelt() {
    for (file, questions) in [
        ("Gro\u{308}ßentabelle.md", &["Größentabelle", "grossentabelle", "Größentabelle.md"][..]),
        ("Łódź trip.md", &["lodz trip", "ŁÓDŹ-TRIP", "Lodz Trip.md"]),
        ("What's next.md", &["whats next", "[[What's next]]", "What’s next?", "[[What's next#Today|soon]]"]),
        ("讀書筆記.md", &["读书笔记", "讀書筆記", "《读书笔记》"]),
        ("ＡＰＩ　设计.md", &["API设计", "api 設計"]),
        ("カ\u{3099}イト\u{3099}.md", &["ガイド"]),
        ("2024-05-01.md", &["2024.05.01", "20240501", "2024/5/1", "2024年5月1日", "2024-05-01.md"]),
        ("20240501 Berlin.md", &["2024-05-01 Berlin", "2024/5/1 berlin"]),
        ("plans/week/todo list.md", &["todo list", "week/todo list", "plans/week/todo-list.md", "[[week/todo list]]"]),
        ("C++.md", &["C++", "c++.md"]),
        ("C.md", &["C"]),
    ] {
        for question in questions {
            let bench = Bench::with_models();
            crowd(&bench, question);
            bench.write(file, "# Something else\n\nOf which nobody would think.");
            for other in ["C#.md", "C+.md", "2024-05-11.md", "elsewhere/list.md"] {
                bench.write(other, "# Another\n\nNor of this.");
            }
            bench.index();
            let first = bench.search(&SearchRequest::new(*question)).hits.remove(0).path;
            assert!(first.ends_with(file), "{question}: {first:?} before {file}");
        }
    }
}

#[test]
fn a_title_counts_as_a_file_name_does_but_after_it() {
    let bench = Bench::with_models();
    crowd(&bench, "heron");
    bench.write("2023.md", "# Heron\n\nIt stands by the water.");
    bench.write("2022.md", "---\ntitle: Łódź trip\n---\nBy train.");
    bench.index();
    assert_eq!(bench.find("heron")[0], "2023.md");
    assert_eq!(bench.find("lodz trip")[0], "2022.md");
    bench.write("heron.md", "# Birds\n\nIt flies.");
    bench.index();
    assert_eq!(bench.find("heron")[..2], ["heron.md", "2023.md"]);
}

#[test]
fn of_several_types_the_one_that_is_asked_for_comes_first() {
    let bench = Bench::with_models();
    for (name, text) in [("report.md", "In words."), ("report.csv", "a,b\n1,2"), ("report.txt", "Plain.")] {
        bench.write(name, text);
    }
    bench.index();
    for name in ["report.md", "report.csv", "report.txt"] {
        assert_eq!(bench.find(name)[0], name);
    }
}

/// The name of the first hit and, if that file could not be read, the reason.
fn first(bench: &Bench, question: &str, stage: Stage) -> (String, Option<String>) {
    let request = SearchRequest { stage, threshold: Some(0.99), ..SearchRequest::new(question) };
    let hit = bench.search(&request).hits.into_iter().next();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    hit.map_or_else(Default::default, |hit| {
        assert_eq!(hit.score.is_none(), hit.unread.is_some());
        (name(&hit.path), hit.unread)
    })
}

#[test]
fn a_file_that_was_not_read_is_found_by_its_name() {
    let bench = Bench::with_models();
    bench.engine.update_settings(|settings| (settings.max_text_mb, settings.max_document_mb) = (1, 1)).unwrap();
    let scan = include_bytes!("../../fixtures/formats/scan.pdf");
    let locked = include_bytes!("../../fixtures/formats/locked.pdf");
    fs::write(bench.path("Rent 2024-05.pdf"), scan).unwrap();
    fs::write(bench.path("locked.pdf"), locked).unwrap();
    fs::write(bench.path("damaged.docx"), b"PK\x03\x04 and no more").unwrap();
    fs::write(bench.path("noise.md"), b"\x00\xff\x00\xfe\x00\x00\x01").unwrap();
    bench.write("bundle.js", &"var heron=1;".repeat(1000));
    bench.write("great.txt", &"heron\n".repeat(200_000));
    crowd(&bench, "Rent 2024-05 locked damaged noise bundle great");
    bench.index();
    let check = |question: &str, name: &str, reason: &str| {
        for stage in [Stage::Lexical, Stage::Hybrid, Stage::Rerank] {
            let (first, unread) = first(&bench, question, stage);
            assert_eq!(first, name, "{question}");
            assert!(unread.as_ref().is_some_and(|unread| unread.contains(reason)), "{question}: {unread:?}");
        }
    };
    for (question, name, reason) in [
        ("Rent 2024-05.pdf", "Rent 2024-05.pdf", "only pictures"),
        ("rent 2024/5", "Rent 2024-05.pdf", "only pictures"),
        ("locked", "locked.pdf", "password"),
        ("damaged.docx", "damaged.docx", ""),
        ("noise", "noise.md", "not text"),
        ("bundle.js", "bundle.js", "generated"),
        ("great.txt", "great.txt", "larger than 1 MB"),
    ] {
        check(question, name, reason);
    }
    let results = bench.search(&SearchRequest::new("locked"));
    assert!(!results.nothing_answers && results.hits.len() > 1);
    assert_eq!(results.hits.iter().map(|hit| hit.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);

    // The next pass keeps these entries. An entry goes when its file is deleted or can be read.
    assert_eq!((bench.index().files_indexed, bench.index().files_failed), (0, 0));
    check("great", "great.txt", "larger than 1 MB");
    fs::remove_file(bench.path("locked.pdf")).unwrap();
    bench.write("noise.md", "# Quiet\n\nAt last.");
    bench.engine.update_settings(|settings| settings.max_text_mb = 20).unwrap();
    bench.index();
    assert_ne!(first(&bench, "locked", Stage::Rerank).0, "locked.pdf");
    for name in ["noise.md", "great.txt"] {
        let hit = bench.search(&SearchRequest::new(name)).hits.remove(0);
        assert!(hit.path.ends_with(name) && hit.unread.is_none() && hit.score.is_some(), "{hit:?}");
    }
    let files = bench.engine.status(true).unwrap().files.unwrap();
    let state = |name: &str| files.iter().find(|file| file.path.ends_with(name)).map(|file| file.state);
    assert_eq!((state("great.txt"), state("bundle.js")), (Some(FileState::Indexed), Some(FileState::Skipped)));
}

#[test]
fn what_could_be_read_comes_before_what_could_not_be_of_the_same_name() {
    let bench = Bench::with_models();
    bench.write("a/letter.md", "# Dear\n\nMei.");
    fs::write(bench.path("a/letter.pdf"), include_bytes!("../../fixtures/formats/scan.pdf")).unwrap();
    bench.index();
    assert_eq!(bench.find("letter"), ["letter.md", "letter.pdf"]);
    assert_eq!(bench.find("letter.pdf"), ["letter.pdf", "letter.md"]);
}
