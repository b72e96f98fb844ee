//! Runs the programs that do the work, and reports how that went.

use std::io::{ErrorKind, Write};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// A line to the person at the terminal. It goes to standard error: standard output is for answers.
pub(crate) fn say(text: &str) {
    // With standard error closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs a command to its end, with its output going where ours goes.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, String> {
    command.status().map_err(|error| {
        let program = command.get_program().display();
        match error.kind() {
            ErrorKind::NotFound => format!("{program} is not installed, or not in PATH"),
            _ => format!("cannot run {program}: {error}"),
        }
    })
}

/// Runs a command to its end. Anything but success is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = status(command)?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {}", line(command))) }
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The steps done so far, each with its time, for a table at the end.
#[derive(Default)]
pub(crate) struct Log {
    rows: Vec<(&'static str, Duration, &'static str)>,
}

impl Log {
    /// Runs one step under a heading.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        say(&format!("\n==> {name}"));
        let begun = Instant::now();
        let outcome = work();
        self.rows.push((name, begun.elapsed(), if outcome.is_ok() { "ok" } else { "FAILED" }));
        outcome
    }

    pub(crate) fn skip(&mut self, name: &'static str) {
        self.rows.push((name, Duration::ZERO, "skipped"));
    }

    pub(crate) fn table(&self) -> String {
        let mut table = format!("\n{:<18} {:>8}  result", "step", "seconds");
        for (name, took, result) in &self.rows {
            table.push_str(&format!("\n{name:<18} {:>8.1}  {result}", took.as_secs_f64()));
        }
        let total: Duration = self.rows.iter().map(|(_, took, _)| *took).sum();
        table.push_str(&format!("\n{:<18} {:>8.1}", "all", total.as_secs_f64()));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_where_it_stopped() {
        let mut log = Log::default();
        assert!(log.step("one", || Ok(())).is_ok());
        log.skip("two");
        assert_eq!(log.step("three", || Err("broke".to_owned())), Err("broke".to_owned()));
        let results: Vec<_> =
            log.table().lines().skip(2).take(3).map(|row| row.split_whitespace().last().unwrap().to_owned()).collect();
        assert_eq!(results, ["ok", "skipped", "FAILED"]);
    }
}
