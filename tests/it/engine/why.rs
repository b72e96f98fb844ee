//! For every outcome `why` says in words how far a file got in the search, and what to change.

use std::fs;

use nuthatch_engine::{Cancel, SearchRequest, Settings, WhyOutcome, WhyReport};

use super::Bench;

fn birds() -> Bench {
    let bench = Bench::with_models();
    bench.write("heron.md", "# Heron\n\nA grey heron waits by the water.");
    for i in 0..30 {
        bench.write(&format!("water{i}.md"), &format!("# Water {i}\n\nGrey water by the heron's stone, number {i}."));
    }
    bench.write("bread.md", "# Bread\n\nFlour and salt, nothing else.");
    bench.index();
    bench
}

fn request() -> SearchRequest {
    SearchRequest::new("grey heron waits by the water")
}

fn why(bench: &Bench, request: &SearchRequest, name: &str) -> WhyReport {
    let report = bench.engine.why(request, &bench.path(name), &Cancel::new()).unwrap();
    assert!(!report.steps.is_empty());
    let is_fine = matches!(report.outcome, WhyOutcome::Shown);
    assert!(is_fine || !report.advice.is_empty(), "what to change: {report:?}");
    report
}

fn said(report: &WhyReport) -> String {
    [report.steps.as_slice(), report.advice.as_slice()].concat().join("\n")
}

#[test]
fn a_file_that_is_shown() {
    let report = why(&birds(), &request(), "heron.md");
    assert_eq!((report.outcome, report.rank), (WhyOutcome::Shown, Some(1)), "{report:?}");
    assert_eq!((report.n_passages, report.n_vectors), (1, 1));
    let best = &report.passages[0];
    assert!(best.lexical_rank.is_some() && best.vector_rank.is_some() && best.cross.is_some(), "{best:?}");
    assert!(report.words.iter().all(|word| word.n_in_file == 1), "{:?}", report.words);
    let said = said(&report);
    assert!(said.contains("It is shown, as file number 1."), "{said}");
    assert!(said.contains("Among the 32 candidates it is number 1."), "as many as there are passages: {said}");
}

#[test]
fn a_file_with_a_score_below_the_threshold() {
    let bench = birds();
    let report = why(&bench, &SearchRequest { threshold: Some(1.0), ..request() }, "heron.md");
    assert_eq!(report.outcome, WhyOutcome::BelowThreshold, "{report:?}");
    assert!(said(&report).contains("Lower the threshold to 0."), "{}", said(&report));
}

#[test]
fn a_file_that_others_leave_no_room_for() {
    let bench = birds();
    let results = bench.search(&SearchRequest { top: 10, ..request() });
    let last = results.hits[9].path.file_name().unwrap().to_str().unwrap().to_owned();
    let report = why(&bench, &request(), &last);
    assert_eq!((report.outcome, report.rank), (WhyOutcome::BeyondTop, Some(10)), "{report:?}");
    assert!(said(&report).contains("--top 10"), "{}", said(&report));
}

#[test]
fn a_file_that_the_time_does_not_reach() {
    let bench = birds();
    let results = bench.search(&SearchRequest { top: 30, ..request() });
    let of_rank = |wanted: &dyn Fn(usize) -> bool| {
        let hit = results.hits.iter().find(|hit| wanted(hit.recall_rank)).unwrap();
        hit.path.file_name().unwrap().to_str().unwrap().to_owned()
    };
    // The cross-encoder reads ten candidates however short the time is.
    let hurried = SearchRequest { budget_ms: Some(0), ..request() };
    let late = why(&bench, &hurried, &of_rank(&|rank| rank > 10));
    assert_eq!(late.read_in_time, Some(10));
    assert!(said(&late).contains("rerank_budget_ms"), "{}", said(&late));
    let early = why(&bench, &hurried, &of_rank(&|rank| rank <= 10));
    assert!(!said(&early).contains("rerank_budget_ms"), "{}", said(&early));
    let patient = why(&bench, &request(), &of_rank(&|rank| rank > 10));
    assert_eq!(patient.read_in_time, None);
    assert!(!said(&patient).contains("rerank_budget_ms"), "{}", said(&patient));
}

#[test]
fn a_file_that_is_no_candidate() {
    let bench = birds();
    let report = why(&bench, &SearchRequest { candidates: 3, ..request() }, "bread.md");
    assert_eq!((report.outcome, report.candidates_needed), (WhyOutcome::NotRecalled, Some(50)), "{report:?}");
    let said = said(&report);
    assert!(said.contains("holds no word of the question") && said.contains("--candidates 50"), "{said}");
}

#[test]
fn files_that_are_not_in_the_index() {
    let bench = birds();
    fs::write(bench.path("garbage.md"), b"\x00\xff\x00\xfe\x00\x00\x01").unwrap();
    bench.write(".secret.md", "grey heron");
    bench.write(".nuthatchignore", "private/\n");
    bench.write("private/p.md", "grey heron");
    bench.write("picture.png", "x");
    bench.index();
    bench.write("new.md", "grey heron");
    for (name, outcome, text) in [
        ("garbage.md", WhyOutcome::Failed, "nuthatch retry"),
        (".secret.md", WhyOutcome::Skipped, "hidden = true"),
        ("private/p.md", WhyOutcome::Skipped, ".nuthatchignore: private/"),
        ("picture.png", WhyOutcome::Skipped, ".png files are not read"),
        ("new.md", WhyOutcome::Waiting, "not read yet"),
        ("none.md", WhyOutcome::NotThere, "no such file"),
        ("../elsewhere.md", WhyOutcome::NotWatched, "under no watched folder"),
    ] {
        let report = why(&bench, &request(), name);
        assert_eq!(report.outcome, outcome, "{name}: {report:?}");
        assert!(said(&report).contains(text), "{name}: {}", said(&report));
    }
    fs::remove_file(bench.path("heron.md")).unwrap();
    let report = why(&bench, &request(), "heron.md");
    assert_eq!(report.outcome, WhyOutcome::Gone, "{report:?}");
}

#[test]
fn without_models_it_is_said_what_was_not_done() {
    let bench = Bench::new();
    bench.engine.set_embedder_missing("no bi-encoder here".to_owned());
    bench.engine.set_reranker_missing("no cross-encoder here".to_owned());
    bench.write("heron.md", "# Heron\n\nA grey heron waits by the water.");
    bench.index();
    let report = why(&bench, &request(), "heron.md");
    assert_eq!(report.outcome, WhyOutcome::Shown);
    let said = said(&report);
    assert!(said.contains("no bi-encoder here") && said.contains("no cross-encoder here"), "{said}");
    assert_eq!(bench.engine.settings().candidates, Settings::default().candidates);
}
