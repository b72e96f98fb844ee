//! `nuthatch index`: one pass over the watched folders.

use std::path::PathBuf;

use nuthatch_engine::{Engine, FileState, IndexReport};

use crate::args::EmbedderArg;
use crate::failure::Failure;
use crate::models::Need;
use crate::progress::IndexBar;
use crate::session::Session;
use crate::style::printable;

/// Failed files shown after a run; `nuthatch status --files` shows all.
const N_FAILED_SHOWN: usize = 10;

pub(crate) fn run(folders: &[PathBuf], embedder: &EmbedderArg, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    for folder in folders {
        engine.add_folder(folder)?;
    }
    if engine.settings().folders.is_empty() {
        return Err(Failure::usage("no folder is watched yet: run `nuthatch index FOLDER`"));
    }
    bring_up_to_date(&engine, embedder, session)
}

/// Runs one pass over all watched folders and reports its result.
pub(super) fn bring_up_to_date(
    engine: &Engine,
    embedder: &EmbedderArg,
    session: &mut Session<'_, '_>,
) -> Result<(), Failure> {
    let name = embedder.embedder.as_deref();
    if let Some(reason) = session.load_embedder(engine, name, Need::required_if(name.is_some()))? {
        session.note(&format!("indexing words only, without vectors: {reason}"))?;
    }

    let mut bar = IndexBar::new(session.shows_progress());
    let report = engine.index(&mut |progress| bar.show(progress), &session.cancel())?;
    drop(bar);

    session.answer(&report, |out, _| {
        let IndexReport { files_seen, files_indexed, files_unchanged, files_removed, .. } = report;
        let IndexReport { files_skipped, files_failed, chunks_embedded, seconds, .. } = report;
        writeln!(
            out,
            "{files_seen} files: {files_indexed} indexed, {files_unchanged} unchanged, {files_removed} removed, \
             {files_skipped} skipped, {files_failed} failed; {chunks_embedded} passages embedded in {seconds:.1} s"
        )
    })?;
    if report.files_failed > 0 { say_what_failed(engine, session) } else { Ok(()) }
}

fn say_what_failed(engine: &Engine, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let rows = engine.status(true)?.files.unwrap_or_default();
    let failed: Vec<_> = rows.iter().filter(|row| row.state == FileState::Failed).collect();
    for row in failed.iter().take(N_FAILED_SHOWN) {
        let reason = row.reason.as_deref().unwrap_or("no reason given");
        session.note(&printable(&format!("failed: {}: {reason}", row.path.display())))?;
    }
    if failed.len() > N_FAILED_SHOWN {
        let more = failed.len() - N_FAILED_SHOWN;
        session.note(&format!("and {more} more: `nuthatch status --files` shows them all"))?;
    }
    Ok(())
}
