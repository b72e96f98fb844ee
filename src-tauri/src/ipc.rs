//! What crosses between the window and Rust. The engine's types are mirrored here, not sent as they are, so that
//! the engine knows nothing of TypeScript; `ui/src/backend/bindings.ts` is written from this file.
//!
//! Field names are the engine's (snake case). Numbers are JavaScript numbers: every count here is far below 2^53,
//! every float is finite.

use std::path::Path;

use nuthatch_engine as engine;
use serde::{Deserialize, Serialize};
use specta::Type;
use specta_typescript::Number;

mod error;
mod search;
mod status;
mod why;

pub use error::{AppError, ErrorKind};
pub use search::{Degraded, Hit, SearchEvent, SearchResults, Stage};
pub use status::{Health, IndexingState, ModelState, ModelsState, Pause, Status};
pub use why::{WhyQuestion, WhyReport};

/// A path as text. Bytes that are not Unicode are replaced, so such a file cannot be opened from the window.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What the user chose.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct Settings {
    pub folders: Vec<String>,
    pub embedder: Option<String>,
    pub reranker: Option<String>,
    #[specta(type = Number)]
    pub candidates: usize,
    #[specta(type = Option<Number>)]
    pub threshold: Option<f32>,
    pub indexing: IndexingLimits,
    /// The least and the most that `indexing.memory_mb` may be.
    #[specta(type = [Number; 2])]
    pub memory_mb_range: [usize; 2],
    /// Threads that this machine runs at once; indexing never uses more.
    #[specta(type = Number)]
    pub n_threads: usize,
}

/// How much of the machine indexing may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct IndexingLimits {
    /// Memory in megabytes, without the models.
    #[specta(type = Number)]
    pub memory_mb: usize,
    /// `null` means all.
    #[specta(type = Option<Number>)]
    pub threads: Option<usize>,
    /// Whether vectors are made only while the machine is on mains power.
    pub pause_on_battery: bool,
}

impl IndexingLimits {
    pub fn apply(self, to: &mut engine::Settings) {
        to.memory_mb = self.memory_mb;
        to.threads = self.threads;
        to.pause_on_battery = self.pause_on_battery;
    }
}

impl From<engine::Settings> for Settings {
    fn from(from: engine::Settings) -> Self {
        let (least, most) = engine::allowed::MEMORY_MB.into_inner();
        Self {
            indexing: IndexingLimits {
                memory_mb: from.memory_mb,
                threads: from.threads,
                pause_on_battery: from.pause_on_battery,
            },
            memory_mb_range: [least, most],
            n_threads: engine::throttle::Limits::default().threads(),
            folders: from.folders.iter().map(|path| text(path)).collect(),
            embedder: from.embedder,
            reranker: from.reranker,
            candidates: from.candidates,
            threshold: from.threshold,
        }
    }
}

/// The note around a hit. Offsets count Unicode code points of `text`, end exclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct Preview {
    pub path: String,
    pub title: String,
    pub format: String,
    pub text: String,
    #[specta(type = [Number; 2])]
    pub hit: [usize; 2],
    #[specta(type = Vec<[Number; 2]>)]
    pub highlights: Vec<[usize; 2]>,
    pub cut_before: bool,
    pub cut_after: bool,
}

impl From<engine::Preview> for Preview {
    fn from(from: engine::Preview) -> Self {
        Self {
            path: text(&from.path),
            title: from.title,
            format: from.format,
            text: from.text,
            hit: from.hit,
            highlights: from.highlights,
            cut_before: from.cut_before,
            cut_after: from.cut_after,
        }
    }
}
