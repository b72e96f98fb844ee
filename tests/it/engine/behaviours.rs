//! How the index follows changes on disk. Each behaviour is a data file in `tests/fixtures/watch`. It runs twice: with
//! a pass over all files after each step, and with a watch that follows events.
//!
//! A step applies `remove`, `rename`, `write`, `then_rename`, `large` (file name to megabytes), `link` and `pipe`, in
//! this order. Then it states the expected result: `files` lists all rows of the catalog with their state and a part of
//! the reason, `finds` the files that a word finds, `counts` the number of files in each watched folder, and `embeds`
//! how many passages were embedded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nuthatch_engine::{FileState, Phase, SearchRequest, Stage};
use serde::Deserialize;

use super::Bench;
use crate::support::{BagOfWords, root};

/// Only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Behaviour {
    says: String,
    /// `unix` for a behaviour whose files only Unix can make; empty for all systems.
    #[serde(default)]
    system: String,
    #[serde(default = "whole")]
    roots: Vec<String>,
    #[serde(default)]
    hidden: bool,
    #[serde(default = "yes")]
    gitignore: bool,
    #[serde(default = "twenty")]
    max_text_mb: u64,
    #[serde(default)]
    skip_types: Vec<String>,
    step: Vec<Step>,
}

fn whole() -> Vec<String> {
    vec![String::new()]
}

fn yes() -> bool {
    true
}

fn twenty() -> u64 {
    20
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    write: BTreeMap<String, String>,
    #[serde(default)]
    large: BTreeMap<String, u64>,
    #[serde(default)]
    #[cfg_attr(not(unix), expect(dead_code, reason = "behaviours with links are for Unix"))]
    link: BTreeMap<String, String>,
    #[serde(default)]
    pipe: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    rename: Vec<(String, String)>,
    #[serde(default)]
    then_rename: Vec<(String, String)>,
    files: BTreeMap<String, String>,
    #[serde(default)]
    finds: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    counts: BTreeMap<String, usize>,
    embeds: Option<usize>,
}

impl Step {
    fn happen(&self, at: &Path) {
        for name in &self.remove {
            let path = at.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        self.rename.iter().for_each(|names| rename(at, names));
        for (name, text) in &self.write {
            fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            fs::write(at.join(name), text).unwrap();
        }
        self.then_rename.iter().for_each(|names| rename(at, names));
        for (name, megabytes) in &self.large {
            fs::File::create(at.join(name)).unwrap().set_len((megabytes << 20) + 1).unwrap();
        }
        #[cfg(unix)]
        for (name, target) in &self.link {
            std::os::unix::fs::symlink(target, at.join(name)).unwrap();
        }
        for name in &self.pipe {
            assert!(std::process::Command::new("mkfifo").arg(at.join(name)).status().unwrap().success());
        }
    }
}

fn rename(at: &Path, (from, to): &(String, String)) {
    fs::create_dir_all(at.join(to).parent().unwrap()).unwrap();
    fs::rename(at.join(from), at.join(to)).unwrap();
}

/// One run of a behaviour.
struct Run {
    bench: Bench,
    embedder: Arc<BagOfWords>,
    at: PathBuf,
    n_embedded: usize,
}

impl Run {
    fn new(behaviour: &Behaviour) -> Self {
        let embedder = Arc::new(BagOfWords::new("bag-of-words@1"));
        let bench = Bench::with_embedder(embedder.clone());
        let at = bench.notes.path().canonicalize().unwrap();
        bench.engine.remove_folder(&at).unwrap();
        for folder in &behaviour.roots {
            fs::create_dir_all(at.join(folder)).unwrap();
            bench.engine.add_folder(&at.join(folder)).unwrap();
        }
        let change = |settings: &mut nuthatch_engine::Settings| {
            settings.hidden = behaviour.hidden;
            settings.gitignore = behaviour.gitignore;
            settings.max_text_mb = behaviour.max_text_mb;
            settings.skip_types.clone_from(&behaviour.skip_types);
        };
        bench.engine.update_settings(change).unwrap();
        Self { bench, embedder, at, n_embedded: 0 }
    }

