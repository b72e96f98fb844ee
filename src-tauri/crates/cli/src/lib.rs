//! The `nuthatch` command: folders, indexing, searching and measuring from a terminal or a script.
//!
//! Answers go to standard output, everything about the run (progress, warnings, errors) to standard error, so
//! that a pipe sees answers only. With `--json` every answer is one JSON value, errors too.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | nothing found, or a check failed |
//! | 2 | asked wrongly: unknown option, empty question |
//! | 3 | could not be done; standard error says why |
//! | 130 | interrupted (Ctrl-C) |

mod args;
mod bench;
mod commands;
mod eval;
mod failure;
mod io;
mod models;
mod progress;
mod session;
mod style;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use nuthatch_engine::Cancel;
use nuthatch_engine::extract::worker;

pub use crate::args::{Cli, Command};
use crate::failure::Failure;
pub use crate::io::Io;
use crate::session::Session;

/// The whole program: arguments from the command line, the process's own streams, Ctrl-C.
pub fn main() -> ExitCode {
    // Comes first: this process may have been started as a worker that reads files for another.
    if worker::is_worker() {
        return worker::serve();
    }
    let cancel = Cancel::new();
    interrupt(cancel.clone());
    let code = Io::with_process_streams(cancel, |io| run(std::env::args_os(), io));
    ExitCode::from(code)
}

/// Runs one command (`args[0]` is the program's name) and returns its exit code.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString>>, io: &mut Io<'_>) -> u8 {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    // Looked for before parsing, because parsing may fail and that error must be in JSON too.
    let json = args.iter().any(|arg| arg == "--json");
    let outcome = match Cli::try_parse_from(args) {
        Ok(cli) => Session::new(cli.global, io).and_then(|mut session| commands::run(cli.command, &mut session)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let text = if io.out_terminal { error.render().ansi().to_string() } else { error.render().to_string() };
            write!(io.out, "{text}").map_err(Failure::from)
        }
        Err(error) => Err(Failure::from(error)),
    };
    match outcome.and_then(|()| io.out.flush().map_err(Failure::from)) {
        Ok(()) => 0,
        Err(failure) => {
            // Ignored: if the streams themselves have failed, there is nowhere left to report it.
            let _ = failure.report(io, json);
            failure.exit_code()
        }
    }
}

/// The first Ctrl-C (or SIGTERM) asks for a clean end: work stops at the next batch and what was committed stays.
/// The second one ends the process at once; the index survives that as well.
fn interrupt(cancel: Cancel) {
    let installed = ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            std::process::exit(130);
        }
        cancel.cancel();
    });
    if let Err(error) = installed {
        tracing::debug!("Ctrl-C ends the process at once: {error}");
    }
}
