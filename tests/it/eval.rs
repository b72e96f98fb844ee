//! `nuthatch eval` as a user meets it, with tiny models and collections made up here.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Nuthatch, write};

/// Things that a note can be about; none shares a word with another.
const SUBJECTS: [&str; 14] = [
    "heron",
    "kingfisher",
    "owl",
    "sparrow",
    "woodpecker",
    "magpie",
    "falcon",
    "cormorant",
    "swallow",
    "wagtail",
    "nightingale",
    "starling",
    "pelican",
    "lapwing",
];

/// A collection with one document and one question for each subject. The last two questions have a second answer that
/// their words do not find.
fn collection() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let lines = |of: &dyn Fn(usize, &str) -> Value| -> String {
        SUBJECTS.iter().enumerate().map(|(i, subject)| of(i, subject).to_string() + "\n").collect()
    };
    let text = |subject: &str| format!("The {subject} was seen by the lake in the early morning.");
    let corpus = lines(&|i, subject| json!({ "_id": format!("d{i}"), "title": "", "text": text(subject) }));
    let queries = lines(&|i, subject| json!({ "_id": format!("q{i}"), "text": format!("where is the {subject}") }));
    let mut qrels: String = (0..SUBJECTS.len()).map(|i| format!("q{i}\td{i}\t1\n")).collect();
    qrels.push_str("q12\td0\t1\nq13\td0\t1\n");
    let qrels = format!("query-id\tcorpus-id\tscore\n{qrels}");
    let files = [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels.tsv", qrels)];
    write(dir.path(), &files.each_ref().map(|(name, content)| (*name, content.as_bytes())));
    dir
}

/// One note for each subject, with a title of its own and a heading that all notes have.
fn notes() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for subject in SUBJECTS {
        let text = format!(
            "# Watching a {subject}\n\nQuiet shoes and patience help: the bird by the lake stays where it is. \
             In spring a {subject} sings early.\n\n## Usage\n\nBinoculars, a notebook and a warm coat.\n"
        );
        write(dir.path(), &[(&format!("{subject}.md"), text.as_bytes())]);
    }
    dir
}

fn run(nuthatch: &Nuthatch, args: &[&str]) -> Value {
    let answer = nuthatch.run(&[&["eval", "--json"], args].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json()
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

/// The number in `field` of each item of a list.
fn all(list: &Value, field: &str) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|item| item[field].as_f64().unwrap()).collect()
}

#[test]
fn every_question_is_listed_at_every_stage() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let file = set.path().join("lines.jsonl");
    let json = run(&nuthatch, &[path(set.path()), "--queries", "--per-query", path(&file)]);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json["queries"].as_array(), Some(&lines));
    let stages = ["lexical", "vector", "hybrid", "rerank", "cross"];
    for stage in stages {
        let of_stage: Vec<&Value> = lines.iter().filter(|line| line["stage"] == stage).collect();
        assert_eq!(of_stage.len(), SUBJECTS.len(), "{stage}");
        // The table's means are the means over the lines.
        for measure in ["ndcg_10", "mrr_10", "recall_100"] {
            let mean = of_stage.iter().map(|line| line[measure].as_f64().unwrap()).sum::<f64>() / 14.0;
            assert!((json["stages"][stage][measure].as_f64().unwrap() - mean).abs() < 1e-9, "{stage} {measure}");
        }
        assert!(of_stage.iter().all(|line| (line["model"] == "tiny-cross") == ["rerank", "cross"].contains(&stage)));
    }
    let first = lines.iter().find(|line| line["stage"] == "lexical" && line["query"] == "q3").unwrap();
    assert_eq!((&first["top"][0]["id"], &first["mrr_10"], &first["ndcg_10"]), (&json!("d3"), &json!(1.0), &json!(1.0)));
    // The stage `cross` ranks by the cross-encoder's scores alone.
    let cross = lines.iter().find(|line| line["stage"] == "cross").unwrap();
    let scores = all(&cross["top"], "score");
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores.len() == 10, "{scores:?}");
}

