//! The vector column against an exhaustive search in f32, on synthetic vectors as crowded as an embedding model's.
//!
//! `cargo bench --bench vectors` runs 10,000 and 100,000 rows of 384 dimensions; `NUTHATCH_BENCH_ROWS=1000000` runs
//! another number. Recall and the ratio of the two times are printed first: times differ between machines, the
//! ratio much less.

#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use divan::Bencher;
use nuthatch_engine::index::vectors::{Quantized, VectorPlugin, VectorReader, add_vector_field};
use rayon::prelude::*;
use tantivy::schema::Schema;
use tantivy::{Index, IndexWriter, TantivyDocument};

const DIMS: usize = 384;
/// What hybrid search asks for.
const NEAREST: usize = 100;
const N_QUERIES: usize = 20;

static CORPORA: LazyLock<BTreeMap<usize, Corpus>> =
    LazyLock::new(|| sizes().into_iter().map(|rows| (rows, Corpus::new(rows))).collect());

fn main() {
    CORPORA.values().for_each(report);
    divan::main();
}

fn sizes() -> Vec<usize> {
    match std::env::var("NUTHATCH_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()) {
        Some(rows) => vec![rows],
        None => vec![10_000, 100_000],
    }
}

#[divan::bench(args = sizes())]
fn scan_and_rescore(bencher: Bencher, rows: usize) {
    let corpus = &CORPORA[&rows];
    let mut queries = corpus.queries.iter().cycle();
    bencher.bench_local(|| queries.next().map(|query| corpus.column.nearest(query, NEAREST)));
}

#[divan::bench(args = sizes())]
fn exhaustive_f32(bencher: Bencher, rows: usize) {
    let corpus = &CORPORA[&rows];
    let mut queries = corpus.queries.iter().cycle();
    bencher.bench_local(|| queries.next().map(|query| corpus.exact(query)));
}

fn report(corpus: &Corpus) {
    let started = Instant::now();
    let found: Vec<_> = corpus.queries.iter().map(|query| corpus.column.nearest(query, NEAREST)).collect();
    let column_ms = started.elapsed().as_secs_f64() * 1e3 / N_QUERIES as f64;
    let started = Instant::now();
    let exact: Vec<_> = corpus.queries.iter().map(|query| corpus.exact(query)).collect();
    let exact_ms = started.elapsed().as_secs_f64() * 1e3 / N_QUERIES as f64;

    let hits: usize = found
        .iter()
        .zip(&exact)
        .map(|(found, exact)| found.iter().filter(|(address, _)| exact.contains(&address.doc_id)).count())
        .sum();
    println!(
        "{} rows, {} threads: column {column_ms:.2} ms, f32 {exact_ms:.2} ms, ratio {:.1}, recall@{NEAREST} {:.3}",
        corpus.rows.len() / DIMS,
        rayon::current_num_threads(),
        exact_ms / column_ms,
        hits as f64 / (N_QUERIES * NEAREST) as f64,
    );
}

/// Rows in one segment, so that a row's number is its document's.
struct Corpus {
    rows: Vec<f32>,
    queries: Vec<Vec<f32>>,
    column: VectorReader,
}

impl Corpus {
    fn new(n_rows: usize) -> Self {
        let mut cone = Cone::new();
        let rows: Vec<f32> = (0..n_rows).flat_map(|_| cone.vector()).collect();
        let queries = (0..N_QUERIES).map(|_| cone.vector()).collect();
        let column = column(&rows).expect("an index in memory can be written");
        Self { rows, queries, column }
    }

    /// The rows nearest to `query`, by f32 products on all threads.
    fn exact(&self, query: &[f32]) -> Vec<u32> {
        let mut scored: Vec<(f32, u32)> = self
            .rows
            .par_chunks_exact(DIMS)
            .enumerate()
            .map(|(row, vector)| (inner_product(query, vector), row as u32))
            .collect();
        scored.select_nth_unstable_by(NEAREST, |a, b| b.0.total_cmp(&a.0));
        scored[..NEAREST].iter().map(|&(_, row)| row).collect()
    }
}

/// In 16 running sums, so that the compiler may use vector registers.
fn inner_product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn column(rows: &[f32]) -> tantivy::Result<VectorReader> {
    let mut schema = Schema::builder();
    let field = add_vector_field(&mut schema, "vector", DIMS);
    let plugin = Arc::new(VectorPlugin::new(field, DIMS));
    let index = Index::builder().schema(schema.build()).register_plugin(plugin).create_in_ram()?;
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 2_000_000_000)?;
    for row in rows.chunks_exact(DIMS) {
        let mut document = TantivyDocument::new();
        document.add_custom(field, Quantized::from_f32(row).as_bytes());
        writer.add_document(document)?;
    }
    writer.commit()?;
    VectorReader::open(&index.reader()?.searcher(), DIMS)
}

/// Unit vectors around a strong common direction, in clusters: pairwise cosines of about .75, as multilingual-e5's.
struct Cone {
    state: u64,
    clusters: Vec<Vec<f32>>,
}

impl Cone {
    fn new() -> Self {
        let mut cone = Self { state: 0x9E37_79B9_7F4A_7C15, clusters: Vec::new() };
        let axis = cone.noise(1.7);
        for _ in 0..300 {
            let cluster = cone.noise(0.7);
            cone.clusters.push(axis.iter().zip(&cluster).map(|(a, c)| a + c).collect());
        }
        cone
    }

    fn vector(&mut self) -> Vec<f32> {
        let cluster = (self.uniform() * self.clusters.len() as f32) as usize;
        let noise = self.noise(0.7);
        let vector: Vec<f32> = self.clusters[cluster].iter().zip(&noise).map(|(c, n)| c + n).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    }

    fn noise(&mut self, deviation: f32) -> Vec<f32> {
        (0..DIMS).map(|_| ((0..4).map(|_| self.uniform()).sum::<f32>() - 2.0) * 3.0_f32.sqrt() * deviation).collect()
    }

    /// In `0.0..1.0` (Marsaglia's xorshift64*).
    fn uniform(&mut self) -> f32 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1_u64 << 24) as f32
    }
}
