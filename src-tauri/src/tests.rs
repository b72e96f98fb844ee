//! The commands as the window calls them, on Tauri's mock runtime.

use std::path::Path;

use serde_json::{Value, json};
use specta_typescript::Typescript;
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::webview::InvokeRequest;
use tauri::{App, WebviewWindow, WebviewWindowBuilder};

use super::*;
use crate::ipc::{AppError, ErrorKind};

/// Set to write `bindings.ts` instead of comparing it.
const UPDATE: &str = "NUTHATCH_UPDATE_BINDINGS";

#[test]
fn bindings_are_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/backend/bindings.ts");
    let scratch = tempfile::tempdir().unwrap();
    let written = scratch.path().join("bindings.ts");
    interface!(tauri::Wry).export(Typescript::default(), &written).unwrap();
    let fresh = std::fs::read_to_string(written).unwrap();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == fresh, "bindings.ts is stale: run `{UPDATE}=1 cargo test -p nuthatch-app bindings`");
}

/// A command without its permission, or a permission without its command, is a defect either way.
#[test]
fn the_capability_lists_every_command_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let written = scratch.path().join("bindings.ts");
    interface!(tauri::Wry).export(Typescript::default(), &written).unwrap();
    let bindings = std::fs::read_to_string(written).unwrap();
    let mut expect: Vec<String> = bindings
        .split("__TAURI_INVOKE")
        .filter_map(|call| call.split_once("(\"")?.1.split_once('"').map(|(name, _)| name))
        .map(|name| format!("allow-{}", name.replace('_', "-")))
        .collect();
    expect.extend(["core:event:allow-listen".to_owned(), "core:event:allow-unlisten".to_owned()]);
    let capability: Value = serde_json::from_str(include_str!("../capabilities/main.json")).unwrap();
    let mut listed: Vec<String> = serde_json::from_value(capability["permissions"].clone()).unwrap();
    expect.sort();
    listed.sort();
    assert_eq!(listed, expect);
    assert_eq!(capability["windows"], json!([window::LABEL]));
}

/// An app with this shell, and a window to ask from.
fn app(shell: Arc<Shell>) -> (App<MockRuntime>, WebviewWindow<MockRuntime>) {
    let interface = interface!(MockRuntime);
    let app = mock_builder()
        .manage(shell)
        .invoke_handler(interface.invoke_handler())
        .build(mock_context(noop_assets()))
        .unwrap();
    let window = WebviewWindowBuilder::new(&app, window::LABEL, Default::default()).build().unwrap();
    (app, window)
}

fn ask(window: &WebviewWindow<MockRuntime>, command: &str, arguments: Value) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: "tauri://localhost".parse().unwrap(),
        body: InvokeBody::Json(arguments),
        headers: Default::default(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    get_ipc_response(window, request).map(|body| body.deserialize().unwrap())
}

fn limits(memory_mb: usize, threads: Option<usize>) -> Value {
    json!({ "limits": { "memory_mb": memory_mb, "threads": threads, "pause_on_battery": false } })
}

#[test]
fn folders_settings_and_files() {
    let data = tempfile::tempdir().unwrap();
    let notes = tempfile::tempdir().unwrap();
    let shell = Arc::new(Shell::default());
    let options = nuthatch_engine::EngineOptions::new(data.path());
    shell.opened(nuthatch_engine::Engine::open(options).map_err(AppError::from));
    let (_app, window) = app(shell);

    assert_eq!(ask(&window, "folders", json!({})), Ok(json!([])));
    let added = ask(&window, "add_folder_path", json!({ "path": notes.path() })).unwrap();
    assert_eq!(ask(&window, "folders", json!({})), Ok(json!([added])));
    let refused = ask(&window, "add_folder_path", json!({ "path": notes.path().join("gone") })).unwrap_err();
    assert_eq!(refused["kind"], "folder");

    assert_eq!(ask(&window, "set_candidates", json!({ "n": 50 })).unwrap()["candidates"], 50);
    assert_eq!(ask(&window, "set_candidates", json!({ "n": 0 })).unwrap()["candidates"], 1);
    assert_eq!(ask(&window, "settings", json!({})).unwrap()["candidates"], 1);

    let set = ask(&window, "set_indexing", limits(250, Some(1))).unwrap();
    assert_eq!(set["indexing"], limits(250, Some(1))["limits"]);
    assert_eq!((&set["candidates"], &set["folders"]), (&json!(1), &json!([added])), "nothing else changes");
    for (refused, named) in [(limits(99, None), "memory_mb = 99"), (limits(100, Some(0)), "threads = 0")] {
        let error = ask(&window, "set_indexing", refused).unwrap_err();
        assert_eq!(error["kind"], "settings");
        assert!(error["message"].as_str().unwrap().starts_with(named), "{error}");
    }
    assert_eq!(ask(&window, "settings", json!({})), Ok(set));

    // Only the refusal is tried: allowing would open a file on the desktop of whoever runs the test.
    let outside = ask(&window, "open_file", json!({ "path": data.path().join("settings.toml") })).unwrap_err();
    assert_eq!(outside["kind"], "outside_folders");
    let outside = ask(&window, "reveal_file", json!({ "path": data.path() })).unwrap_err();
    assert_eq!(outside["kind"], "outside_folders");

    ask(&window, "remove_folder", json!({ "path": added })).unwrap();
    assert_eq!(ask(&window, "folders", json!({})), Ok(json!([])));
}

#[test]
fn an_engine_that_did_not_open_is_told_by_every_command() {
    let shell = Arc::new(Shell::default());
    shell.opened(Err(AppError::new(ErrorKind::Settings, "settings.toml: mend it, or delete it")));
    let (_app, window) = app(shell);
    let expect = json!({ "kind": "settings", "message": "settings.toml: mend it, or delete it" });
    for (command, arguments) in [("folders", json!({})), ("status", json!({ "withFiles": true }))] {
        assert_eq!(ask(&window, command, arguments), Err(expect.clone()), "{command}");
    }
}

#[test]
fn models_are_loading_until_told_otherwise() {
    let (_app, window) = app(Arc::new(Shell::default()));
    let models = ask(&window, "models_state", json!({})).unwrap();
    assert_eq!(models["embedder"], json!({ "state": "loading", "name": null, "reason": null, "runs_on": null }));
    assert_eq!(models["embedder"], models["reranker"]);
}
