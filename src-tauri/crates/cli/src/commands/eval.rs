use crate::args::EvalArgs;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) fn run(_args: &EvalArgs, _session: &mut Session<'_, '_>) -> Result<(), Failure> {
    Err(Failure::Nothing)
}
