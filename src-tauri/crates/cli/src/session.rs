//! One run of the command: the options every command shares, and what they open.

use std::io::Write;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use nuthatch_engine::extract::worker::WorkerCommand;
use nuthatch_engine::{Cancel, Engine, EngineOptions};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::args::Global;
use crate::failure::Failure;
use crate::io::Io;
use crate::style::Style;

pub(crate) struct Session<'run, 'io> {
    pub(crate) options: Global,
    pub(crate) io: &'run mut Io<'io>,
    data_dir: PathBuf,
}

impl<'run, 'io> Session<'run, 'io> {
    pub(crate) fn new(options: Global, io: &'run mut Io<'io>) -> Result<Self, Failure> {
        log_to_stderr(&options);
        let data_dir = match &options.data_dir {
            Some(dir) => std::path::absolute(dir)
                .map_err(|error| Failure::usage(format!("--data-dir {}: {error}", dir.display())))?,
            None => ProjectDirs::from("", "", "nuthatch")
                .map(|dirs| dirs.data_dir().to_owned())
                .ok_or_else(|| Failure::usage("there is no home folder to keep data in: name one with --data-dir"))?,
        };
        Ok(Self { options, io, data_dir })
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        // Without a worker process, files of risky formats are listed as failed, with a reason.
        let worker = WorkerCommand::own().ok();
        Ok(Engine::open(EngineOptions { worker, ..EngineOptions::new(&self.data_dir) })?)
    }

    pub(crate) fn cancel(&self) -> Cancel {
        self.io.cancel.clone()
    }

    /// Whether progress bars are to be drawn: never in a pipe.
    pub(crate) fn shows_progress(&self) -> bool {
        self.io.err_terminal && !self.options.quiet
    }

    /// Writes the answer: `value` as JSON, or what `human` writes.
    pub(crate) fn answer(
        &mut self,
        value: &impl Serialize,
        human: impl FnOnce(&mut dyn Write, Style) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        if !self.options.json {
            return Ok(human(self.io.out, Style::new(self.io.out_terminal))?);
        }
        if self.io.out_terminal {
            serde_json::to_writer_pretty(&mut *self.io.out, value)?;
        } else {
            serde_json::to_writer(&mut *self.io.out, value)?;
        }
        Ok(writeln!(self.io.out)?)
    }

    /// Says something about the run on standard error.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.options.quiet {
            return Ok(());
        }
        Ok(writeln!(self.io.err, "{}", Style::new(self.io.err_terminal).warning(text))?)
    }
}

/// `NUTHATCH_LOG` (in `tracing`'s filter syntax) overrides `-q` and `-v`.
fn log_to_stderr(options: &Global) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "warn,nuthatch_engine=info,nuthatch_inference=info,nuthatch_cli=info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("NUTHATCH_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Fails if a log is set up already, as in a test that runs several commands. The first log then stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().try_init();
}
