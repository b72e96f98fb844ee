//! `nuthatch models calibrate`: what scores mean is fitted, kept, gone by and forgotten.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Nuthatch, files, notes};

/// The name of a cross-encoder of the user's own. The id of a model puts an `@` behind its name, and so may the name.
const OWN: &str = "cross@home";

/// Two small collections in BEIR layout, one with a question that nothing answers.
fn sets(folder: &Path) {
    for (name, words) in [("birds", ["heron", "wren", "kite", "dove"]), ("trees", ["oak", "elm", "ash", "fir"])] {
        let set = folder.join(name);
        fs::create_dir_all(&set).unwrap();
        let lines = |line: &dyn Fn(usize, &str) -> String| -> String {
            words.iter().enumerate().map(|(i, word)| line(i, word) + "\n").collect()
        };
        let corpus = lines(&|i, word| {
            json!({ "_id": format!("d{i}"), "title": word, "text": format!("The {word} stands at place {i}.") })
                .to_string()
        });
        let queries = lines(&|i, word| json!({ "_id": format!("q{i}"), "text": format!("{word} place") }).to_string());
        let judged = lines(&|i, _| format!("q{i}\td{i}\t1"));
        fs::write(set.join("corpus.jsonl"), corpus).unwrap();
        fs::write(set.join("queries.jsonl"), queries).unwrap();
        fs::write(set.join("qrels.tsv"), format!("query-id\tcorpus-id\tscore\n{judged}")).unwrap();
    }
    let unanswered = json!({ "_id": "u", "text": "price of a train ticket" }).to_string();
    fs::write(folder.join("birds/unanswered.jsonl"), unanswered).unwrap();
}

/// A cross-encoder of the user's own, over an index of notes.
fn with_own_reranker() -> Nuthatch {
    let nuthatch = Nuthatch::with_tiny_models();
    nuthatch.index(&notes());
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(OWN);
    fs::create_dir(&own).unwrap();
    for file in files(&nuthatch.models_dir().join("bert-cross")) {
        fs::copy(&file, own.join(file.file_name().unwrap())).unwrap();
    }
    assert_eq!(nuthatch.run(&["models", "import", own.to_str().unwrap()]).code, 0);
    nuthatch
}

fn search(nuthatch: &Nuthatch) -> Answer {
    nuthatch.run(&["search", "--json", "--reranker", OWN, "coffee"])
}

fn degraded(nuthatch: &Nuthatch) -> Value {
    search(nuthatch).json()["degraded"].clone()
}

fn calibrate(nuthatch: &Nuthatch, args: &[&str]) -> Answer {
    nuthatch.run(&[&["models", "calibrate", "--reranker", OWN, "--json"], args].concat())
}

#[test]
fn a_pair_that_nobody_fitted_says_so_until_it_is_calibrated() {
    let nuthatch = with_own_reranker();
    let not_calibrated = json!([{ "kind": "not_calibrated", "embedder": "tiny-bi", "reranker": OWN }]);
    assert_eq!(degraded(&nuthatch), not_calibrated);
    let said = nuthatch.run(&["search", "--reranker", OWN, "coffee"]);
    assert!(said.out.contains("nuthatch models calibrate"), "{said:?}");

    let folder = tempfile::tempdir().unwrap();
    sets(folder.path());
    let dir = folder.path().to_str().unwrap();
    let report = calibrate(&nuthatch, &["--sets", dir]);
    assert_eq!(report.code, 0, "{report:?}");
    let report = report.json();
    assert_eq!((&report["embedder"], &report["reranker"]), (&json!("tiny-bi"), &json!(OWN)));
    let set = &report["sets"][0];
    assert_eq!((&set["set"], &set["n_questions"], &set["n_unanswered"]), (&json!("birds"), &json!(4), &json!(1)));
    for figure in ["hybrid", "cross", "shown", "error"] {
        let value = report["mean"][figure].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&value), "{figure}: {value}");
    }
    assert_eq!(degraded(&nuthatch), json!([]));
    let offset = report["fit"]["blend"]["offset"].as_f64().unwrap();
    let kept: toml::Table = fs::read_to_string(nuthatch.data_dir().join("models/fits.toml")).unwrap().parse().unwrap();
    assert!((kept["fit"][0]["blend"]["offset"].as_float().unwrap() - offset).abs() < 1e-4, "{kept}");

    // Again: in place of the first.
    assert_eq!(calibrate(&nuthatch, &["--sets", dir]).code, 0);
    let kept: toml::Table = fs::read_to_string(nuthatch.data_dir().join("models/fits.toml")).unwrap().parse().unwrap();
    assert_eq!(kept["fit"].as_array().unwrap().len(), 1);

    for forgot in [true, false] {
        let answer = calibrate(&nuthatch, &["--forget"]);
        assert_eq!((answer.code, answer.json()), (0, json!({ "forgot": forgot })));
    }
    assert_eq!(degraded(&nuthatch), not_calibrated);
}

#[test]
fn spoilt_fits_are_left_out() {
    let nuthatch = with_own_reranker();
    fs::write(nuthatch.data_dir().join("models/fits.toml"), "[[fit]]\nembedder = 3").unwrap();
    let answer = search(&nuthatch);
    assert_eq!((answer.code, answer.json()["degraded"][0]["kind"].clone()), (0, json!("not_calibrated")), "{answer:?}");
    assert!(answer.err.contains("fits.toml"), "{answer:?}");
}

#[test]
fn folders_without_questions_are_refused() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = tempfile::tempdir().unwrap();
    let calibrate = || nuthatch.run(&["models", "calibrate", "--sets", folder.path().to_str().unwrap()]);
    let answer = calibrate();
    assert!(answer.code == 3 && answer.err.contains("--sets"), "{answer:?}");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let answer = calibrate();
    assert!(answer.code == 3 && answer.err.contains("has no corpus.jsonl"), "{answer:?}");
}
