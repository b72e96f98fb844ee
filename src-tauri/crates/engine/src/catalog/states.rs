//! Compares the disk with the index, and puts every file in exactly one state.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::{FileRow, FileState, ReasonCount, RootStatus};
use crate::index::{Row, RowState};
use crate::reading;
use crate::scan::{Away, Places, Seen, Verdict};

/// What was seen of the disk at the last look at each part of it.
pub(crate) struct Disk<'a> {
    pub entries: &'a BTreeMap<PathBuf, Seen>,
    pub away: &'a [Away],
    pub places: &'a Places,
    /// Whether the index was made with an embedder; otherwise no file waits for vectors.
    pub has_vectors: bool,
}

/// Every file under a root, in exactly one state, in the order of paths. A file under two nested roots counts in both,
/// and is listed once.
pub(crate) fn states(
    roots: &[PathBuf],
    disk: &Disk<'_>,
    rows: &BTreeMap<PathBuf, Row>,
) -> (Vec<RootStatus>, Vec<FileRow>) {
    let is_watched = |path: &Path| roots.iter().any(|root| path.starts_with(root));
    let mut files: Vec<FileRow> = disk
        .entries
        .iter()
        .filter(|(path, _)| is_watched(path))
        .map(|(path, seen)| state(path, seen, rows.get(path), disk.has_vectors))
        .collect();
    // Files out of reach stay in the index, and are still found.
    files.extend(
        rows.values()
            .filter(|row| !disk.entries.contains_key(&row.path) && is_watched(&row.path))
            .filter_map(|row| out_of_reach(row, disk)),
    );
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let roots = roots.iter().map(|root| root_status(root, disk.away, &files)).collect();
    (roots, files)
}

fn state(path: &Path, seen: &Seen, row: Option<&Row>, has_vectors: bool) -> FileRow {
    let file =
        |state, reason: String| FileRow { path: path.to_owned(), state, reason: Some(reason), at: seen.stamp.at() };
    match (&seen.verdict, row) {
        (Verdict::Skip(reason) | Verdict::TooLarge(reason), _) => file(FileState::Skipped, reason.clone()),
        (Verdict::Unreadable(reason), _) => file(FileState::Failed, reason.clone()),
        (Verdict::Read, Some(row)) if seen.stamp.is_as_in(row) => known(row, has_vectors),
        (Verdict::Read, None) => file(FileState::Waiting, "not read yet".to_owned()),
        // What was read before stays in the index until the file can be read again.
        (Verdict::Read, Some(_)) => match reading::open(path) {
            Ok(_) => file(FileState::Waiting, "changed since it was read".to_owned()),
            Err(error) => file(FileState::Failed, format!("cannot be read any more ({error}): found as it was before")),
        },
    }
}

fn known(row: &Row, has_vectors: bool) -> FileRow {
    let (state, reason) = match row.state {
        RowState::Indexed if row.embedded || !has_vectors => (FileState::Indexed, None),
        RowState::Indexed => (FileState::Waiting, Some("found by its words; its vectors are still to come".to_owned())),
        RowState::Skipped => (FileState::Skipped, row.reason.clone()),
        RowState::Failed => (FileState::Failed, row.reason.clone()),
    };
    FileRow { path: row.path.clone(), state, reason, at: row.at }
}

/// `None` for a file that is simply gone: the next pass takes it out of the index.
fn out_of_reach(row: &Row, disk: &Disk<'_>) -> Option<FileRow> {
    let file = |reason, at| FileRow { path: row.path.clone(), state: FileState::Offline, reason: Some(reason), at };
    if let Some(away) = disk.away.iter().find(|away| row.path.starts_with(&away.path)) {
        let since = disk.places.away_since(&away.path).unwrap_or(row.at);
        return Some(file(format!("{} {}", away.path.display(), away.reason), since));
    }
    row.path.ancestors().skip(1).find_map(|folder| match disk.entries.get(folder) {
        Some(Seen { verdict: Verdict::Unreadable(reason), .. }) => {
            Some(file(format!("{} {reason}; its notes are kept", folder.display()), row.at))
        }
        _ => None,
    })
}

fn root_status(root: &Path, away: &[Away], files: &[FileRow]) -> RootStatus {
    let mut status = RootStatus {
        path: root.to_owned(),
        files: 0,
        indexed: 0,
        waiting: 0,
        skipped: 0,
        failed: 0,
        offline: 0,
        away: away.iter().find(|away| away.path == root).map(|away| away.reason.clone()),
    };
    for file in files.iter().filter(|file| file.path.starts_with(root)) {
        status.files += 1;
        *match file.state {
            FileState::Indexed => &mut status.indexed,
            FileState::Waiting => &mut status.waiting,
            FileState::Skipped => &mut status.skipped,
            FileState::Failed => &mut status.failed,
            FileState::Offline => &mut status.offline,
        } += 1;
    }
    status
}

/// Counts the files for each reason, most files first. A file name at the beginning of a reason is ignored, so that the
/// same reason for different files counts as one.
pub(crate) fn group(files: &[FileRow]) -> Vec<ReasonCount> {
    let mut counts: HashMap<(FileState, String), usize> = HashMap::new();
    for file in files.iter().filter(|file| file.state != FileState::Indexed) {
        let reason = file.reason.as_deref().unwrap_or_default();
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let reason = reason.strip_prefix(name.as_ref()).map_or(reason, str::trim_start);
        *counts.entry((file.state, reason.to_owned())).or_default() += 1;
    }
    let mut reasons: Vec<ReasonCount> =
        counts.into_iter().map(|((state, reason), files)| ReasonCount { state, reason, files }).collect();
    reasons.sort_by(|a, b| b.files.cmp(&a.files).then_with(|| (a.state, &a.reason).cmp(&(b.state, &b.reason))));
    reasons
}
