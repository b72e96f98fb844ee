//! The `nuthatch` command follows a folder that changes at random, and is killed at random instants, while a reader
//! searches all the time. In the end the index must equal one built from scratch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nuthatch_engine::index::Generations;
use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions, SearchRequest, Stage};
use tantivy::Term;
use tantivy::collector::Count;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;

use super::{Dice, content_of, scale};
use crate::support::Nuthatch;

/// A folder that changes at random.
struct Folder {
    root: PathBuf,
    dice: Dice,
    n_steps: usize,
}

impl Folder {
    fn path(&mut self) -> PathBuf {
        let (folder, file) = (self.dice.below(4), self.dice.below(12));
        let folder = ["", "a", "a/b", "c"][folder];
        self.root.join(folder).join(format!("n{file}.md"))
    }

    /// A text of one line up to some ten passages.
    fn text(&mut self) -> String {
        let (version, n) = (self.n_steps, [1, 2, 40, 120][self.dice.below(4)]);
        let line = |i| format!("Paragraph {i} of version {version}: the heron waits at the weir for a fish.\n\n");
        format!("# Version {version}\n\n{}", (0..n).map(line).collect::<String>())
    }

    /// Edits, moves or deletes something. An operation that fails because its file is not there is not counted.
    fn step(&mut self) {
        let path = self.path();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let done = match self.dice.below(10) {
            0..=3 => fs::write(&path, self.text()),
            // Editors save in this way.
            4 | 5 => {
                let beside = path.with_extension("tmp");
                fs::write(&beside, self.text()).and_then(|()| fs::rename(&beside, &path))
            }
            6 => fs::remove_file(&path),
            7 => fs::rename(&path, self.path()),
            8 => fs::rename(self.root.join("a/b"), self.root.join(format!("moved{}", self.n_steps))),
            _ => fs::remove_dir_all(self.root.join("c")),
        };
        self.n_steps += usize::from(done.is_ok());
    }
}

