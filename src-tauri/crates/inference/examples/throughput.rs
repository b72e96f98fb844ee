//! How fast a model is on this machine: passages come in on standard input, one a line.
//!
//! `cargo run --release -p nuthatch-inference --example throughput -- NAME f32|int8 [THREADS] < passages.txt`
//!
//! A bi-encoder embeds them; a cross-encoder scores them against the first line. Run it under `time`: on a shared
//! machine processor time compares better than the wall clock.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

use nuthatch_engine::{Cancel, Embedder, Reranker};
use nuthatch_inference::{
    DeviceChoice, Kind, LoadOptions, ModelStore, Precision, StoreOptions, load_embedder, load_reranker,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("name a model of the manifest")?;
    let precision = match arguments.next().as_deref() {
        Some("f32") => Precision::F32,
        _ => Precision::Int8,
    };
    let threads = arguments.next().map(|n| n.parse()).transpose()?;
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let passages: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let first = *passages.first().ok_or("no passages on standard input")?;

    let data_dir = std::env::var_os("NUTHATCH_DATA").map_or_else(std::env::temp_dir, PathBuf::from);
    let store = ModelStore::open(StoreOptions { shipped: ModelStore::shipped_dir(), data_dir })?;
    let info = store.list().into_iter().find(|m| m.name == name).ok_or("there is no model of that name")?;
    let options = LoadOptions { device: DeviceChoice::Cpu, precision: Some(precision), threads };
    let started = Instant::now();
    let mut out = io::stdout().lock();
    let (tokens, loaded, query, placed) = match info.kind {
        Kind::BiEncoder => {
            let model = load_embedder(&store, Some(&name), &options)?;
            let loaded = started.elapsed();
            model.embed_query("warm up")?;
            let asked = Instant::now();
            model.embed_query("how do I undo the last commit")?;
            let query = asked.elapsed();
            let counts: Result<Vec<usize>, _> = passages.iter().map(|p| Ok(model.token_ids(p)?.len())).collect();
            let started = Instant::now();
            model.embed_passages(&passages, &Cancel::new())?;
            let counts: Outcome<Vec<usize>> = counts;
            (rate(counts?, started), loaded, query, model.placed().to_owned())
        }
        Kind::CrossEncoder => {
            let model = load_reranker(&store, Some(&name), &options)?;
            let loaded = started.elapsed();
            model.score("warm up", &[first], &Cancel::new())?;
            let asked = Instant::now();
            model.score(first, &[first], &Cancel::new())?;
            let query = asked.elapsed();
            let counts: Result<Vec<usize>, _> =
                passages.iter().map(|p| Ok(model.tokens(first, p)?.ids.len())).collect();
            let started = Instant::now();
            model.score(first, &passages, &Cancel::new())?;
            let counts: Outcome<Vec<usize>> = counts;
            (rate(counts?, started), loaded, query, model.placed().to_owned())
        }
    };
    writeln!(
        out,
        "{name} ({placed}): loaded in {loaded:.0?}, one text in {query:.1?}, {} texts, {}",
        passages.len(),
        tokens
    )?;
    Ok(())
}

fn rate(counts: Vec<usize>, started: Instant) -> String {
    let (took, tokens) = (started.elapsed(), counts.iter().sum::<usize>());
    format!("{tokens} tokens in {took:.2?}: {:.0} tokens/s", tokens as f64 / took.as_secs_f64())
}
