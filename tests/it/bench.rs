//! `nuthatch bench` with tiny models: the JSON that scripts read. How long anything takes is not checked.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Nuthatch, write};

const QUESTION: &str = "where do herons sleep";
const PASSAGES: [&str; 3] = ["Herons sleep in trees.", "A recipe for bread.", "苍鹭在树上睡觉。"];

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn done(answer: &Answer) -> Value {
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json()
}

#[test]
fn pairs_are_timed_and_scored_as_rerank_scores_them() {
    let nuthatch = Nuthatch::with_tiny_models();
    let dir = tempfile::tempdir().unwrap();
    let one = json!({ "q": QUESTION, "p": PASSAGES });
    write(dir.path(), &[("one.json", one.to_string().as_bytes())]);
    let folder = nuthatch.models_dir().join("bert-cross");
    let pairs = dir.path().join("one.json");
    let common = ["bench", "--json", "--pairs", path(&pairs), "--runs", "1"];
    for more in [&["--model", path(&folder)][..], &["--threads", "1", "--precision", "f32"]] {
        let json = done(&nuthatch.run(&[&common, more].concat()));
        let rerank = &json["rerank"];
        assert_eq!((&rerank["pairs"], &rerank["device"]), (&json!(3), &json!("cpu")));
        assert!(rerank["tokens"].as_u64() > Some(30) && rerank["seconds_median"].as_f64() > Some(0.0), "{rerank}");
        assert!(rerank["tokens_per_second"].as_f64() > Some(0.0) && json["embed"]["query_ms_median"].is_number());
        assert!(!rerank["path"].as_str().unwrap().is_empty());
        assert_eq!((&json["rerank_sizes"], &json["query"]), (&json!([]), &json!(null)));

        let input: String = PASSAGES.map(|passage| format!("{passage}\n")).concat();
        let precision = if more.contains(&"f32") { "f32" } else { "int8" };
        let asked = ["rerank", "--json", "--query", QUESTION, "--precision", precision];
        let json = nuthatch.run_with_input(&asked, &input).json();
        let mut scored: Vec<(u64, f64)> = json["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scored| (scored["index"].as_u64().unwrap(), scored["raw_score"].as_f64().unwrap()))
            .collect();
        scored.sort_by_key(|(index, _)| *index);
        for ((_, theirs), ours) in scored.iter().zip(rerank["scores"].as_array().unwrap()) {
            assert!((theirs - ours.as_f64().unwrap()).abs() < 1e-5, "{scored:?} {rerank}");
        }
    }
}

#[test]
fn made_pairs_reach_to_the_models_window_and_an_index_is_asked() {
    let nuthatch = Nuthatch::with_tiny_models();
    let notes = tempfile::tempdir().unwrap();
    write(notes.path(), &[("herons.md", b"# Herons\n\nThey sleep in trees."), ("bread.md", b"Flour and water.")]);
    nuthatch.index(notes.path());
    let json = done(&nuthatch.run(&["bench", "--json", "--runs", "1"]));
    // The tiny cross-encoder reads 64 tokens: longer pairs are left out.
    assert_eq!((&json["rerank"]["pairs"], &json["rerank_sizes"]), (&json!(100), &json!([])));
    let tokens = json["rerank"]["tokens"].as_u64().unwrap();
    assert!((5_000..=6_400).contains(&tokens), "{tokens}");
    assert_eq!((&json["query"]["passages"], &json["query"]["questions"]), (&json!(2), &json!(2)));
    let table = nuthatch.run(&["bench", "--runs", "1"]);
    assert!(table.out.contains("pairs/s") && table.out.contains("candidates reranked"), "{}", table.out);
}

#[test]
fn pairs_that_are_none_are_named() {
    let nuthatch = Nuthatch::with_tiny_models();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("other.json", br#"{"question": "?"}"#), ("none.json", br#"{"q": "?", "p": []}"#)]);
    for (file, says) in
        [("other.json", r#"expected {"q""#), ("none.json", "no passage"), ("absent.json", "No such file")]
    {
        let file = dir.path().join(file);
        let answer = nuthatch.run(&["bench", "--pairs", path(&file)]);
        assert_eq!(answer.code, 2);
        assert!(answer.err.contains(says) && answer.err.contains(path(&file)), "{}", answer.err);
    }
    let answer = nuthatch.run(&["bench", "--model", "nobody"]);
    assert!(answer.code == 3 && answer.err.contains("no model called `nobody`"), "{answer:?}");
}

#[test]
fn growth_is_measured_and_drawn() {
    let nuthatch = Nuthatch::with_tiny_models();
    let notes = tempfile::tempdir().unwrap();
    for i in 0..12 {
        let text = format!(
            "# Note {i}\n\nHeron number {i} sleeps in the old willow. It leaves at dawn, and comes back wet.\n\n## Food\n\n\
             Fish and frogs, in the order of how many there are by the lake in month {i}.\n"
        );
        write(notes.path(), &[(&format!("note-{i}.md"), text.as_bytes())]);
    }
    let chart = notes.path().join("growth.svg");
    let args = ["bench", "growth", path(notes.path()), "--sizes", "60,120", "--recall", "3", "--chart", path(&chart)];
    let kept = tempfile::tempdir().unwrap();
    let args = [&args[..], &["--keep", path(kept.path()), "--json"]].concat();
    let json = done(&nuthatch.run(&args));
    let sizes = json["sizes"].as_array().unwrap();
    for (size, at_least) in sizes.iter().zip([60, 120]) {
        assert!(size["n_passages"].as_u64() >= Some(at_least), "{size}");
        for stage in ["lexical", "vector", "vector_scan", "hybrid", "hybrid_while_writing", "add_note"] {
            assert!(size[stage]["p95"].as_f64() > Some(0.0), "{stage}: {size}");
        }
        assert!(size["recall_100"].as_f64() > Some(0.9), "{size}");
    }
    assert_eq!(sizes.len(), 2);
    // The notes that the first run wrote while measuring are not in the kept collections.
    let again = done(&nuthatch.run(&args));
    for (size, before) in again["sizes"].as_array().unwrap().iter().zip(sizes) {
        assert_eq!(
            (&size["n_passages"], &size["recall_100"], &size["built"]),
            (&before["n_passages"], &before["recall_100"], &json!(null))
        );
    }
    assert!(std::fs::read_to_string(chart).unwrap().contains("hybrid"));
}
