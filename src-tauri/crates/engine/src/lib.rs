//! Nuthatch's engine: from files on disk to the five passages that answer a question.
//!
//! ```text
//! file -> scan + catalog -> extract -> chunk -> index (text now, vectors as they come) -> generation
//! query -> lexical | vector -> fuse -> rerank -> calibrated score -> threshold -> best chunk a file -> top K
//! ```
//!
//! The engine is synchronous and knows neither Tauri nor Candle: models come in as [`Embedder`] and
//! [`Reranker`], results go out as plain values. All of it works without a model, by words alone, and says so.

pub mod allowed;
mod blend;
mod bm25;
pub mod calibrate;
pub mod cancel;
pub mod catalog;
pub mod chunk;
mod copies;
mod engine;
pub mod error;
pub mod eval;
pub mod extract;
pub mod fuse;
mod guard;
mod hits;
pub mod index;
mod indexer;
mod listing;
pub mod model;
mod names;
pub mod notes;
mod pipeline;
pub mod preview;
mod reading;
mod recall;
mod rerank;
mod scan;
pub mod search;
pub mod settings;
pub mod snippet;
pub mod text;
pub mod throttle;
mod twin_file;
mod visibility;
pub mod watch;
pub mod watched;
pub mod why;

pub use blend::{Blend, FirstStage, NOTHING_ANSWERS_BELOW};
pub use calibrate::Calibration;
pub use cancel::Cancel;
pub use catalog::{FileRow, FileState, Following, Pause, ReasonCount, RootStatus, Status, WatchProblem, WatchStatus};
pub use engine::{Engine, EngineOptions, IndexProgress, IndexReport, Phase};
pub use error::{BadSetting, EngineError, FolderError, ModelError};
pub use index::Damage;
pub use model::{Embedder, Reranker};
pub use preview::Preview;
pub use search::{Counts, Degraded, Hit, SearchRequest, SearchResults, Stage, TookMs};
pub use settings::Settings;
pub use watch::Watch;
pub use why::{WhyOutcome, WhyPassage, WhyReport, WhyWord};
