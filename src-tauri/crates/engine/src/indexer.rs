//! Brings the index in line with the disk: text of every changed file first, then vectors.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use crate::chunk::{ChunkRules, chunks};
use crate::engine::{IndexProgress, IndexReport, Phase};
use crate::extract::extract;
use crate::index::vectors::Quantized;
use crate::index::{Generation, Passage, Row, RowState, Snapshot, Writer, text_hash};
use crate::neighbour::{HOLD_TEXT, HOLD_VECTORS, Limits, Neighbour, fitting};
use crate::scan::{Scan, Seen};
use crate::{Cancel, Embedder, EngineError, Settings};

/// Files read and cut at once; bounds memory and how long a cancel waits.
const FILES_AT_ONCE: usize = 64;

/// Passages handed to the embedder at once: enough to keep its batches full, little enough to stop within seconds.
const PASSAGES_AT_ONCE: usize = 192;

/// How often what is done so far is published. Each commit makes a segment, which merging then has to clear.
const COMMIT_EVERY: Duration = Duration::from_secs(10);

/// A file, read and cut, ready to be written.
struct Prepared {
    row: Row,
    passages: Vec<Passage>,
    hashes: Vec<u64>,
}

pub(crate) struct Indexer<'a> {
    pub generation: &'a Generation,
    pub writer: &'a mut Writer,
    pub embedder: Option<&'a dyn Embedder>,
    pub neighbour: &'a Neighbour,
    pub limits: Limits,
    /// Set where nobody asked for this run, which then puts off on battery what can wait.
    pub settings: Option<&'a Settings>,
    pub cancel: &'a Cancel,
    pub progress: &'a mut dyn FnMut(&IndexProgress),
}

impl Indexer<'_> {
    /// One pass over what `scan` saw; `text_done` is called once all text is published. On
    /// [`EngineError::Cancelled`] all that was finished is kept.
    pub(crate) fn run(
        &mut self,
        scan: &Scan,
        text_done: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<IndexReport, EngineError> {
        let start = Instant::now();
        let snapshot = self.generation.snapshot()?;
        let mut rows: BTreeMap<PathBuf, Row> =
            snapshot.rows().map_err(|e| snapshot.failed(e))?.into_iter().map(|row| (row.path.clone(), row)).collect();
        let mut report = IndexReport { files_seen: scan.files.len(), ..IndexReport::default() };
        self.remove_gone(scan, &mut rows, &mut report);
        let outcome = self.text(scan, &snapshot, &mut rows, &mut report);
        // What was written before a cancel or a fault is whole, file by file: publish it in either case.
        self.writer.commit()?;
        outcome?;
        text_done()?;
        let outcome = self.vectors(scan, &mut rows, &mut report);
        self.writer.commit()?;
        outcome?;
        report.seconds = start.elapsed().as_secs_f64();
        self.tell(Phase::Done, report.files_seen, report.files_seen, None);
        Ok(report)
    }

    fn remove_gone(&mut self, scan: &Scan, rows: &mut BTreeMap<PathBuf, Row>, report: &mut IndexReport) {
        let keeps = |path: &Path| {
            scan.files.contains_key(path)
                || scan.offline.iter().any(|root| path.starts_with(root))
                || scan.unreadable.iter().any(|(folder, _)| path.starts_with(folder))
        };
        rows.retain(|path, _| {
            let keep = keeps(path);
            if !keep {
                self.writer.remove(path);
                report.files_removed += 1;
            }
            keep
        });
    }

    fn text(
        &mut self,
        scan: &Scan,
        snapshot: &Snapshot,
        rows: &mut BTreeMap<PathBuf, Row>,
        report: &mut IndexReport,
    ) -> Result<(), EngineError> {
        let mut changed = Vec::new();
        for (path, seen) in &scan.files {
            if seen.skip.is_some() {
                report.files_skipped += 1;
                // One that was read before and is now too large, say: it must not be found any more.
                if rows.remove(path).is_some() {
                    self.writer.remove(path);
                }
                continue;
            }
            match rows.get(path) {
                Some(row) if seen.is_as_in(row) => report.files_unchanged += 1,
                _ => changed.push((path, seen)),
            }
        }
        let total = changed.len();
        let mut last_commit = Instant::now();
        let mut rest = changed.as_slice();
        while !rest.is_empty() {
            self.neighbour.give_way(HOLD_TEXT, self.cancel);
            self.check()?;
            let sizes = rest.iter().map(|(_, seen)| seen.size);
            let done = total - rest.len();
            let (batch, later) = rest.split_at(fitting(sizes, FILES_AT_ONCE, self.limits.batch_bytes()));
            rest = later;
            self.tell(Phase::Text, done, total, batch.first().map(|(path, _)| path.to_path_buf()));
            let all = || batch.par_iter().map(|(path, seen)| prepare(path, seen)).collect::<Vec<Prepared>>();
            let prepared = self.neighbour.threads.run(self.limits.threads(), all);
            for file in prepared {
                match file.row.state {
                    RowState::Indexed => report.files_indexed += 1,
                    RowState::Skipped => report.files_skipped += 1,
                    RowState::Failed => report.files_failed += 1,
                }
                let vectors = known_vectors(snapshot, &file)?;
                let row = self.write(file, &vectors)?;
                rows.insert(row.path.clone(), row);
            }
            if last_commit.elapsed() > COMMIT_EVERY {
                self.writer.commit()?;
                last_commit = Instant::now();
            }
        }
        self.tell(Phase::Text, total, total, None);
        Ok(())
    }

    fn vectors(
        &mut self,
        scan: &Scan,
        rows: &mut BTreeMap<PathBuf, Row>,
        report: &mut IndexReport,
    ) -> Result<(), EngineError> {
        let Some(embedder) = self.embedder else { return Ok(()) };
        let mut pending: Vec<&Row> =
            rows.values().filter(|row| row.state == RowState::Indexed && !row.embedded).collect();
        // What was changed last is most likely asked for first.
        pending.sort_by_key(|row| std::cmp::Reverse(row.modified));
        let total: usize = pending.iter().map(|row| row.passages).sum();
        let mut done = 0;
        let mut last_commit = Instant::now();
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            self.neighbour.give_way(HOLD_VECTORS, self.cancel);
            self.check()?;
            if self.settings.is_some_and(|settings| self.neighbour.puts_off_vectors(settings)) {
                break;
            }
            let (batch, later) = rest.split_at(files_of_a_batch(rest));
            rest = later;
            self.tell(Phase::Vectors, done, total, batch.first().map(|row| row.path.clone()));
            // Read again rather than held in memory since the text phase; if a file changed meanwhile, this is newer.
            let all = || {
                let seen = |row: &&Row| scan.files.get(&row.path).map(|seen| prepare(&row.path, seen));
                batch.par_iter().filter_map(seen).collect::<Vec<Prepared>>()
            };
            let prepared = self.neighbour.threads.run(self.limits.threads(), all);
            report.chunks_embedded += self.embed_and_write(embedder, prepared)?;
            done += batch.iter().map(|row| row.passages).sum::<usize>();
            if last_commit.elapsed() > COMMIT_EVERY {
                self.writer.commit()?;
                last_commit = Instant::now();
            }
        }
        self.tell(Phase::Vectors, total, total, None);
        Ok(())
    }

    /// Embeds every distinct text that has no vector yet; returns how many.
    fn embed_and_write(&mut self, embedder: &dyn Embedder, files: Vec<Prepared>) -> Result<usize, EngineError> {
        let snapshot = self.generation.snapshot()?;
        let mut known: HashMap<u64, Quantized> = HashMap::new();
        let mut wanted: BTreeMap<u64, String> = BTreeMap::new();
        for file in &files {
            for (passage, hash) in file.passages.iter().zip(&file.hashes) {
                if known.contains_key(hash) || wanted.contains_key(hash) {
                    continue;
                }
                match snapshot.vector_of(*hash).map_err(|e| snapshot.failed(e))? {
                    Some(vector) => drop(known.insert(*hash, vector)),
                    None => drop(wanted.insert(*hash, passage.model_text())),
                }
            }
        }
        let texts: Vec<&str> = wanted.values().map(String::as_str).collect();
        let n_embedded = texts.len();
        let vectors = embedder.embed_passages(&texts, self.cancel)?;
        known.extend(wanted.keys().copied().zip(vectors.iter().map(|v| Quantized::from_f32(v))));
        for file in files {
            let vectors: Vec<Option<Quantized>> = file.hashes.iter().map(|hash| known.get(hash).cloned()).collect();
            self.write(file, &vectors)?;
        }
        Ok(n_embedded)
    }

    fn write(&mut self, file: Prepared, vectors: &[Option<Quantized>]) -> Result<Row, EngineError> {
        let mut row = file.row;
        row.embedded = row.state == RowState::Indexed && vectors.iter().all(Option::is_some);
        self.writer.replace(&row, &file.passages, vectors)?;
        Ok(row)
    }

    fn check(&self) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }

    fn tell(&mut self, phase: Phase, done: usize, total: usize, current: Option<PathBuf>) {
        (self.progress)(&IndexProgress { phase, done, total, current });
    }
}

