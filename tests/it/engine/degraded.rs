//! When a model is missing or fails, the answer says so, and searching by words goes on.

use std::sync::Arc;

use nuthatch_engine::{
    Blend, Calibration, Cancel, Degraded, Embedder, Engine, EngineError, EngineOptions, ModelError, Reranker,
    SearchRequest, Stage, WhyOutcome,
};

use super::Bench;
use crate::support::{BagOfWords, WordShare};

fn degraded(bench: &Bench) -> Vec<Degraded> {
    bench.search(&SearchRequest::new("heron")).degraded
}

#[test]
fn a_missing_model_is_said_with_the_reason() {
    let bench = Bench::new();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.engine.set_embedder_missing("no bi-encoder here".to_owned());
    bench.engine.set_reranker_missing("no cross-encoder here".to_owned());
    bench.index();
    let no_reranker = || Degraded::NoReranker { reason: "no cross-encoder here".to_owned() };
    let all = [Degraded::NoEmbedder { reason: "no bi-encoder here".to_owned() }, no_reranker()];
    assert_eq!(degraded(&bench), all);
    assert_eq!(bench.find("heron"), ["a.md"]);
    let lexical = SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") };
    assert_eq!(bench.search(&lexical).degraded, [], "asked for words, got words");

    bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
    bench.index();
    assert_eq!(degraded(&bench), [no_reranker()]);
    bench.engine.set_reranker(Arc::new(WordShare::default()));
    assert_eq!(degraded(&bench), []);
}

#[test]
fn another_embedder_serves_once_its_vectors_are_there() {
    let bench = Bench::with_models();
    bench.write("a.md", "# Birds\n\nThe heron stands still.");
    bench.index();
    assert_eq!(degraded(&bench), []);

    bench.engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@2")));
    assert_eq!(degraded(&bench), [Degraded::VectorsPending { embedded: 0, chunks: 1 }]);
    assert_eq!(bench.find("heron"), ["a.md"], "the old index still answers by words");
    bench.engine.set_reranker_missing("gone".to_owned());
    let without = degraded(&bench);
    assert!(matches!(without[..], [Degraded::VectorsPending { .. }, Degraded::NoReranker { .. }]), "{without:?}");
    bench.engine.set_reranker(Arc::new(WordShare::default()));
    assert_eq!(bench.index().chunks_embedded, 1, "vectors of different models never mix");
    assert_eq!(degraded(&bench), []);
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

/// How a model fails when it is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error,
    Panic,
    NotANumber,
    Infinite,
    OneTooFew,
    OneTooMany,
    /// It returns no numbers at all.
    Silence,
    /// Its numbers are sound, but its calibration does not make probabilities of them.
    Calibration,
}

const FAULTS: [Fault; 8] = [
    Fault::Error,
    Fault::Panic,
    Fault::NotANumber,
    Fault::Infinite,
    Fault::OneTooFew,
    Fault::OneTooMany,
    Fault::Silence,
    Fault::Calibration,
];

impl Fault {
    fn spoil(self, mut numbers: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Error => return Err(ModelError::Failed { message: "the model ran out of memory".into() }),
            Self::Panic => panic!("the model went wrong"),
            Self::NotANumber => *numbers.last_mut().unwrap() = f32::NAN,
            Self::Infinite => numbers[0] = f32::NEG_INFINITY,
            Self::OneTooFew => drop(numbers.pop()),
            Self::OneTooMany => numbers.push(0.5),
            Self::Silence => numbers.clear(),
            Self::Calibration => {}
        }
        Ok(numbers)
    }
}

/// Embeds passages correctly and fails on questions.
struct FailingEmbedder(BagOfWords, Fault);

impl Embedder for FailingEmbedder {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn dimensions(&self) -> usize {
        self.0.dimensions()
    }

    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        self.1.spoil(self.0.embed_query(query)?)
    }

    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.0.embed_passages(passages, cancel)
    }
}

/// Scores the first `sound` passages correctly, then fails.
struct FailingReranker {
    inner: WordShare,
    fault: Fault,
    sound: usize,
}

impl Reranker for FailingReranker {
    fn id(&self) -> &str {
        "failing"
    }

    fn score(&self, query: &str, passages: &[&str], cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        let scores = self.inner.score(query, passages, cancel)?;
        let n_read = self.inner.n_read.load(std::sync::atomic::Ordering::Relaxed);
        if n_read <= self.sound { Ok(scores) } else { self.fault.spoil(scores) }
    }

    fn calibration(&self) -> Calibration {
        let slope = if self.fault == Fault::Calibration { f32::NAN } else { 1.0 };
        Calibration { slope, offset: 0.0 }
    }

