//! The JSON that scripts read. A change here breaks them: add fields, do not rename or remove.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Nuthatch, write};

/// Every path in `value` with the type at its end, one per line, in alphabetical order.
fn shape(value: &Value) -> String {
    let mut lines = BTreeSet::new();
    collect(value, "", &mut lines);
    Vec::from_iter(lines).join("\n")
}

fn collect(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Object(fields) => {
            return fields.iter().for_each(|(name, field)| collect(field, &format!("{path}.{name}"), lines));
        }
        Value::Array(items) if !items.is_empty() => {
            return items.iter().for_each(|item| collect(item, &format!("{path}[]"), lines));
        }
        Value::Array(_) => "empty",
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    lines.insert(format!("{path}: {kind}"));
}

/// A folder of one note, which is the first hit whatever score the models' random weights give it.
fn note() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("coffee.md", b"# Filter coffee\n\nToo sour? Grind finer.")]);
    dir
}

#[test]
fn a_search() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = note();
    nuthatch.index(folder.path());
    let json = nuthatch.run(&["search", "--json", "grind", "coffee", "finer", "--top", "1"]).json();
    insta::assert_snapshot!(shape(&json), @r"
    .candidates.asked: number
    .candidates.recalled: number
    .candidates.reranked: number
    .degraded: empty
    .hits[].copies: empty
    .hits[].highlights[][]: number
    .hits[].lexical_rank: number
    .hits[].path: string
    .hits[].place.kind: string
    .hits[].place.number: number
    .hits[].rank: number
    .hits[].raw_score: number
    .hits[].recall_rank: number
    .hits[].score: number
    .hits[].snippet: string
    .hits[].span[]: number
    .hits[].stale: bool
    .hits[].title: string
    .hits[].unread: null
    .hits[].vector_rank: number
    .model: string
    .nothing_answers: bool
    .query: string
    .took_ms.fuse: number
    .took_ms.lexical: number
    .took_ms.rerank: number
    .took_ms.total: number
    .took_ms.vector: number
    ");
}

