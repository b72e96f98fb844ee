//! Collections on the disk: built once for each size and kept for the next time.

use std::path::{Path, PathBuf};

use nuthatch_engine::Embedder;
use nuthatch_engine::index::{Generation, Generations, Row};
use nuthatch_engine::throttle::Limits;
use rayon::prelude::*;
use serde::Serialize;

use crate::bench::growth::made::{FOLDER, Maker};
use crate::bench::growth::recall::Nearest;
use crate::failure::Failure;
use crate::progress;
use crate::session::Session;

/// Notes made at once, on all cores.
const AT_ONCE: u64 = 512;

/// Passages between two commits: about as many as the indexer writes in the ten seconds between its commits.
const COMMITTED: usize = 20_000;

/// An index of made notes.
pub(crate) struct Stock {
    pub(crate) dir: PathBuf,
    pub(crate) generation: Generation,
    /// The lowest number that no note of the index has.
    pub(crate) next: u64,
    pub(crate) n_passages: usize,
    /// `None` if the index existed already.
    pub(crate) built: Option<Built>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Built {
    pub(crate) seconds: f64,
    /// Of those, the seconds the writer took; the rest went into making notes.
    pub(crate) writing_seconds: f64,
}

/// The collection of `size` passages in `dir`, built if it is not there.
pub(crate) fn stock(
    dir: &Path,
    size: usize,
    maker: &Maker<'_>,
    embedder: &dyn Embedder,
    session: &Session<'_, '_>,
) -> Result<Stock, Failure> {
    // `next` and `n_passages` are counted again rather than stored, because a note follows from its number alone.
    let generations = Generations::new(dir);
    let generation = generations.open_or_create(Some((embedder.id(), embedder.dimensions())))?;
    let snapshot = generation.snapshot()?;
    let found = snapshot.n_passages().map_err(|error| Failure::failed("index", error.to_string()))? as usize;
    let bar = progress::bar(session.shows_progress(), "building", size as u64);
    let start = std::time::Instant::now();
    let mut writing_seconds = 0.0;
    let (mut next, mut n_passages, mut since_commit) = (0, 0, 0);
    let mut writer = (found < size).then(|| generation.writer(&Limits::default())).transpose()?;
    while n_passages < size {
        if session.cancel().is_cancelled() {
            return Err(Failure::Interrupted);
        }
        let notes: Vec<_> = (next..next + AT_ONCE).into_par_iter().map(|number| maker.note(number)).collect();
        let writing = std::time::Instant::now();
        for note in notes {
            if n_passages >= size {
                break;
            }
            next += 1;
            n_passages += note.passages.len();
            since_commit += note.passages.len();
            if let Some(writer) = &mut writer {
                writer.replace(&row(&note.passages[0].path, note.passages.len()), &note.passages, &note.quantized())?;
            }
        }
        if let Some(writer) = &mut writer
            && since_commit >= COMMITTED
        {
            writer.commit()?;
            since_commit = 0;
        }
        writing_seconds += writing.elapsed().as_secs_f64();
        bar.set_position(n_passages as u64);
    }
    bar.finish_and_clear();
    let mut built = None;
    if let Some(mut writer) = writer {
        let writing = std::time::Instant::now();
        writer.commit()?;
        writer.close()?;
        writing_seconds += writing.elapsed().as_secs_f64();
        built = Some(Built { seconds: start.elapsed().as_secs_f64(), writing_seconds });
    }
    generations.promote(&generation)?;
    Ok(Stock { dir: dir.to_owned(), generation, next, n_passages, built })
}

impl Stock {
    /// Offers the vector of every passage of the collection to `nearest`.
    pub(crate) fn each_vector(&self, maker: &Maker<'_>, nearest: &mut [Nearest]) {
        for first in (0..self.next).step_by(AT_ONCE as usize) {
            let numbers = first..self.next.min(first + AT_ONCE);
            let notes: Vec<_> = numbers.clone().into_par_iter().map(|number| maker.note(number)).collect();
            nearest.par_iter_mut().for_each(|nearest| {
                for (number, note) in numbers.clone().zip(&notes) {
                    for (ordinal, vector) in note.vectors.iter().enumerate() {
                        nearest.offer(number, ordinal, vector);
                    }
                }
            });
        }
    }
}

pub(crate) fn row(path: &str, n_passages: usize) -> Row {
    Row::indexed(path.into(), n_passages)
}

/// The watched folder for searches over a collection: the one that made notes claim to lie in.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(FOLDER)
}
