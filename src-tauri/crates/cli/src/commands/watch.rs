//! `nuthatch watch`: index, then follow every change.

use std::collections::HashSet;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nuthatch_engine::{Engine, IndexProgress, Phase};

use crate::args::EmbedderArg;
use crate::commands::status::pause_text;
use crate::failure::Failure;
use crate::models::Need;
use crate::progress::IndexBar;
use crate::session::Session;
use crate::style::printable;

/// How soon Ctrl-C takes effect while nothing happens.
const INTERRUPT_POLL: Duration = Duration::from_millis(200);

pub(crate) fn run(embedder: &EmbedderArg, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let name = embedder.embedder.as_deref();
    if let Some(reason) = session.load_embedder(&engine, name, Need::required_if(name.is_some()))? {
        session.note(&format!("indexing words only, without vectors: {reason}"))?;
    }

    let (sender, progress) = channel();
    // The receiver lives as long as the watch: a failed send means that the run is over.
    let watch = engine.watch(Box::new(move |step| drop(sender.send(step.clone()))))?;
    let n_folders = engine.settings().folders.len();
    session.note(&format!("watching {n_folders} folders; Ctrl-C ends it"))?;

    let cancel = session.cancel();
    let mut told = HashSet::new();
    let mut bar = IndexBar::new(session.shows_progress());
    while !cancel.is_cancelled() {
        match progress.recv_timeout(INTERRUPT_POLL) {
            Ok(step) => {
                bar.show(&step);
                // JSON has a line for every step; a person gets one line per run.
                if session.options.json || step.phase == Phase::Done {
                    say(&engine, &step, &mut told, session)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::failed("watch", "watching stopped: `-v` shows why, `nuthatch index` still works"));
            }
        }
    }
    drop(watch);
    Err(Failure::Interrupted)
}

/// Writes a line about a step, and problems that are new. `told` holds the problems already reported.
fn say(
    engine: &Engine,
    step: &IndexProgress,
    told: &mut HashSet<String>,
    session: &mut Session<'_, '_>,
) -> Result<(), Failure> {
    if session.options.json {
        serde_json::to_writer(&mut *session.io.out, step)?;
        writeln!(session.io.out)?;
    } else {
        let status = engine.status(false)?;
        let n_files: usize = status.roots.iter().map(|root| root.files).sum();
        writeln!(
            session.io.out,
            "up to date: {n_files} files, {} passages, {} vectors",
            status.n_chunks, status.n_vectors
        )?;
        if let Some(pause) = status.watch.as_ref().and_then(|watch| watch.paused) {
            session.note(pause_text(pause))?;
        }
        let problems = status.watch.map(|watch| watch.problems).unwrap_or_default();
        for problem in problems.into_iter().filter(|problem| told.insert(problem.message.clone())) {
            let text = format!("{}: {} ({})", problem.folder.display(), problem.message, problem.advice);
            session.note(&printable(&text))?;
        }
    }
    Ok(session.io.out.flush()?)
}
