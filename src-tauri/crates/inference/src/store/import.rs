//! Imports a folder of the user's into the store: the model is loaded once as a test, then copied whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::manifest::{Activation, ENTRY, Entry};
use super::recognise::recognise;
use super::{ModelStore, hash_folder, model_files};
use crate::config::Config;
use crate::model::kind_of;
use crate::modules::Modules;
use crate::{BiEncoder, CrossEncoder, DeviceChoice, Kind, LoadError, LoadOptions, Precision};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The folder's files do not make a model.
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{} has no name of its own: give the folder's full path", folder.display())]
    NoName { folder: PathBuf },
    #[error("there is already a model called `{name}`: rename the folder that you import")]
    Exists { name: String },
    #[error(
        "the folder is called as the published model `{name}` is, but {file} is another than the published one: \
         rename the folder to import it as a model of its own"
    )]
    NotPublished { name: String, file: String },
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl ModelStore {
    /// Copies the model in `folder` into the data folder and returns the name it has there. A published model that
    /// the manifest knows keeps its published name and its entry in the manifest. Any other model gets the folder's
    /// name; the settings that sentence-transformers wrote beside it (window, pooling, prompts) go into `model.toml`,
    /// for the user to edit.
    pub fn import(&mut self, folder: &Path) -> Result<String, ImportError> {
        if !folder.is_dir() {
            return Err(LoadError::NoFolder { folder: folder.to_owned() }.into());
        }
        let whole_path = folder.canonicalize().map_err(io_error("read", folder))?;
        let Some(last) = whole_path.file_name() else {
            return Err(ImportError::NoName { folder: folder.to_owned() });
        };
        let mut entry = describe(folder, last.to_string_lossy().trim_start_matches('.').to_owned())?;
        let mut place = self.known.len();
        if let Some(i) = recognise(&self.known, &whole_path, folder)? {
            entry = self.known[i].clone();
            place = i;
        } else if self.known.iter().any(|known| known.is_called(&entry.name)) {
            return Err(ImportError::Exists { name: entry.name });
        }
        let (name, target) = (entry.name.clone(), self.local_folder(&entry.name));
        if target.exists() {
            return Err(ImportError::Exists { name });
        }
        try_out(folder, &entry)?;

        let incoming = self.models_dir.join(format!(".importing-{}", std::process::id()));
        fs::create_dir_all(&incoming).map_err(io_error("create", &incoming))?;
        let copied = copy(folder, &incoming, &mut entry).and_then(|()| promote(&incoming, &target, &entry));
        if copied.is_err() {
            // If this fails, the leftover folder does no harm: its leading dot keeps it out of the list.
            let _ = fs::remove_dir_all(&incoming);
        }
        copied?;
        match self.known.get_mut(place) {
            Some(known) => *known = entry,
            None => self.known.push(entry),
        }
        Ok(name)
    }
}

fn copy(from: &Path, to: &Path, entry: &mut Entry) -> Result<(), ImportError> {
    for name in model_files(from)? {
        let file = to.join(&name);
        make_parent(&file)?;
        fs::copy(from.join(&name), &file).map_err(io_error("write", &file))?;
    }
    entry.files = hash_folder(to)?;
    Ok(())
}

/// Creates the folder that `file` goes into.
pub fn make_parent(file: &Path) -> Result<(), ImportError> {
    match file.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(io_error("create", parent)),
        None => Ok(()),
    }
}

/// Loads a model and drops it, so that only models that can be loaded enter the store.
pub fn try_out(folder: &Path, entry: &Entry) -> Result<(), LoadError> {
    let options = LoadOptions { device: DeviceChoice::Cpu, precision: Some(Precision::Int8), threads: Some(1) };
    match entry.kind {
        Kind::BiEncoder => BiEncoder::load(folder, entry, &options).map(drop),
        Kind::CrossEncoder => CrossEncoder::load(folder, entry, &options).map(drop),
    }
}

/// Writes `model.toml`, flushes all files to disk, and gives the folder its final name with one rename.
pub fn promote(incoming: &Path, target: &Path, entry: &Entry) -> Result<(), ImportError> {
    let file = incoming.join(ENTRY);
    let text = toml::to_string(entry).map_err(|e| ImportError::Io {
        action: "write",
        path: file.clone(),
        source: io::Error::other(e),
    })?;
    fs::write(&file, text).map_err(io_error("write", &file))?;
    for name in entry.file_names().iter().chain(&[ENTRY]) {
        let file = incoming.join(name);
        // Windows flushes only files that are open for writing.
        let opened = File::options().read(true).write(cfg!(windows)).open(&file);
        opened.and_then(|f| f.sync_all()).map_err(io_error("write", &file))?;
    }
    // An existing folder has lost files, or it would have been used. It is moved aside, and removed once the complete
    // one is in its place.
    let broken = incoming.with_extension("replaced");
    let in_the_way = target.exists();
    if in_the_way {
        fs::rename(target, &broken).map_err(io_error("move", target))?;
    }
    fs::rename(incoming, target).map_err(io_error("create", target))?;
    if in_the_way {
        fs::remove_dir_all(&broken).map_err(io_error("remove", &broken))?;
    }
    Ok(())
}

pub fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImportError {
    let path = path.to_owned();
    move |source| ImportError::Io { action, path, source }
}

/// Reads a file that sentence-transformers writes beside a model. A missing or malformed file gives the defaults.
fn beside<T: for<'de> Deserialize<'de> + Default>(folder: &Path, name: &str) -> T {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[derive(Default, Deserialize)]
struct SentenceBert {
    max_seq_length: Option<usize>,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    /// A float: "no limit" is written as 10^30.
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
struct SentenceTransformers {
    #[serde(default)]
    prompts: Prompts,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    query: String,
    #[serde(default, alias = "document")]
    passage: String,
}

/// An entry made from the folder's own files.
fn describe(folder: &Path, name: String) -> Result<Entry, LoadError> {
    let (config, modules) = (Config::read(folder)?, Modules::read(folder)?);
    let kind = kind_of(&config, &modules);
    let SentenceBert { max_seq_length } = beside(folder, "sentence_bert_config.json");
    let TokenizerConfig { model_max_length } = beside(folder, "tokenizer_config.json");
    let limit = max_seq_length.or(model_max_length.map(|n| n as usize)).unwrap_or(usize::MAX);
    let SentenceTransformers { prompts } = beside(folder, "config_sentence_transformers.json");
    Ok(Entry {
        name,
        kind,
        architecture: config.architecture().to_owned(),
        repo: None,
        aliases: Vec::new(),
        revision: None,
        folder: None,
        licence: "unknown".to_owned(),
        shape: None,
        dimensions: (kind == Kind::BiEncoder).then_some(config.hidden_size),
        window: limit.clamp(8, config.window()),
        question_window: None,
        query_prefix: prompts.query,
        passage_prefix: prompts.passage,
        pooling: modules.pooling.unwrap_or_default(),
        activation: Activation::Sigmoid,
        default: false,
        lowers_capitals: false,
        calibration: nuthatch_engine::Calibration::default(),
        first_stage: None,
        chinese: None,
        pairs: Vec::new(),
        files: Vec::new(),
    })
}
