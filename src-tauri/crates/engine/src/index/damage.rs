//! Finds the damage of an index and says it in words. It is noted in the index's folder for the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tantivy::index::{IndexMeta, SegmentComponent, SegmentMeta};
use tantivy::{Index, TantivyError};

use crate::guard::caught;
use crate::twin_file::write_atomically;
use crate::{Cancel, EngineError};

/// In a generation's folder: when it was last checked, and what was found.
const HEALTH: &str = "health.toml";

/// How often files are checked. A sound disk seldom loses a bit, so once a day is enough, besides after a crash.
const CHECK_EVERY_S: u64 = 24 * 60 * 60;

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Damage {
    pub file: PathBuf,
    /// What is wrong with it, what that means, and what is done about it: a sentence to show.
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Health {
    /// Seconds since 1970; absent where a check is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<u64>,
    /// What is wrong with each damaged file, by its name.
    #[serde(default)]
    pub damaged: BTreeMap<String, String>,
}

impl Health {
    pub fn checked_now() -> Self {
        Self { checked_at: Some(now()), damaged: BTreeMap::new() }
    }

    /// What is noted in a generation's folder. A note that is gone or damaged makes a check due.
    pub fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(HEALTH)).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    pub fn write(&self, folder: &Path) {
        let written = toml::to_string(self).map_err(|e| e.to_string());
        let written =
            written.and_then(|t| write_atomically(&folder.join(HEALTH), t.as_bytes()).map_err(|e| e.to_string()));
        if let Err(error) = written {
            tracing::debug!(%error, "not noted: it will be found again");
        }
    }

    pub fn check_is_due(&self) -> bool {
        // A clock that was set back by more than that makes a check due as well.
        self.checked_at.is_none_or(|at| now().abs_diff(at) > CHECK_EVERY_S)
    }

    /// Whether a file of this segment is damaged.
    pub fn spoils(&self, segment: &SegmentMeta, committed: &IndexMeta) -> bool {
        files(segment, committed).iter().any(|file| self.damaged.contains_key(file))
    }

    /// What is wrong with the files that a commit names, a sentence each.
    pub fn damage(&self, folder: &Path, committed: &IndexMeta) -> Vec<Damage> {
        let mut all = Vec::new();
        for segment in &committed.segments {
            for file in files(segment, committed) {
                let Some(found) = self.damaged.get(&file) else { continue };
                let n_passages = segment.num_docs();
                let message = format!(
                    "{file} {found}: {}. The {n_passages} passages beside it are left out of answers until they are read again from your files",
                    meaning(&file)
                );
                all.push(Damage { file: folder.join(&file), message });
            }
        }
        all
    }
}

/// Names of the files that a segment consists of.
fn files(segment: &SegmentMeta, committed: &IndexMeta) -> Vec<String> {
    use SegmentComponent::{Custom, Delete, FastFields, FieldNorms, Positions, Postings, Store, Terms};
    let mut components = vec![Store, Terms, Postings, Positions, FastFields, FieldNorms];
    components.extend(committed.persisted_custom_extensions.iter().cloned().map(Custom));
    if segment.has_deletes() {
        components.push(Delete);
    }
    components.into_iter().map(|part| segment.relative_path(part).to_string_lossy().into_owned()).collect()
}

fn meaning(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "store" => "it holds the texts that are shown",
        "term" | "idx" | "pos" => "it holds the words that are searched for",
        "fieldnorm" | "fast" => "it holds lengths that scores come from",
        "del" => "it says what is deleted",
        _ => "it holds what the texts mean",
    }
}

/// Reads every file of a commit and compares it with its checksum. Returns what is wrong with each damaged file, or
/// `None` if it was cancelled. `turn` is called before each file and may wait.
pub(super) fn examine(
    index: &Index,
    committed: &IndexMeta,
    cancel: &Cancel,
    turn: &dyn Fn(),
) -> Option<BTreeMap<String, String>> {
    let mut damaged = BTreeMap::new();
    let all: BTreeSet<String> = committed.segments.iter().flat_map(|segment| files(segment, committed)).collect();
    for file in all {
        turn();
        if cancel.is_cancelled() {
            return None;
        }
        let checked = guarded(Path::new(&file), || Ok(index.directory().validate_checksum(Path::new(&file))));
        let found = match checked {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) => "does not match its checksum".to_owned(),
            Ok(Err(tantivy::directory::error::OpenReadError::FileDoesNotExist(_))) => "is gone".to_owned(),
            Ok(Err(_)) | Err(_) => "is cut off or overwritten".to_owned(),
        };
        damaged.insert(file, found);
    }
    Some(damaged)
}

/// Whether a damaged file may have caused an error, so that looking for damage is worth while.
pub(super) fn may_be_damage(error: &EngineError) -> bool {
    match error {
        EngineError::Damaged { .. } | EngineError::Unexpected { .. } => true,
        EngineError::Index { source, .. } => !matches!(
            source,
            TantivyError::LockFailure(..) | TantivyError::InvalidArgument(_) | TantivyError::OpenWriteError(_)
        ),
        _ => false,
    }
}

/// Runs `work` on the index in `path`; a panic becomes an error. After a panic the caller must not rely on data that
/// `work` was changing.
pub(crate) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    caught(work).unwrap_or_else(|message| Err(EngineError::Unexpected { path: path.to_owned(), message }))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
