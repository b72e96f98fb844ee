//! Loads the models on a thread of their own and hands them to the engine. Until a model is loaded, or if it is
//! missing, the engine answers without it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::{io, thread};

use nuthatch_engine::model::name_of;
use nuthatch_engine::{Embedder, Engine, Reranker};
use nuthatch_inference::{LoadError, LoadOptions, ModelStore, StoreOptions, load_embedder, load_reranker};
use tauri::{AppHandle, Runtime};

use crate::events::{self, ModelsChanged};
use crate::ipc::{Health, ModelState};
use crate::{Shell, paths};

pub fn spawn<R: Runtime>(app: AppHandle<R>, shell: Arc<Shell>, engine: Engine) -> io::Result<()> {
    thread::Builder::new().name("models".to_owned()).spawn(move || load(&app, &shell, &engine)).map(drop)
}

fn load<R: Runtime>(app: &AppHandle<R>, shell: &Shell, engine: &Engine) {
    let shipped = paths::shipped_models(app);
    let settings = engine.settings();
    let options = LoadOptions::default();

    let name = settings.embedder.as_deref();
    let embedder = from_store(engine.data_dir(), shipped.as_deref(), |store| load_embedder(store, name, &options));
    let state = state(name, embedder.as_ref().map(|model| (model.id(), model.placed().to_string())));
    match embedder {
        Ok(embedder) => engine.set_embedder(Arc::new(embedder)),
        Err(reason) => engine.set_embedder_missing(reason),
    }
    events::emit(app, &ModelsChanged(shell.update_models(|models| models.embedder = state)));

    let name = settings.reranker.as_deref();
    let reranker = from_store(engine.data_dir(), shipped.as_deref(), |store| load_reranker(store, name, &options));
    let state = self::state(name, reranker.as_ref().map(|model| (model.id(), model.placed().to_string())));
    match reranker {
        Ok(reranker) => engine.set_reranker(Arc::new(reranker)),
        Err(reason) => engine.set_reranker_missing(reason),
    }
    events::emit(app, &ModelsChanged(shell.update_models(|models| models.reranker = state)));
}

/// Loads a model; the error is the reason that the window shows. A damaged file may also make a loader panic. The panic
/// is caught, so that searching by words goes on.
fn from_store<T>(
    data_dir: &Path,
    shipped: Option<&Path>,
    load: impl FnOnce(&ModelStore) -> Result<T, LoadError>,
) -> Result<T, String> {
    let options = StoreOptions { shipped: shipped.map(Path::to_path_buf), data_dir: data_dir.to_path_buf() };
    let attempt = AssertUnwindSafe(|| load(&ModelStore::open(options)?));
    match catch_unwind(attempt) {
        Ok(loaded) => loaded.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("the model could not be loaded ({})", said(&*panic))),
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

/// The window shows a model's name without the content hash of its id. A missing model is shown with its name in the
/// settings.
fn state(name: Option<&str>, loaded: Result<(&str, String), &String>) -> ModelState {
    match loaded {
        Ok((id, runs_on)) => {
            let name = name_of(id);
            ModelState { state: Health::Ready, name: Some(name.to_owned()), reason: None, runs_on: Some(runs_on) }
        }
        Err(reason) => ModelState {
            state: Health::Missing,
            name: name.map(str::to_owned),
            reason: Some(reason.clone()),
            runs_on: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_missing_or_panics_has_a_reason() {
        let data = tempfile::tempdir().unwrap();
        let absent = from_store(data.path(), None, |store| load_embedder(store, None, &LoadOptions::default()));
        assert!(!absent.map(|_| ()).unwrap_err().is_empty());
        let panicked = from_store(data.path(), None, |_| -> Result<(), _> { panic!("bad tensor") });
        assert!(panicked.unwrap_err().contains("bad tensor"));
    }

    #[test]
    fn states() {
        let ready = state(None, Ok(("builtin@5f3c", "cpu, int8".to_owned())));
        assert_eq!((ready.state, ready.name.as_deref()), (Health::Ready, Some("builtin")));
        assert_eq!(ready.runs_on.as_deref(), Some("cpu, int8"));
        let missing = state(Some("mine"), Err(&"mine is not whole".to_owned()));
        assert_eq!((missing.state, missing.name.as_deref()), (Health::Missing, Some("mine")));
    }
}
