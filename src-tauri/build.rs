//! Checks the configuration and gives each command a permission of its own, so that the capability file lists by name
//! everything the window may ask for.

/// The commands of `src/commands.rs`; a test there keeps both lists and the capability file the same.
const COMMANDS: &[&str] = &[
    "search",
    "folders",
    "add_folder",
    "add_folder_path",
    "remove_folder",
    "status",
    "retry",
    "forget_folder",
    "why",
    "pick_file",
    "preview",
    "open_file",
    "reveal_file",
    "settings",
    "set_candidates",
    "set_indexing",
    "models_state",
];

fn main() {
    let attributes = tauri_build::Attributes::new().app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("{error:#}");
    }
}
