//! Measures one collection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use nuthatch_engine::index::{Generation, Generations, Writer};
use nuthatch_engine::throttle::Limits;
use nuthatch_engine::{Cancel, Embedder, Engine, EngineError, EngineOptions, SearchRequest, Stage};
use serde::Serialize;

use crate::bench::growth::build::{Built, Stock, folder, row};
use crate::bench::growth::made::Maker;
use crate::bench::growth::questions::Question;
use crate::bench::growth::recall;
use crate::eval::run::quantile;
use crate::failure::Failure;

/// How many notes are added, one by one.
const ADDED: u64 = 20;

/// Notes that are written again and again while questions are asked.
const REWRITTEN: u64 = 2000;

/// Nearest vectors asked for in the scan: as many as a hybrid search asks for.
const NEAREST: usize = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Times {
    pub(crate) median: f64,
    pub(crate) p95: f64,
    pub(crate) max: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { median: quantile(&times, 0.5), p95: quantile(&times, 0.95), max: quantile(&times, 1.0) }
    }
}

/// Times in milliseconds, of whole searches from the question to the hits with their snippets.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) n_passages: usize,
    pub(crate) built: Option<Built>,
    pub(crate) bytes_per_passage: f64,
    pub(crate) n_segments: usize,
    pub(crate) lexical: Times,
    /// Including the question's embedding, which takes the same time at every size.
    pub(crate) vector: Times,
    /// The scan of the vectors alone, without the question's embedding.
    pub(crate) vector_scan: Times,
    pub(crate) hybrid: Times,
    /// Hybrid searches while notes are added and segments merged without a pause.
    pub(crate) hybrid_while_writing: Times,
    /// How many notes were added meanwhile.
    pub(crate) written_meanwhile: usize,
    pub(crate) open: f64,
    /// Reading the catalog's rows of all files, with which an indexing run begins.
    pub(crate) rows: f64,
    /// Until an added note is found: written, committed, reloaded, searched.
    pub(crate) add_note: Times,
    /// Share of the nearest hundred passages, by exact cosines in f32, that the vector column finds; `None` if it was
    /// not asked for.
    pub(crate) recall_100: Option<f64>,
    pub(crate) lexical_by_kind: BTreeMap<&'static str, Times>,
    pub(crate) hybrid_by_kind: BTreeMap<&'static str, Times>,
}