#[test]
fn stages_are_compared_question_by_question() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let json = run(&nuthatch, &[path(set.path()), "--queries", "--resamples", "500", "--seed", "7"]);
    let compared = json["comparisons"].as_array().unwrap();
    let names: Vec<&str> = compared.iter().map(|comparison| comparison["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hybrid-lexical", "hybrid-vector", "rerank-hybrid", "rerank-vector", "cross-hybrid"]);
    for comparison in compared {
        let mean = |side: &str| json["stages"][comparison[side].as_str().unwrap()]["ndcg_10"].as_f64().unwrap();
        let number = |field: &str| comparison[field].as_f64().unwrap();
        assert!((number("difference") - (mean("a") - mean("b"))).abs() < 1e-9, "{comparison}");
        let gain = 100.0 * (mean("a") - mean("b")) / mean("b");
        assert!((number("gain_percent") - gain).abs() < 1e-6, "{comparison}");
        assert!(number("low") <= number("difference") && number("difference") <= number("high"), "{comparison}");
        assert_eq!(number("wins") + number("ties") + number("losses"), 14.0, "{comparison}");
        assert_eq!((number("resamples"), number("seed")), (500.0, 7.0));
    }
    // Words find every first answer, random vectors do not.
    let words_win = compared.iter().find(|comparison| comparison["name"] == "hybrid-vector").unwrap();
    assert!(words_win["difference"].as_f64() > Some(0.1) && words_win["p"].as_f64() < Some(0.05), "{words_win}");
}

#[test]
fn a_sweep_measures_each_depth_and_draws_it() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let chart = set.path().join("sweep.svg");
    let json =
        run(&nuthatch, &[path(set.path()), "--depths", "10,1,3,3", "--candidates", "10", "--chart", path(&chart)]);
    let rows = &json["depths"]["rows"];
    assert_eq!(all(rows, "depth"), [1.0, 3.0, 10.0]);
    // The main table was measured at ten candidates.
    let (deepest, main) = (&rows[2], &json["stages"]);
    assert_eq!(
        (&deepest["rerank"]["ndcg_10"], &deepest["cross"]["mrr_10"]),
        (&main["rerank"]["ndcg_10"], &main["cross"]["mrr_10"])
    );
    assert_eq!(json["depths"]["hybrid_ndcg_10"], main["hybrid"]["ndcg_10"]);
    // One candidate leaves nothing to order.
    assert_eq!(rows[0]["rerank"]["mrr_10"], rows[0]["cross"]["mrr_10"]);
    for row in rows.as_array().unwrap() {
        assert!(row["ms_median"].as_f64() > Some(0.0) && row["ms_median"].as_f64() <= row["ms_p95"].as_f64());
    }

    let svg = std::fs::read_to_string(&chart).unwrap();
    well_formed(&svg);
    for says in ["nDCG@10", "candidates reranked", "milliseconds a question", "hybrid, not reranked", "tiny-cross"] {
        assert!(svg.contains(says), "{says} is not in the chart");
    }
    // Two curves of quality and two of time, three points each.
    assert_eq!(svg.matches("<circle").count(), 12);
    let point = format!("reranked, 10 candidates: {:.4}", main["rerank"]["ndcg_10"].as_f64().unwrap());
    assert!(svg.contains(&point), "{point} is not in the chart");
}

#[test]
fn scores_are_held_against_judgements() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let diagram = set.path().join("reliability.svg");
    let json = run(&nuthatch, &[path(set.path()), "--reliability", path(&diagram), "--stage", "rerank"]);
    let found = &json["calibration"];
    let bins = found["bins"].as_array().unwrap();
    assert_eq!((bins.len(), all(&found["bins"], "n").iter().sum::<f64>()), (10, 14.0 * 14.0));
    // 16 of the 196 candidates are relevant; nobody judged the others.
    let filled = || bins.iter().filter(|bin| bin["n"] != 0);
    let number = |bin: &Value, field: &str| bin[field].as_f64().unwrap();
    let relevant: f64 = filled().map(|bin| number(bin, "n") * number(bin, "share_relevant")).sum();
    assert!((relevant - 16.0).abs() < 1e-9);
    let apart =
        |bin: &Value| number(bin, "n") / 196.0 * (number(bin, "mean_score") - number(bin, "share_relevant")).abs();
    assert!((number(found, "ece") - filled().map(apart).sum::<f64>()).abs() < 1e-9);
    assert!(number(found, "brier") > 0.0 && found["cross"]["bins"].as_array().unwrap().len() == 10);

    let svg = std::fs::read_to_string(&diagram).unwrap();
    well_formed(&svg);
    assert_eq!(svg.matches("<circle").count(), filled().count());
    assert!(svg.contains(&format!("calibration error {:.4}", number(found, "ece"))));
}

