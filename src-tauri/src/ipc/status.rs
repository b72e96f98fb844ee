//! The state of the index and of the models.

use nuthatch_engine as engine;
use serde::Serialize;
use specta::Type;
use specta_typescript::Number;

use super::text;

/// Most files that are listed by name. Of 100,000 unreadable files, the window shows the others as a number.
const MAX_FILES: usize = 200;

#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct Status {
    pub roots: Vec<RootStatus>,
    #[specta(type = Number)]
    pub generation: u64,
    #[specta(type = Number)]
    pub n_chunks: u64,
    #[specta(type = Number)]
    pub n_vectors: u64,
    #[specta(type = Number)]
    pub size_bytes: u64,
    /// Why files are not indexed, the reason with most files first. Counts files that `files` leaves out as well.
    pub reasons: Vec<ReasonCount>,
    /// Files that are not indexed, at most 200: failed ones first, then those out of reach, skipped and waiting. Empty
    /// unless asked for.
    pub files: Vec<FileRow>,
    /// What is damaged, and what keeps folders from being followed: a sentence or two each.
    pub problems: Vec<String>,
    pub indexing: IndexingState,
    /// Why vectors are not made now, although some are missing.
    pub paused: Option<Pause>,
}

/// Why vectors are not made now. Text is indexed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// The machine runs on its battery, and `pause_on_battery` is set.
    OnBattery,
}

#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct RootStatus {
    pub path: String,
    #[specta(type = Number)]
    pub files: usize,
    #[specta(type = Number)]
    pub indexed: usize,
    #[specta(type = Number)]
    pub waiting: usize,
    #[specta(type = Number)]
    pub skipped: usize,
    #[specta(type = Number)]
    pub failed: usize,
    /// Files that are out of reach; their notes are kept.
    #[specta(type = Number)]
    pub offline: usize,
    /// Why the folder itself is not there now.
    pub away: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct FileRow {
    pub path: String,
    pub state: FileState,
    pub reason: Option<String>,
    #[specta(type = Number)]
    pub at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    Failed,
    Offline,
    Skipped,
    Waiting,
    Indexed,
}

/// How many files are not indexed for the same reason.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct ReasonCount {
    pub state: FileState,
    pub reason: String,
    #[specta(type = Number)]
    pub files: usize,
}

/// `missing` comes with a reason; searching goes on without the missing part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    #[default]
    Loading,
    Ready,
    Missing,
}

/// Whether changes in the folders are followed. `missing` means that another Nuthatch holds the index or that watching
/// failed; the reason says which. What was indexed before can still be searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Type)]
pub struct IndexingState {
    pub state: Health,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Type)]
pub struct ModelState {
    pub state: Health,
    pub name: Option<String>,
    pub reason: Option<String>,
    /// For a model that is ready: its device, its arithmetic and, if it runs on the CPU, why on no GPU.
    pub runs_on: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Type)]
pub struct ModelsState {
    pub embedder: ModelState,
    pub reranker: ModelState,
}

impl Status {
    pub fn new(from: engine::Status, indexing: IndexingState) -> Self {
        let mut files: Vec<FileRow> = from.files.into_iter().flatten().map(FileRow::from).collect();
        files.retain(|row| row.state != FileState::Indexed);
        files.sort_by(|a, b| (a.state, &a.path).cmp(&(b.state, &b.path)));
        files.truncate(MAX_FILES);
        let paused = from.watch.as_ref().and_then(|watch| watch.paused).map(Pause::from);
        let watching = from.watch.into_iter().flat_map(|watch| watch.problems);
        let damage = from.damage.into_iter().map(|damage| damage.message);
        let problems = damage.chain(watching.map(|p| format!("{}. {}", p.message, p.advice))).collect();
        Self {
            roots: from.roots.into_iter().map(RootStatus::from).collect(),
            generation: from.generation,
            n_chunks: from.n_chunks,
            n_vectors: from.n_vectors,
            size_bytes: from.size_bytes,
            reasons: from.reasons.into_iter().map(ReasonCount::from).collect(),
            files,
            problems,
            indexing,
            paused,
        }
    }
}

impl From<engine::Pause> for Pause {
    fn from(from: engine::Pause) -> Self {
        match from {
            engine::Pause::OnBattery => Self::OnBattery,
        }
    }
}

impl From<engine::RootStatus> for RootStatus {
    fn from(from: engine::RootStatus) -> Self {
        Self {
            path: text(&from.path),
            files: from.files,
            indexed: from.indexed,
            waiting: from.waiting,
            skipped: from.skipped,
            failed: from.failed,
            offline: from.offline,
            away: from.away,
        }
    }
}

impl From<engine::FileRow> for FileRow {
    fn from(from: engine::FileRow) -> Self {
        Self { path: text(&from.path), state: from.state.into(), reason: from.reason, at: from.at }
    }
}

impl From<engine::FileState> for FileState {
    fn from(from: engine::FileState) -> Self {
        match from {
            engine::FileState::Failed => Self::Failed,
            engine::FileState::Offline => Self::Offline,
            engine::FileState::Skipped => Self::Skipped,
            engine::FileState::Waiting => Self::Waiting,
            engine::FileState::Indexed => Self::Indexed,
        }
    }
}

impl From<engine::ReasonCount> for ReasonCount {
    fn from(from: engine::ReasonCount) -> Self {
        Self { state: from.state.into(), reason: from.reason, files: from.files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_worth_a_look_go_over_and_the_worst_come_first() {
        let row = |path: &str, state| engine::FileRow { path: path.into(), state, reason: None, at: 0 };
        let mut files = vec![
            row("/n/waiting.md", engine::FileState::Waiting),
            row("/n/indexed.md", engine::FileState::Indexed),
            row("/n/failed.md", engine::FileState::Failed),
        ];
        files.extend((0..300).map(|i| row(&format!("/n/{i:03}.bin"), engine::FileState::Skipped)));
        let from = engine::Status {
            roots: Vec::new(),
            generation: 1,
            n_chunks: 0,
            n_vectors: 0,
            size_bytes: 0,
            reasons: Vec::new(),
            watch: None,
            damage: Vec::new(),
            files: Some(files),
        };
        let status = Status::new(from, IndexingState::default());
        assert_eq!(status.files.len(), MAX_FILES);
        assert_eq!(status.files[0].path, "/n/failed.md");
        assert_eq!(status.files[1].path, "/n/000.bin");
    }
}
