//! Tests of the engine through its public handle, with fake models that only do arithmetic.

mod behaviours;
mod converge;
mod copies;
mod degraded;
mod folders;
mod limits;
mod model;
mod named;
mod peers;
mod previews;
mod ranking;
mod spellings;
mod watching;
mod why;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nuthatch_engine::{
    Cancel, Embedder, Engine, EngineError, EngineOptions, IndexReport, SearchRequest, SearchResults, Stage,
};
use tempfile::TempDir;

use crate::support::{BagOfWords, WordShare, worker};

/// A new folder whose name is one word in lower case. A search finds files by the words of their folders' names too,
/// and in a random name like `.tmp3aB` any digit or letter may count as a word.
fn plainly_named(place: &Path) -> TempDir {
    static N_MADE: AtomicU32 = AtomicU32::new(0);
    let in_letters = |n: u32| n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect::<String>();
    let name =
        format!("watched{}q{}", in_letters(std::process::id()), in_letters(N_MADE.fetch_add(1, Ordering::Relaxed)));
    tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(place).unwrap()
}

/// An engine that watches one folder of its own.
struct Bench {
    notes: TempDir,
    data: TempDir,
    engine: Engine,
}

impl Bench {
    /// Without models.
    fn new() -> Self {
        Self::at(plainly_named(&std::env::temp_dir()), tempfile::tempdir().unwrap())
    }

    fn at(notes: TempDir, data: TempDir) -> Self {
        let engine = Engine::open(EngineOptions { worker: Some(worker()), ..EngineOptions::new(data.path()) }).unwrap();
        // The shortest time that is allowed: tests write each file in one go.
        engine.update_settings(|settings| settings.settle_ms = 20).unwrap();
        engine.add_folder(notes.path()).unwrap();
        Self { notes, data, engine }
    }

    /// Without models, and in memory where the system has `/dev/shm`: otherwise each commit waits for the disk.
    fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self::at(plainly_named(&place), tempfile::tempdir_in(&place).unwrap())
    }

    fn with_models() -> Self {
        let bench = Self::new();
        bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
        bench.engine.set_reranker(Arc::new(WordShare::default()));
        bench
    }

    fn with_embedder(embedder: Arc<dyn Embedder>) -> Self {
        let bench = Self::new();
        bench.engine.set_embedder(embedder);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.notes.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn index(&self) -> IndexReport {
        self.try_index().unwrap()
    }

    fn try_index(&self) -> Result<IndexReport, EngineError> {
        self.engine.index(&mut |_| {}, &Cancel::new())
    }

    fn search(&self, request: &SearchRequest) -> SearchResults {
        self.engine.search(request, &Cancel::new(), &mut |_, _| {}).unwrap()
    }

    /// File names found for a question through all stages.
    fn find(&self, query: &str) -> Vec<String> {
        names(&self.search(&SearchRequest { top: 100, ..SearchRequest::new(query) }))
    }

    /// Paths, inside the watched folder, of files found by words; files that changed since they were read are left out.
    fn find_paths(&self, query: &str) -> std::collections::BTreeSet<String> {
        let at = self.notes.path().canonicalize().unwrap();
        let request = SearchRequest { top: 100, stage: Stage::Lexical, ..SearchRequest::new(query) };
        let hits = self.search(&request).hits.into_iter().filter(|hit| !hit.stale);
        let files = hits.flat_map(|hit| std::iter::once(hit.path).chain(hit.copies));
        files.map(|path| path.strip_prefix(&at).unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// File names found by words, in alphabetical order.
    fn find_words(&self, query: &str) -> Vec<String> {
        let request = SearchRequest { top: 100, stage: Stage::Lexical, ..SearchRequest::new(query) };
        let mut found = names(&self.search(&request));
        found.sort();
        found
    }
}

/// The names of the files found. Copies of a note follow the note that is shown for them.
fn names(results: &SearchResults) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    results.hits.iter().flat_map(|hit| std::iter::once(&hit.path).chain(&hit.copies)).map(name).collect()
}
