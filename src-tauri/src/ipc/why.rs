//! Why a search shows a file or does not, in words.

use nuthatch_engine as engine;
use serde::{Deserialize, Serialize};
use specta::Type;
use specta_typescript::Number;

use super::text;

/// The search in question, with the window's settings.
#[derive(Clone, Debug, PartialEq, Deserialize, Type)]
pub struct WhyQuestion {
    pub query: String,
    pub candidates: u32,
    /// The slider's value, in `0..=1`.
    #[specta(type = Option<Number>)]
    pub threshold: Option<f32>,
}

impl WhyQuestion {
    pub fn into_request(self) -> engine::SearchRequest {
        engine::SearchRequest {
            candidates: self.candidates as usize,
            threshold: self.threshold,
            ..engine::SearchRequest::new(self.query)
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct WhyReport {
    pub path: String,
    /// Whether the search shows the file.
    pub shown: bool,
    /// The file's way through the search in plain words, step by step.
    pub steps: Vec<String>,
    /// What to change so that the file is shown, or shown higher; empty if nothing needs to change.
    pub advice: Vec<String>,
}

impl From<engine::WhyReport> for WhyReport {
    fn from(from: engine::WhyReport) -> Self {
        Self {
            path: text(&from.path),
            shown: from.outcome == engine::WhyOutcome::Shown,
            steps: from.steps,
            advice: from.advice,
        }
    }
}
