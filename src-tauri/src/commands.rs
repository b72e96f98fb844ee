//! What the window may ask. Each command calls the engine and translates its answer. `build.rs` and
//! `capabilities/main.json` list the same commands.

use std::path::PathBuf;
use std::sync::Arc;

use nuthatch_engine::Cancel;
use tauri::ipc::Channel;
use tauri::{AppHandle, Runtime, State};

use crate::ipc::{
    self, AppError, IndexingLimits, ModelsState, Preview, SearchEvent, Settings, Status, WhyQuestion, WhyReport,
};
use crate::search::{self, Question};
use crate::{Shell, paths, window};

type Shared<'a> = State<'a, Arc<Shell>>;

/// Not `async`: questions are taken on the window's thread, in the order typed, so that the newest is the last.
#[tauri::command]
#[specta::specta]
pub fn search(
    shell: Shared<'_>,
    query_id: u32,
    query: String,
    candidates: u32,
    read_all: bool,
    on_event: Channel<SearchEvent>,
) {
    search::spawn(&shell, Question { id: query_id, text: query, candidates, read_all }, on_event);
}

#[tauri::command]
#[specta::specta]
pub async fn folders(shell: Shared<'_>) -> Result<Vec<String>, AppError> {
    shell.on_engine(|engine| Ok::<_, AppError>(Settings::from(engine.settings()).folders)).await
}

/// Opens the system's folder picker; `null` when nothing was picked.
#[tauri::command]
#[specta::specta]
pub async fn add_folder<R: Runtime>(app: AppHandle<R>, shell: Shared<'_>) -> Result<Option<String>, AppError> {
    let Some(folder) = window::pick_folder(app).await? else { return Ok(None) };
    shell.on_engine(move |engine| engine.add_folder(&folder)).await.map(|path| Some(ipc::text(&path)))
}

/// For folders dropped on the window.
#[tauri::command]
#[specta::specta]
pub async fn add_folder_path(shell: Shared<'_>, path: PathBuf) -> Result<String, AppError> {
    shell.on_engine(move |engine| engine.add_folder(&path)).await.map(|path| ipc::text(&path))
}

#[tauri::command]
#[specta::specta]
pub async fn remove_folder(shell: Shared<'_>, path: PathBuf) -> Result<(), AppError> {
    shell.on_engine(move |engine| engine.remove_folder(&path)).await
}

/// `with_files` adds a row for each file that is not indexed, up to a limit.
#[tauri::command]
#[specta::specta]
pub async fn status(shell: Shared<'_>, with_files: bool) -> Result<Status, AppError> {
    let indexing = shell.indexing();
    shell.on_engine(move |engine| engine.status(with_files)).await.map(|status| Status::new(status, indexing))
}

/// Reads failed files again: those at `paths` and below, all where `paths` is empty. Returns how many there are.
#[tauri::command]
#[specta::specta]
pub async fn retry(shell: Shared<'_>, paths: Vec<PathBuf>) -> Result<u32, AppError> {
    let retried = shell.on_engine(move |engine| engine.retry(&paths)).await?;
    Ok(u32::try_from(retried).unwrap_or(u32::MAX))
}

/// Gives up the notes of a watched folder that is away; it stays watched.
#[tauri::command]
#[specta::specta]
pub async fn forget_folder(shell: Shared<'_>, path: PathBuf) -> Result<(), AppError> {
    shell.on_engine(move |engine| engine.forget(&path)).await
}

/// Why a file is shown for a question, or is not.
#[tauri::command]
#[specta::specta]
pub async fn why(shell: Shared<'_>, question: WhyQuestion, path: PathBuf) -> Result<WhyReport, AppError> {
    let request = question.into_request();
    shell.on_engine(move |engine| engine.why(&request, &path, &Cancel::new())).await.map(WhyReport::from)
}

/// Opens the system's file picker; `null` when nothing was picked.
#[tauri::command]
#[specta::specta]
pub async fn pick_file<R: Runtime>(app: AppHandle<R>) -> Result<Option<String>, AppError> {
    Ok(window::pick_file(app).await?.map(|path| ipc::text(&path)))
}

/// `span` is the hit's, in bytes. A newer preview ends an older one, which is then `cancelled`.
#[tauri::command]
#[specta::specta]
pub async fn preview(shell: Shared<'_>, path: PathBuf, span: [u32; 2], query: String) -> Result<Preview, AppError> {
    let span = span.map(|byte| byte as usize);
    let cancel = shell.next_preview();
    shell.on_engine(move |engine| engine.preview(&path, span, &query, &cancel)).await.map(Preview::from)
}

/// Opens a note in its default app.
#[tauri::command]
#[specta::specta]
pub async fn open_file(shell: Shared<'_>, path: PathBuf) -> Result<(), AppError> {
    shell.on_engine(move |engine| window::open(&paths::watched(&path, &engine.settings().folders)?)).await
}

/// Shows a note in the file manager.
#[tauri::command]
#[specta::specta]
pub async fn reveal_file(shell: Shared<'_>, path: PathBuf) -> Result<(), AppError> {
    shell.on_engine(move |engine| window::reveal(&paths::watched(&path, &engine.settings().folders)?)).await
}

#[tauri::command]
#[specta::specta]
pub async fn settings(shell: Shared<'_>) -> Result<Settings, AppError> {
    shell.on_engine(|engine| Ok::<_, AppError>(engine.settings().into())).await
}

/// Sets how many candidates the reranker reads. A number outside the allowed range becomes the nearest allowed one.
#[tauri::command]
#[specta::specta]
pub async fn set_candidates(shell: Shared<'_>, n: u32) -> Result<Settings, AppError> {
    let (least, most) = nuthatch_engine::allowed::CANDIDATES.into_inner();
    let candidates = (n as usize).clamp(least, most);
    shell.on_engine(move |engine| engine.update_settings(|to| to.candidates = candidates)).await.map(Settings::from)
}

/// A value outside its range is refused, with the setting's name. Indexing that is under way obeys the limits at once.
#[tauri::command]
#[specta::specta]
pub async fn set_indexing(shell: Shared<'_>, limits: IndexingLimits) -> Result<Settings, AppError> {
    shell.on_engine(|engine| engine.update_settings(|to| limits.apply(to))).await.map(Settings::from)
}

#[tauri::command]
#[specta::specta]
pub fn models_state(shell: Shared<'_>) -> ModelsState {
    shell.models()
}
