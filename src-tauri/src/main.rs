//! `nuthatch-app [--data-dir DIR] [FOLDER...]`

// Without this a console window opens beside the app on Windows.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

use clap::Parser;
use nuthatch_app::Args;
use nuthatch_engine::extract::worker;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<ExitCode> {
    // Comes first: this process may have been started as a worker that reads files for another.
    if worker::is_worker() {
        return Ok(worker::serve());
    }
    let filter = EnvFilter::try_from_env("NUTHATCH_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    nuthatch_app::run(Args::parse()).map(|()| ExitCode::SUCCESS)
}
