//! The real notes that collections are made from: their passages, their headings, and vectors of some of them.

use std::fs;
use std::path::{Path, PathBuf};

use nuthatch_engine::index::Passage;
use nuthatch_engine::notes::IndexedNotes;
use nuthatch_engine::{Cancel, Embedder, Engine, EngineOptions};

use crate::failure::Failure;
use crate::progress::{self, IndexBar};
use crate::session::Session;

/// Most passages that are embedded: more would not change how vectors are spread, and each takes 20 to 50 ms.
const EMBEDDED: usize = 4000;

/// Passages handed to the embedder between two looks at the cancel flag.
const AT_ONCE: usize = 128;

pub(crate) struct Source {
    /// In the order of files and of places in them.
    pub(crate) passages: Vec<Passage>,
    /// Titles and headings, each once.
    pub(crate) headings: Vec<String>,
    /// Indices into `passages`, ascending, each with the passage's vector as the embedder made it.
    pub(crate) embedded: Vec<(usize, Vec<f32>)>,
}

impl Source {
    /// Reads the notes under `folders`. Their index and vectors are kept in `dir` for the next time.
    pub(crate) fn read(
        folders: &[PathBuf],
        dir: &Path,
        embedder: &dyn Embedder,
        session: &Session<'_, '_>,
    ) -> Result<Self, Failure> {
        let engine = Engine::open(EngineOptions::new(dir))?;
        engine.set_embedder_missing("vectors are made of a part of the passages only".to_owned());
        for folder in folders {
            engine.add_folder(folder)?;
        }
        let mut bar = IndexBar::new(session.shows_progress());
        engine.index(&mut |progress| bar.show(progress), &session.cancel())?;
        let notes = IndexedNotes::open(engine.data_dir(), &engine.settings().folders, engine.workers())?;
        let mut headings: Vec<String> = Vec::new();
        let mut passages = Vec::new();
        for note in notes.notes() {
            headings.extend(std::iter::once(&note.title).chain(&note.headings).cloned());
            passages.extend(note.passages.iter().filter(|passage| !passage.chunk.text.trim().is_empty()).cloned());
        }
        headings.sort();
        headings.dedup();
        let Some(last) = passages.len().checked_sub(1) else {
            return Err(Failure::failed("no_notes", "there are no notes in these folders to make collections from"));
        };
        let n = EMBEDDED.min(passages.len());
        let places: Vec<usize> = (0..n).map(|i| i * last / (n - 1).max(1)).collect();
        let texts: Vec<String> = places.iter().map(|place| passages[*place].model_text()).collect();
        let vectors = vectors(&texts, dir, embedder, session)?;
        Ok(Self { passages, headings, embedded: places.into_iter().zip(vectors).collect() })
    }
}

/// Vectors of `texts`. If an earlier run wrote a file of them for the same texts and model, they come from that file.
fn vectors(
    texts: &[String],
    dir: &Path,
    embedder: &dyn Embedder,
    session: &Session<'_, '_>,
) -> Result<Vec<Vec<f32>>, Failure> {
    let mut content = blake3::Hasher::new();
    content.update(embedder.id().as_bytes());
    for text in texts {
        content.update(text.as_bytes());
    }
    let path = dir.join(format!("vectors-{}.f32", &content.finalize().to_hex()[..16]));
    let dimensions = embedder.dimensions();
    if let Ok(bytes) = fs::read(&path)
        && bytes.len() == texts.len() * dimensions * 4
    {
        let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
        return Ok(numbers.chunks_exact(dimensions).map(<[f32]>::to_vec).collect());
    }
    let vectors = embed(texts, embedder, session.shows_progress(), &session.cancel())?;
    let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(&path, bytes)
        .map_err(|error| Failure::failed("output", format!("{} cannot be written: {error}", path.display())))?;
    Ok(vectors)
}

fn embed(
    texts: &[String],
    embedder: &dyn Embedder,
    shows_progress: bool,
    cancel: &Cancel,
) -> Result<Vec<Vec<f32>>, Failure> {
    let bar = progress::bar(shows_progress, "embedding", texts.len() as u64);
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(AT_ONCE) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        vectors.extend(embedder.embed_passages(&batch, cancel)?);
        bar.set_position(vectors.len() as u64);
    }
    bar.finish_and_clear();
    Ok(vectors)
}
