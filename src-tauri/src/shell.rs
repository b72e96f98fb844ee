//! What the commands share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use nuthatch_engine::{Cancel, Engine, Watch};

use crate::ipc::{AppError, ErrorKind, IndexingState, ModelsState};

/// Begins empty so that the window opens at once; [`crate::startup`] fills it.
#[derive(Default)]
pub struct Shell {
    engine: OnceLock<Result<Engine, AppError>>,
    models: Mutex<ModelsState>,
    indexing: Mutex<IndexingState>,
    /// Cancels the current search.
    searching: Mutex<Cancel>,
    /// Cancels the current preview.
    previewing: Mutex<Cancel>,
    watch: Mutex<Option<Watch>>,
}

impl Shell {
    /// Called once, when the engine is open or has refused to open.
    pub fn opened(&self, engine: Result<Engine, AppError>) {
        // A second call would be a defect, but the first engine still serves.
        let _ = self.engine.set(engine);
    }

    /// Waits for the engine to open, which takes milliseconds. If it did not open, the error says why.
    pub fn engine(&self) -> Result<&Engine, AppError> {
        self.engine.wait().as_ref().map_err(AppError::clone)
    }

    /// Runs `work` on a thread that may block, away from the window's.
    pub async fn on_engine<T, E>(
        self: &Arc<Self>,
        work: impl FnOnce(&Engine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Send + 'static,
        E: Into<AppError>,
    {
        let shell = Arc::clone(self);
        let done = tauri::async_runtime::spawn_blocking(move || work(shell.engine()?).map_err(E::into)).await;
        done.unwrap_or_else(|panic| Err(AppError::new(ErrorKind::Internal, format!("a defect in Nuthatch: {panic}"))))
    }

    /// Cancels the current search and returns the cancel flag of the next.
    pub fn next_search(&self) -> Cancel {
        next(&self.searching)
    }

    /// Cancels the current preview and returns the cancel flag of the next.
    pub fn next_preview(&self) -> Cancel {
        next(&self.previewing)
    }

    pub fn models(&self) -> ModelsState {
        lock(&self.models).clone()
    }

    /// Returns the state after the change.
    pub fn update_models(&self, change: impl FnOnce(&mut ModelsState)) -> ModelsState {
        let mut models = lock(&self.models);
        change(&mut models);
        models.clone()
    }

    pub fn indexing(&self) -> IndexingState {
        lock(&self.indexing).clone()
    }

    pub fn set_indexing(&self, state: IndexingState) {
        *lock(&self.indexing) = state;
    }

    /// Keeps the watching thread alive until [`Shell::close`].
    pub fn keep(&self, watch: Watch) {
        *lock(&self.watch) = Some(watch);
    }

    /// Stops searching and watching; the index is left at its last commit.
    pub fn close(&self) {
        lock(&self.searching).cancel();
        lock(&self.previewing).cancel();
        drop(lock(&self.watch).take());
    }
}

fn next(at_work: &Mutex<Cancel>) -> Cancel {
    let next = Cancel::new();
    std::mem::replace(&mut *lock(at_work), next.clone()).cancel();
    next
}

/// Ignores poisoning. A thread that panicked while it held the lock left the value whole, because every change is a
/// single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_search_or_preview_ends_the_older() {
        for next in [Shell::next_search, Shell::next_preview] {
            let shell = Shell::default();
            let first = next(&shell);
            let second = next(&shell);
            assert!(first.is_cancelled());
            assert!(!second.is_cancelled());
            shell.close();
            assert!(second.is_cancelled());
        }
    }

    #[test]
    fn every_command_says_why_the_engine_did_not_open() {
        let shell = Arc::new(Shell::default());
        let error = AppError::new(ErrorKind::Settings, "settings.toml is not valid");
        shell.opened(Err(error.clone()));
        let answer = tauri::async_runtime::block_on(shell.on_engine(|_| Ok::<_, AppError>(())));
        assert_eq!(answer, Err(error));
    }
}