#[test]
fn questions_off_the_topic_get_lower_scores() {
    let nuthatch = Nuthatch::without_models();
    let set = collection();
    let other = set.path().join("other.jsonl");
    write(
        set.path(),
        &[(
            "other.jsonl",
            b"{\"_id\": \"1\", \"text\": \"quarterly tax form\"}\n{\"_id\": \"2\", \"text\": \"annual report on water levels of the lake\"}\n",
        )],
    );
    let args = [path(set.path()), "--stage", "lexical", "--threshold", "0.1", "--off-topic", path(&other)];
    let found = run(&nuthatch, &args)["best_scores"].clone();
    assert_eq!(
        (&found["stage"], &found["real"]["n"], &found["off_topic"]["n"]),
        (&json!("lexical"), &json!(14), &json!(2))
    );
    // The collection holds no word of the first question, and one word of the second, in every document.
    assert_eq!((&found["off_topic"]["p5"], &found["auc"]), (&json!(0.0), &json!(1.0)), "{found}");
    assert_eq!(found["real"]["n_below"], 0, "{found}");
    let without = run(&nuthatch, &[path(set.path()), "--stage", "lexical"]);
    assert_eq!(without["best_scores"].get("auc"), None);
}

#[test]
fn models_are_compared_on_the_same_candidates() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let folder = nuthatch.models_dir().join("bert-cross");
    let json = run(&nuthatch, &[path(set.path()), "--model", "tiny-cross", "--model", path(&folder)]);
    let models = json["models"].as_array().unwrap();
    assert_eq!(
        (models.len(), &models[0]["name"], &models[1]["name"]),
        (2, &json!("tiny-cross"), &json!(path(&folder)))
    );
    assert_eq!(models[0]["rerank"], json["stages"]["rerank"]);
    assert_eq!(models[0].get("against_first"), None);
    // The folder holds the weights of `tiny-cross`, so no question is ranked differently.
    for side in ["rerank", "cross"] {
        let against = &models[1]["against_first"][side];
        assert_eq!(
            (&against["difference"], &against["ties"], &against["p"]),
            (&json!(0.0), &json!(14), &json!(1.0)),
            "{side}"
        );
    }
    assert_eq!(models[1]["against_first"]["scores"]["max"], 0.0);
    // The model that was imported for the measurement is gone.
    let left = std::fs::read_dir(nuthatch.data_dir().join("eval")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_str().unwrap().starts_with('.')).count(), 0);
}

#[test]
fn precisions_are_compared_on_the_same_candidates() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let json = run(&nuthatch, &[path(set.path()), "--precisions", "f32,int8"]);
    let models = json["models"].as_array().unwrap();
    let names: Vec<&str> = models.iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tiny-cross f32", "tiny-cross int8"]);
    assert_eq!(models[0]["rerank"], json["stages"]["rerank"]);
    // Rounding to 8 bits changes scores, but only a little.
    let scores = &models[1]["against_first"]["scores"];
    let max = scores["max"].as_f64().unwrap();
    assert!(max > 0.0 && max < 0.02, "{scores}");
    assert!(scores["mean"].as_f64().unwrap() <= scores["p99"].as_f64().unwrap(), "{scores}");
    assert_eq!(scores["n"], 14 * 14);
}

#[test]
fn notes_of_ones_own_are_asked_for_by_their_titles() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = notes();
    nuthatch.index(folder.path());
    let json = run(&nuthatch, &["--mine", "--queries", "--depths", "1,5"]);
    let about = &json["known_items"];
    assert_eq!((&about["n_notes"], &about["n_notes_indexed"]), (&json!(14), &json!(14)));
    // Every note has the heading "Usage", so no question is made of it.
    assert_eq!((&about["n_titles"], &about["n_headings"], &json["n_queries"]), (&json!(14), &json!(0), &json!(14)));
    let queries = json["queries"].as_array().unwrap();
    for query in queries.iter().filter(|query| query["stage"] == "lexical") {
        let (text, asked) = (query["text"].as_str().unwrap(), query["path"].as_str().unwrap());
        let subject = text.strip_prefix("Watching a ").unwrap();
        assert!(asked.ends_with(&format!("{subject}.md")), "{query}");
        // The subject's name is still in the text of its own note, and in no other note.
        assert_eq!(query["top"][0]["path"], query["path"], "{query}");
    }
    assert_eq!(json["stages"]["lexical"]["first"], 1.0);
    assert_eq!(all(&json["depths"]["rows"], "depth"), [1.0, 5.0]);
    let summary = about["summary"].as_array().unwrap();
    assert!(summary[0].as_str().unwrap().contains("of 14 titles and headings"), "{summary:?}");

    // The same seed asks the same questions; a limit asks fewer.
    let texts = |json: &Value| -> Vec<String> {
        json["queries"].as_array().unwrap().iter().map(|query| query["text"].to_string()).collect()
    };
    let fewer = |seed: &str| {
        run(&nuthatch, &["--mine", "--queries", "--stage", "lexical", "--limit-queries", "5", "--seed", seed])
    };
    assert_eq!((texts(&fewer("3")), texts(&fewer("3")).len()), (texts(&fewer("3")), 5));
    assert_ne!(texts(&fewer("3")), texts(&fewer("4")));
    // Of the indexes made to measure one's own notes only the last is kept.
    let kept = std::fs::read_dir(nuthatch.data_dir().join("eval")).unwrap().count();
    assert_eq!(kept, 1);
}

