//! Searching the vectors of one snapshot of the index.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tantivy::index::SegmentId;
use tantivy::{DocAddress, DocId, Searcher};

use super::Quantized;
use super::column::{Column, QueryCodes};
use super::kernels;
use super::sketch::{BLOCK_ROWS, QuerySketch, block_bytes};
use super::top::{Scored, Top};

/// Blocks that one task scans: 32,768 rows, a millisecond or less, so that small indexes wake no other thread.
const TASK_BLOCKS: usize = 1024;
/// Every 32nd block is scanned first, to guess where the best scores begin.
const SAMPLE: usize = 32;

/// How many of `n_rows` scanned rows are rescored, to return the best `n`.
///
/// The following was measured with multilingual-e5-small on 5,500 paragraphs and 350 questions, English and Chinese. A
/// recall@100 of .98 against exact f32 needs 220 of 720 rows, 290 of 1,440, 395 of 2,880 and 500 of 5,500, so about the
/// 0.4th power of the row count. This function grows with the square root and starts well above that, to keep a margin:
/// 800 of 5,500 rows give .990. Rescoring all rows gives .992; the rest is lost by int8 itself. Of 100,003 rows
/// (`nuthatch bench growth`), 4,400 give .988 and 3,000 give .981. Without centring, 800 of 5,500 give .79.
fn rescored(n: usize, n_rows: usize) -> usize {
    n.max(50).saturating_mul((n_rows.isqrt() / 14).max(8))
}

/// All vectors of a searcher's snapshot. Deleted documents are never returned.
///
/// Make one for each searcher generation; cloning is cheap.
#[derive(Clone)]
pub struct VectorReader {
    searcher: Searcher,
    dims: usize,
    columns: Vec<(SegmentId, Arc<Column>)>,
    n_vectors: usize,
}

impl VectorReader {
    /// Opens the columns of all segments, reading an eighth of their bytes to check them.
    ///
    /// # Errors
    /// `DataCorruption` where a file is damaged or of another width; `OpenReadError` where one is missing.
    pub fn open(searcher: &Searcher, dims: usize) -> tantivy::Result<Self> {
        Self::with_columns(searcher, dims, &[])
    }

    /// Like [`Self::open`], for a newer snapshot of the same index. Only new segments are opened.
    pub fn reopen(&self, searcher: &Searcher) -> tantivy::Result<Self> {
        Self::with_columns(searcher, self.dims, &self.columns)
    }

    fn with_columns(searcher: &Searcher, dims: usize, known: &[(SegmentId, Arc<Column>)]) -> tantivy::Result<Self> {
        let mut columns = Vec::with_capacity(searcher.segment_readers().len());
        let mut n_vectors = 0;
        for segment in searcher.segment_readers() {
            // A segment's vector file never changes. The searcher's alive bitset says what was deleted since.
            let id = segment.segment_id();
            let column = match known.iter().find(|(known, _)| *known == id) {
                Some((_, column)) => column.clone(),
                None => Arc::new(Column::open(segment, dims)?),
            };
            n_vectors += match segment.alive_bitset() {
                None => column.n_rows(),
                Some(alive) => column.documents().filter(|&document| alive.is_alive(document)).count(),
            };
            columns.push((id, column));
        }
        Ok(Self { searcher: searcher.clone(), dims, columns, n_vectors })
    }

    /// The `n` documents nearest to `query` and their cosines, best first; equal cosines in address order.
    ///
    /// Only the direction of `query` counts. A query of another width, or without a direction (zero or not finite),
    /// finds nothing. Runs on the calling thread, and for large indexes on Rayon's current pool.
    pub fn nearest(&self, query: &[f32], n: usize) -> Vec<(DocAddress, f32)> {
        let Some(query) = self.unit_query(query) else { return Vec::new() };
        if n == 0 {
            return Vec::new();
        }
        let n_rows: usize = self.columns.iter().map(|(_, column)| column.n_rows()).sum();
        let parallel = n_rows > TASK_BLOCKS * BLOCK_ROWS;
        let mut found = self.recall(&query, rescored(n, n_rows), parallel);
        let codes = QueryCodes::new(&query);
        let rescore = |row: &mut Scored| {
            row.score = codes.cosine(self.columns[row.segment as usize].1.codes(row.row as usize));
        };
        if parallel {
            found.par_iter_mut().with_min_len(512).for_each(rescore);
        } else {
            found.iter_mut().for_each(rescore);
        }
        let mut best = Top::new(n);
        found.into_iter().for_each(|row| best.push(row));
        let mut best = best.into_vec();
        best.sort_unstable_by(Scored::best_first);
        best.iter().map(|row| (self.address(row), row.score)).collect()
    }

    /// The cosine of `query` and a document's vector; `None` where it has none, is deleted or unknown, or where
    /// `query` has another width or no direction.
    pub fn cosine(&self, query: &[f32], document: DocAddress) -> Option<f32> {
        self.cosines(query, &[document])[0]
    }