    fn blend(&self, embedder: Option<&str>) -> Option<Blend> {
        self.inner.blend(embedder)
    }
}

/// Thirty notes about herons, with their vectors.
fn thirty() -> Bench {
    let bench = Bench::with_models();
    for n in 0..30 {
        bench.write(&format!("{n}.md"), &format!("# Note {n}\n\nThe heron {}stands still.", "wades and ".repeat(n)));
    }
    bench.index();
    bench
}

#[test]
fn an_embedder_that_fails_leaves_what_the_words_find() {
    let bench = thirty();
    bench.engine.set_embedder_missing("none".to_owned());
    let request = SearchRequest { top: 30, ..SearchRequest::new("heron") };
    let by_words = bench.search(&request).hits;
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::Calibration) {
        bench.engine.set_embedder(Arc::new(FailingEmbedder(BagOfWords::new("bag-of-words@1"), fault)));
        let found = bench.search(&request);
        assert!(matches!(found.degraded[..], [Degraded::EmbedderFailed { .. }]), "{fault:?}: {:?}", found.degraded);
        assert_eq!(
            (found.hits.len(), &found.hits, found.model.as_deref()),
            (30, &by_words, Some("word-share")),
            "{fault:?}"
        );
        let report = bench.engine.why(&request, &bench.path("3.md"), &Cancel::new()).unwrap();
        assert_eq!((report.outcome, report.degraded.len()), (WhyOutcome::Shown, 1), "{fault:?}: {:?}", report.steps);
        assert!(
            report.steps.iter().any(|step| step.contains("By meaning it was not looked for")),
            "{:?}",
            report.steps
        );
    }
}

#[test]
fn a_reranker_that_fails_leaves_what_was_found() {
    let bench = thirty();
    bench.engine.set_reranker_missing("none".to_owned());
    let request = SearchRequest { top: 30, ..SearchRequest::new("heron") };
    let hybrid = bench.search(&request).hits;
    for fault in FAULTS {
        let failing = |sound| FailingReranker { inner: WordShare::default(), fault, sound };
        bench.engine.set_reranker(Arc::new(failing(0)));
        let found = bench.search(&request);
        assert!(matches!(found.degraded[..], [Degraded::RerankerFailed { .. }]), "{fault:?}: {:?}", found.degraded);
        assert_eq!((&found.hits, found.model, found.candidates.reranked), (&hybrid, None, 0), "{fault:?}");
        assert!(!found.nothing_answers, "nothing has judged them");
    }
}

/// The scores from before the failure are used, and the wrong ones are dropped.
#[test]
fn a_reranker_that_fails_on_the_way_leaves_what_it_had_read() {
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::Calibration) {
        let bench = thirty();
        bench.engine.set_reranker(Arc::new(FailingReranker { inner: WordShare::default(), fault, sound: 16 }));
        let request = SearchRequest { top: 30, ..SearchRequest::new("heron") };
        let found = bench.search(&request);
        assert!(matches!(found.degraded[..], [Degraded::RerankerFailed { .. }]), "{fault:?}: {:?}", found.degraded);
        assert_eq!((found.hits.len(), found.candidates.reranked, found.model.is_some()), (30, 16, true), "{fault:?}");
        assert!(found.hits.iter().all(|hit| hit.score.is_some_and(|score| (0.0..=1.0).contains(&score))), "{fault:?}");
        assert!(found.hits.is_sorted_by(|a, b| a.score >= b.score), "{fault:?}");
    }
}

/// Vectors of passages are checked as well: an invalid one must not get into the index.
#[test]
fn passages_get_no_vector_that_is_none() {
    struct Passages(BagOfWords, Fault);
    impl Embedder for Passages {
        fn id(&self) -> &str {
            self.0.id()
        }
        fn dimensions(&self) -> usize {
            self.0.dimensions()
        }
        fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
            self.0.embed_query(query)
        }
        fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
            let mut vectors = self.0.embed_passages(passages, cancel)?;
            let last = vectors.pop().unwrap();
            vectors.push(self.1.spoil(last)?);
            Ok(vectors)
        }
    }
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::Calibration) {
        let bench = Bench::with_embedder(Arc::new(Passages(BagOfWords::new("bag-of-words@1"), fault)));
        bench.write("a.md", "# Birds\n\nThe heron stands still.");
        let error = bench.try_index().unwrap_err();
        assert!(matches!(error, EngineError::Model(ModelError::Failed { .. })), "{fault:?}: {error}");
        assert_eq!(
            (bench.engine.status(false).unwrap().n_vectors, bench.find_words("heron").len()),
            (0, 1),
            "{fault:?}"
        );
    }
}
