//! Copies of a note are one hit.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nuthatch_engine::{SearchRequest, Stage, WhyOutcome};

use super::Bench;

const BREAD: &str = "# Bread\n\nFeed the sourdough starter twice, and wait until it floats.\n\nBake for 45 minutes at 230 °C \
                     with steam, then 10 without.\n\nLet it cool on a rack, or the crust turns soft and the crumb stays \
                     wet.\n";

/// The path of each hit, with those of its copies, relative to the watched folder.
fn found(bench: &Bench, query: &str) -> Vec<(String, Vec<String>)> {
    let root = bench.notes.path().canonicalize().unwrap();
    let below = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let hits = bench.search(&SearchRequest::new(query)).hits;
    hits.iter().map(|hit| (below(&hit.path), hit.copies.iter().map(below).collect())).collect()
}

/// Sets a file's modification time to `days` ago.
fn age(path: &Path, days: u64) {
    let when = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::options().append(true).open(path).unwrap().set_modified(when).unwrap();
}

#[test]
fn five_hits_are_five_answers() {
    let bench = Bench::with_models();
    let copies = ["backup/bread.md", "backup2/bread.md", "bread.sync-conflict-20240501-101010-ABC.md", "old/bread.md"];
    bench.write("bread.md", BREAD);
    for copy in copies {
        bench.write(copy, BREAD);
    }
    for i in 0..5 {
        bench.write(&format!("bread {i}.md"), &format!("# Loaf {i}\n\nBake the bread of day {i} for an hour."));
    }
    // The copies are newer than the note, and still the note must be the one shown.
    age(&bench.path("bread.md"), 9);
    bench.index();
    let found = found(&bench, "how long does the sourdough bread bake?");
    assert_eq!(found.len(), 5);
    let (shown, mut listed) = found[0].clone();
    listed.sort();
    assert_eq!((shown.as_str(), listed), ("bread.md", copies.map(str::to_owned).to_vec()));
    assert!(found[1..].iter().all(|(_, copies)| copies.is_empty()), "{found:?}");
}

/// The question excludes the copy by a word of its name.
#[test]
fn a_copy_that_is_left_out_is_not_listed() {
    let bench = Bench::with_models();
    bench.write("bread.md", BREAD);
    bench.write("sandwich bread.md", BREAD);
    bench.index();
    assert_eq!(found(&bench, "sourdough starter -sandwich"), [("bread.md".to_owned(), vec![])]);
}

/// Each text is indexed beside `BREAD`: are the two one hit?
#[test]
fn what_is_a_copy() {
    let with = |from: &str, to: &str| {
        assert!(BREAD.contains(from), "{from}");
        BREAD.replace(from, to)
    };
    for (name, text, is_copy) in [
        ("old/bread.md", BREAD.replace('\n', "\r\n"), true),
        ("old/bread.md", with("°C with", "°C  with") + "\n\n", true),
        ("loaf.md", BREAD.to_owned(), true),
        ("bread (1).md", with("sourdough", "sourdogh"), true),
        // The note has got a sentence that the copy lacks.
        ("old/bread.md", with("Feed the sourdough starter twice, and wait until it floats.\n\n", ""), true),
        // The answer to the question differs.
        ("old/bread.md", with("45", "40"), false),
        ("old/bread.md", with(", then 10 without", ""), false),
        ("old/bread.md", with("with steam", "without steam"), false),
        ("old/bread.md", with("Bake for", "Do not bake for"), false),
        ("old/bread.md", with("# Bread", "# Rye bread"), false),
        // The copy says more.
        ("old/bread.md", BREAD.to_owned() + "\nThe key lies under the blue pot.", false),
    ] {
        let bench = Bench::with_models();
        bench.write("bread.md", BREAD);
        bench.write(name, &text);
        age(&bench.path(name), 9);
        bench.index();
        let found = found(&bench, "how long does the sourdough bread bake?");
        let expect = if is_copy { 1 } else { 2 };
        assert_eq!(found.len(), expect, "{name}: {text}");
        assert_eq!(found[0].1.len(), 2 - expect, "{found:?}");
    }
}

