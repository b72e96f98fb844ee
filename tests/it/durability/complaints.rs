//! Complaints of users of other search programs, one test each. The test of a stalled merge is in `faults`.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions, ModelError, SearchRequest, Stage};

use crate::support::{BagOfWords, write};

struct Bench {
    notes: tempfile::TempDir,
    data: tempfile::TempDir,
}

impl Bench {
    fn new(n_notes: usize) -> Self {
        let bench = Self { notes: tempfile::tempdir().unwrap(), data: tempfile::tempdir().unwrap() };
        for i in 0..n_notes {
            let text = format!("# Heron {i}\n\nIt waits for fish number {i}.");
            write(bench.notes.path(), &[(&format!("n{i}.md"), text.as_bytes())]);
        }
        bench
    }

    /// As after a start of the program.
    fn start(&self, embedder: Arc<BagOfWords>) -> Engine {
        let engine = Engine::open(EngineOptions::new(self.data.path())).unwrap();
        engine.add_folder(self.notes.path()).unwrap();
        engine.set_embedder(embedder);
        engine
    }
}

fn embedder(id: &'static str) -> Arc<BagOfWords> {
    Arc::new(BagOfWords::new(id))
}

fn n_found(engine: &Engine) -> usize {
    let request = SearchRequest { stage: Stage::Lexical, top: 1000, ..SearchRequest::new("heron") };
    engine.search(&request, &Cancel::new(), &mut |_, _| {}).unwrap().hits.len()
}

