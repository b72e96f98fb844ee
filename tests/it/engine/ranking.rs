//! Scores, order, stages and cancelling.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nuthatch_engine::{Cancel, EngineError, SearchRequest, Stage};

use super::{Bench, names};
use crate::support::{BagOfWords, WordShare};

/// Notes that hold all, most, few and none of the words of "grey heron by the water".
fn birds() -> Bench {
    let bench = Bench::with_models();
    bench.write("all.md", "# Heron\n\nA grey heron waits by the water.");
    bench.write("most.md", "# Stones\n\nThe water runs by a grey stone.");
    bench.write("few.md", "# Rain\n\nToo much water this year.");
    bench.write("none.md", "# Bread\n\nFlour and salt, nothing else.");
    bench.index();
    bench
}

const QUERY: &str = "grey heron by the water";

#[test]
fn the_cross_encoder_decides_and_scores_are_chances() {
    let bench = birds();
    let results = bench.search(&SearchRequest { top: 10, ..SearchRequest::new(QUERY) });
    assert_eq!(results.model.as_deref(), Some("word-share"));
    assert_eq!(names(&results)[..3], ["all.md", "most.md", "few.md"]);
    assert_eq!(results.candidates.reranked, results.candidates.recalled);
    for (i, hit) in results.hits.iter().enumerate() {
        assert_eq!(hit.rank, i + 1);
        assert!(hit.score.is_some_and(|score| (0.0..=1.0).contains(&score)), "{hit:?}");
        assert!((-4.0..=4.0).contains(&hit.raw_score), "the model's own number: {hit:?}");
    }
    assert!(results.hits.is_sorted_by(|a, b| a.score >= b.score));
}

#[test]
fn the_threshold_drops_hits_and_changes_no_score() {
    let bench = birds();
    let all = bench.search(&SearchRequest { top: 10, ..SearchRequest::new(QUERY) });
    let threshold = all.hits[1].score;
    let request = SearchRequest { top: 10, threshold, ..SearchRequest::new(QUERY) };
    let some = bench.search(&request);
    assert_eq!(some.hits, all.hits[..2], "the bound itself is kept, all below is gone");
    let none = bench.search(&SearchRequest { threshold: Some(1.0), ..request });
    assert!(none.hits.iter().all(|hit| hit.score >= Some(1.0)));
}

/// A note keeps its score however many others are read. Added notes about other things move it by .02 at most.
#[test]
fn a_score_stands_still() {
    let bench = birds();
    let scores = |candidates: usize| -> std::collections::BTreeMap<String, f32> {
        let request = SearchRequest { candidates, top: 100, ..SearchRequest::new(QUERY) };
        let hits = bench.search(&request).hits.into_iter();
        hits.map(|hit| (hit.title, hit.score.expect("it was read"))).collect()
    };
    let all = scores(100);
    for candidates in [1, 2, 3] {
        let some = scores(candidates);
        assert_eq!(some.len(), candidates);
        assert!(some.iter().all(|(title, score)| all[title] == *score), "{some:?} of {all:?}");
    }
    let things = ["tax form", "pump", "train to Lodz", "bean soup", "bicycle chain", "lease", "piano", "mortar"];
    for (i, thing) in things.iter().enumerate() {
        bench.write(&format!("other{i}.md"), &format!("# The {thing}\n\nWhat is to be known about the {thing}."));
    }
    bench.index();
    let later = scores(100);
    assert!(all.iter().all(|(title, score)| (later[title] - score).abs() <= 0.02), "{all:?} and then {later:?}");
}

/// The order of equal notes depends neither on when they were written nor on how segments were merged.
#[test]
fn equal_notes_keep_one_order() {
    let bench = Bench::with_models();
    // Each note ends in a word of its own, so that none counts as a copy of another.
    let titles = ["fish", "frog", "reed", "mist", "rain", "mud", "sun", "ice"];
    let mut orders = Vec::new();
    for written in [[5, 2, 7, 0, 6, 1, 4, 3], [0, 1, 2, 3, 4, 5, 6, 7], [7, 0, 3, 6, 1, 5, 2, 4]] {
        for commit in written.chunks(3) {
            for i in commit {
                bench.write(&format!("n{i}.md"), &format!("# Heron\n\nA grey heron waits. {}", titles[*i]));
            }
            bench.index();
        }
        orders.push(bench.find("grey heron"));
    }
    assert_eq!(orders[0].len(), 8);
    assert_eq!(orders[1], orders[0]);
    assert_eq!(orders[2], orders[0]);
}