    /// Like [`Self::cosine`], for many documents, in their order.
    pub fn cosines(&self, query: &[f32], documents: &[DocAddress]) -> Vec<Option<f32>> {
        let Some(query) = self.unit_query(query) else { return vec![None; documents.len()] };
        let query = QueryCodes::new(&query);
        documents.iter().map(|document| self.codes(*document).map(|codes| query.cosine(codes))).collect()
    }

    /// The stored vector of a document, fit to be added again.
    pub fn payload(&self, document: DocAddress) -> Option<Quantized> {
        self.codes(document).map(Quantized::from_bytes)
    }

    /// The snapshot that the addresses belong to.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// How many living documents have a vector.
    pub fn n_vectors(&self) -> usize {
        self.n_vectors
    }

    /// The best `limit` living rows by their sketches, in any order.
    fn recall(&self, query: &[f32], limit: usize, parallel: bool) -> Vec<Scored> {
        let sketches: Vec<_> = self.columns.iter().map(|(_, column)| QuerySketch::new(query, &column.centre)).collect();
        let mut tasks = Vec::new();
        for (segment, (_, column)) in (0..).zip(&self.columns) {
            let n_blocks = column.n_rows().div_ceil(BLOCK_ROWS);
            let starts = (0..n_blocks).step_by(TASK_BLOCKS);
            tasks.extend(starts.map(|start| (segment, start..n_blocks.min(start + TASK_BLOCKS))));
        }
        let scan = |mut top: Top, (segment, blocks): &(u32, Range<usize>)| {
            self.scan(*segment, blocks.clone(), &sketches[*segment as usize], &mut top);
            top
        };
        if !parallel {
            return tasks.iter().fold(Top::new(limit), scan).into_vec();
        }
        let best_above = |floor: f32| {
            let empty = || Top::above(floor, limit);
            tasks.par_iter().fold(empty, scan).reduce(empty, Top::merge).into_vec()
        };
        // With a floor from the start, no thread has to gather and cut a full list of its own. A wrong guess cannot
        // change the answer: if it is too high, fewer than `limit` rows are found, and all rows are scanned again.
        let floor = self.likely_floor(&sketches, limit);
        let best = best_above(floor);
        if best.len() >= limit || floor == f32::NEG_INFINITY { best } else { best_above(f32::NEG_INFINITY) }
    }

    /// A score that `limit` rows most likely reach, from every [`SAMPLE`]th block.
    fn likely_floor(&self, sketches: &[QuerySketch], limit: usize) -> f32 {
        let expected = limit as f64 / SAMPLE as f64;
        // The sample's share of the best rows, plus ten standard deviations, as the best rows lie together in blocks.
        let n = (expected + 10.0 * expected.sqrt()) as usize + 8;
        let mut top = Top::new(n);
        for (segment, (sketch, (_, column))) in (0..).zip(sketches.iter().zip(&self.columns)) {
            for block in (0..column.n_rows().div_ceil(BLOCK_ROWS)).step_by(SAMPLE) {
                self.scan(segment, block..block + 1, sketch, &mut top);
            }
        }
        let sample = top.into_vec();
        if sample.len() < n {
            return f32::NEG_INFINITY;
        }
        sample.iter().map(|row| row.score).fold(f32::INFINITY, f32::min)
    }

    fn scan(&self, segment: u32, blocks: Range<usize>, sketch: &QuerySketch, top: &mut Top) {
        let column = &self.columns[segment as usize].1;
        let alive = self.searcher.segment_reader(segment).alive_bitset();
        let bytes = block_bytes(self.dims);
        let slice = &column.blocks()[blocks.start * bytes..blocks.end * bytes];
        kernels::scan(slice, self.dims, sketch, top.floor(), &mut |block, estimates| {
            let first = (blocks.start + block) * BLOCK_ROWS;
            // The last block may be partly empty.
            for (row, &score) in (first..column.n_rows()).zip(estimates) {
                if score >= top.floor() && alive.is_none_or(|alive| alive.is_alive(column.document(row))) {
                    top.push(Scored { score, segment, row: row as u32 });
                }
            }
            top.floor()
        });
    }

    /// `query` at unit length; `None` where it has another width or no direction.
    fn unit_query(&self, query: &[f32]) -> Option<Vec<f32>> {
        let largest = query.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        if query.len() != self.dims || largest == 0.0 || !query.iter().all(|x| x.is_finite()) {
            return None;
        }
        // Divided by the largest component first, as squares of very small or large numbers leave the range of f32.
        let length = query.iter().map(|x| (x / largest).powi(2)).sum::<f32>().sqrt();
        Some(query.iter().map(|x| x / largest / length).collect())
    }

    fn codes(&self, document: DocAddress) -> Option<&[u8]> {
        let (_, column) = self.columns.get(document.segment_ord as usize)?;
        let alive = self.searcher.segment_reader(document.segment_ord).alive_bitset();
        let row = column.row_of(document.doc_id)?;
        alive.is_none_or(|alive| alive.is_alive(document.doc_id)).then(|| column.codes(row))
    }

    fn address(&self, row: &Scored) -> DocAddress {
        let document: DocId = self.columns[row.segment as usize].1.document(row.row as usize);
        DocAddress::new(row.segment, document)
    }
}