#[test]
fn notes_that_share_a_passage_are_two() {
    let bench = Bench::with_models();
    let part =
        |word: &str| format!("## {word}\n\n{}\n\n", format!("The {word} is one thing that is told here. ").repeat(25));
    let terms = format!("## Terms\n\n{}", "The deposit is paid back after eight weeks. ".repeat(20));
    bench.write("flat.md", &format!("# Lease\n\n{}{}{terms}", part("kitchen"), part("balcony")));
    bench.write("office.md", &format!("# Lease\n\n{}{}{terms}", part("desk"), part("printer")));
    bench.write("backup/flat.md", &format!("# Lease\n\n{}{}{terms}", part("kitchen"), part("balcony")));
    bench.index();
    let mut found = found(&bench, "when is the deposit paid back?");
    found.sort();
    assert_eq!(found, [("flat.md".to_owned(), vec!["backup/flat.md".to_owned()]), ("office.md".to_owned(), vec![])]);
}

/// Only the file's name says which shop `Opens at nine.` is about.
#[test]
fn short_notes_are_told_apart_by_their_names() {
    let bench = Bench::with_models();
    for name in ["Bakery.txt", "Chemist.txt", "backup/Bakery.txt"] {
        bench.write(name, "Opens at nine.");
    }
    bench.index();
    let mut found = found(&bench, "opens");
    found.sort();
    assert_eq!(
        found,
        [("Bakery.txt".to_owned(), vec!["backup/Bakery.txt".to_owned()]), ("Chemist.txt".to_owned(), vec![])]
    );
}

#[test]
fn a_hundred_copies_leave_room_for_the_others() {
    let bench = Bench::with_models();
    for i in 0..120 {
        bench.write(&format!("backup {i}/bread.md"), BREAD);
    }
    bench.write("rye.md", "# Rye\n\nBread of rye takes an hour.");
    bench.index();
    for stage in [Stage::Lexical, Stage::Vector, Stage::Hybrid, Stage::Rerank] {
        let request = SearchRequest { stage, candidates: 20, ..SearchRequest::new("bread") };
        let hits = bench.search(&request).hits;
        let found: Vec<bool> = hits.iter().map(|hit| hit.path.ends_with("rye.md")).collect();
        assert!(found.len() == 2 && found.contains(&true), "{stage:?}: {hits:?}");
    }
}

#[test]
fn the_copy_that_is_asked_for_by_its_name_is_the_one_shown() {
    let bench = Bench::with_models();
    bench.write("bread.md", BREAD);
    bench.write("old/bread of last year.md", BREAD);
    bench.index();
    let expect = |shown: &str, copy: &str| vec![(shown.to_owned(), vec![copy.to_owned()])];
    assert_eq!(found(&bench, "sourdough starter"), expect("bread.md", "old/bread of last year.md"));
    assert_eq!(found(&bench, "bread of last year"), expect("old/bread of last year.md", "bread.md"));
}

#[test]
fn a_copy_that_has_changed_since_is_none() {
    let bench = Bench::with_models();
    bench.write("bread.md", BREAD);
    bench.write("old/bread.md", BREAD);
    bench.index();
    bench.write("old/bread.md", "Nothing of it is left.");
    let hits = bench.search(&SearchRequest::new("sourdough bread")).hits;
    let mut found: Vec<(bool, usize)> = hits.iter().map(|hit| (hit.stale, hit.copies.len())).collect();
    found.sort_unstable();
    assert_eq!(found, [(false, 0), (true, 0)]);
}

#[test]
fn why_says_of_which_note_a_file_is_a_copy() {
    let bench = Bench::with_models();
    bench.write("bread.md", BREAD);
    bench.write("old/bread.md", BREAD);
    bench.index();
    let cancel = nuthatch_engine::Cancel::new();
    let request = SearchRequest::new("sourdough bread");
    let report = bench.engine.why(&request, &bench.path("old/bread.md"), &cancel).unwrap();
    assert_eq!((report.outcome, report.rank), (WhyOutcome::Shown, Some(1)));
    assert!(report.copy_of.is_some_and(|note| note.ends_with("bread.md")));
    assert!(report.steps.iter().any(|step| step.contains("the same note as")), "{:?}", report.steps);
}

/// This holds whichever of the two was the one shown.
#[test]
fn a_copy_is_found_when_the_note_is_deleted() {
    for gone in ["bread.md", "old/bread.md"] {
        let bench = Bench::with_models();
        bench.write("bread.md", BREAD);
        bench.write("old/bread.md", BREAD);
        bench.index();
        std::fs::remove_file(bench.path(gone)).unwrap();
        let hits = bench.search(&SearchRequest::new("sourdough bread")).hits;
        assert_eq!((hits.len(), hits[0].copies.len(), hits[0].path.exists()), (1, 0, true), "{gone}");
    }
}
