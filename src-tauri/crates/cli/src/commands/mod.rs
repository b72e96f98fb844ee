//! One file per command. Each takes the command's arguments and the [`Session`] and writes the answer.

mod bench;
mod eval;
mod folders;
mod index;
mod models;
mod rerank;
mod retry;
mod search;
mod status;
mod watch;
mod why;

use crate::args::Command;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) fn run(command: Command, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    match command {
        Command::Folders(command) => folders::run(command, session),
        Command::Index { folders, embedder } => index::run(&folders, &embedder, session),
        Command::Watch { embedder } => watch::run(&embedder, session),
        Command::Retry { paths, embedder } => retry::retry(&paths, &embedder, session),
        Command::Forget { folders, embedder } => retry::forget(&folders, &embedder, session),
        Command::Why(args) => why::run(&args, session),
        Command::Status { files } => status::run(files, session),
        Command::Search(args) => search::run(&args, session),
        Command::Eval(args) => eval::run(&args, session),
        Command::Bench(args) => bench::run(&args, session),
        Command::Rerank(args) => rerank::run(&args, session),
        Command::Models(command) => models::run(command, session),
    }
}
