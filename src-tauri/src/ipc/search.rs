//! A question's answers, stage by stage.

use nuthatch_engine as engine;
use serde::Serialize;
use specta::Type;
use specta_typescript::Number;

use super::{AppError, text};

/// What `search` sends through its channel: a `results` for each list of hits (reranking gives several lists), the last
/// one with `done`, or one `failed`. A question that is overtaken by a newer one sends nothing more.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SearchEvent {
    Results { query_id: u32, stage: Stage, results: SearchResults, done: bool },
    Failed { query_id: u32, error: AppError },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Lexical,
    Vector,
    Hybrid,
    Rerank,
}

impl From<engine::Stage> for Stage {
    fn from(from: engine::Stage) -> Self {
        match from {
            engine::Stage::Lexical => Self::Lexical,
            engine::Stage::Vector => Self::Vector,
            engine::Stage::Hybrid => Self::Hybrid,
            engine::Stage::Rerank => Self::Rerank,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct SearchResults {
    pub query: String,
    pub model: Option<String>,
    pub took_ms: TookMs,
    pub candidates: Counts,
    /// Everything that the answer had to do without.
    pub degraded: Vec<Degraded>,
    pub nothing_answers: bool,
    pub hits: Vec<Hit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Type)]
pub struct TookMs {
    #[specta(type = Number)]
    pub lexical: f64,
    #[specta(type = Number)]
    pub vector: f64,
    #[specta(type = Number)]
    pub fuse: f64,
    #[specta(type = Number)]
    pub rerank: f64,
    #[specta(type = Number)]
    pub total: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
pub struct Counts {
    #[specta(type = Number)]
    pub asked: usize,
    #[specta(type = Number)]
    pub recalled: usize,
    #[specta(type = Number)]
    pub reranked: usize,
}

/// A thing that an answer had to do without.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Degraded {
    Damaged {
        file: String,
        reason: String,
    },
    NoEmbedder {
        reason: String,
    },
    EmbedderFailed {
        reason: String,
    },
    NoReranker {
        reason: String,
    },
    VectorsPending {
        #[specta(type = Number)]
        embedded: u64,
        #[specta(type = Number)]
        chunks: u64,
    },
    RerankerFailed {
        reason: String,
    },
    NotCalibrated {
        embedder: String,
        reranker: String,
    },
}

/// Offsets in `highlights` count Unicode code points of `snippet`; `span` counts bytes of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
pub struct Hit {
    #[specta(type = Number)]
    pub rank: usize,
    /// `null` for a file that was not read.
    #[specta(type = Option<Number>)]
    pub score: Option<f32>,
    #[specta(type = Number)]
    pub raw_score: f32,
    pub path: String,
    pub title: String,
    pub snippet: String,
    #[specta(type = Vec<[Number; 2]>)]
    pub highlights: Vec<[usize; 2]>,
    #[specta(type = [Number; 2])]
    pub span: [usize; 2],
    pub place: Option<Place>,
    #[specta(type = Number)]
    pub recall_rank: usize,
    #[specta(type = Option<Number>)]
    pub lexical_rank: Option<usize>,
    #[specta(type = Option<Number>)]
    pub vector_rank: Option<usize>,
    /// The file has changed since it was read.
    pub stale: bool,
    /// Other files that are copies of this note, the best first.
    pub copies: Vec<String>,
    /// Why the file could not be read. Set only for a file that is shown because its name matches the question.
    pub unread: Option<String>,
}

/// Where in the file a passage begins; numbers count from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    Line {
        number: u32,
    },
    Page {
        number: u32,
    },
    Slide {
        number: u32,
    },
    /// `cells` as spreadsheets write them: `B2:D9`.
    Cells {
        sheet: String,
        cells: String,
    },
    Chapter {
        title: String,
    },
    NotebookCell {
        number: u32,
    },
    /// Seconds from the start of the film.
    Time {
        seconds: u32,
    },
}

impl From<engine::extract::Place> for Place {
    fn from(from: engine::extract::Place) -> Self {
        use engine::extract::Place as From;
        match from {
            From::Line { number } => Self::Line { number },
            From::Page { number } => Self::Page { number },
            From::Slide { number } => Self::Slide { number },
            From::Cells { sheet, cells } => Self::Cells { sheet, cells },
            From::Chapter { title } => Self::Chapter { title },
            From::NotebookCell { number } => Self::NotebookCell { number },
            From::Time { seconds } => Self::Time { seconds },
        }
    }
}

