//! The `nuthatch` command, as in its own package.

use std::process::ExitCode;

fn main() -> ExitCode {
    nuthatch_cli::main()
}
