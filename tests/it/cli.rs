//! The `nuthatch` command as a user meets it: real processes, real files.

use std::fs;
use std::io::Read;
use std::sync::mpsc;

use nuthatch_engine::{Cancel, Engine, EngineOptions, Phase};
use serde_json::{Value, json};

use crate::support::{Nuthatch, notes, write};

/// The first line of a running command: once it is there, the command is under way.
#[cfg(unix)]
fn first_line(child: &mut std::process::Child) -> String {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn words_find_notes_in_both_languages() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    for (query, expected) in [
        ("sour coffee grind finer", "coffee.md"),
        ("train to Sintra", "lisbon.md"),
        ("undo a commit", "git-undo.md"),
        ("Python 读取 JSON", "json-loading.md"),
        // Questions of two characters, and of one.
        ("红叶", "京都红叶.md"),
        ("押金", "租房合同要点.md"),
        ("发票", "会议纪要-三月.md"),
        ("醋", "腌萝卜.md"),
    ] {
        let answer = nuthatch.run(&["search", "--json", "--stage", "lexical", query]);
        assert_eq!(answer.code, 0, "{query}: {answer:?}");
        assert_eq!(answer.files()[0], expected, "{query}: {:?}", answer.files());
    }
}

#[test]
fn the_models_that_ship_answer_paraphrased_questions() {
    let nuthatch = Nuthatch::with_builtin_models();
    nuthatch.index(&notes());
    for (query, expected) in [
        ("发票", "会议纪要-三月.md"),
        ("my espresso tastes too acidic, what do I change", "coffee.md"),
        ("take back the last change I committed", "git-undo.md"),
        ("搬走的时候房东什么时候把钱还给我", "租房合同要点.md"),
        ("how does one parse a JSON file in Python", "json-loading.md"),
    ] {
        let answer = nuthatch.run(&["search", "--json", query]);
        assert_eq!(answer.code, 0, "{query}: {answer:?}");
        let json = answer.json();
        assert_eq!((&json["degraded"], json["model"].is_string()), (&json!([]), true), "{answer:?}");
        assert!(answer.files().iter().any(|file| file == expected), "{query}: {:?}", answer.files());
    }
}

#[test]
fn folders_come_and_go() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    write(&path, &[("a.md", b"# Apples\n\nripe"), ("b.md", b"# Pears\n\nhard")]);
    let list = |args: &[&str]| nuthatch.run(&[&["--json", "folders"], args].concat()).json();

    assert_eq!(list(&["list"]), json!({ "folders": [] }));
    let given = path.to_str().unwrap();
    assert_eq!(list(&["add", given]), json!({ "folders": [given] }));
    let report = nuthatch.run(&["--json", "index"]).json();
    assert_eq!((&report["files_seen"], &report["files_indexed"]), (&json!(2), &json!(2)));
    assert_eq!(nuthatch.run(&["--json", "index"]).json()["files_unchanged"], json!(2));
    assert_eq!(nuthatch.run(&["search", "apples", "--json"]).files(), ["a.md"]);

    assert_eq!(list(&["remove", given]), json!({ "folders": [] }));
    assert_eq!(nuthatch.run(&["search", "apples"]).code, 1, "a folder no longer watched is not searched");
}

#[test]
fn people_read_lines_and_scripts_read_json() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    let answer = nuthatch.run(&["search", "grind", "finer", "--stage", "lexical"]);
    assert_eq!(answer.code, 0);
    assert!(answer.out.contains("Filter coffee") && answer.out.contains("coffee.md:"), "{}", answer.out);
    assert!(!answer.out.contains('\x1b'), "no colours in a pipe: {:?}", answer.out);
    assert_eq!(answer.err, "", "no progress in a pipe");

    let nothing = nuthatch.run(&["search", "--json", "zzyzx"]);
    assert_eq!((nothing.code, &nothing.json()["hits"]), (1, &json!([])));

    let status = nuthatch.run(&["status"]).out;
    assert!(status.contains("26 of 26 indexed") && status.contains("passages"), "{status}");
    assert!(nuthatch.run(&["--help"]).out.contains("Exit codes"));
    assert_eq!(nuthatch.run(&["--version"]).code, 0);
}

#[test]
fn every_file_has_a_state_and_a_reason() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    let utf16: Vec<u8> =
        "\u{feff}# Umzug\n\nDie Kaution für die Wohnung".encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(
        folder.path(),
        &[
            ("good.md", b"# Plain\n\nEverything in order".as_slice()),
            ("utf16.txt", &utf16),
            ("binary.md", b"\x00\x01\x02\x00\xff\xfe\x00\x00\x00\x89PNG\x00\x00"),
            ("picture.png", b"\x89PNG"),
            ("empty.md", b""),
        ],
    );
    let answer = nuthatch.index(folder.path());
    assert!(answer.err.contains("binary.md"), "what failed is said: {answer:?}");
    assert_eq!(nuthatch.run(&["search", "Kaution", "--json"]).files(), ["utf16.txt"]);

    let status = nuthatch.run(&["status", "--files", "--json"]).json();
    let rows = status["files"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for (name, state) in [("binary.md", "failed"), ("picture.png", "skipped")] {
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(name)).unwrap();
        assert_eq!(row["state"], state, "{row}");
        assert!(row["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{row}");
    }
}

