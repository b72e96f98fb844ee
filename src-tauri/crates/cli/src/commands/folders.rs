//! `nuthatch folders`: which folders are watched.

use nuthatch_engine::Engine;
use serde_json::json;

use crate::args::FoldersCommand;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) fn run(command: FoldersCommand, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    match command {
        FoldersCommand::Add { folders } => {
            for folder in &folders {
                engine.add_folder(folder)?;
            }
        }
        FoldersCommand::Remove { folders } => {
            for folder in &folders {
                engine.remove_folder(folder)?;
            }
        }
        FoldersCommand::List => {}
    }
    list(&engine, session)
}

/// Writes the folders that are watched now; every subcommand ends with this.
fn list(engine: &Engine, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let folders = engine.settings().folders;
    session.answer(&json!({ "folders": folders }), |out, _| {
        for folder in &folders {
            writeln!(out, "{}", folder.display())?;
        }
        Ok(())
    })
}