#[test]
fn a_search_by_words_alone() {
    let nuthatch = Nuthatch::without_models();
    let folder = note();
    nuthatch.index(folder.path());
    let json = nuthatch.run(&["search", "--json", "grind", "coffee", "finer", "--top", "1"]).json();
    insta::assert_snapshot!(shape(&json), @r"
    .candidates.asked: number
    .candidates.recalled: number
    .candidates.reranked: number
    .degraded[].kind: string
    .degraded[].reason: string
    .hits[].copies: empty
    .hits[].highlights[][]: number
    .hits[].lexical_rank: number
    .hits[].path: string
    .hits[].place.kind: string
    .hits[].place.number: number
    .hits[].rank: number
    .hits[].raw_score: number
    .hits[].recall_rank: number
    .hits[].score: number
    .hits[].snippet: string
    .hits[].span[]: number
    .hits[].stale: bool
    .hits[].title: string
    .hits[].unread: null
    .hits[].vector_rank: null
    .model: null
    .nothing_answers: bool
    .query: string
    .took_ms.fuse: number
    .took_ms.lexical: number
    .took_ms.rerank: number
    .took_ms.total: number
    .took_ms.vector: number
    ");
}

#[test]
fn a_status() {
    let nuthatch = Nuthatch::without_models();
    let folder = note();
    write(folder.path(), &[("picture.png", b"\x89PNG")]);
    nuthatch.index(folder.path());
    let json = nuthatch.run(&["status", "--json", "--files"]).json();
    insta::assert_snapshot!(shape(&json), @r"
    .files[].at: number
    .files[].path: string
    .files[].reason: null
    .files[].reason: string
    .files[].state: string
    .generation: number
    .n_chunks: number
    .n_vectors: number
    .reasons[].files: number
    .reasons[].reason: string
    .reasons[].state: string
    .roots[].away: null
    .roots[].failed: number
    .roots[].files: number
    .roots[].indexed: number
    .roots[].offline: number
    .roots[].path: string
    .roots[].skipped: number
    .roots[].waiting: number
    .size_bytes: number
    .watch: null
    ");
    let without = nuthatch.run(&["status", "--json"]).json();
    assert!(without.get("files").is_none(), "a row a file only where it is asked for");
}

#[test]
fn a_why() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = note();
    nuthatch.index(folder.path());
    let file = folder.path().join("coffee.md");
    let json = nuthatch.run(&["why", "--json", "grind coffee finer", file.to_str().unwrap()]).json();
    insta::assert_snapshot!(shape(&json), @r"
    .advice: empty
    .candidates: number
    .candidates_needed: null
    .copy_of: null
    .degraded: empty
    .file.at: number
    .file.path: string
    .file.reason: null
    .file.state: string
    .last_shown: number
    .looked_at: number
    .n_passages: number
    .n_vectors: number
    .outcome: string
    .passages[].bm25: number
    .passages[].cosine: number
    .passages[].cross: number
    .passages[].lexical_rank: number
    .passages[].place.kind: string
    .passages[].place.number: number
    .passages[].recall_rank: number
    .passages[].score: number
    .passages[].span[]: number
    .passages[].text: string
    .passages[].vector_rank: number
    .path: string
    .query: string
    .rank: number
    .read_in_time: number
    .roots[]: string
    .steps[]: string
    .threshold: null
    .top: number
    .words[].n_everywhere: number
    .words[].n_in_file: number
    .words[].word: string
    ");
}

/// A collection whose lexical measures can be worked out by hand.
fn collection() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let corpus = "{\"_id\": \"d1\", \"title\": \"Heron\", \"text\": \"A heron stands in the water.\"}\n\
                  {\"_id\": \"d2\", \"title\": \"\", \"text\": \"The kingfisher dives.\"}\n\
                  {\"_id\": \"d3\", \"title\": \"\", \"text\": \"Owls hunt at night.\"}\n";
    let queries = "{\"_id\": \"q1\", \"text\": \"heron\"}\n{\"_id\": \"q2\", \"text\": \"kingfisher\"}\n";
    // The judged answer to the second question does not hold the question's word.
    let qrels = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\n";
    write(
        dir.path(),
        &[
            ("corpus.jsonl", corpus.as_bytes()),
            ("queries.jsonl", queries.as_bytes()),
            ("qrels/test.tsv", qrels.as_bytes()),
        ],
    );
    dir
}

#[test]
fn a_measurement() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let answer = nuthatch.run(&["eval", "--json", set.path().to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let json = answer.json();
    insta::assert_snapshot!(shape(&json), @r"
    .best_scores.real.median: number
    .best_scores.real.n: number
    .best_scores.real.n_below: null
    .best_scores.real.p5: number
    .best_scores.real.p95: number
    .best_scores.real.share_below: null
    .best_scores.stage: string
    .best_scores.threshold: null
    .calibration.bins[].high: number
    .calibration.bins[].low: number
    .calibration.bins[].mean_score: null
    .calibration.bins[].mean_score: number
    .calibration.bins[].n: number
    .calibration.bins[].share_relevant: null
    .calibration.bins[].share_relevant: number
    .calibration.brier: number
    .calibration.cross.bins[].high: number
    .calibration.cross.bins[].low: number
    .calibration.cross.bins[].mean_score: null
    .calibration.cross.bins[].mean_score: number
    .calibration.cross.bins[].n: number
    .calibration.cross.bins[].share_relevant: null
    .calibration.cross.bins[].share_relevant: number
    .calibration.cross.brier: number
    .calibration.cross.ece: number
    .calibration.cross.n: number
    .calibration.ece: number
    .calibration.n: number
    .comparisons[].a: string
    .comparisons[].b: string
    .comparisons[].difference: number
    .comparisons[].gain_percent: number
    .comparisons[].high: number
    .comparisons[].losses: number
    .comparisons[].low: number
    .comparisons[].name: string
    .comparisons[].p: number
    .comparisons[].resamples: number
    .comparisons[].seed: number
    .comparisons[].ties: number
    .comparisons[].wins: number
    .dir: string
    .n_docs: number
    .n_queries: number
    .stages.cross.first: number
    .stages.cross.mrr_10: number
    .stages.cross.ms_median: number
    .stages.cross.ms_p95: number
    .stages.cross.ms_per_query: number
    .stages.cross.ndcg_10: number
    .stages.cross.recall_100: number
    .stages.hybrid.first: number
    .stages.hybrid.mrr_10: number
    .stages.hybrid.ms_median: number
    .stages.hybrid.ms_p95: number
    .stages.hybrid.ms_per_query: number
    .stages.hybrid.ndcg_10: number
    .stages.hybrid.recall_100: number
    .stages.lexical.first: number
    .stages.lexical.mrr_10: number
    .stages.lexical.ms_median: number
    .stages.lexical.ms_p95: number
    .stages.lexical.ms_per_query: number
    .stages.lexical.ndcg_10: number
    .stages.lexical.recall_100: number
    .stages.rerank.first: number
    .stages.rerank.mrr_10: number
    .stages.rerank.ms_median: number
    .stages.rerank.ms_p95: number
    .stages.rerank.ms_per_query: number
    .stages.rerank.ndcg_10: number
    .stages.rerank.recall_100: number
    .stages.vector.first: number
    .stages.vector.mrr_10: number
    .stages.vector.ms_median: number
    .stages.vector.ms_p95: number
    .stages.vector.ms_per_query: number
    .stages.vector.ndcg_10: number
    .stages.vector.recall_100: number
    ");
    assert_eq!((json["n_docs"].as_u64(), json["n_queries"].as_u64()), (Some(3), Some(2)));
    // One question answered at the first rank, one not at all.
    let lexical = &json["stages"]["lexical"];
    assert_eq!(
        (&lexical["ndcg_10"], &lexical["mrr_10"], &lexical["recall_100"]),
        (&0.5.into(), &0.5.into(), &0.5.into())
    );
    // Every document has a vector, so the hundred nearest hold all three.
    assert_eq!(json["stages"]["vector"]["recall_100"], 1.0);
}

#[test]
fn a_measurement_without_models_says_what_is_left_out() {
    let nuthatch = Nuthatch::without_models();
    let set = collection();
    let answer = nuthatch.run(&["eval", "--json", set.path().to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let stages: Vec<String> = answer.json()["stages"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(stages, ["lexical"]);
    assert!(answer.err.contains("vector and hybrid are not measured") && answer.err.contains("rerank is not measured"));
}

#[test]
fn a_limit_takes_the_first_questions() {
    let nuthatch = Nuthatch::without_models();
    let set = collection();
    let args = ["eval", "--json", "--stage", "lexical", "--limit-queries", "1", set.path().to_str().unwrap()];
    let json = nuthatch.run(&args).json();
    assert_eq!((&json["n_queries"], &json["stages"]["lexical"]["mrr_10"]), (&1.into(), &1.0.into()));
}
