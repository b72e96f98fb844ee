//! `nuthatch status`: what became of every file, and why.

use std::io::Write;

use nuthatch_engine::{FileRow, FileState, Following, Pause, RootStatus, Status, WatchStatus};

use crate::failure::Failure;
use crate::session::Session;
use crate::style::{Style, printable};

/// Most reasons that are shown; `--files` shows every file with its reason.
const N_REASONS: usize = 20;

pub(crate) fn run(files: bool, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let status = session.engine()?.status(files)?;
    session.answer(&status, |out, style| {
        for row in status.files.iter().flatten() {
            write_file(out, row, style)?;
        }
        write_roots(out, &status, style)?;
        write_reasons(out, &status, style)?;
        write_watch(out, status.watch.as_ref(), style)?;
        status.damage.iter().try_for_each(|damage| writeln!(out, "{}", style.warning(&printable(&damage.message))))?;
        write_index(out, &status)
    })
}

fn write_roots(out: &mut dyn Write, status: &Status, style: Style) -> std::io::Result<()> {
    if status.roots.is_empty() {
        return writeln!(out, "no folder is watched yet: run `nuthatch index FOLDER`");
    }
    for root in &status.roots {
        writeln!(out, "{}", style.bold(&printable(&root.path.display().to_string())))?;
        if let Some(away) = &root.away {
            writeln!(out, "  {}", style.warning(&printable(away)))?;
        }
        writeln!(out, "  {}", counts(root))?;
    }
    Ok(())
}

/// `423 of 501 indexed, 70 skipped, 8 failed`.
fn counts(root: &RootStatus) -> String {
    let mut line = format!("{} of {} indexed", root.indexed, root.files);
    let others =
        [(root.waiting, "waiting"), (root.skipped, "skipped"), (root.failed, "failed"), (root.offline, "offline")];
    for (n, state) in others.into_iter().filter(|(n, _)| *n > 0) {
        line.push_str(&format!(", {n} {state}"));
    }
    line
}

fn write_reasons(out: &mut dyn Write, status: &Status, style: Style) -> std::io::Result<()> {
    for why in status.reasons.iter().take(N_REASONS) {
        let line = printable(&format!("{:>6} {}: {}", why.files, name(why.state), why.reason));
        writeln!(out, "{}", if why.state == FileState::Failed { style.warning(&line) } else { line })?;
    }
    match status.reasons.get(N_REASONS..) {
        None | Some([]) => {}
        Some(more) => writeln!(out, "       and {} other reasons: `nuthatch status --files` shows all", more.len())?,
    }
    if status.reasons.iter().any(|why| why.state == FileState::Failed) {
        writeln!(out, "`nuthatch retry` reads failed files again.")?;
    }
    Ok(())
}

fn write_watch(out: &mut dyn Write, watch: Option<&WatchStatus>, style: Style) -> std::io::Result<()> {
    let Some(watch) = watch else { return Ok(()) };
    let how = match watch.following {
        Following::Events => "as they happen",
        Following::Polling => "by looking every few seconds",
    };
    writeln!(out, "changes are followed {how} (process {})", watch.process)?;
    if let Some(pause) = watch.paused {
        writeln!(out, "  {}", pause_text(pause))?;
    }
    for problem in &watch.problems {
        let line = format!("  {}: {} ({})", problem.folder.display(), problem.message, problem.advice);
        writeln!(out, "{}", style.warning(&printable(&line)))?;
    }
    Ok(())
}

/// Why vectors wait, and what that means.
pub(crate) fn pause_text(pause: Pause) -> &'static str {
    match pause {
        Pause::OnBattery => {
            "vectors wait until the power is back (`pause_on_battery`); notes are found by their words meanwhile"
        }
    }
}

fn write_index(out: &mut dyn Write, status: &Status) -> std::io::Result<()> {
    let megabytes = status.size_bytes as f64 / 1e6;
    writeln!(
        out,
        "{} passages, {} with vectors, {megabytes:.1} MB on disk, generation {}",
        status.n_chunks, status.n_vectors, status.generation
    )
}

fn name(state: FileState) -> &'static str {
    match state {
        FileState::Indexed => "indexed",
        FileState::Waiting => "waiting",
        FileState::Skipped => "skipped",
        FileState::Failed => "failed",
        FileState::Offline => "offline",
    }
}

fn write_file(out: &mut dyn Write, row: &FileRow, style: Style) -> std::io::Result<()> {
    let state = format!("{:<7}", name(row.state));
    let state = match row.state {
        FileState::Indexed | FileState::Waiting => style.dim(&state),
        FileState::Skipped | FileState::Failed | FileState::Offline => style.warning(&state),
    };
    let reason = row.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    writeln!(out, "{state}  {}", printable(&format!("{}{reason}", row.path.display())))
}
