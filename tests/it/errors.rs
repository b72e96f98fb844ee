//! Bad input. Each case gets a message that says what is wrong, in which file, and what to do. Nothing is lost, and
//! searching by words goes on.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Nuthatch, files, notes, root, write};

/// Asserts that `args` exit with `code`, and that the message contains `part`, on standard error and as JSON.
fn check(nuthatch: &Nuthatch, args: &[&str], code: i32, kind: &str, part: &str) {
    let plain = nuthatch.run(args);
    assert_eq!((plain.code, plain.out.as_str()), (code, ""), "{args:?}: {plain:?}");
    let line = plain.err.lines().next().unwrap_or_default();
    assert!(line.starts_with("nuthatch: ") && line.contains(part), "{args:?}: {line}");
    assert!(!plain.err.contains("panicked"), "{args:?}: {}", plain.err);

    let json = nuthatch.run(&[args, &["--json"]].concat());
    assert_eq!(json.code, code, "{args:?}: {json:?}");
    let error = &json.json()["error"];
    assert_eq!(error["kind"], kind, "{args:?}: {error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{args:?}: {error}");
}

#[test]
fn what_is_asked_wrongly() {
    let nuthatch = Nuthatch::without_models();
    let folder = notes();
    let file = folder.join("garden.md");
    let (folder, file) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let data_dir = nuthatch.data_dir().canonicalize().unwrap();

    check(&nuthatch, &["search", "anything"], 3, "no_index", "nuthatch index FOLDER");
    check(&nuthatch, &["index"], 2, "usage", "nuthatch index FOLDER");
    check(&nuthatch, &["folders", "add", "/no/such/folder"], 3, "folder_not_found", "/no/such/folder");
    check(&nuthatch, &["index", "/no/such/folder"], 3, "folder_not_found", "/no/such/folder");
    check(&nuthatch, &["folders", "add", file], 3, "not_a_folder", "garden.md");
    check(&nuthatch, &["folders", "add", data_dir.to_str().unwrap()], 3, "folder_is_data_dir", "Nuthatch's own data");
    check(&nuthatch, &["folders", "remove", folder], 3, "folder_not_watched", "not among the watched folders");
    check(&nuthatch, &["eval", "/no/such/set"], 3, "test_set", "/no/such/set has no corpus.jsonl");
    check(&nuthatch, &["rerank", "--query", "q"], 2, "usage", "standard input holds no passage");
    check(&nuthatch, &["rerank", "--query", " "], 2, "empty_query", "empty");

    nuthatch.index(Path::new(folder));
    check(&nuthatch, &["search", ""], 2, "empty_query", "empty");
    check(&nuthatch, &["search", " \t "], 2, "empty_query", "empty");
    check(&nuthatch, &["search"], 2, "usage", "required");
    check(&nuthatch, &["search", "x", "--threshold", "1.5"], 2, "usage", "between 0 and 1");
    check(&nuthatch, &["search", "x", "--threshold", "NaN"], 2, "usage", "between 0 and 1");
    check(&nuthatch, &["search", "x", "--top", "0"], 2, "usage", "--top");
    check(&nuthatch, &["search", "x", "--candidates", "1001"], 2, "usage", "--candidates");
    check(&nuthatch, &["dance"], 2, "usage", "dance");
}

#[test]
fn a_stage_or_model_asked_for_by_name_is_not_replaced() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    for stage in ["vector", "hybrid", "rerank"] {
        check(&nuthatch, &["search", "coffee", "--stage", stage], 3, "model", "manifest.toml");
    }
    let tiny = Nuthatch::with_tiny_models();
    tiny.index(&notes());
    check(&tiny, &["search", "coffee", "--reranker", "nobody"], 3, "model", "no model called `nobody`");
    check(&tiny, &["models", "verify", "nobody"], 3, "model", "no model called `nobody`");
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_words() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &str); 6] = [
        ("no folder", |folder| fs::remove_dir_all(folder).unwrap(), "bert-bi"),
        ("no weights", |folder| fs::remove_file(folder.join("model.safetensors")).unwrap(), "model.safetensors"),
        (
            "cut off weights",
            |folder| {
                let weights = folder.join("model.safetensors");
                let bytes = fs::read(&weights).unwrap();
                fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
            },
            "model.safetensors",
        ),
        ("no JSON", |folder| fs::write(folder.join("config.json"), "{").unwrap(), "config.json"),
        (
            "another architecture",
            |folder| {
                let config = folder.join("config.json");
                let text = fs::read_to_string(&config).unwrap();
                let text = text.replace("BertModel", "MambaModel").replace("\"bert\"", "\"mamba\"");
                fs::write(&config, text).unwrap();
            },
            "ambaModel",
        ),
        (
            "another tokenizer",
            |folder| {
                let other = root().join("models/builtin/bi-encoder/tokenizer.json");
                fs::copy(other, folder.join("tokenizer.json")).unwrap();
            },
            "tokenizer",
        ),
    ];
    for (name, spoil, part) in cases {
        let nuthatch = Nuthatch::with_tiny_models();
        spoil(&nuthatch.models_dir().join("bert-bi"));
        let indexed = nuthatch.index(&notes());
        assert!(indexed.err.contains(part), "{name}: {indexed:?}");

        let answer = nuthatch.run(&["search", "醋", "--json"]);
        assert_eq!((answer.code, answer.files()[0].as_str()), (0, "腌萝卜.md"), "{name}: {answer:?}");
        let degraded = &answer.json()["degraded"][0];
        assert_eq!(degraded["kind"], "no_embedder", "{name}: {degraded}");
        assert!(degraded["reason"].as_str().unwrap().contains(part), "{name}: {degraded}");
    }
}

