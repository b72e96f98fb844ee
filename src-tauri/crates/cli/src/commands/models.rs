use crate::args::ModelsCommand;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) fn run(_command: ModelsCommand, _session: &mut Session<'_, '_>) -> Result<(), Failure> {
    Err(Failure::Nothing)
}
