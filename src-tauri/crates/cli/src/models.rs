//! Loading models for a command that needs them, and saying so when one is not there.

use std::sync::Arc;

use nuthatch_engine::{Embedder, Engine, Reranker};

use crate::failure::Failure;
use crate::session::Session;

/// What becomes of a command whose model cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It fails: without the model the answer would be another one than asked for.
    Required,
    /// It goes on and says what it had to do without.
    Welcome,
}

impl Need {
    pub(crate) fn required_if(required: bool) -> Self {
        if required { Self::Required } else { Self::Welcome }
    }
}

/// The models that are here, and how to run them.
pub(crate) struct Models {}

impl Models {
    pub(crate) fn embedder(&self, _name: Option<&str>) -> Result<Arc<dyn Embedder>, Failure> {
        Err(Failure::failed("model", "x"))
    }

    pub(crate) fn reranker(&self, _name: Option<&str>) -> Result<Arc<dyn Reranker>, Failure> {
        Err(Failure::failed("model", "x"))
    }
}

impl Session<'_, '_> {
    pub(crate) fn models(&self) -> Result<Models, Failure> {
        Ok(Models {})
    }

    /// Gives the engine its bi-encoder: the one named, or that of the settings. Returns the reason if it is not to
    /// be had but only welcome.
    pub(crate) fn load_embedder(
        &self,
        engine: &Engine,
        name: Option<&str>,
        need: Need,
    ) -> Result<Option<String>, Failure> {
        let chosen = name.map(str::to_owned).or(engine.settings().embedder);
        match self.models().and_then(|models| models.embedder(chosen.as_deref())) {
            Ok(embedder) => engine.set_embedder(embedder),
            Err(failure) if need == Need::Required => return Err(failure),
            Err(failure) => {
                engine.set_embedder_missing(failure.to_string());
                return Ok(Some(failure.to_string()));
            }
        }
        Ok(None)
    }

    /// The same for the cross-encoder.
    pub(crate) fn load_reranker(
        &self,
        engine: &Engine,
        name: Option<&str>,
        need: Need,
    ) -> Result<Option<String>, Failure> {
        let chosen = name.map(str::to_owned).or(engine.settings().reranker);
        match self.models().and_then(|models| models.reranker(chosen.as_deref())) {
            Ok(reranker) => engine.set_reranker(reranker),
            Err(failure) if need == Need::Required => return Err(failure),
            Err(failure) => {
                engine.set_reranker_missing(failure.to_string());
                return Ok(Some(failure.to_string()));
            }
        }
        Ok(None)
    }
}
