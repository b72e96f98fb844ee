//! Explains why a file is shown for a question, or is not, by following it through the whole pipeline.

mod follow;
mod tell;
mod words;

use std::path::PathBuf;

use serde::Serialize;

pub(crate) use follow::{Place as Asking, follow};

use crate::Degraded;
use crate::catalog::FileRow;
use crate::extract::Place;

/// Where a file's way through the pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyOutcome {
    /// Under no watched folder.
    NotWatched,
    /// Under a watched folder, but not on disk, and not in the index.
    NotThere,
    /// Left out by a rule: hidden, ignored, of another format, too large, a link.
    Skipped,
    /// Could not be read.
    Failed,
    /// Not read yet.
    Waiting,
    /// Read, but there is no text in it.
    Empty,
    /// None of its passages is among the candidates, neither by words nor by meaning.
    NotRecalled,
    /// A candidate whose score is below the threshold.
    BelowThreshold,
    /// A candidate, but better files left no room for it.
    BeyondTop,
    /// Found, but the file is not there any more.
    Gone,
    Shown,
}

/// A passage of the file, with its ranks and scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyPassage {
    /// Its place in the file.
    pub place: Option<Place>,
    pub span: [usize; 2],
    /// The beginning of its text.
    pub text: String,
    /// 1-based rank by words and by vectors, counting passages, among the first [`WhyReport::looked_at`].
    pub lexical_rank: Option<usize>,
    pub vector_rank: Option<usize>,
    pub bm25: f32,
    pub cosine: Option<f32>,
    /// 1-based rank among the candidates; `None`: not among them.
    pub recall_rank: Option<usize>,
    /// The cross-encoder's calibrated score; `None` where it did not read the passage.
    pub cross: Option<f32>,
    /// The final score, in `0..=1`.
    pub score: Option<f32>,
}

/// A word of the question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyWord {
    /// As the index knows it: in lower case, stemmed.
    pub word: String,
    /// Passages of the file that hold it, in their text, headings, title, tags or links.
    pub n_in_file: usize,
    /// Passages of the whole index that hold it.
    pub n_everywhere: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyReport {
    pub query: String,
    pub path: PathBuf,
    pub outcome: WhyOutcome,
    /// The watched folders it lies in, innermost first.
    pub roots: Vec<PathBuf>,
    /// Its row in the catalog; `None` where it has none. For a file in a folder that is left out, the folder's row.
    pub file: Option<FileRow>,
    pub n_passages: usize,
    pub n_vectors: usize,
    pub words: Vec<WhyWord>,
    /// Candidates handed to the cross-encoder.
    pub candidates: usize,
    /// How deep ranks by words and by vectors were looked up.
    pub looked_at: usize,
    /// For a file that is no candidate: a larger number of candidates with which it would be one, if raising the number
    /// helps.
    pub candidates_needed: Option<usize>,
    /// How many candidates a search would read within `SearchRequest::budget_ms`, at the speed measured here; `None`
    /// without such a limit or without a cross-encoder. For this report all candidates are read, however long it takes.
    pub read_in_time: Option<usize>,
    /// Everything that this report had to do without.
    pub degraded: Vec<Degraded>,
    pub threshold: Option<f32>,
    pub top: usize,
    /// 1-based rank among the files found, whether shown or not.
    pub rank: Option<usize>,
    /// Score of the last file shown.
    pub last_shown: Option<f32>,
    /// If the file is found as a copy of another, the file that is shown in its place.
    pub copy_of: Option<PathBuf>,
    /// Best first. The first stands for the file.
    pub passages: Vec<WhyPassage>,
    /// The file's way through the pipeline in plain words, step by step.
    pub steps: Vec<String>,
    /// What to change to have it shown, or shown higher; empty if nothing needs to be changed.
    pub advice: Vec<String>,
}
