//! The catalog: what became of every file under a watched folder.

mod ledger;
mod states;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

pub(crate) use ledger::Ledger;
pub(crate) use states::{Disk, group, states};

/// Every file is in exactly one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    Indexed,
    /// Not read yet, or changed since it was read, or found by words while its vectors are still to come. The reason
    /// says which.
    Waiting,
    /// Left out on purpose; the reason says why. A folder that is left out is one row.
    Skipped,
    /// Could not be read; the reason says why. `nuthatch retry` reads it again.
    Failed,
    /// Out of reach now: on a drive that is away, or in a folder that cannot be read. Its notes are kept and found.
    Offline,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRow {
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    pub state: FileState,
    /// Why the file is in this state; `None` for an indexed file.
    pub reason: Option<String>,
    /// When it came into this state, seconds since 1970.
    pub at: u64,
}

/// Counts of a watched folder's files; `files` is the sum of the others. A file under two watched folders counts in
/// both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootStatus {
    pub path: PathBuf,
    pub files: usize,
    pub indexed: usize,
    pub waiting: usize,
    pub skipped: usize,
    pub failed: usize,
    /// Files whose notes are kept while they are out of reach.
    pub offline: usize,
    /// Why the folder itself is not there now; `None` where it is.
    pub away: Option<String>,
}

/// How many files share a state other than indexed, and the reason for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReasonCount {
    pub state: FileState,
    pub reason: String,
    pub files: usize,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Following {
    /// The system reports every change.
    Events,
    /// Some folders, or all, are looked through every few seconds; [`WatchStatus::problems`] says why, unless the
    /// settings ask for it.
    Polling,
}

/// Something that keeps a folder from being followed as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct WatchProblem {
    /// The watched folder, or the data folder if the problem is with the index.
    pub folder: PathBuf,
    pub message: String,
    /// What to do.
    pub advice: String,
    /// Seconds since 1970.
    pub at: u64,
}

/// Why no vectors are made although some are missing. Text is indexed all the same, so notes are found by their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// The machine runs on its battery, and the settings say to save it (`pause_on_battery`).
    OnBattery,
}

/// The state of the watch that runs, in this process or another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct WatchStatus {
    /// The process that watches.
    pub process: u32,
    pub following: Following,
    /// Why no vectors are made; `None` if they are being made, or if none are missing.
    pub paused: Option<Pause>,
    pub problems: Vec<WatchProblem>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub roots: Vec<RootStatus>,
    /// Grows with every commit.
    pub generation: u64,
    pub n_chunks: u64,
    pub n_vectors: u64,
    pub size_bytes: u64,
    /// What is damaged in the data folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<crate::Damage>,
    /// Why files are not indexed; the reason with the most files first.
    pub reasons: Vec<ReasonCount>,
    /// `None` where nobody watches.
    pub watch: Option<WatchStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileRow>>,
}

/// Replaces what is not UTF-8 in a path: a list must not fail because of one file's name.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
