//! The index of a test set: built once for each content and bi-encoder, and kept under `eval/` in the data folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nuthatch_engine::eval::Collection;
use nuthatch_engine::notes::IndexedNotes;
use nuthatch_engine::{Embedder, Reranker};

use crate::eval::test_set::TestSet;
use crate::failure::Failure;
use crate::progress::IndexBar;
use crate::session::Session;

/// Prefix of the collections made from one's own notes. Only the newest is kept, since the notes change.
const MINE: &str = "mine-";

/// From this many passages on, the time to embed them is announced beforehand.
const MANY: usize = 500;

/// Passages that are embedded to measure how long one takes.
const TRIED: usize = 16;

/// Indexes `set`, unless that was done before. Vectors that `notes` holds are taken from there.
pub(crate) fn collection(
    set: &TestSet,
    notes: Option<&IndexedNotes>,
    embedder: Option<Arc<dyn Embedder>>,
    reranker: Option<Arc<dyn Reranker>>,
    session: &mut Session<'_, '_>,
) -> Result<Collection, Failure> {
    let mut name = blake3::Hasher::new();
    name.update(set.corpus_hash.as_bytes());
    name.update(embedder.as_deref().map_or("", Embedder::id).as_bytes());
    let name = name.finalize().to_hex()[..32].to_owned();
    let folder = session.data_dir().join("eval");
    let dir = folder.join(if notes.is_some() { format!("{MINE}{name}") } else { name });
    if let Some(notes) = notes {
        remove_older(&folder, &dir);
        if !dir.exists() {
            forecast(set, notes, embedder.as_deref(), session)?;
        }
    }
    let mut bar = IndexBar::new(session.shows_progress());
    let mut show = |progress: &_| bar.show(progress);
    Ok(Collection::build(&dir, &set.documents, notes, embedder, reranker, &mut show, &session.cancel())?)
}

fn remove_older(folder: &Path, keep: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_mine = entry.file_name().to_string_lossy().starts_with(MINE);
        if is_mine
            && entry.path() != keep
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "an old test of your notes could not be removed");
        }
    }
}

/// Announces how long embedding will take, if there are many passages to embed.
fn forecast(
    set: &TestSet,
    notes: &IndexedNotes,
    embedder: Option<&dyn Embedder>,
    session: &mut Session<'_, '_>,
) -> Result<(), Failure> {
    let Some(embedder) = embedder else { return Ok(()) };
    let mut unknown = Vec::new();
    for document in &set.documents {
        let text = document.model_text();
        if notes.vector_of(&text, embedder.id())?.is_none() {
            unknown.push(text);
        }
    }
    if unknown.len() < MANY {
        return Ok(());
    }
    let tried: Vec<&str> = unknown.iter().step_by(unknown.len() / TRIED).map(String::as_str).collect();
    let start = Instant::now();
    embedder.embed_passages(&tried, &session.cancel())?;
    let seconds = start.elapsed().as_secs_f64() * unknown.len() as f64 / tried.len() as f64;
    session.note(&format!("{} passages have to be embedded first: about {}", unknown.len(), duration(seconds)))
}

/// `40 s` or `3 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
