//! `cargo verify`: every check and every test, ordered so that failures show as soon as possible.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::step::{Log, run as run_step, say};
use crate::tree::Tree;
use crate::{system, ui};

/// tauri-driver's releases follow Tauri's major version.
const TAURI_DRIVER: &str = "^2";

/// What is to be checked.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Parts {
    rust: bool,
    ui: bool,
    desktop: bool,
}

pub(crate) fn run(tree: &Tree, args: Vec<OsString>) -> Result<ExitCode, String> {
    let parts = parse(args)?;
    let mut log = Log::default();
    let outcome = check(tree, parts, &mut log);
    if let Err(message) = &outcome {
        say(&format!("\n{message}"));
    }
    say(&log.table());
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(args: Vec<OsString>) -> Result<Parts, String> {
    let (mut only, mut skip) = (Vec::new(), Vec::new());
    let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        let list = match arg.as_str() {
            "--only" => &mut only,
            "--skip" => &mut skip,
            _ => return Err(format!("no such option: {arg}")),
        };
        match args.next() {
            Some(part) if ["rust", "ui", "desktop"].contains(&part.as_str()) => list.push(part),
            _ => return Err(format!("{arg} wants rust, ui or desktop")),
        }
    }
    let wanted = |part: &str| {
        let named = |list: &[String]| list.iter().any(|name| name == part);
        (only.is_empty() || named(&only)) && !named(&skip)
    };
    Ok(Parts { rust: wanted("rust"), ui: wanted("ui"), desktop: wanted("desktop") })
}

fn check(tree: &Tree, parts: Parts, log: &mut Log) -> Result<(), String> {
    let Parts { rust, ui, desktop } = parts;
    let cargo = |args: &[&str]| run_step(&mut tree.cargo(args));
    let npm = |folder: &str, args: &[&str]| run_step(&mut tree.npm(folder, args));

    if rust {
        log.step("fmt", || cargo(&["fmt", "--all", "--check"]))?;
    }
    if rust || desktop {
        let test = if desktop { system::DESKTOP_TEST } else { &[] };
        log.step("system packages", || system::ensure(&[system::BUILD, test].concat()))?;
    }
    // The app embeds the built window, so this comes before any Rust is compiled.
    log.step("ui build", || ui::build(tree))?;
    if ui {
        log.step("ui check", || npm("ui", &["run", "check"]))?;
        log.step("ui lint", || npm("ui", &["run", "lint"]))?;
        log.step("ui test", || npm("ui", &["test"]))?;
    }
    if rust {
        log.step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    }
    if rust || desktop {
        // Programs and tests are built together: with `--tests` the features of test dependencies (Tauri's mock
        // runtime) apply to both, so that nothing is compiled twice.
        log.step("build", || cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    }
    if rust {
        log.step("test", || cargo(&["test", "--workspace"]))?;
    }
    match desktop {
        true if cfg!(target_os = "linux") => {
            log.step("desktop driver", || desktop_driver(tree))?;
            log.step("desktop test", || npm("tests/desktop", &["test"]))
        }
        // There is no WebDriver for the web view of macOS.
        true => {
            log.skip("desktop test");
            Ok(())
        }
        false => Ok(()),
    }
}

/// tauri-driver in `target/tools`, and the npm packages that talk to it.
fn desktop_driver(tree: &Tree) -> Result<(), String> {
    let tools = tree.target.join("tools");
    if !tools.join("bin/tauri-driver").is_file() {
        let mut install = tree.cargo(&["install", "tauri-driver", "--version", TAURI_DRIVER, "--locked", "--root"]);
        run_step(install.arg(&tools))?;
    }
    ui::install(tree, "tests/desktop")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_can_be_picked_and_left_out() {
        let parse = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
        let all = Parts { rust: true, ui: true, desktop: true };
        assert_eq!(parse(&[]), Ok(all));
        assert_eq!(parse(&["--skip", "desktop"]), Ok(Parts { desktop: false, ..all }));
        assert_eq!(parse(&["--only", "ui"]), Ok(Parts { rust: false, desktop: false, ..all }));
        assert_eq!(
            parse(&["--only", "ui", "--only", "rust", "--skip", "rust"]),
            Ok(Parts { rust: false, desktop: false, ..all })
        );
        assert_eq!(parse(&["--only"]), Err("--only wants rust, ui or desktop".to_owned()));
        assert_eq!(parse(&["--skip", "lint"]), Err("--skip wants rust, ui or desktop".to_owned()));
    }
}
