//! Two processes on one data folder. One writes; the other reads, or says who holds the index if it wants to write.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;

use nuthatch_engine::index::Generations;
use nuthatch_engine::{Cancel, Engine, EngineOptions, SearchRequest, Stage};

use crate::support::{BagOfWords, Nuthatch, write};

fn reader(nuthatch: &Nuthatch) -> Engine {
    Engine::open(EngineOptions::new(nuthatch.data_dir())).unwrap()
}

fn n_found(engine: &Engine, query: &str) -> usize {
    let request = SearchRequest { stage: Stage::Lexical, top: 100, ..SearchRequest::new(query) };
    engine.search(&request, &Cancel::new(), &mut |_, _| {}).unwrap().hits.len()
}

#[test]
fn the_second_writer_is_told_who_the_first_is() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", b"# Heron\n\nIt waits.")]);
    nuthatch.index(folder.path());
    let hold = Generations::new(nuthatch.data_dir()).hold().unwrap();
    let refused = nuthatch.run(&["index", "--json"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&format!("process {}, for less than a minute", std::process::id())), "{message}");

    // A note that names a process which has ended is not believed, although the lock is held.
    let mut gone = nuthatch.command(&["status"]).stdout(Stdio::null()).spawn().unwrap();
    gone.wait().unwrap();
    let note = nuthatch.data_dir().join("index/HOLDER");
    let was = fs::read_to_string(&note).unwrap();
    fs::write(&note, was.replace(&std::process::id().to_string(), &gone.id().to_string())).unwrap();
    let message = nuthatch.run(&["index"]).err;
    assert!(message.contains("left no note") && message.contains("has ended"), "{message}");
    // Searching needs no right to write.
    assert_eq!(nuthatch.run(&["search", "heron", "--stage", "lexical"]).code, 0);
    drop(hold);
    assert_eq!(nuthatch.run(&["index"]).code, 0);
    assert!(!note.exists());
}

#[test]
fn a_killed_writer_holds_nothing() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", b"# Heron\n\nIt waits.")]);
    nuthatch.index(folder.path());
    let mut watch = nuthatch.command(&["watch"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let note = nuthatch.data_dir().join("index/HOLDER");
    while !note.exists() {
        assert!(watch.try_wait().unwrap().is_none(), "the watch ended");
        std::thread::yield_now();
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    write(folder.path(), &[("b.md", b"# Heron\n\nAnother.")]);
    assert_eq!(nuthatch.run(&["index"]).code, 0);
    assert_eq!(n_found(&reader(&nuthatch), "heron"), 2);
}

#[test]
fn a_reader_sees_what_another_process_commits() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", b"# Heron\n\nIt waits.")]);
    nuthatch.index(folder.path());
    let engine = reader(&nuthatch);
    assert_eq!(n_found(&engine, "heron"), 1);
    // Enough commits for the writer to merge segments and to clear the old ones away.
    for i in 0..10 {
        write(folder.path(), &[(&format!("n{i}.md"), format!("# Heron\n\nAnother, number {i}.").as_bytes())]);
        nuthatch.index(folder.path());
        assert_eq!(n_found(&engine, "heron"), 2 + i);
    }
}

#[test]
fn a_reader_follows_to_another_generation() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", b"# Heron\n\nIt waits.")]);
    nuthatch.index(folder.path());
    let engine = reader(&nuthatch);
    assert_eq!(n_found(&engine, "heron"), 1);
    // Another process changes the model. The index that this process has open is then replaced and removed.
    let other = reader(&nuthatch);
    other.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
    write(folder.path(), &[("b.md", b"# Heron\n\nAnother.")]);
    other.index(&mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!(n_found(&engine, "heron"), 2);
    assert_eq!(engine.status(false).unwrap().n_vectors, 2);
}
