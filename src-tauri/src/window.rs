//! The app's one window, and what it uses of the desktop: pickers, other apps, the file manager.

use std::path::{Path, PathBuf};

use tauri::{App, AppHandle, Runtime, WebviewUrl, WebviewWindowBuilder};
use tauri_plugin_dialog::{DialogExt, FilePath};

use crate::ipc::{AppError, ErrorKind};

/// The name that `capabilities/main.json` grants its permissions to.
pub const LABEL: &str = "main";

pub fn open_main<R: Runtime>(app: &App<R>) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Nuthatch")
        .inner_size(1120.0, 760.0)
        .min_inner_size(640.0, 420.0)
        .build()?;
    Ok(())
}

/// The system's folder picker; `None` when nothing was picked.
pub async fn pick_folder<R: Runtime>(app: AppHandle<R>) -> Result<Option<PathBuf>, AppError> {
    let pick = move || app.dialog().file().set_title("Choose a folder of notes").blocking_pick_folder();
    pick_with(pick, ErrorKind::Folder, "the folder picker failed", "drop the folder on the window").await
}

/// The system's file picker; `None` when nothing was picked.
pub async fn pick_file<R: Runtime>(app: AppHandle<R>) -> Result<Option<PathBuf>, AppError> {
    let pick = move || app.dialog().file().set_title("Choose the file you miss").blocking_pick_file();
    pick_with(pick, ErrorKind::File, "the file picker failed", "ask `nuthatch why` in a terminal").await
}

async fn pick_with(
    pick: impl FnOnce() -> Option<FilePath> + Send + 'static,
    kind: ErrorKind,
    failure: &str,
    instead: &str,
) -> Result<Option<PathBuf>, AppError> {
    let picked = tauri::async_runtime::spawn_blocking(pick).await;
    let failed = |error: &dyn std::fmt::Display| AppError::new(kind, format!("{failure} ({error}): {instead}"));
    let Some(path) = picked.map_err(|error| failed(&error))? else { return Ok(None) };
    path.into_path().map(Some).map_err(|error| failed(&error))
}

/// Opens a file in its default app.
pub fn open(path: &Path) -> Result<(), AppError> {
    tauri_plugin_opener::open_path(path, None::<&str>).map_err(|error| {
        let message = format!("cannot open {} ({error}): choose a default app for such files", path.display());
        AppError::new(ErrorKind::File, message)
    })
}

/// Shows a file in the file manager.
pub fn reveal(path: &Path) -> Result<(), AppError> {
    tauri_plugin_opener::reveal_item_in_dir(path).map_err(|error| {
        AppError::new(ErrorKind::File, format!("cannot show {} in a file manager ({error})", path.display()))
    })
}
