//! The boundaries between crates, and in the window: who must not depend on what.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{files, root};

/// The names that `cargo tree` prints for a package of the workspace, without the package itself: all of them, or those
/// up to `depth` steps away. Only what is compiled into the program counts.
fn dependencies(package: &str, depth: Option<&str>) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut tree = Command::new(cargo);
    tree.current_dir(root()).args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--package", package]);
    tree.args(depth.map(|depth| ["--depth", depth]).into_iter().flatten());
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<String> =
        names.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(!names.is_empty(), "{package} has no dependencies?");
    names.sort();
    names.dedup();
    names
}

fn named<'a>(names: &'a [String], prefixes: &[&str]) -> Vec<&'a String> {
    names.iter().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
}

const TAURI: &[&str] = &["tauri", "wry", "tao"];
const CANDLE: &[&str] = &["candle", "tokenizers", "safetensors"];

#[test]
fn the_engine_knows_neither_tauri_nor_candle() {
    let all = dependencies("nuthatch-engine", None);
    assert_eq!(named(&all, TAURI), Vec::<&String>::new());
    assert_eq!(named(&all, CANDLE), Vec::<&String>::new());
    let direct = dependencies("nuthatch-engine", Some("1"));
    assert!(direct.contains(&"tantivy".to_owned()), "cargo tree shows dependencies: {direct:?}");
}

#[test]
fn only_inference_sees_candle() {
    for package in ["nuthatch-engine", "nuthatch-cli", "nuthatch-app", "nuthatch-tests"] {
        assert_eq!(named(&dependencies(package, Some("1")), CANDLE), Vec::<&String>::new(), "{package}");
    }
    let inference = dependencies("nuthatch-inference", Some("1"));
    assert!(inference.contains(&"candle-core".to_owned()), "{inference:?}");
}

#[test]
fn only_the_app_sees_tauri() {
    for package in ["nuthatch-engine", "nuthatch-inference", "nuthatch-cli", "nuthatch-tests"] {
        assert_eq!(named(&dependencies(package, None), TAURI), Vec::<&String>::new(), "{package}");
    }
}

/// `cargo start` builds the programs, `cargo verify` the programs and the tests. If only the tests asked for a feature
/// of a dependency, that dependency and everything that uses it would be built twice.
#[test]
fn tests_ask_for_no_feature_that_the_programs_do_without() {
    let features = |edges: &str| -> BTreeSet<String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut tree = Command::new(cargo);
        tree.current_dir(root()).args(["tree", "--offline", "--workspace", "--prefix", "none", "--format", "{p} {f}"]);
        let output = tree.args(["--edges", edges]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| line.trim_end_matches("(*)").trim_end().to_owned()).collect()
    };
    let (programs, all) = (features("normal,build"), features("normal,build,dev"));
    assert!(programs.len() > 300, "{programs:?}");
    assert_eq!(programs.difference(&all).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Files of the window that hold `text`, in alphabetical order.
fn window_files_with(text: &str) -> Vec<String> {
    let ui = root().join("ui/src");
    let is_source = |path: &Path| path.extension().is_some_and(|e| e == "ts" || e == "js" || e == "svelte");
    let mut found: Vec<String> = files(&ui)
        .into_iter()
        .filter(|path| is_source(path) && std::fs::read_to_string(path).unwrap().contains(text))
        .map(|path| path.strip_prefix(&ui).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    found.sort();
    found
}

#[test]
fn one_file_of_the_window_knows_the_shell() {
    // The generated bindings call Tauri as well, and only `tauri.ts` imports them.
    assert_eq!(window_files_with("@tauri-apps/"), ["backend/bindings.ts", "backend/tauri.ts"]);
    assert_eq!(window_files_with("/bindings"), ["backend/tauri.ts"]);
}
