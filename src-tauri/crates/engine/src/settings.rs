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
    /// Read files and folders whose name begins with a dot as well.
    pub hidden: bool,
    /// Leave out what `.gitignore` files leave out. A `.nuthatchignore` always counts.
    pub gitignore: bool,
    /// Larger text files are left out: a text of this size is a log or a dump, not a note.
    pub max_text_mb: u64,
    /// Larger files of other formats are left out; most of a book's or a slide show's size are pictures.
    pub max_document_mb: u64,
    /// File name extensions that are left out, without the dot.
    pub skip_types: Vec<String>,
    /// How long a file must be at rest before it is read: editors write in steps.
    pub settle_ms: u64,
    /// Look at all folders this often even without a hint, for file systems that send none.
    pub rescan_minutes: u64,
    /// Look for changes every few seconds instead of asking the system to tell: for drives that send no events.
    pub poll: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            embedder: None,
            reranker: None,
            candidates: 100,
            threshold: None,
            hidden: false,
            gitignore: true,
            max_text_mb: 20,
            max_document_mb: 200,
            skip_types: Vec::new(),
            settle_ms: 400,
            rescan_minutes: 5,
            poll: false,
        }
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
        if !(20..=60_000).contains(&self.settle_ms) {
            // Below, two writes can fall into one tick of the file system's clock.
            return Err(format!("settle_ms = {}: give a number from 20 to 60000", self.settle_ms));
        }
        if self.rescan_minutes == 0 {
            return Err("rescan_minutes = 0: give a number from 1".to_owned());
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