/// How many of `rows`, at least one, make a batch for the embedder.
fn files_of_a_batch(rows: &[&Row]) -> usize {
    let mut passages = 0;
    let full = rows.iter().position(|row| {
        passages += row.passages;
        passages >= PASSAGES_AT_ONCE
    });
    full.map_or(rows.len(), |i| i + 1)
}

/// Vectors that the index already holds for a file's passages, from before the edit or from another file.
fn known_vectors(snapshot: &Snapshot, file: &Prepared) -> Result<Vec<Option<Quantized>>, EngineError> {
    if !snapshot.has_vectors() {
        return Ok(vec![None; file.passages.len()]);
    }
    file.hashes.iter().map(|hash| snapshot.vector_of(*hash).map_err(|e| snapshot.failed(e))).collect()
}

/// Reads and cuts one file. What goes wrong becomes the row's reason.
fn prepare(path: &Path, seen: &Seen) -> Prepared {
    let mut row = Row {
        path: path.to_owned(),
        state: RowState::Indexed,
        reason: None,
        at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        embedded: false,
        passages: 0,
        modified: seen.modified,
        changed: seen.changed,
        size: seen.size,
    };
    let failed = |mut row: Row, reason: String| {
        row.state = RowState::Failed;
        row.reason = Some(reason);
        Prepared { row, passages: Vec::new(), hashes: Vec::new() }
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return failed(row, format!("cannot be read: {error}")),
    };
    let document = match extract(path, &bytes) {
        Ok(document) => document,
        Err(error) => return failed(row, error.to_string()),
    };
    let mut tags = document.tags.clone();
    tags.extend(document.aliases.iter().cloned());
    let passages: Vec<Passage> = chunks(&document, &ChunkRules::default())
        .into_iter()
        .map(|chunk| Passage {
            path: path.to_string_lossy().into_owned(),
            title: document.title.clone(),
            tags: tags.clone(),
            chunk,
        })
        .collect();
    row.passages = passages.len();
    let hashes = passages.iter().map(|p| text_hash(&p.model_text())).collect();
    Prepared { row, passages, hashes }
}