    /// Where the index differs from what `step` expects; empty where it does not.
    fn differences(&self, step: &Step) -> Vec<String> {
        let status = self.bench.engine.status(true).unwrap();
        let name = |path: &Path| path.strip_prefix(&self.at).unwrap().to_str().unwrap().to_owned();
        let root_name = self.at.file_name().unwrap().to_str().unwrap();
        let mut differences = Vec::new();
        let mut rows = BTreeMap::new();
        for file in status.files.unwrap() {
            let state = format!("{:?}", file.state).to_lowercase();
            let reason = file.reason.map(|reason| format!(": {}", reason.replace(root_name, "ROOT")));
            let row = state + &reason.unwrap_or_default();
            if rows.insert(name(&file.path), row).is_some() {
                differences.push(format!("{}: listed twice", file.path.display()));
            }
        }
        for (file, expected) in &step.files {
            let found = rows.remove(file).unwrap_or_else(|| "not listed".to_owned());
            let (state, reason) = expected.split_once(": ").unwrap_or((expected, ""));
            if !(found.starts_with(state) && found.contains(reason)) {
                differences.push(format!("{file}: {found:?}, expected {expected:?}"));
            }
        }
        differences.extend(rows.into_iter().map(|(file, row)| format!("{file}: {row:?}, not expected")));
        for (word, expected) in &step.finds {
            let request = SearchRequest { top: 100, stage: Stage::Lexical, ..SearchRequest::new(word) };
            let hits = self.bench.search(&request).hits.into_iter().filter(|hit| !hit.stale);
            let files = hits.flat_map(|hit| std::iter::once(hit.path).chain(hit.copies));
            let mut found: Vec<String> = files.map(|file| name(&file)).collect();
            found.sort();
            if found != *expected {
                differences.push(format!("{word} finds {found:?}, expected {expected:?}"));
            }
        }
        for (folder, expected) in &step.counts {
            let status =
                status.roots.iter().find(|root| root.path == self.at.join(folder).components().as_path()).unwrap();
            let sum = status.indexed + status.waiting + status.skipped + status.failed + status.offline;
            if (status.files, sum) != (*expected, *expected) {
                differences.push(format!("{status:?}, expected {expected} files"));
            }
        }
        if let Some(expected) = step.embeds {
            let embedded = self.embedder.n_embedded.load(Ordering::Relaxed) - self.n_embedded;
            if embedded != expected {
                differences.push(format!("{embedded} passages embedded, expected {expected}"));
            }
        }
        differences
    }

    fn end_step(&mut self) {
        self.n_embedded = self.embedder.n_embedded.load(Ordering::Relaxed);
    }
}

fn by_passes(behaviour: &Behaviour) {
    let mut run = Run::new(behaviour);
    for (i, step) in behaviour.step.iter().enumerate() {
        step.happen(&run.at);
        run.bench.index();
        let differences = run.differences(step);
        assert!(differences.is_empty(), "by passes, step {}: {differences:#?}", i + 1);
        run.end_step();
    }
}

fn by_events(behaviour: &Behaviour) {
    let mut run = Run::new(behaviour);
    let (sender, done) = channel();
    let watch = run.bench.engine.watch(Box::new(move |progress| {
        if progress.phase == Phase::Done {
            let _ = sender.send(());
        }
    }));
    // The watch first looks at all files. The steps begin after that, so that it learns of them from events only.
    done.recv_timeout(DEADLINE).unwrap();
    for (i, step) in behaviour.step.iter().enumerate() {
        step.happen(&run.at);
        wait_until(&done, || run.differences(step), &format!("by events, step {}", i + 1));
        run.end_step();
    }
    drop(watch);
}

/// Waits until `differences` is empty, and asks it again whenever the watch has finished a look at the files.
pub(super) fn wait_until(done: &Receiver<()>, differences: impl Fn() -> Vec<String>, what: &str) {
    let start = Instant::now();
    loop {
        let left = differences();
        if left.is_empty() {
            return;
        }
        let rest = DEADLINE.saturating_sub(start.elapsed());
        assert!(done.recv_timeout(rest).is_ok(), "{what}: {left:#?}");
    }
}

/// Runs the behaviour in `tests/fixtures/watch/NAME.toml`.
fn check(name: &str) {
    let text = fs::read_to_string(root().join("tests/fixtures/watch").join(name).with_extension("toml")).unwrap();
    let behaviour: Behaviour = toml::from_str(&text).unwrap();
    if behaviour.system == "unix" && !cfg!(unix) {
        return;
    }
    assert!(!behaviour.says.is_empty());
    by_passes(&behaviour);
    by_events(&behaviour);
}

macro_rules! behaviours {
    ($($test:ident = $file:literal,)*) => {
        $(#[test]
        fn $test() {
            check($file);
        })*

        #[test]
        fn every_behaviour_is_run() {
            let names: Vec<&str> = [$($file),*].to_vec();
            for entry in fs::read_dir(root().join("tests/fixtures/watch")).unwrap() {
                let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
                assert!(names.contains(&name.as_str()), "{name}.toml is run by no test");
            }
        }
    };
}

behaviours! {
    a_name_that_changes_case_is_one_file = "case-only-rename",
    what_is_deleted_is_found_no_more = "deleted",
    a_file_becomes_a_folder_and_back = "file-and-folder",
    gitignore_files_count_as_in_git = "gitignore",
    links_are_never_followed = "links",
    a_moved_tree_is_not_embedded_again = "move-of-a-tree",
    nested_folders_are_indexed_once = "nested-roots",
    a_nuthatchignore_leaves_out_and_asks_for = "nuthatchignore",
    odd_names_have_a_state = "odd-names",
    a_link_in_place_of_a_watched_folder_is_followed = "root-becomes-link",
    a_save_by_renaming_is_one_change = "save-by-rename",
    limits_are_told = "settings",
    pipes_are_never_opened = "special-files",
    the_same_content_is_not_embedded_again = "unchanged",
}

#[test]
fn states_are_what_they_are_called() {
    // The data files use the names that the states have in JSON.
    let names = [FileState::Indexed, FileState::Waiting, FileState::Skipped, FileState::Failed, FileState::Offline];
    for state in names {
        assert_eq!(serde_json::to_value(state).unwrap(), format!("{state:?}").to_lowercase());
    }
}
