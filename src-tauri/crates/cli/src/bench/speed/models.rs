//! The two models that are timed, and how long they take to load.

use std::time::Instant;

use nuthatch_engine::{Cancel, Engine, Reranker};
use nuthatch_inference::{BiEncoder, CrossEncoder, Kind, load_embedder, load_reranker};
use serde::Serialize;

use crate::failure::Failure;
use crate::models::Source;
use crate::session::Session;

pub(crate) struct Models {
    pub(crate) embedder: BiEncoder,
    pub(crate) reranker: CrossEncoder,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) embedder_seconds: f64,
    pub(crate) reranker_seconds: f64,
    /// From nothing loaded to the first five passages embedded, a question embedded and these passages reranked.
    pub(crate) first_answer_seconds: f64,
}

impl Models {
    /// Loads the models in `names` (names or folders). A kind that is missing there is taken from the settings, or else
    /// is the built-in one.
    pub(crate) fn load(names: &[String], engine: &Engine, session: &Session<'_, '_>) -> Result<(Self, Start), Failure> {
        let start = Instant::now();
        let (mut embedder, mut reranker) = (None, None);
        for name in names {
            let Source { store, name, .. } = &session.source(name)?;
            match store.list().iter().find(|model| model.name == *name).map(|model| model.kind) {
                Some(Kind::BiEncoder) => embedder = Some(load_embedder(store, Some(name), &session.load_options())?),
                // For an unknown name, loading fails and its error says so.
                _ => reranker = Some(load_reranker(store, Some(name), &session.load_options())?),
            }
        }
        let settings = engine.settings();
        let begun = Instant::now();
        let embedder = match embedder {
            Some(embedder) => embedder,
            None => load_embedder(&session.store()?, settings.embedder.as_deref(), &session.load_options())?,
        };
        let embedder_seconds = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let reranker = match reranker {
            Some(reranker) => reranker,
            None => load_reranker(&session.store()?, settings.reranker.as_deref(), &session.load_options())?,
        };
        let reranker_seconds = begun.elapsed().as_secs_f64();
        let models = Self { embedder, reranker };
        models.answer()?;
        let first_answer_seconds = start.elapsed().as_secs_f64();
        Ok((models, Start { embedder_seconds, reranker_seconds, first_answer_seconds }))
    }

    fn answer(&self) -> Result<(), Failure> {
        use nuthatch_engine::Embedder;
        let passages = super::pairs::passages(5, 60);
        let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
        self.embedder.embed_query(super::pairs::QUESTION)?;
        self.reranker.score(super::pairs::QUESTION, &passages, &Cancel::new())?;
        Ok(())
    }
}