#[test]
fn a_question_longer_than_the_window_is_answered() {
    let nuthatch = Nuthatch::with_tiny_models();
    nuthatch.index(&notes());
    let long = "how do I grind coffee ".repeat(500);
    let answer = nuthatch.run(&["search", &long, "--json"]);
    assert_eq!((answer.code, &answer.json()["degraded"]), (0, &json!([])), "{answer:?}");
}

/// The threshold in the settings applies to every command that names no other threshold.
#[test]
fn a_threshold_in_the_settings_counts_everywhere() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("note.md", b"# Pelican\n\nOn a stick")]);
    nuthatch.index(folder.path());
    let settings = nuthatch.data_dir().join("settings.toml");
    let written = fs::read_to_string(&settings).unwrap();
    let note = folder.path().join("note.md");
    let note = note.to_str().unwrap();
    let ends = |threshold: &str, more: &[&str]| {
        fs::write(&settings, format!("threshold = {threshold}\n{written}")).unwrap();
        let why = nuthatch.run(&[&["why", "pelican", note, "--json"], more].concat());
        let search = nuthatch.run(&[&["search", "pelican", "--json"], more].concat());
        (search.code, search.files().len(), why.json()["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(ends("0.0", &[]), (0, 1, "shown".to_owned()));
    assert_eq!(ends("1.0", &[]), (1, 0, "below_threshold".to_owned()));
    assert_eq!(ends("1.0", &["--threshold", "0"]), (0, 1, "shown".to_owned()));
    assert_eq!(ends("0.0", &["--threshold", "1"]), (1, 0, "below_threshold".to_owned()));
}

/// Excel names a table's delimiter in a first line `sep=`. The delimiter may be a character of several bytes.
#[test]
fn a_table_with_a_wide_delimiter_stops_nothing() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    let table = "sep=；\n名称；数量\n茶；3\n".as_bytes();
    write(folder.path(), &[("a.csv", table), ("b.md", b"# Pelican\n\nOn a stick")]);
    nuthatch.index(folder.path());
    assert_eq!(nuthatch.run(&["search", "--json", "pelican"]).files(), ["b.md"]);
    assert_eq!(nuthatch.run(&["search", "--json", "数量"]).files(), ["a.csv"]);
}

#[test]
fn a_folder_that_vanished_keeps_its_notes() {
    let nuthatch = Nuthatch::without_models();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("stick");
    write(&folder, &[("note.md", b"# Pelican\n\nOn a stick")]);
    nuthatch.index(&folder);
    fs::rename(&folder, parent.path().join("unplugged")).unwrap();

    assert_eq!(nuthatch.run(&["index"]).code, 0);
    assert_eq!(nuthatch.run(&["search", "pelican", "--json"]).files(), ["note.md"]);
    assert_eq!(nuthatch.run(&["status", "--json"]).json()["roots"][0]["offline"], 1);
    assert!(nuthatch.run(&["status"]).out.contains("not there now"));
}

#[test]
fn an_index_of_another_version_is_made_anew() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    let labels: Vec<_> = files(&nuthatch.data_dir().join("index"))
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "label.toml"))
        .collect();
    assert!(!labels.is_empty());
    for label in labels {
        let text = fs::read_to_string(&label).unwrap().replace("format = ", "format = 99");
        fs::write(label, text).unwrap();
    }
    check(&nuthatch, &["search", "醋"], 3, "other_version", "another version");
    nuthatch.index(&notes());
    assert_eq!(nuthatch.run(&["search", "醋", "--json"]).files(), ["腌萝卜.md"]);
}

#[test]
fn settings_that_cannot_be_read_are_named_and_kept_aside() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    let path = nuthatch.data_dir().join("settings.toml");
    fs::write(&path, "folders = 7").unwrap();
    let listed = nuthatch.run(&["folders", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.err.contains("settings.toml cannot be understood"), "{listed:?}");
    assert!(listed.out.contains(notes().to_str().unwrap()), "what was last saved serves: {listed:?}");
    assert_eq!(fs::read_to_string(path.with_file_name("settings.damaged.toml")).unwrap(), "folders = 7");
    assert_eq!(nuthatch.run(&["folders", "list"]).err, "", "it is whole again");
}