/// Searches all the time, and checks that the index holds all passages of each file.
struct Reader {
    stop: Arc<AtomicBool>,
    n_searches: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(data_dir: &Path) -> Self {
        let (stop, n_searches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let engine = Engine::open(EngineOptions::new(data_dir)).unwrap();
        let data_dir = data_dir.to_owned();
        let (stopped, n) = (stop.clone(), n_searches.clone());
        let thread = std::thread::spawn(move || {
            let request = SearchRequest { stage: Stage::Lexical, top: 50, ..SearchRequest::new("heron weir") };
            while !stopped.load(Ordering::Relaxed) {
                match engine.search(&request, &Cancel::new(), &mut |_, _| {}) {
                    Ok(results) => assert_eq!(results.degraded, []),
                    Err(EngineError::NoIndex { .. }) => {}
                    Err(error) => panic!("a search failed: {error}"),
                }
                every_file_is_whole(&data_dir);
                n.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, n_searches, thread }
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.n_searches.load(Ordering::Relaxed)
    }
}

fn every_file_is_whole(data_dir: &Path) {
    let Some(generation) = Generations::new(data_dir).current().unwrap() else { return };
    let snapshot = generation.snapshot().unwrap();
    for row in snapshot.rows().unwrap() {
        let term = Term::from_field_text(snapshot.fields().path, row.path.to_str().unwrap());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let n_documents = snapshot.searcher().search(&query, &Count).unwrap();
        assert_eq!(n_documents, row.passages.max(1), "half of {}", row.path.display());
    }
}

/// The kilobytes in a line of `/proc/PID/status`; `None` where there is no such line.
fn memory_kb(child: &Child, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|l| l.strip_prefix(line))?.split_whitespace().nth(1)?.parse().ok()
}

fn watch(nuthatch: &Nuthatch) -> Child {
    let mut command = nuthatch.command(&["watch"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Brings the index of `nuthatch` up to date and returns the entries in which it differs from one built from scratch.
fn losses(nuthatch: &Nuthatch, folder: &Path) -> Vec<String> {
    nuthatch.index(folder);
    let anew = Nuthatch::with_tiny_models();
    anew.index(folder);
    let (was, is) = (content_of(nuthatch.data_dir()), content_of(anew.data_dir()));
    let keys: BTreeMap<_, ()> = was.keys().chain(is.keys()).map(|key| (key.clone(), ())).collect();
    let differing = keys.into_keys().filter(|key| was.get(key) != is.get(key));
    let mut losses: Vec<String> = differing.map(|(path, n)| format!("{path} passage {n}")).collect();
    let n_vectors = |data_dir: &Path| {
        Generations::new(data_dir).current().unwrap().unwrap().snapshot().unwrap().vectors().n_vectors()
    };
    let (n_was, n_is) = (n_vectors(nuthatch.data_dir()), n_vectors(anew.data_dir()));
    if n_was != n_is {
        losses.push(format!("vectors: {n_was} instead of {n_is}"));
    }
    losses
}

fn folder(root: &Path) -> Folder {
    Folder { root: root.to_owned(), dice: Dice::new(scale("NUTHATCH_SEED", 1) as u64), n_steps: 0 }
}

#[test]
fn kills_at_random_instants_lose_nothing() {
    let (n_kills, steps) = (scale("NUTHATCH_KILLS", 20), scale("NUTHATCH_STEPS", 25));
    let root = tempfile::tempdir().unwrap();
    let mut folder = folder(root.path());
    (0..10).for_each(|_| folder.step());
    let nuthatch = Nuthatch::with_tiny_models();
    nuthatch.index(root.path());
    let reader = Reader::start(nuthatch.data_dir());
    for _ in 0..n_kills {
        let mut child = watch(&nuthatch);
        // Some processes live long enough to index, others not even long enough to open the index.
        let lives = Duration::from_millis(folder.dice.below(1200) as u64);
        let until = Instant::now() + lives;
        for _ in 0..steps {
            folder.step();
            std::thread::sleep(until.saturating_duration_since(Instant::now()) / steps as u32);
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!reader.thread.is_finished(), "the reader failed");
    }
    let losses = losses(&nuthatch, root.path());
    let n_searches = reader.end();
    let n_steps = folder.n_steps;
    println!("kills: {n_steps} steps, {n_kills} kills, {n_searches} searches meanwhile, losses {}", losses.len());
    assert!(losses.is_empty(), "{losses:?}");
    assert!(n_searches > 0);
}

#[test]
fn a_soak_ends_with_what_is_on_disk() {
    let seconds = scale("NUTHATCH_SOAK_SECONDS", 4);
    let root = tempfile::tempdir().unwrap();
    let mut folder = folder(root.path());
    (0..10).for_each(|_| folder.step());
    let nuthatch = Nuthatch::with_tiny_models();
    nuthatch.index(root.path());
    let reader = Reader::start(nuthatch.data_dir());
    let mut child = watch(&nuthatch);
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    let mut memory = Vec::new();
    while Instant::now() < end {
        // Bursts, and pauses that let the watch catch up and close its writer.
        let pause = [5, 20, 50, 1000][folder.dice.below(4)];
        (0..folder.dice.below(8)).for_each(|_| folder.step());
        std::thread::sleep(Duration::from_millis(pause));
        memory.extend(memory_kb(&child, "VmRSS"));
    }
    let peak = memory_kb(&child, "VmHWM").unwrap_or_default();
    child.kill().unwrap();
    child.wait().unwrap();
    let losses = losses(&nuthatch, root.path());
    let (n_steps, n_searches) = (folder.n_steps, reader.end());
    let middle = memory.get(memory.len() / 2).copied().unwrap_or_default();
    let last = memory.last().copied().unwrap_or_default();
    println!(
        "soak: {seconds} s, {n_steps} steps, {n_searches} searches meanwhile, losses {}; memory {} MB half way, {} MB \
         at the end, {} MB at most",
        losses.len(),
        middle / 1000,
        last / 1000,
        peak / 1000
    );
    assert!(losses.is_empty(), "{losses:?}");
    assert!(peak < 600_000, "{peak} kB");
}
