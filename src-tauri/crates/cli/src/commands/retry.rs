//! `nuthatch retry` and `nuthatch forget`: what to do about files that failed or are out of reach.

use std::path::{Path, PathBuf};

use crate::args::EmbedderArg;
use crate::commands::index;
use crate::failure::Failure;
use crate::session::Session;

/// Reads failed files again, all of them where `paths` is empty.
pub(crate) fn retry(paths: &[PathBuf], embedder: &EmbedderArg, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let n = engine.retry(paths)?;
    session.note(&format!("reading {n} failed file{} again", if n == 1 { "" } else { "s" }))?;
    index::bring_up_to_date(&engine, embedder, session)
}

/// Takes the notes of folders that are away out of the index.
pub(crate) fn forget(
    folders: &[PathBuf],
    embedder: &EmbedderArg,
    session: &mut Session<'_, '_>,
) -> Result<(), Failure> {
    let engine = session.engine()?;
    folders.iter().map(PathBuf::as_path).try_for_each(|folder: &Path| engine.forget(folder))?;
    index::bring_up_to_date(&engine, embedder, session)
}
