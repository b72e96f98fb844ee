//! Files a measurement writes beside its answer.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

/// Opened before the measurement, which may take long, so that a file that cannot be written is reported at once.
pub(crate) struct Output<'a> {
    path: &'a Path,
    out: BufWriter<File>,
}

impl<'a> Output<'a> {
    pub(crate) fn create(path: &'a Path) -> Result<Self, Failure> {
        let out = File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path, out: BufWriter::new(out) })
    }

    pub(crate) fn json_lines(self, lines: &[impl Serialize]) -> Result<(), Failure> {
        self.write(|out| {
            lines.iter().try_for_each(|line| {
                serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
                out.write_all(b"\n")
            })
        })
    }

    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        self.write(|out| out.write_all(text.as_bytes()))
    }

    fn write(mut self, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), Failure> {
        write(&mut self.out).and_then(|()| self.out.flush()).map_err(|error| cannot_write(self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed("output", format!("{} cannot be written: {error}", path.display()))
}