#[test]
fn passages_from_standard_input_are_scored() {
    let nuthatch = Nuthatch::with_tiny_models();
    let input = "{\"id\": \"a\", \"text\": \"one\"}\n{\"id\": 7, \"text\": \"two words\"}\n{\"text\": \"one\"}\n";
    let answer = nuthatch.run_with_input(&["rerank", "--json", "--query", "which one"], input);
    assert_eq!(answer.code, 0, "{answer:?}");
    let json = answer.json();
    let results = json["results"].as_array().unwrap();
    let scores: Vec<f64> = results.iter().map(|result| result["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    let ids: Vec<(&Value, &Value)> = results.iter().map(|result| (&result["index"], &result["id"])).collect();
    for expected in [(json!(0), json!("a")), (json!(1), json!(7)), (json!(2), Value::Null)] {
        assert!(ids.contains(&(&expected.0, &expected.1)), "{ids:?}");
    }
    let raw = |index: u64| results.iter().find(|r| r["index"] == index).unwrap()["raw_score"].clone();
    assert_eq!(raw(0), raw(2), "the same passage scores the same");
}

#[test]
fn models_are_listed_and_checked() {
    let nuthatch = Nuthatch::with_tiny_models();
    let list = nuthatch.run(&["models", "list", "--json"]).json();
    let names: Vec<&str> = list["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tiny-bi", "tiny-cross"]);
    assert_eq!(nuthatch.run(&["models", "verify"]).code, 0);

    let manifest = nuthatch.models_dir().join("manifest.toml");
    let wrong = "[[model.file]]\nname = \"config.json\"\nsha256 = \"00\"\n";
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + wrong).unwrap();
    let answer = nuthatch.run(&["models", "verify", "tiny-cross"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.out.contains("config.json: WRONG"), "{answer:?}");
}

#[test]
fn a_model_folder_is_taken_in_by_its_path() {
    let nuthatch = Nuthatch::with_tiny_models();
    let folder = nuthatch.models_dir().join("bert-cross");
    let answer = nuthatch.run(&["models", "import", folder.to_str().unwrap(), "--json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    let scored = nuthatch.run_with_input(&["rerank", "--query", "q", "--reranker", &name, "--json"], "a passage\n");
    assert_eq!(scored.code, 0, "{scored:?}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    let mut child = nuthatch.command(&["status", "--files"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn two_at_once_do_not_harm_each_other() {
    let nuthatch = Nuthatch::without_models();
    let engine = Engine::open(EngineOptions::new(nuthatch.data_dir())).unwrap();
    engine.set_embedder_missing("not wanted here".to_owned());
    engine.add_folder(&notes()).unwrap();
    let (sender, phases) = mpsc::channel();
    let watch = engine
        .watch(Box::new(move |progress| {
            let _ = sender.send(progress.phase);
        }))
        .unwrap();
    assert!(phases.iter().any(|phase| phase == Phase::Done), "the watch indexes first");

    let held = nuthatch.run(&["index", "--json"]);
    assert_eq!((held.code, &held.json()["error"]["kind"]), (3, &json!("locked")), "{held:?}");
    assert_eq!(nuthatch.run(&["search", "醋", "--json"]).files(), ["腌萝卜.md"], "searching takes no lock");
    drop(watch);
    assert_eq!(nuthatch.run(&["index"]).code, 0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_watch() {
    let nuthatch = Nuthatch::without_models();
    nuthatch.index(&notes());
    let mut child = nuthatch.command(&["watch"]).spawn().unwrap();
    assert!(first_line(&mut child).starts_with("up to date: "));
    // This is the shell's own `kill`: a minimal system has no other.
    let kill = format!("kill -INT {}", child.id());
    let killed = std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_interrupted_command_says_so() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let data = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let mut io = nuthatch_cli::Io {
        input: None,
        out: &mut out,
        err: &mut err,
        out_terminal: false,
        err_terminal: false,
        in_terminal: false,
        cancel,
    };
    let notes = notes();
    let args = ["nuthatch", "--json", "--data-dir", data.path().to_str().unwrap(), "index", notes.to_str().unwrap()];
    assert_eq!(nuthatch_cli::run(args, &mut io), 130);
    let answer: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(answer["error"]["kind"], "interrupted");
}

/// Limits a process to events from three folders, in a user namespace of its own, so that no other process is affected.
#[cfg(target_os = "linux")]
const FEW_WATCHES: &str = "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$@\"";

#[cfg(target_os = "linux")]
#[test]
fn where_events_run_out_folders_are_looked_through_and_it_is_said_what_to_raise() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let wrapped = |inner: &Command| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", FEW_WATCHES, "sh"]);
        command.arg(inner.get_program()).args(inner.get_args());
        let set = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    if !wrapped(&Command::new("true")).status().is_ok_and(|status| status.success()) {
        // Some systems let nobody make a user namespace.
        return;
    }
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        write(folder.path(), &[(&format!("f{i}/a.md"), b"# A\n\nA heron")]);
    }
    nuthatch.index(folder.path());
    let mut child = wrapped(&nuthatch.command(&["watch"])).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("10 files"));
    let status = nuthatch.run(&["status"]).out;
    assert!(status.contains("by looking every few seconds"), "{status}");
    assert!(status.contains("sudo sysctl fs.inotify.max_user_watches="), "{status}");
    write(folder.path(), &[("f9/b.md", b"# B\n\nA bittern")]);
    assert!(lines.next().unwrap().unwrap().contains("11 files"));
    assert_eq!(nuthatch.run(&["search", "bittern", "--json"]).files(), ["b.md"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
