//! Loads the models that a command needs, and says so if one is missing.

use std::path::Path;
use std::sync::Arc;

use nuthatch_engine::{Embedder, Engine, Reranker};
use nuthatch_inference::{DeviceChoice, LoadError, LoadOptions, ModelStore, Precision, StoreOptions};

use tempfile::TempDir;

use crate::args::{DeviceArg, PrecisionArg};
use crate::failure::Failure;
use crate::session::Session;

/// What happens to a command if its model cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The command fails: without the model its answer would not be the one asked for.
    Required,
    /// The command goes on and says which model is missing.
    Welcome,
}

impl Need {
    pub(crate) fn required_if(required: bool) -> Self {
        if required { Self::Required } else { Self::Welcome }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::failed("model", error.to_string())
    }
}

/// A model to be measured, and the store that has it. A folder is imported into a temporary store, which is deleted
/// when this is dropped. Loaded models do not need it: they are in memory.
pub(crate) struct Source {
    pub(crate) store: ModelStore,
    pub(crate) name: String,
    _folder: Option<TempDir>,
}

impl Session<'_, '_> {
    /// A model by its name, or straight from a folder in Hugging Face layout.
    pub(crate) fn source(&self, name: &str) -> Result<Source, Failure> {
        let (store, folder) = (self.store()?, Path::new(name));
        if store.list().iter().any(|model| model.name == name) || !folder.is_dir() {
            return Ok(Source { store, name: name.to_owned(), _folder: None });
        }
        let beside = self.data_dir().join("eval");
        let io =
            |error: std::io::Error| Failure::failed("io", format!("cannot write to {}: {error}", beside.display()));
        std::fs::create_dir_all(&beside).map_err(io)?;
        let passing = tempfile::tempdir_in(&beside).map_err(io)?;
        let mut store = ModelStore::open(StoreOptions { shipped: None, data_dir: passing.path().to_owned() })?;
        let name = store.import(folder).map_err(|error| Failure::failed("model", error.to_string()))?;
        Ok(Source { store, name, _folder: Some(passing) })
    }

    pub(crate) fn store(&self) -> Result<ModelStore, Failure> {
        let (shipped, data_dir) = (ModelStore::shipped_dir(), self.data_dir().to_owned());
        Ok(ModelStore::open(StoreOptions { shipped, data_dir })?)
    }

    /// Loads the bi-encoder called `name`, or else the one in the settings, or else the built-in one.
    pub(crate) fn embedder(&self, engine: &Engine, name: Option<&str>) -> Result<Arc<dyn Embedder>, Failure> {
        let chosen = name.map(str::to_owned).or(engine.settings().embedder);
        let model = nuthatch_inference::load_embedder(&self.store()?, chosen.as_deref(), &self.load_options())?;
        Ok(Arc::new(model))
    }

    /// Loads the cross-encoder called `name`, or else the one in the settings, or else the built-in one.
    pub(crate) fn reranker(&self, engine: &Engine, name: Option<&str>) -> Result<Arc<dyn Reranker>, Failure> {
        let chosen = name.map(str::to_owned).or(engine.settings().reranker);
        let model = nuthatch_inference::load_reranker(&self.store()?, chosen.as_deref(), &self.load_options())?;
        Ok(Arc::new(model))
    }

    /// Gives the engine its bi-encoder. If it cannot be loaded and is not required, returns the reason.
    pub(crate) fn load_embedder(
        &self,
        engine: &Engine,
        name: Option<&str>,
        need: Need,
    ) -> Result<Option<String>, Failure> {
        let missing = match unless_required(self.embedder(engine, name), need)? {
            Ok(embedder) => {
                engine.set_embedder(embedder);
                return Ok(None);
            }
            Err(reason) => reason,
        };
        engine.set_embedder_missing(missing.clone());
        Ok(Some(missing))
    }

    /// Gives the engine its cross-encoder, or the reason why there is none.
    pub(crate) fn load_reranker(&self, engine: &Engine, name: Option<&str>, need: Need) -> Result<(), Failure> {
        match unless_required(self.reranker(engine, name), need)? {
            Ok(reranker) => engine.set_reranker(reranker),
            Err(reason) => engine.set_reranker_missing(reason),
        }
        Ok(())
    }

    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: match self.options.device {
                DeviceArg::Auto => DeviceChoice::Auto,
                DeviceArg::Cpu => DeviceChoice::Cpu,
                DeviceArg::Cuda => DeviceChoice::Cuda,
                DeviceArg::Metal => DeviceChoice::Metal,
            },
            precision: self.options.precision.map(Precision::from),
            threads: self.options.threads.map(usize::from),
        }
    }
}

impl From<PrecisionArg> for Precision {
    fn from(from: PrecisionArg) -> Self {
        match from {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::Bf16 => Self::Bf16,
            PrecisionArg::Int8 => Self::Int8,
        }
    }
}

/// The model, or the reason why there is none. Fails only if the model is required.
fn unless_required<T>(loaded: Result<T, Failure>, need: Need) -> Result<Result<T, String>, Failure> {
    match loaded {
        Err(failure) if need == Need::Required => Err(failure),
        Err(failure) => Ok(Err(failure.to_string())),
        Ok(model) => Ok(Ok(model)),
    }
}
