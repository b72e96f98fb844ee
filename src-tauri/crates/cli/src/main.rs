//! The `nuthatch` command; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    nuthatch_cli::main()
}
