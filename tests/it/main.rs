//! Tests through the public interfaces, in one binary: the engine's handle, the `nuthatch` command, the JSON that
//! scripts read, and the boundaries between crates.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]
#![allow(clippy::print_stdout, reason = "random and hostile tests print what they counted")]

mod bench;
mod calibrate;
mod cli;
mod contract;
mod durability;
mod engine;
mod errors;
mod eval;
mod fetch;
mod formats;
mod manifest;
mod support;
mod walls;
