//! What the user chose, in `settings.toml` in the data folder: readable, editable, kept across versions.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::EngineError;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Watched folders, absolute.
    pub folders: Vec<PathBuf>,
    /// Name of the bi-encoder in the model manifest; `None` is the built-in one.
    pub embedder: Option<String>,
    /// Name of the cross-encoder; `None` is the built-in one.
    pub reranker: Option<String>,
    /// 20, 50, 100 or 200 in the window; any number from 1 to 1000 here.
    pub candidates: usize,
    /// Hits below are left out; in `0..=1`.
    pub threshold: Option<f32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { folders: Vec::new(), embedder: None, reranker: None, candidates: 100, threshold: None }
    }
}

impl Settings {
    /// Reads `settings.toml` of a data folder; defaults where there is none.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, EngineError> {
        let path = data_dir.join("settings.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(EngineError::Io { action: "read", path, source }),
        };
        let settings: Self =
            toml::from_str(&text).map_err(|e| EngineError::Settings { path: path.clone(), message: e.to_string() })?;
        settings.check().map_err(|message| EngineError::Settings { path, message })?;
        Ok(settings)
    }

    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), EngineError> {
        let path = data_dir.join("settings.toml");
        let wrong = |message| EngineError::Settings { path: path.clone(), message };
        self.check().map_err(wrong)?;
        let text = toml::to_string_pretty(self).map_err(|e| wrong(e.to_string()))?;
        write_atomically(&path, text.as_bytes())
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=1000).contains(&self.candidates) {
            return Err(format!("candidates = {}: give a number from 1 to 1000", self.candidates));
        }
        match self.threshold {
            Some(t) if !(0.0..=1.0).contains(&t) => Err(format!("threshold = {t}: give a number from 0 to 1")),
            _ => Ok(()),
        }
    }
}

/// Writes beside and renames, so that a crash leaves the old content or the new, never half.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let beside = path.with_extension(format!("tmp{}", std::process::id()));
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| EngineError::Io { action: "write", path: path.to_owned(), source })
}
