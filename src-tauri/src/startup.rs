//! From an empty window to a working one: open the engine, follow the folders, load the models. The window is there
//! before any of it, and searches by words as soon as the engine is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use nuthatch_engine::extract::worker::WorkerCommand;
use nuthatch_engine::{Cancel, Engine, EngineError, EngineOptions};
use tauri::{AppHandle, Runtime};

use crate::events::{self, IndexProgress, IndexingChanged, Throttle};
use crate::ipc::{AppError, ErrorKind, Health, IndexingState};
use crate::{Args, Shell, models};

/// How often a held index is tried again: soon enough after `nuthatch index` ends, and no load meanwhile.
const RETRY: Duration = Duration::from_secs(3);

pub fn spawn<R: Runtime>(app: AppHandle<R>, shell: Arc<Shell>, args: Args) -> io::Result<()> {
    thread::Builder::new().name("startup".to_owned()).spawn(move || run(&app, &shell, &args)).map(drop)
}

fn run<R: Runtime>(app: &AppHandle<R>, shell: &Arc<Shell>, args: &Args) {
    let engine = match open(args) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!("{error}");
            return shell.opened(Err(error));
        }
    };
    // Before the window's first question, so that its first list of folders is the whole one.
    let refused = add_folders(&engine, &args.folders);
    shell.opened(Ok(engine.clone()));
    if let Err(error) = models::spawn(app.clone(), Arc::clone(shell), engine.clone()) {
        tracing::error!("no thread to load models in: {error}");
    }
    watch(app, shell, &engine, refused);
}

/// Adds the folders of the command line; the answer says why one was refused.
fn add_folders(engine: &Engine, folders: &[PathBuf]) -> Option<String> {
    let add = |folder: &PathBuf| engine.add_folder(folder).err().map(|error| error.to_string());
    let refused: Vec<String> = folders.iter().filter_map(add).collect();
    (!refused.is_empty()).then(|| refused.join("; "))
}

fn open(args: &Args) -> Result<Engine, AppError> {
    let data_dir = args.data_dir().map_err(|error| AppError::new(ErrorKind::Settings, error.to_string()))?;
    // Without one, risky formats fail with a reason.
    let worker = WorkerCommand::own().ok();
    Ok(Engine::open(EngineOptions { worker, ..EngineOptions::new(data_dir) })?)
}

/// Follows the folders until the window closes. While another Nuthatch holds the index, this one only searches, says
/// so, and waits for its turn.
fn watch<R: Runtime>(app: &AppHandle<R>, shell: &Shell, engine: &Engine, refused: Option<String>) {
    while let Some(reason) = held_by_another(engine) {
        tell(app, shell, stopped(reason));
        thread::sleep(RETRY);
    }
    let window = app.clone();
    let mut throttle = Throttle::default();
    let watching = engine.watch(Box::new(move |progress| {
        let progress = IndexProgress::from(progress);
        if throttle.passes(progress.phase, Instant::now()) {
            events::emit(&window, &progress);
        }
    }));
    match watching {
        Ok(watch) => {
            shell.keep(watch);
            tell(app, shell, IndexingState { state: Health::Ready, reason: refused });
        }
        Err(error) => {
            tracing::error!("{error}");
            tell(app, shell, stopped(error.to_string()));
        }
    }
}

/// Who holds the index, if someone does. An indexing run that is cancelled before it begins takes the writer and lets
/// it go; watching would only try again at the next change of a file, and could not say so.
fn held_by_another(engine: &Engine) -> Option<String> {
    let cancelled = Cancel::new();
    cancelled.cancel();
    match engine.index(&mut |_| {}, &cancelled) {
        Err(error @ EngineError::Locked { .. }) => Some(error.to_string()),
        _ => None,
    }
}

fn tell<R: Runtime>(app: &AppHandle<R>, shell: &Shell, state: IndexingState) {
    shell.set_indexing(state.clone());
    events::emit(app, &IndexingChanged(state));
}

fn stopped(reason: String) -> IndexingState {
    IndexingState { state: Health::Missing, reason: Some(reason) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use nuthatch_engine::Phase;

    use super::*;

    #[test]
    fn an_index_held_by_another_is_noticed_until_it_is_free() {
        let data = tempfile::tempdir().unwrap();
        let notes = tempfile::tempdir().unwrap();
        std::fs::write(notes.path().join("a.md"), "a note").unwrap();
        let open = || Engine::open(EngineOptions::new(data.path())).unwrap();
        let holder = open();
        holder.add_folder(notes.path()).unwrap();
        holder.set_embedder_missing("none here".to_owned());
        let (tell, told) = mpsc::channel();
        let watch = holder
            .watch(Box::new(move |progress| {
                // Nobody listens any more once the test has seen the first run through.
                let _ = (progress.phase == Phase::Done).then(|| tell.send(()));
            }))
            .unwrap();
        told.recv().unwrap();

        let other = open();
        let reason = held_by_another(&other);
        assert!(reason.as_deref().is_some_and(|reason| reason.contains("another Nuthatch")), "{reason:?}");
        drop(watch);
        assert_eq!(held_by_another(&other), None);
    }
}