/// Times opening the index, searching it and adding notes. `vectors` are those of `questions`.
pub(crate) fn measure(
    stock: Stock,
    maker: &Maker<'_>,
    embedder: Arc<dyn Embedder>,
    questions: &[Question],
    vectors: &[Vec<f32>],
    recall_questions: usize,
) -> Result<Measured, Failure> {
    let size_bytes = stock.generation.size_bytes();
    let n_segments = stock.generation.snapshot()?.searcher().segment_readers().len();
    let recall_100 = match recall_questions {
        0 => None,
        n => Some(recall::of_made(&stock, maker, &vectors[..n.min(vectors.len())])?),
    };
    let Stock { dir, generation, next, n_passages, built } = stock;
    drop(generation);

    let opening = Instant::now();
    let generation = open(&dir)?;
    let snapshot = generation.snapshot()?;
    let open_ms = ms(opening);
    let reading = Instant::now();
    let rows = snapshot.rows().map_err(index_failed)?;
    let rows_ms = ms(reading);
    tracing::info!(n = rows.len(), "catalog rows");
    drop(rows);

    let engine = Engine::open(EngineOptions::new(&dir))?;
    engine.set_embedder(embedder);
    engine.set_reranker_missing("not measured here".to_owned());
    engine.update_settings(|settings| settings.folders = vec![folder()])?;
    let ask = |stage: Stage| -> Result<Vec<f64>, Failure> {
        questions.iter().map(|question| search_ms(&engine, &question.text, stage)).collect()
    };
    // A first round that does not count brings the index into memory.
    for stage in [Stage::Lexical, Stage::Hybrid] {
        ask(stage)?;
    }
    let lexical = ask(Stage::Lexical)?;
    let vector = ask(Stage::Vector)?;
    let hybrid = ask(Stage::Hybrid)?;
    let scan = vectors
        .iter()
        .map(|vector| {
            let start = Instant::now();
            std::hint::black_box(snapshot.vectors().nearest(vector, NEAREST));
            ms(start)
        })
        .collect();

    let mut writer = generation.writer(&Limits::default())?;
    let mut added = Vec::new();
    for number in next..next + ADDED {
        let start = Instant::now();
        let path = add(&mut writer, maker, number)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Made notes share titles, and a hundred notes of a Chinese title may score alike, so the first hundred hits
        // are searched for the new note.
        let request = SearchRequest { stage: Stage::Lexical, top: 100, ..SearchRequest::new(name.clone()) };
        let found = engine.search(&request, &Cancel::new(), &mut |_, _| {})?;
        added.push(ms(start));
        if !found.hits.iter().any(|hit| hit.path == path) {
            return Err(Failure::failed("bench", format!("{name} was added and is not found by its name")));
        }
    }

    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let meanwhile = std::thread::scope(|scope| {
        let writing = scope.spawn(|| -> Result<(), Failure> {
            for number in (next + ADDED..next + ADDED + REWRITTEN).cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                add(&mut writer, maker, number)?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let asked = ask(Stage::Hybrid);
        stop.store(true, Ordering::Relaxed);
        match writing.join() {
            Ok(outcome) => outcome.and(asked),
            Err(_) => Err(Failure::failed("bench", "the writing thread stopped unexpectedly")),
        }
    })?;
    let written_meanwhile = written.into_inner();
    // The added notes are removed, so that a kept collection is the same the next time. Readers are dropped first, so
    // that the files they hold can be deleted.
    drop((engine, snapshot));
    for number in next..next + ADDED + REWRITTEN.min(written_meanwhile as u64) {
        writer.remove(Path::new(&maker.note(number).passages[0].path));
    }
    writer.commit()?;
    writer.close()?;
    // Files of merged segments are deleted when the next writer opens, if nobody reads them any more.
    drop(generation.snapshot()?);
    generation.writer(&Limits::default())?.close()?;

    let by_kind = |times: &[f64]| {
        let mut kinds: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for (question, time) in questions.iter().zip(times) {
            kinds.entry(question.kind).or_default().push(*time);
        }
        kinds.into_iter().map(|(kind, times)| (kind, Times::of(times))).collect()
    };
    Ok(Measured {
        n_passages,
        built,
        bytes_per_passage: size_bytes as f64 / n_passages as f64,
        n_segments,
        lexical_by_kind: by_kind(&lexical),
        hybrid_by_kind: by_kind(&hybrid),
        lexical: Times::of(lexical),
        vector: Times::of(vector),
        vector_scan: Times::of(scan),
        hybrid: Times::of(hybrid),
        hybrid_while_writing: Times::of(meanwhile),
        written_meanwhile,
        open: open_ms,
        rows: rows_ms,
        add_note: Times::of(added),
        recall_100,
    })
}

fn index_failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed("index", error.to_string())
}

fn open(dir: &Path) -> Result<Generation, Failure> {
    let current = Generations::new(dir).current()?;
    Ok(current.ok_or_else(|| EngineError::NoIndex { path: dir.to_owned() })?)
}

/// Writes a note and publishes it; returns its path.
fn add(writer: &mut Writer, maker: &Maker<'_>, number: u64) -> Result<PathBuf, Failure> {
    let note = maker.note(number);
    let path = note.passages[0].path.as_str();
    writer.replace(&row(path, note.passages.len()), &note.passages, &note.quantized())?;
    writer.commit()?;
    Ok(path.into())
}

fn search_ms(engine: &Engine, question: &str, stage: Stage) -> Result<f64, Failure> {
    let request = SearchRequest { stage, ..SearchRequest::new(question) };
    let start = Instant::now();
    engine.search(&request, &Cancel::new(), &mut |_, _| {})?;
    Ok(ms(start))
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}