#[test]
fn the_best_passage_stands_for_its_file() {
    let bench = Bench::with_models();
    let section = |word: &str| format!("# {word}\n\n{}\n\n", format!("The {word} is a bird. ").repeat(60));
    bench.write("long.md", &["heron", "owl", "kingfisher"].map(section).concat());
    bench.write("short.md", "# Owls\n\nOne owl.");
    bench.index();
    let results = bench.search(&SearchRequest::new("owl"));
    let mut files = names(&results);
    files.sort();
    assert_eq!(files, ["long.md", "short.md"], "one hit a file");
    let hit = results.hits.iter().find(|hit| hit.path.ends_with("long.md")).unwrap();
    let text = std::fs::read_to_string(&hit.path).unwrap();
    assert!(text[hit.span[0]..hit.span[1]].contains("owl"), "the span is that of the passage that answers");
}

#[test]
fn stages_land_one_after_another() {
    let bench = birds();
    let mut landed = Vec::new();
    let last = bench
        .engine
        .search(&SearchRequest::new(QUERY), &Cancel::new(), &mut |stage, results| {
            landed.push((stage, results.hits.is_empty(), results.model.clone()));
        })
        .unwrap();
    assert_eq!(landed, [(Stage::Lexical, false, None), (Stage::Hybrid, false, None)]);
    assert!(last.model.is_some() && last.took_ms.total >= last.took_ms.rerank);
}

#[test]
fn a_newer_question_stops_an_older_one_before_its_next_stage() {
    let reranker = Arc::new(WordShare::default());
    let bench = birds();
    bench.engine.set_reranker(reranker.clone());
    let search = |cancel: &Cancel, raise_at: Option<Stage>| {
        bench.engine.search(&SearchRequest::new(QUERY), cancel, &mut |stage, _| {
            if raise_at == Some(stage) {
                cancel.cancel();
            }
        })
    };
    for stage in [Stage::Lexical, Stage::Hybrid] {
        let outcome = search(&Cancel::new(), Some(stage));
        assert!(is_cancelled(&outcome), "{outcome:?}");
        assert_eq!(reranker.n_calls.load(Ordering::Relaxed), 0, "raised at {stage:?}");
    }
    assert!(search(&Cancel::new(), None).is_ok());
    assert_eq!(reranker.n_calls.load(Ordering::Relaxed), 1);
}

/// Forty notes with some or all of the question's words, and the reranker that reads them.
fn flock() -> (Bench, Arc<WordShare>) {
    let bench = Bench::with_models();
    let reranker = Arc::new(WordShare::default());
    bench.engine.set_reranker(reranker.clone());
    for i in 0..40 {
        let words = ["water", "grey water", "grey heron", "grey heron by the water"][i % 4];
        bench.write(&format!("n{i:02}.md"), &format!("# Note {i}\n\nSeen today: {words}, number {i}."));
    }
    bench.index();
    (bench, reranker)
}

#[test]
fn reading_stops_when_its_time_is_up_and_goes_on_where_it_stopped() {
    let (bench, reranker) = flock();
    let all = SearchRequest { top: 100, ..SearchRequest::new(QUERY) };
    let results = bench.search(&SearchRequest { budget_ms: Some(0), ..all.clone() });
    let (read, recalled) = (results.candidates.reranked, results.candidates.recalled);
    assert!(read >= 8 && read < recalled, "{:?}", results.candidates);
    assert_eq!((reranker.n_read.load(Ordering::Relaxed), recalled), (read, 40));
    assert!(results.hits.is_sorted_by(|a, b| a.score >= b.score), "no hole for a threshold to cut");
    // Hits that were not read follow in the first stage's order.
    let unread: Vec<usize> = results.hits[read..].iter().map(|hit| hit.recall_rank).collect();
    assert!(unread.len() == recalled - read && unread.is_sorted(), "{unread:?}");

    let results = bench.search(&all);
    assert_eq!((results.candidates.reranked, reranker.n_read.load(Ordering::Relaxed)), (40, 40), "read once");
    let again = bench.search(&SearchRequest { threshold: Some(0.0), ..all });
    assert_eq!((again.hits, reranker.n_read.load(Ordering::Relaxed)), (results.hits, 40));
}

