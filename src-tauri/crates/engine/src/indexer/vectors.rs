//! Makes the vectors of passages whose text is indexed already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::Indexer;
use super::prepare::{Outcome, Prepared, Reader, prepare};
use super::session::vector_of;
use crate::engine::Phase;
use crate::index::vectors::Quantized;
use crate::index::{Row, RowState};
use crate::throttle::HOLD_VECTORS;
use crate::{Embedder, EngineError, model};

/// Passages of the files that are read and written together.
const PASSAGES_AT_ONCE: usize = 192;

/// Passages handed to the embedder at once: enough to keep its batches full, few enough that a change on disk is looked
/// at within a second on two cores.
const PASSAGES_A_STEP: usize = 32;

/// Files whose vectors are being made.
pub(super) struct Batch {
    files: Vec<Prepared>,
    known: HashMap<u64, Quantized>,
    /// Distinct texts that have no vector yet.
    wanted: Vec<(u64, String)>,
    n_done: usize,
}

impl Indexer<'_> {
    /// Embeds the next passages. Returns `false` if none is left, or if there is no embedder.
    pub(super) fn vectors(&mut self) -> Result<bool, EngineError> {
        let Some(embedder) = self.embedder else { return Ok(false) };
        if self.gives_way() {
            return Ok(true);
        }
        let mut batch = match self.session.batch.take() {
            Some(batch) => batch,
            None => match self.next_batch()? {
                Some(batch) => batch,
                None => {
                    self.session.n_embedded = 0;
                    return Ok(false);
                }
            },
        };
        let result = self.embed(embedder, &mut batch);
        if result.is_err() || batch.n_done < batch.wanted.len() {
            self.session.batch = Some(batch);
            return result.map(|()| true);
        }
        for file in batch.files {
            self.write_vectors(file, &batch.known)?;
        }
        self.commit_now_and_then()?;
        Ok(true)
    }

    /// Whether somebody searches, and vectors have not waited for [`HOLD_VECTORS`] yet. Each call waits a little
    /// itself; between two calls a change on disk can be looked at.
    fn gives_way(&mut self) -> bool {
        if self.give_way() {
            let since = *self.session.held_since.get_or_insert_with(Instant::now);
            if since.elapsed() < HOLD_VECTORS {
                return true;
            }
        }
        self.session.held_since = None;
        false
    }

    fn embed(&mut self, embedder: &dyn Embedder, batch: &mut Batch) -> Result<(), EngineError> {
        let end = batch.wanted.len().min(batch.n_done + PASSAGES_A_STEP);
        let slice = &batch.wanted[batch.n_done..end];
        if slice.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = slice.iter().map(|(_, text)| text.as_str()).collect();
        let (threads, cancel) = (self.limits.threads(), self.cancel);
        let vectors = self.throttle.threads.run(threads, || model::embed_passages(embedder, &texts, cancel))?;
        batch.known.extend(slice.iter().map(|(hash, _)| *hash).zip(vectors.iter().map(|v| Quantized::from_f32(v))));
        self.session.report.chunks_embedded += slice.len();
        batch.n_done = end;
        Ok(())
    }

    /// Reads the next files again, so that their text need not be kept in memory from the time it was indexed.
    fn next_batch(&mut self) -> Result<Option<Batch>, EngineError> {
        let except: BTreeSet<PathBuf> =
            self.session.deferred.iter().chain(self.session.written.keys()).cloned().collect();
        let (rows, n_passages) = {
            let ledger = self.session.ledger();
            let pending = ledger.pending(&except);
            let n_passages: usize = pending.iter().map(|row| row.passages).sum();
            let rows: Vec<Row> = pending[..files_of_a_batch(&pending)].iter().map(|row| (*row).clone()).collect();
            (rows, n_passages)
        };
        if rows.is_empty() {
            let done = self.session.n_embedded;
            if done > 0 {
                self.tell(Phase::Vectors, done, done, None);
            }
            return Ok(None);
        }
        let done = self.session.n_embedded;
        self.tell(Phase::Vectors, done, done + n_passages, rows.first().map(|row| row.path.clone()));
        self.session.n_embedded += rows.iter().map(|row| row.passages).sum::<usize>();

        let reader = Reader { workers: self.workers, suspects: &self.session.suspects, cancel: self.cancel };
        let read = |row: Row| {
            let outcome = prepare(&row.path, Duration::ZERO, reader);
            (row, outcome)
        };
        let all = || rows.into_par_iter().map(read).collect::<Vec<(Row, Outcome)>>();
        let read = self.throttle.threads.run(self.limits.threads(), all);
        let mut files = Vec::new();
        for (row, outcome) in read {
            match outcome {
                Outcome::Ready(file) if is_same(&file.row, &row) => files.push(file),
                // If the file has changed, its text is indexed first. A file out of reach waits for a hint or look.
                outcome => {
                    if matches!(outcome, Outcome::Ready(_) | Outcome::Unsettled | Outcome::Gone) {
                        self.session.text.push_back(row.path.clone());
                    }
                    self.session.deferred.insert(row.path);
                }
            }
        }
        let snapshots = self.session.snapshots()?;
        let mut known: HashMap<u64, Quantized> = HashMap::new();
        let mut wanted: BTreeMap<u64, String> = BTreeMap::new();
        for file in &files {
            for (passage, hash) in file.passages.iter().zip(&file.hashes) {
                if known.contains_key(hash) || wanted.contains_key(hash) {
                    continue;
                }
                match vector_of(&snapshots, *hash)? {
                    Some(vector) => drop(known.insert(*hash, vector)),
                    None => drop(wanted.insert(*hash, passage.model_text())),
                }
            }
        }
        Ok(Some(Batch { files, known, wanted: wanted.into_iter().collect(), n_done: 0 }))
    }

    /// Writes a file with its vectors, unless it was read again, or deleted, while they were being made.
    fn write_vectors(&mut self, file: Prepared, known: &HashMap<u64, Quantized>) -> Result<(), EngineError> {
        let current = self.session.ledger().rows.get(&file.row.path).is_some_and(|row| is_same(&file.row, row));
        if !current || self.session.written.contains_key(&file.row.path) {
            return Ok(());
        }
        let vectors: Vec<Option<Quantized>> = file.hashes.iter().map(|hash| known.get(hash).cloned()).collect();
        let Prepared { mut row, passages, .. } = file;
        row.embedded = row.state == RowState::Indexed && vectors.iter().all(Option::is_some);
        self.session.write(row, &passages, &vectors)
    }
}

fn is_same(a: &Row, b: &Row) -> bool {
    (a.modified, a.changed, a.size, a.state) == (b.modified, b.changed, b.size, b.state)
}

/// How many of `rows` make a batch: at least one, if there is any.
fn files_of_a_batch(rows: &[&Row]) -> usize {
    let mut passages = 0;
    let full = rows.iter().position(|row| {
        passages += row.passages;
        passages >= PASSAGES_AT_ONCE
    });
    full.map_or(rows.len(), |i| i + 1)
}
