//! Makes the empty window a working one: opens the engine, follows the folders, loads the models. The window is open
//! before that, and it can search by words as soon as the engine is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use nuthatch_engine::extract::worker::WorkerCommand;
use nuthatch_engine::{Engine, EngineError, EngineOptions};
use tauri::{AppHandle, Runtime};

use crate::events::{self, IndexProgress, IndexingChanged, Throttle};
use crate::ipc::{AppError, ErrorKind, Health, IndexingState};
use crate::{Args, Shell, models};

/// How often to check again while another process holds the index: often enough to notice soon that `nuthatch index`
/// has ended, and seldom enough to cause no load.
const RETRY: Duration = Duration::from_secs(3);

/// What startup calls to load the models and to report. The window and the tests each pass their own.
struct Face {
    models: Box<dyn FnOnce(&Engine) + Send>,
    state: Box<dyn Fn(IndexingState) + Send>,
    /// Called from the thread that indexes.
    progress: Box<dyn FnMut(&nuthatch_engine::IndexProgress) + Send>,
}

pub fn spawn<R: Runtime>(app: AppHandle<R>, shell: Arc<Shell>, args: Args) -> io::Result<()> {
    let face = window(&app, &shell);
    thread::Builder::new().name("startup".to_owned()).spawn(move || run(&shell, &args, face)).map(drop)
}

fn window<R: Runtime>(app: &AppHandle<R>, shell: &Arc<Shell>) -> Face {
    let (for_models, for_state, for_progress) = (app.clone(), app.clone(), app.clone());
    let shell = Arc::clone(shell);
    let mut throttle = Throttle::default();
    Face {
        models: Box::new(move |engine| {
            if let Err(error) = models::spawn(for_models, shell, engine.clone()) {
                tracing::error!("no thread to load models in: {error}");
            }
        }),
        state: Box::new(move |state| events::emit(&for_state, &IndexingChanged(state))),
        progress: Box::new(move |progress| {
            let progress = IndexProgress::from(progress);
            if throttle.passes(progress.phase, Instant::now()) {
                events::emit(&for_progress, &progress);
            }
        }),
    }
}

fn run(shell: &Shell, args: &Args, face: Face) {
    let engine = match open(args) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!("{error}");
            return shell.opened(Err(error));
        }
    };
    // Done before the window can ask anything, so that its first list of folders is complete.
    let refused = add_folders(&engine, &args.folders);
    shell.opened(Ok(engine.clone()));
    let Face { models, state, progress } = face;
    models(&engine);
    let tell = |now: IndexingState| {
        shell.set_indexing(now.clone());
        state(now);
    };
    watch(shell, &engine, refused, &tell, progress);
}

/// Adds the folders of the command line. Returns why any were refused.
fn add_folders(engine: &Engine, folders: &[PathBuf]) -> Option<String> {
    let add = |folder: &PathBuf| engine.add_folder(folder).err().map(|error| error.to_string());
    let refused: Vec<String> = folders.iter().filter_map(add).collect();
    (!refused.is_empty()).then(|| refused.join("; "))
}

fn open(args: &Args) -> Result<Engine, AppError> {
    let data_dir = args.data_dir().map_err(|error| AppError::new(ErrorKind::Settings, error.to_string()))?;
    // Without a worker process, files of risky formats are listed as failed, with a reason.
    let worker = WorkerCommand::own().ok();
    Ok(Engine::open(EngineOptions { worker, ..EngineOptions::new(data_dir) })?)
}

/// Follows the folders until the window closes. While another Nuthatch holds the index, this one can only search; it
/// tells the window so and waits for its turn.
fn watch(
    shell: &Shell,
    engine: &Engine,
    refused: Option<String>,
    tell: &dyn Fn(IndexingState),
    progress: Box<dyn FnMut(&nuthatch_engine::IndexProgress) + Send>,
) {
    // Checked here, because a watch would try again only at the next change of a file, and could not tell the window.
    while let Err(error @ EngineError::Locked { .. }) = engine.check_free() {
        tell(stopped(error.to_string()));
        thread::sleep(RETRY);
    }
    match engine.watch(progress) {
        Ok(watch) => {
            shell.keep(watch);
            tell(IndexingState { state: Health::Ready, reason: refused });
        }
        Err(error) => {
            tracing::error!("{error}");
            tell(stopped(error.to_string()));
        }
    }
}