/// "Everything is embedded again at each start" (smart-connections#533, #648; copilot#834).
#[test]
fn nothing_is_embedded_again_at_the_next_start() {
    let bench = Bench::new(30);
    let first = bench.start(embedder("bag-of-words@1")).index(&mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!(first.chunks_embedded, 30);
    for _ in 0..3 {
        let next = bench.start(embedder("bag-of-words@1")).index(&mut |_| {}, &Cancel::new()).unwrap();
        assert_eq!((next.chunks_embedded, next.files_indexed, next.files_unchanged), (0, 0, 30));
    }
}

/// "Progress lost on restart" (gpt4all#1757).
#[test]
fn progress_survives_a_restart() {
    let bench = Bench::new(1000);
    let (mut n_starts, mut n_embedded) = (0, 0);
    loop {
        let embedder = embedder("bag-of-words@1");
        let engine = bench.start(embedder.clone());
        let cancel = Cancel::new();
        let stop = cancel.clone();
        // Stopped after the first batch of each start.
        let counted = embedder.clone();
        let mut progress = move |_: &nuthatch_engine::IndexProgress| {
            if counted.n_embedded.load(Ordering::Relaxed) > 0 {
                stop.cancel();
            }
        };
        let outcome = engine.index(&mut progress, &cancel);
        n_starts += 1;
        n_embedded += embedder.n_embedded.load(Ordering::Relaxed);
        match outcome {
            Ok(_) => break,
            Err(EngineError::Cancelled | EngineError::Model(ModelError::Cancelled)) => {
                assert!(n_starts < 20, "no start gets any further")
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(n_starts > 3, "it was never stopped");
    assert_eq!(n_embedded, 1000, "each passage once, over {n_starts} starts");
}

/// "The index job empties or wedges the working lexical index" (cass#305).
#[test]
fn an_index_job_that_fails_leaves_the_index_as_it_was() {
    let bench = Bench::new(30);
    let engine = bench.start(embedder("bag-of-words@1"));
    engine.index(&mut |_| {}, &Cancel::new()).unwrap();
    // A run with another model is stopped, then one fails because its model does. The old index keeps serving.
    let cancel = Cancel::new();
    cancel.cancel();
    engine.set_embedder(embedder("bag-of-words@2"));
    assert!(matches!(engine.index(&mut |_| {}, &cancel), Err(EngineError::Cancelled)));
    assert_eq!(n_found(&engine), 30);
    engine.set_embedder(Arc::new(BagOfWords { broken: true, ..BagOfWords::new("bag-of-words@3") }));
    assert!(engine.index(&mut |_| {}, &Cancel::new()).is_err());
    assert_eq!(n_found(&engine), 30);
    // The run after these works.
    let embedder = embedder("bag-of-words@4");
    engine.set_embedder(embedder.clone());
    engine.index(&mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!((n_found(&engine), embedder.n_embedded.load(Ordering::Relaxed)), (30, 30));
    let left = fs::read_dir(bench.data.path().join("index")).unwrap().flatten().filter(|e| e.path().is_dir()).count();
    assert_eq!(left, 1, "only what serves is left");
}

/// Indexes `folder` by words and returns the most memory that took, in kB.
#[cfg(target_os = "linux")]
fn peak_kb(folder: &std::path::Path, memory_mb: usize) -> u64 {
    use std::process::Stdio;
    let nuthatch = crate::support::Nuthatch::without_models();
    let settings = format!("folders = []\nmemory_mb = {memory_mb}\n");
    fs::write(nuthatch.data_dir().join("settings.toml"), settings).unwrap();
    let mut command = nuthatch.command(&["index", folder.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak_kb = 0_u64;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kb = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak_kb);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_ne!(peak_kb, 0, "it ran");
    peak_kb
}

/// "RSS 8x the source size" (cass#320), "48 GB" (cass#400).
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    // 8 MB in 20 files, of words that differ.
    for i in 0..20_usize {
        let words: String =
            (0..40_000).map(|w: usize| format!("w{:x} ", (i * 31 + w) * 2_654_435_761 % 9_999_991)).collect();
        write(folder.path(), &[(&format!("n{i}.md"), words.as_bytes())]);
    }
    let peak_kb = peak_kb(folder.path(), 150);
    println!("memory: {} MB at most, indexing 8 MB with memory_mb = 150", peak_kb / 1000);
    assert!(peak_kb < 150_000, "{peak_kb} kB");
}

/// Each passage carries its note's title, headings and tags: 40,000 tags in each of 500 passages took gigabytes.
#[cfg(target_os = "linux")]
#[test]
fn what_passages_carry_does_not_multiply() {
    let tags: Vec<String> = (0..40_000).map(|i| format!("tag{i}")).collect();
    let long = "heron ".repeat(80_000);
    let paragraphs = format!("{}\n\n", "It waits for fish. ".repeat(60)).repeat(500);
    let heads = [
        ("tags.md", format!("---\ntags: [{}]\n---\n", tags.join(", "))),
        ("title.md", format!("---\ntitle: {long}\n---\n")),
        ("alias.md", format!("---\naliases: [{long}]\n---\n")),
        ("heading.md", format!("# {long}\n\n")),
    ];
    for (name, head) in heads {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[(name, format!("{head}{paragraphs}").as_bytes())]);
        let peak_kb = peak_kb(folder.path(), 150);
        println!("memory: {} MB at most, indexing {name}", peak_kb / 1000);
        assert!(peak_kb < 150_000, "{name}: {peak_kb} kB");
    }
}

/// The parts of a file, such as attributes, can take a hundred times its size. Here each file has 4 MB of one kind of
/// part; such files took up to 200 MB.
#[cfg(target_os = "linux")]
#[test]
fn no_file_takes_many_times_its_size() {
    let n_bytes = 4_000_000;
    let numbered = |around: fn(usize) -> String| -> String { (0..n_bytes / 10).map(around).collect() };
    let message = "From: a@b.org\n";
    let cases = [
        ("attributes.html", format!("<p{}>A heron.", numbered(|n| format!(" a{n:07}")))),
        ("references.html", "a&lt;".repeat(n_bytes / 5)),
        ("lists.ipynb", format!("{{\"nbformat\": 4, \"cells\": [{}]}}", "[[[1]]],".repeat(n_bytes / 8))),
        ("keys.ipynb", format!("{{\"nbformat\": 4, \"cells\": [{}]}}", "{\"a\":\"\\n\"},".repeat(n_bytes / 11))),
        ("headers.eml", format!("{}{message}\nA heron.", "a: b\n".repeat(n_bytes / 5))),
        ("keywords.eml", format!("{message}Keywords: {}\n\nA heron.", numbered(|n| format!("k{n:07}, ")))),
        ("tags.md", format!("---\ntags:\n{}---\nA heron.", "- a\n".repeat(n_bytes / 4))),
        ("keys.md", format!("---\n{}---\nA heron.", "a: b\n".repeat(n_bytes / 5))),
    ];
    for (name, content) in cases {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[(name, content.as_bytes())]);
        let peak_kb = peak_kb(folder.path(), 150);
        println!("memory: {} MB at most, indexing {name}", peak_kb / 1000);
        assert!(peak_kb < 150_000, "{name}: {peak_kb} kB");
    }
}
