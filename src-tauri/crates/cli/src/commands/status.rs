//! `nuthatch status`: what became of every file.

use std::io::Write;

use nuthatch_engine::{FileRow, FileState, Status};

use crate::failure::Failure;
use crate::session::Session;
use crate::style::{Style, printable};

pub(crate) fn run(files: bool, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let status = session.engine()?.status(files)?;
    session.answer(&status, |out, style| {
        for row in status.files.iter().flatten() {
            write_file(out, row, style)?;
        }
        write_roots(out, &status, style)?;
        status.damage.iter().try_for_each(|damage| writeln!(out, "{}", style.warning(&printable(&damage.message))))
    })
}

fn write_roots(out: &mut dyn Write, status: &Status, style: Style) -> std::io::Result<()> {
    if status.roots.is_empty() {
        return writeln!(out, "no folder is watched yet: run `nuthatch index FOLDER`");
    }
    for root in &status.roots {
        writeln!(out, "{}", style.bold(&printable(&root.path.display().to_string())))?;
        if root.offline {
            writeln!(out, "  {}", style.warning("not there now; its notes are kept"))?;
        }
        writeln!(
            out,
            "  {} files: {} indexed, {} waiting, {} skipped, {} failed",
            root.files, root.indexed, root.waiting, root.skipped, root.failed
        )?;
    }
    let megabytes = status.size_bytes as f64 / 1e6;
    writeln!(
        out,
        "{} passages, {} with vectors, {megabytes:.1} MB on disk, generation {}",
        status.n_chunks, status.n_vectors, status.generation
    )
}

fn write_file(out: &mut dyn Write, row: &FileRow, style: Style) -> std::io::Result<()> {
    let state = match row.state {
        FileState::Indexed => style.dim("indexed"),
        FileState::Waiting => style.dim("waiting"),
        FileState::Skipped => style.warning("skipped"),
        FileState::Failed => style.warning("failed "),
    };
    let reason = row.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    writeln!(out, "{state}  {}", printable(&format!("{}{reason}", row.path.display())))
}
