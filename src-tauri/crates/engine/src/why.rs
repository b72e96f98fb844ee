//! Why a file is shown for a question, or is not: one file, followed through the whole pipeline.

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
    /// Neither its words nor its meaning are among the candidates.
    NotRecalled,
    /// A candidate whose score is below the threshold.
    BelowThreshold,
    /// A candidate that better files left no room for.
    BeyondTop,
    /// Found, but the file is not there any more.
    Gone,
    Shown,
}

/// A passage of the file, on its way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyPassage {
    /// Its place in the file.
    pub place: Option<Place>,
    pub span: [usize; 2],
    /// The beginning of it.
    pub text: String,
    /// 1-based rank by words and by vectors, counting passages, among the first [`WhyReport::looked_at`].
    pub lexical_rank: Option<usize>,
    pub vector_rank: Option<usize>,
    pub bm25: f32,
    pub cosine: Option<f32>,
    /// 1-based rank among the candidates; `None`: not among them.
    pub recall_rank: Option<usize>,
    /// What the cross-encoder said, calibrated; `None` where it did not read the passage.
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
    /// Its row in the catalog; `None` where it has none. For a file in a folder that is left out, the folder's.
    pub file: Option<FileRow>,
    pub n_passages: usize,
    pub n_vectors: usize,
    pub words: Vec<WhyWord>,
    /// Candidates handed to the cross-encoder.
    pub candidates: usize,
    /// How deep ranks by words and by vectors were looked up.
    pub looked_at: usize,
    /// The number of candidates with which the file would have been one, where raising it helps.
    pub candidates_needed: Option<usize>,
    /// How many candidates a search would read within `SearchRequest::budget_ms`, at the speed of just now; `None` without
    /// such a limit or without a cross-encoder. All are read here, whatever the time.
    pub read_in_time: Option<usize>,
    /// What this was found out without.
    pub degraded: Vec<Degraded>,
    pub threshold: Option<f32>,
    pub top: usize,
    /// 1-based rank among the files found, whether shown or not.
    pub rank: Option<usize>,
    /// Score of the last file shown.
    pub last_shown: Option<f32>,
    /// The file that stands for it, where it is found as a copy of another.
    pub copy_of: Option<PathBuf>,
    /// Best first. The first stands for the file.
    pub passages: Vec<WhyPassage>,
    /// The way in plain words, step by step.
    pub steps: Vec<String>,
    /// What to change to have it shown (higher); empty where nothing needs to be.
    pub advice: Vec<String>,
}