#[test]
fn the_list_is_shown_while_it_is_read() {
    let (bench, _) = flock();
    let mut landed = Vec::new();
    let mut look = |stage, results: &nuthatch_engine::SearchResults| {
        if stage == Stage::Rerank {
            landed.push((results.candidates.reranked, results.hits[0].clone()));
        }
    };
    let request = SearchRequest { top: 100, ..SearchRequest::new(QUERY) };
    let last = bench.engine.search(&request, &Cancel::new(), &mut look).unwrap();
    let (read, first) = landed.first().expect("forty are more than one batch while the speed is not known");
    assert!(*read < last.candidates.reranked && last.candidates.reranked == 40);
    assert_eq!(*first, last.hits[0], "the best was among the first");
}

#[test]
fn a_newer_question_stops_an_older_one_between_batches() {
    let (bench, reranker) = flock();
    let cancel = Cancel::new();
    let outcome = bench.engine.search(&SearchRequest::new(QUERY), &cancel, &mut |stage, _| {
        if stage == Stage::Rerank {
            cancel.cancel();
        }
    });
    assert!(is_cancelled(&outcome) && reranker.n_calls.load(Ordering::Relaxed) == 1, "{outcome:?}");
}

/// Whether a search was cancelled: a model that was stopped in the middle reports this with an error of its own.
fn is_cancelled<T>(outcome: &Result<T, EngineError>) -> bool {
    use nuthatch_engine::ModelError;
    matches!(outcome, Err(EngineError::Cancelled | EngineError::Model(ModelError::Cancelled)))
}

#[test]
fn each_stage_can_be_asked_for() {
    let bench = birds();
    let hit = |stage: Stage| {
        let results = bench.search(&SearchRequest { stage, ..SearchRequest::new(QUERY) });
        assert_eq!((results.degraded, results.model.is_some()), (vec![], stage == Stage::Rerank), "{stage:?}");
        results.hits.into_iter().next().unwrap()
    };
    assert_eq!((hit(Stage::Lexical).lexical_rank, hit(Stage::Lexical).vector_rank), (Some(1), None));
    assert_eq!((hit(Stage::Vector).lexical_rank, hit(Stage::Vector).vector_rank), (None, Some(1)));
    assert_eq!(hit(Stage::Hybrid).recall_rank, 1);
    assert!(hit(Stage::Rerank).path.ends_with("all.md"));
}

/// A person may paste a whole text as the question: its most frequent words count.
#[test]
fn a_question_of_twelve_thousand_words_is_answered() {
    let bench = birds();
    let word = |i: usize| if i % 50 == 7 { "heron".to_owned() } else { format!("word{i}x \"") };
    let long = (0..12_000).map(word).collect::<Vec<_>>().join(" ");
    for stage in [Stage::Lexical, Stage::Vector, Stage::Hybrid, Stage::Rerank] {
        let results = bench.search(&SearchRequest { stage, ..SearchRequest::new(&long) });
        assert_eq!(results.degraded, [], "{stage:?}");
        if stage == Stage::Lexical {
            assert_eq!(names(&results), ["all.md"]);
        }
    }
}

#[test]
fn a_number_that_is_not_allowed_is_refused() {
    let bench = birds();
    let sound = SearchRequest::new(QUERY);
    let cases = [
        (SearchRequest { top: 0, ..sound.clone() }, "top = 0: give a number from 1 to 1000"),
        (SearchRequest { candidates: 0, ..sound.clone() }, "candidates = 0: give"),
        (SearchRequest { candidates: usize::MAX, ..sound.clone() }, "candidates = "),
        (SearchRequest { threshold: Some(f32::NAN), ..sound.clone() }, "threshold = NaN: give a number from 0 to 1"),
        (SearchRequest { budget_ms: Some(u64::MAX), ..sound }, "budget_ms = "),
    ];
    for (request, says) in cases {
        let searched = bench.engine.search(&request, &Cancel::new(), &mut |_, _| {}).map(drop);
        let followed = bench.engine.why(&request, &bench.path("all.md"), &Cancel::new()).map(drop);
        for error in [searched.unwrap_err(), followed.unwrap_err()] {
            assert!(matches!(error, EngineError::BadRequest(_)) && error.to_string().starts_with(says), "{error}");
        }
    }
}

#[test]
fn vectors_find_what_words_spell_otherwise() {
    // The fake model takes words of one bucket for one meaning: the vector stage answers without the lexical index.
    let bench = Bench::with_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.write("b.md", "# Bread\n\nFlour and salt.");
    bench.index();
    let results = bench.search(&SearchRequest { stage: Stage::Vector, top: 1, ..SearchRequest::new("heron stands") });
    assert_eq!(names(&results), ["a.md"]);
    assert_eq!(results.took_ms.lexical, 0.0);
}