impl From<&engine::SearchResults> for SearchResults {
    fn from(from: &engine::SearchResults) -> Self {
        let took = from.took_ms;
        let counts = from.candidates;
        Self {
            query: from.query.clone(),
            model: from.model.clone(),
            took_ms: TookMs {
                lexical: took.lexical,
                vector: took.vector,
                fuse: took.fuse,
                rerank: took.rerank,
                total: took.total,
            },
            candidates: Counts { asked: counts.asked, recalled: counts.recalled, reranked: counts.reranked },
            degraded: from.degraded.iter().cloned().map(Degraded::from).collect(),
            nothing_answers: from.nothing_answers,
            hits: from.hits.iter().map(Hit::from).collect(),
        }
    }
}

impl From<engine::Degraded> for Degraded {
    fn from(from: engine::Degraded) -> Self {
        match from {
            engine::Degraded::Damaged { file, reason } => Self::Damaged { file: file.display().to_string(), reason },
            engine::Degraded::NoEmbedder { reason } => Self::NoEmbedder { reason },
            engine::Degraded::EmbedderFailed { reason } => Self::EmbedderFailed { reason },
            engine::Degraded::RerankerFailed { reason } => Self::RerankerFailed { reason },
            engine::Degraded::NoReranker { reason } => Self::NoReranker { reason },
            engine::Degraded::VectorsPending { embedded, chunks } => Self::VectorsPending { embedded, chunks },
            engine::Degraded::NotCalibrated { embedder, reranker } => Self::NotCalibrated { embedder, reranker },
        }
    }
}

impl From<&engine::Hit> for Hit {
    fn from(from: &engine::Hit) -> Self {
        Self {
            rank: from.rank,
            score: from.score,
            raw_score: from.raw_score,
            path: text(&from.path),
            title: from.title.clone(),
            snippet: from.snippet.clone(),
            highlights: from.highlights.clone(),
            span: from.span,
            place: from.place.clone().map(Place::from),
            recall_rank: from.recall_rank,
            lexical_rank: from.lexical_rank,
            vector_rank: from.vector_rank,
            stale: from.stale,
            copies: from.copies.iter().map(|path| text(path)).collect(),
            unread: from.unread.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window and the command line must get JSON of the same shape.
    #[test]
    fn the_mirror_is_the_engines_json() {
        let results = engine::SearchResults {
            query: "q".to_owned(),
            model: Some("m".to_owned()),
            took_ms: engine::TookMs { lexical: 1.0, vector: 2.0, fuse: 0.5, rerank: 3.0, total: 6.5 },
            candidates: engine::Counts { asked: 100, recalled: 7, reranked: 7 },
            degraded: vec![
                engine::Degraded::Damaged { file: "/data/a.term".into(), reason: "r".to_owned() },
                engine::Degraded::EmbedderFailed { reason: "r".to_owned() },
                engine::Degraded::VectorsPending { embedded: 1, chunks: 2 },
                engine::Degraded::RerankerFailed { reason: "r".to_owned() },
                engine::Degraded::NotCalibrated { embedder: "e".to_owned(), reranker: "r".to_owned() },
            ],
            nothing_answers: true,
            hits: vec![engine::Hit {
                rank: 1,
                score: Some(0.5),
                raw_score: 0.25,
                path: "/notes/a.md".into(),
                title: "A".to_owned(),
                snippet: "a b".to_owned(),
                highlights: vec![[0, 1]],
                span: [3, 9],
                place: Some(engine::extract::Place::Page { number: 3 }),
                recall_rank: 2,
                lexical_rank: None,
                vector_rank: Some(1),
                stale: false,
                copies: vec!["/notes/backup/a.md".into()],
                unread: Some("is not text".to_owned()),
            }],
        };
        let mirrored = serde_json::to_value(SearchResults::from(&results)).unwrap();
        assert_eq!(mirrored, serde_json::to_value(&results).unwrap());
    }

    #[test]
    fn events_are_tagged() {
        let error = AppError::new(super::super::ErrorKind::EmptyQuery, "m");
        let json = serde_json::to_value(SearchEvent::Failed { query_id: 3, error }).unwrap();
        assert_eq!(json["kind"], "failed");
        assert_eq!(json["query_id"], 3);
    }
}
