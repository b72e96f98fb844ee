//! `cargo start`: builds the app and opens it on a folder. Without a display it builds and runs the terminal command.

use std::env;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use crate::step::{run as run_step, say, status};
use crate::tree::Tree;
use crate::{system, ui};

#[derive(Debug, Default, PartialEq)]
struct Wanted {
    folder: Option<PathBuf>,
    query: Option<OsString>,
    terminal: bool,
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(tree: &Tree, args: Vec<OsString>) -> Result<ExitCode, String> {
    let wanted = parse(args)?;
    let folder = folder(tree, wanted.folder.as_deref())?;
    let data_dir = match &wanted.data_dir {
        Some(dir) => std::path::absolute(dir).map_err(|error| format!("--data-dir {}: {error}", dir.display()))?,
        None => own_data_dir(tree, &folder),
    };
    if wanted.terminal || wanted.query.is_some() {
        in_terminal(tree, &folder, &data_dir, wanted.query)
    } else if !has_display() {
        say("there is no display here, so no window: the same in the terminal");
        in_terminal(tree, &folder, &data_dir, None)
    } else {
        in_window(tree, &folder, &data_dir)
    }
}

fn parse(args: Vec<OsString>) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = |name: &str| args.next().ok_or(format!("{name} wants a value"));
        match arg.to_str() {
            Some("--query") => wanted.query = Some(value("--query")?),
            Some("--data-dir") => wanted.data_dir = Some(value("--data-dir")?.into()),
            Some("--terminal") => wanted.terminal = true,
            Some(option) if option.starts_with('-') => return Err(format!("no such option: {option}")),
            _ if wanted.folder.is_some() => return Err(format!("one folder, please: {}", arg.display())),
            _ => wanted.folder = Some(arg.into()),
        }
    }
    Ok(wanted)
}

/// The folder asked for, or the folder of sample notes.
fn folder(tree: &Tree, asked: Option<&Path>) -> Result<PathBuf, String> {
    let folder = asked.map_or_else(|| tree.root.join("tests/fixtures/notes"), Path::to_owned);
    if folder.is_file() {
        return Err(format!("{} is a file: give the folder it lies in", folder.display()));
    }
    folder.canonicalize().map_err(|error| format!("cannot open folder {}: {error}", folder.display()))
}

/// Each folder gets a data folder of its own, so that a trial mixes neither with another nor with the user's own data.
fn own_data_dir(tree: &Tree, folder: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    tree.target.join("start").join(format!("{:016x}", hasher.finish()))
}

/// macOS and Windows always have a display; on Linux, X11 and Wayland set an environment variable.
fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

fn in_window(tree: &Tree, folder: &Path, data_dir: &Path) -> Result<ExitCode, String> {
    system::ensure(system::BUILD)?;
    ui::build(tree)?;
    run_step(&mut tree.cargo(&["build", "--workspace", "--bin", "nuthatch-app"]))?;
    say(&format!("watching {}", folder.display()));
    let app = tree.built("nuthatch-app");
    Ok(exit_code(status(Command::new(app).arg("--data-dir").arg(data_dir).arg(folder))?))
}

fn in_terminal(tree: &Tree, folder: &Path, data_dir: &Path, query: Option<OsString>) -> Result<ExitCode, String> {
    // This compiles only what the terminal command needs: neither WebKit nor the built window.
    run_step(&mut tree.cargo(&["build", "--workspace", "--bin", "nuthatch"]))?;
    let nuthatch = || {
        let mut command = Command::new(tree.built("nuthatch"));
        command.arg("--data-dir").arg(data_dir);
        command
    };
    let search = |query: OsString| status(nuthatch().arg("search").arg("--").arg(query));
    say(&format!("indexing {}", folder.display()));
    run_step(nuthatch().arg("index").arg(folder))?;
    match query {
        Some(query) => Ok(exit_code(search(query)?)),
        None => ask(|question| search(question.into()).map(drop)),
    }
}

/// Answers one question per line until the input ends.
fn ask(mut answer: impl FnMut(&str) -> Result<(), String>) -> Result<ExitCode, String> {
    let stdin = std::io::stdin();
    let prompt = || {
        if stdin.is_terminal() {
            let _ = write!(std::io::stderr(), "\nquestion (Ctrl-D ends): ");
        }
    };
    prompt();
    for question in stdin.lock().lines() {
        let question = question.map_err(|error| format!("cannot read the question: {error}"))?;
        if !question.trim().is_empty() {
            answer(question.trim())?;
        }
        prompt();
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of the program that was run; 1 if a signal ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let parse = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
        let query = Some("how?".into());
        assert_eq!(parse(&[]), Ok(Wanted::default()));
        assert_eq!(
            parse(&["d", "--query", "how?"]),
            Ok(Wanted { folder: Some("d".into()), query, ..Wanted::default() })
        );
        assert_eq!(parse(&["--query"]), Err("--query wants a value".to_owned()));
        assert_eq!(parse(&["a", "b"]), Err("one folder, please: b".to_owned()));
        assert_eq!(parse(&["--fast"]), Err("no such option: --fast".to_owned()));
    }
}
