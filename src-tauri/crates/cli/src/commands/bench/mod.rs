//! `nuthatch bench`: how fast this machine is.

mod growth;
mod speed;

use crate::args::{BenchArgs, BenchCommand};
use crate::failure::Failure;
use crate::session::Session;

pub(crate) fn run(args: &BenchArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    match &args.command {
        Some(BenchCommand::Growth(args)) => growth::run(args, session),
        None => speed::run(&args.speed, session),
    }
}