#[test]
fn a_title_is_taken_out_of_the_note_it_finds() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    // The title's words stand only in the title (and the file's name): once it is taken out, they find nothing.
    for subject in SUBJECTS {
        let body = "Quiet shoes and patience help: the bird by the lake stays where it is.";
        let text = format!("# Watching {subject}\n\n{body}\n");
        write(folder.path(), &[(&format!("watching-{subject}.md"), text.as_bytes())]);
    }
    nuthatch.index(folder.path());
    let json = run(&nuthatch, &["--mine", "--stage", "lexical"]);
    assert_eq!((&json["n_queries"], &json["stages"]["lexical"]["first"]), (&json!(14), &json!(0.0)));
    assert_eq!(json["stages"]["lexical"]["recall_100"], 0.0);
}

#[test]
fn a_person_reads_tables_and_plain_words() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = notes();
    nuthatch.index(folder.path());
    let answer = nuthatch.run(&["eval", "--mine", "--depths", "1,5", "--threshold", "0.5"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    for says in [
        "14 notes, asked for by 14 titles and 0 headings",
        "rerank-hybrid",
        "calibration error",
        "of 14 have no hit at 0.5 or above",
        "On your notes reranking finds the right note first for",
        "candidates",
    ] {
        assert!(answer.out.contains(says), "{says}: {}", answer.out);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_reason() {
    let nuthatch = Nuthatch::with_tiny_models();
    let set = collection();
    let check = |args: &[&str], code: i32, expected: &str| {
        let answer = nuthatch.run(&[&["eval"], args].concat());
        assert_eq!(answer.code, code, "{args:?}: {answer:?}");
        assert!(answer.err.contains(expected), "{args:?}: {}", answer.err);
    };
    let dir = path(set.path());
    check(&["--mine"], 3, "run `nuthatch index FOLDER` first");
    check(&[], 2, "<DIR>");
    check(&[dir, "--mine"], 2, "cannot be used with");
    check(&[dir, "--depths", "10,0"], 2, "--depths");
    check(&[dir, "--depths", "10", "--depth-sweep"], 2, "cannot be used with");
    check(&[dir, "--depth-sweep", "--stage", "hybrid"], 2, "--depth-sweep measures reranking: add --stage rerank");
    check(&[dir, "--model", "tiny-cross", "--reranker", "tiny-cross"], 2, "cannot be used with");
    check(&[dir, "--model", "tiny-cross", "--precisions", "f32"], 2, "cannot be used with");
    check(&[dir, "--stage", "lexical", "--precisions", "f32"], 2, "--precisions measures reranking");
    check(&[dir, "--model", "nobody"], 3, "no model called `nobody`");
    check(&[dir, "--model", dir], 3, "config.json");
    check(&[dir, "--resamples", "5"], 2, "--resamples");
    check(&[dir, "--threshold", "2"], 2, "between 0 and 1");
    check(&[dir, "--off-topic", "/no/such.jsonl"], 3, "/no/such.jsonl");
    check(&[dir, "--chart", "/no/such/folder/chart.svg"], 3, "/no/such/folder/chart.svg cannot be written");
    check(&[dir, "--off-topic", path(&set.path().join("qrels.tsv"))], 3, "qrels.tsv, line 1");

    let few = tempfile::tempdir().unwrap();
    write(
        few.path(),
        &[("one.md", b"# Watching a heron\n\nQuiet shoes and patience help, and a warm coat in spring.")],
    );
    nuthatch.index(few.path());
    check(&["--mine"], 3, "1 of your 1 notes can be asked for, at least 10 are needed");
    let wordless = Nuthatch::without_models();
    check_without(&wordless, dir);
}

/// Without models, an option that needs one fails: there is no fallback.
fn check_without(nuthatch: &Nuthatch, dir: &str) {
    for option in [&["--depth-sweep"][..], &["--depths", "10"]] {
        let answer = nuthatch.run(&[&["eval", dir], option].concat());
        assert_eq!(answer.code, 3, "{answer:?}");
    }
}

/// Asserts that every tag is closed in order, and that no bare `>` is left.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a bare > in {}", &rest[..start]);
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && svg.starts_with("<svg ") && svg.contains("</svg>"), "{open:?}");
}
