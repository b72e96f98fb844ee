//! `cargo start` and `cargo verify`: everything from a bare machine to a running app, or to a checked tree. Both check
//! what is done already, so that a second run does not repeat it. This program uses the standard library only, because
//! it is compiled first on every machine and has to be ready in seconds.

mod start;
mod step;
mod system;
mod tree;
mod ui;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::step::say;
use crate::tree::Tree;

const USAGE: &str = "usage: cargo start [FOLDER] [--query QUESTION] [--terminal] [--data-dir DIR]
       cargo verify [--only rust|ui|desktop]... [--skip rust|ui|desktop]...";

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        say(USAGE);
        return ExitCode::SUCCESS;
    }
    if args.is_empty() {
        say(USAGE);
        return ExitCode::from(2);
    }
    let command = args.remove(0);
    let outcome = Tree::find().and_then(|tree| match command.to_str() {
        Some("start") => start::run(&tree, args),
        Some("verify") => verify::run(&tree, args),
        _ => Err(format!("no such command: {}\n{USAGE}", command.display())),
    });
    outcome.unwrap_or_else(|message| {
        say(&message);
        ExitCode::FAILURE
    })
}
