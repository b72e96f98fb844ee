//! The `nuthatch` command, built in this package too, so that the tests always run a current one.

use std::process::ExitCode;

fn main() -> ExitCode {
    nuthatch_cli::main()
}
