//! What became of every file under a watched folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::index::{Damage, Row, RowState};
use crate::scan::Scan;

/// Every file is in exactly one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    Indexed,
    /// Found by words; its vectors are still to come.
    Waiting,
    /// Left out on purpose; the reason says why.
    Skipped,
    /// Could not be read; the reason says why.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRow {
    pub path: PathBuf,
    pub state: FileState,
    pub reason: Option<String>,
    /// When it came into this state, seconds since 1970.
    pub at: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootStatus {
    pub path: PathBuf,
    pub files: usize,
    pub indexed: usize,
    pub waiting: usize,
    pub skipped: usize,
    pub failed: usize,
    /// The folder is not there now; its notes are kept.
    pub offline: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub roots: Vec<RootStatus>,
    /// Grows with every commit.
    pub generation: u64,
    pub n_chunks: u64,
    pub n_vectors: u64,
    pub size_bytes: u64,
    /// What is damaged in the data folder; see the index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileRow>>,
}

/// Puts the disk and the catalog together: every file under a root, in exactly one state. A file under two nested
/// roots counts in both, and is listed once.
pub(crate) fn states(roots: &[PathBuf], scan: &Scan, rows: &[Row]) -> (Vec<RootStatus>, Vec<FileRow>) {
    let by_path: HashMap<&Path, &Row> = rows.iter().map(|row| (row.path.as_path(), row)).collect();
    let mut files: Vec<FileRow> = scan
        .files
        .iter()
        .map(|(path, seen)| {
            if let Some(reason) = &seen.skip {
                return file(path, FileState::Skipped, Some(reason.clone()), 0);
            }
            match by_path.get(path.as_path()) {
                Some(row) if seen.is_as_in(row) => known(row),
                Some(row) => file(path, FileState::Waiting, Some("changed since it was read".into()), row.at),
                None => file(path, FileState::Waiting, Some("not read yet".into()), 0),
            }
        })
        .collect();
    // Notes of a folder that is away are kept, and still found.
    let away = |path: &Path| scan.offline.iter().any(|root| path.starts_with(root));
    files.extend(rows.iter().filter(|row| away(&row.path) && !scan.files.contains_key(&row.path)).map(known));
    let under_unreadable =
        scan.unreadable.iter().map(|(path, why)| file(path, FileState::Failed, Some(why.clone()), 0));
    files.extend(under_unreadable);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let roots = roots.iter().map(|root| root_status(root, scan, &files)).collect();
    (roots, files)
}

fn known(row: &Row) -> FileRow {
    let (state, reason) = match row.state {
        RowState::Indexed if row.embedded => (FileState::Indexed, None),
        RowState::Indexed => (FileState::Waiting, Some("found by its words; its vectors are still to come".to_owned())),
        RowState::Skipped => (FileState::Skipped, row.reason.clone()),
        RowState::Failed => (FileState::Failed, row.reason.clone()),
    };
    file(&row.path, state, reason, row.at)
}

fn file(path: &Path, state: FileState, reason: Option<String>, at: u64) -> FileRow {
    FileRow { path: path.to_owned(), state, reason, at }
}

fn root_status(root: &Path, scan: &Scan, files: &[FileRow]) -> RootStatus {
    let of = |state| files.iter().filter(|f| f.path.starts_with(root) && f.state == state).count();
    let (indexed, waiting) = (of(FileState::Indexed), of(FileState::Waiting));
    let (skipped, failed) = (of(FileState::Skipped), of(FileState::Failed));
    RootStatus {
        path: root.to_owned(),
        files: indexed + waiting + skipped + failed,
        indexed,
        waiting,
        skipped,
        failed,
        offline: scan.offline.iter().any(|o| o == root),
    }
}
