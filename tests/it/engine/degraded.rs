//! What is missing is said, and searching by words goes on.

use std::sync::Arc;

use nuthatch_engine::{Cancel, Degraded, Engine, EngineError, EngineOptions, SearchRequest, Stage};

use super::Bench;
use crate::support::{BagOfWords, WordShare};

fn degraded(bench: &Bench) -> Option<Degraded> {
    bench.search(&SearchRequest::new("heron")).degraded
}

#[test]
fn a_missing_model_is_said_with_the_reason() {
    let bench = Bench::new();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.engine.set_embedder_missing("no bi-encoder here".to_owned());
    bench.engine.set_reranker_missing("no cross-encoder here".to_owned());
    bench.index();
    assert_eq!(degraded(&bench), Some(Degraded::NoEmbedder { reason: "no bi-encoder here".to_owned() }));
    assert_eq!(bench.find("heron"), ["a.md"]);
    let lexical = SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") };
    assert_eq!(bench.search(&lexical).degraded, None, "asked for words, got words");

    bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
    bench.index();
    assert_eq!(degraded(&bench), Some(Degraded::NoReranker { reason: "no cross-encoder here".to_owned() }));
    bench.engine.set_reranker(Arc::new(WordShare::default()));
    assert_eq!(degraded(&bench), None);
}

#[test]
fn another_embedder_serves_once_its_vectors_are_there() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.index();
    assert_eq!(degraded(&bench), None);

    bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@2")));
    assert_eq!(degraded(&bench), Some(Degraded::VectorsPending { embedded: 0, chunks: 1 }));
    assert_eq!(bench.find("heron"), ["a.md"], "the old index still answers by words");
    assert_eq!(bench.index().chunks_embedded, 1, "vectors of different models never mix");
    assert_eq!(degraded(&bench), None);
}

#[test]
fn a_broken_embedder_leaves_the_words() {
    let bench = Bench::with_embedder(Arc::new(BagOfWords { broken: true, ..BagOfWords::new("bag-of-words@1") }));
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    let error = bench.try_index().unwrap_err();
    assert!(error.to_string().contains("ran out of memory"), "{error}");
    assert_eq!(bench.find_words("heron"), ["a.md"]);
}

#[test]
fn nothing_indexed_yet_is_said() {
    let data = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
    let search = |query: &str| engine.search(&SearchRequest::new(query), &Cancel::new(), &mut |_, _| {});
    assert!(matches!(search("heron"), Err(EngineError::NoIndex { .. })));
    assert!(matches!(search("  "), Err(EngineError::EmptyQuery)));
}
