//! Nuthatch's window: Tauri around the engine. [`commands`] has everything that the window can ask, [`ipc`] and
//! [`events`] everything that it is told.

use std::sync::Arc;

use anyhow::Context;
use tauri::RunEvent;
use tauri_specta::{Builder, ErrorHandlingMode, collect_commands, collect_events};

pub mod commands;
pub mod events;
pub mod ipc;
mod models;
mod paths;
mod search;
mod shell;
mod startup;
mod window;

pub use paths::Args;
pub use shell::Shell;

/// The commands and events, with their types: what Tauri answers and what `bindings.ts` describes.
macro_rules! interface {
    ($runtime:path) => {
        Builder::<$runtime>::new()
            .commands(collect_commands![
                commands::search,
                commands::folders,
                commands::add_folder::<$runtime>,
                commands::add_folder_path,
                commands::remove_folder,
                commands::status,
                commands::retry,
                commands::forget_folder,
                commands::why,
                commands::pick_file::<$runtime>,
                commands::preview,
                commands::open_file,
                commands::reveal_file,
                commands::settings,
                commands::set_candidates,
                commands::set_indexing,
                commands::models_state,
            ])
            .events(collect_events![events::IndexProgress, events::IndexingChanged, events::ModelsChanged])
            .error_handling(ErrorHandlingMode::Throw)
            // Our types have the same shape when they are sent as when they are received.
            .disable_serde_phases()
    };
}

/// Opens the window and stays until it is closed.
pub fn run(args: Args) -> anyhow::Result<()> {
    let interface = interface!(tauri::Wry);
    let shell = Arc::new(Shell::default());
    let at_exit = Arc::clone(&shell);
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .manage(Arc::clone(&shell))
        .invoke_handler(interface.invoke_handler())
        .setup(move |app| {
            interface.mount_events(app);
            window::open_main(app)?;
            startup::spawn(app.handle().clone(), shell, args)?;
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window did not open")?;
    app.run(move |_, event| {
        if let RunEvent::Exit = event {
            at_exit.close();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