fn stopped(reason: String) -> IndexingState {
    IndexingState { state: Health::Missing, reason: Some(reason) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc;

    use nuthatch_engine::{Cancel, Phase, SearchRequest, Stage};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// Every file below `at`, with its content.
    fn content(at: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                all.extend(content(&entry))
            } else {
                all.push((entry.clone(), fs::read(entry).unwrap()))
            }
        }
        all.sort();
        all
    }

    #[test]
    fn whether_another_holds_the_index_is_asked_without_a_trace() {
        let (data, notes) = (folder(), folder());
        fs::write(notes.path().join("a.md"), "a note").unwrap();
        let open = || Engine::open(EngineOptions::new(data.path())).unwrap();
        let holder = open();
        holder.add_folder(notes.path()).unwrap();
        holder.set_embedder_missing("none here".to_owned());
        let asked = || {
            let before = content(data.path());
            let answer = open().check_free().map_err(|error| error.to_string());
            assert_eq!(content(data.path()), before);
            answer
        };
        assert_eq!(asked(), Ok(()), "nothing is indexed yet");
        let (tell, told) = mpsc::channel();
        let watch = holder
            .watch(Box::new(move |progress| {
                // Sending fails once the test has seen the end of the first run and stops listening.
                let _ = (progress.phase == Phase::Done).then(|| tell.send(()));
            }))
            .unwrap();
        told.recv().unwrap();
        let reason = asked().unwrap_err();
        assert!(reason.contains("another Nuthatch") && reason.contains("process"), "{reason}");
        drop(watch);
        assert_eq!(asked(), Ok(()));
    }

    /// Few enough for one search to show all of them, and enough for several commits while they are read.
    const N_NOTES: usize = 900;

    /// Starts as the app does, over a folder of notes that takes several batches to read. At each step of progress
    /// another process searches by words. Returns for each search how many files were read, of how many, and how many
    /// were found.
    fn finds_while_it_reads(data: &Path) -> Vec<(usize, usize, usize)> {
        let notes = folder();
        for i in 0..N_NOTES {
            fs::write(notes.path().join(format!("n{i:03}.md")), format!("# Note {i}\n\nThe heron of day {i}."))
                .unwrap();
        }
        let engine = Engine::open(EngineOptions::new(data)).unwrap();
        engine.update_settings(|settings| settings.settle_ms = 20).unwrap();
        drop(engine);
        let args = Args { data_dir: Some(data.to_owned()), folders: vec![notes.path().to_owned()] };
        let data = data.to_owned();
        let request =
            SearchRequest { stage: Stage::Lexical, top: 1000, candidates: 1000, ..SearchRequest::new("heron") };
        let (tell, told) = mpsc::channel();
        let face = Face {
            models: Box::new(|engine| engine.set_embedder_missing("none here".to_owned())),
            state: Box::new(|_| {}),
            progress: Box::new(move |progress| {
                if !matches!(progress.phase, Phase::Text | Phase::Done) {
                    return;
                }
                // Stands for another process, which reads the settings and the index from disk at this moment.
                let other = Engine::open(EngineOptions::new(&data)).unwrap();
                let found = other.search(&request, &Cancel::new(), &mut |_, _| {});
                let n_found = found.map_or(0, |results| results.hits.len());
                let _ = tell.send((progress.phase, (progress.done, progress.total, n_found)));
            }),
        };
        let shell = Shell::default();
        run(&shell, &args, face);
        let mut seen = Vec::new();
        for (phase, state) in told {
            seen.push(state);
            if phase == Phase::Done && state.2 == N_NOTES {
                break;
            }
        }
        shell.close();
        seen
    }

    fn check_found_while_read(data: &Path) {
        let seen = finds_while_it_reads(data);
        let early = |(done, total, n_found): &(usize, usize, usize)| *n_found > 0 && done < total;
        assert!(seen.iter().any(early), "{seen:?}");
        assert!(seen.iter().map(|(.., n_found)| n_found).is_sorted(), "{seen:?}");
        assert_eq!(seen.last(), Some(&(N_NOTES, N_NOTES, N_NOTES)));
    }

    #[test]
    fn words_are_found_while_a_new_folder_is_read() {
        check_found_while_read(folder().path());
    }

    #[test]
    fn words_are_found_while_an_index_of_another_version_is_replaced() {
        let (data, notes) = (folder(), folder());
        fs::write(notes.path().join("a.md"), "a note").unwrap();
        let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
        engine.add_folder(notes.path()).unwrap();
        engine.index(&mut |_| {}, &Cancel::new()).unwrap();
        engine.remove_folder(notes.path()).unwrap();
        for (path, bytes) in content(data.path()) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("label.toml")) {
                let text = String::from_utf8(bytes).unwrap();
                let ours = format!("format = {}", nuthatch_engine::index::FORMAT);
                assert!(text.contains(&ours), "{text}");
                fs::write(path, text.replace(&ours, "format = 1")).unwrap();
            }
        }
        check_found_while_read(data.path());
    }

    /// Earlier versions of the app left such an index at every first start, and an interrupted run still does.
    #[test]
    fn words_are_found_while_an_index_that_holds_nothing_is_replaced() {
        let data = folder();
        let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
        engine.index(&mut |_| {}, &Cancel::new()).unwrap();
        drop(engine);
        // Its label is changed to other rules of cutting files, so that a new index is built beside it.
        for (path, bytes) in content(data.path()) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("label.toml")) {
                let text = String::from_utf8(bytes).unwrap();
                fs::write(path, text.replace("chunks = \"", "chunks = \"0-")).unwrap();
            }
        }
        check_found_while_read(data.path());
    }
}
