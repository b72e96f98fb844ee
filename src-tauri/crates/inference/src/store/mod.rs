//! Which models there are, and where.

mod download;
mod fetch;
mod fits;
mod hops;
mod import;
mod manifest;
mod recognise;

use std::io;
use std::path::{Path, PathBuf};

use nuthatch_engine::watched::real;
use serde::Serialize;

pub use download::DownloadError;
pub use fetch::{FetchError, FetchOptions, FetchProgress, Token};
pub use fits::{Fit, KeepError};
pub use import::ImportError;
pub use manifest::{Activation, Chinese, Entry, ModelFile, Pair, Shape};

use crate::modules::Modules;
use crate::{Kind, LoadError, config, files, tokenize, weights};

/// A model is these three files, unless its weights are in shards or its head is in folders of its own.
pub const FILES: [&str; 3] = [config::FILE, tokenize::FILE, weights::FILE];

/// Folder beside the manifest that holds test collections, each in a folder of its own.
const CALIBRATION: &str = "calibration";

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Folder of `manifest.toml` and the shipped models; see [`ModelStore::shipped_dir`].
    pub shipped: Option<PathBuf>,
    /// Fetched and imported models go into its subfolder `models`.
    pub data_dir: PathBuf,
}

/// Shipped, fetched and imported models by name. Cheap to open: no weights are read.
#[derive(Clone, Debug)]
pub struct ModelStore {
    shipped: Option<PathBuf>,
    models_dir: PathBuf,
    known: Vec<Entry>,
}

/// Where a model is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// In the source tree or the installed package.
    Shipped {
        folder: PathBuf,
    },
    /// Fetched or imported by the user.
    Local {
        folder: PathBuf,
    },
    Absent {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelInfo {
    pub name: String,
    pub kind: Kind,
    pub default: bool,
    pub licence: String,
    pub place: Place,
    /// Size of the model's files; for an absent model, the size that the manifest states.
    pub size_bytes: u64,
}

/// A file's sum, beside the sum that the manifest expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    pub file: PathBuf,
    pub sha256: String,
    pub size_bytes: u64,
    /// The sum in the manifest; `None` if it has none.
    pub expected: Option<String>,
}

impl FileCheck {
    pub fn is_right(&self) -> bool {
        self.expected.as_ref().is_none_or(|sum| *sum == self.sha256)
    }
}

impl ModelStore {
    /// Reads the manifest and the `model.toml` of each model in the data folder; one that cannot be read is left out
    /// with a warning.
    pub fn open(options: StoreOptions) -> Result<Self, LoadError> {
        let mut known = match &options.shipped {
            Some(folder) => manifest::read_manifest(folder)?,
            None => Vec::new(),
        };
        let models_dir = options.data_dir.join("models");
        for folder in subfolders(&models_dir) {
            let entry = match manifest::read_entry(&folder) {
                Ok(entry) => entry,
                Err(error) => {
                    // One damaged import must not make the other models unusable.
                    tracing::warn!(%error, "model left out");
                    continue;
                }
            };
            if !is_whole(&folder, &entry) {
                tracing::warn!(folder = %folder.display(), "model left out: files are missing");
                continue;
            }
            match known.iter_mut().find(|known| known.name == entry.name) {
                // The manifest's entry stays, except for the files: only the download may know their sums.
                Some(known) => known.files = entry.files,
                None => known.push(entry),
            }
        }
        fits::take_over(&models_dir, &mut known);
        Ok(Self { shipped: options.shipped, models_dir, known })
    }

    /// The folder of shipped models: `$NUTHATCH_MODELS`, or beside the executable, or in the source tree that it was
    /// built from. `None` where there is none.
    pub fn shipped_dir() -> Option<PathBuf> {
        if let Some(folder) = std::env::var_os("NUTHATCH_MODELS") {
            return Some(folder.into());
        }
        let executable = std::env::current_exe().and_then(|file| real(&file)).ok();
        let beside = executable.as_deref().and_then(Path::parent).map(Path::to_owned);
        let packaged = ["models", "../share/nuthatch/models", "../Resources/models", "../lib/nuthatch/models"];
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models");
        let candidates = packaged.into_iter().filter_map(|sub| Some(beside.as_ref()?.join(sub))).chain([source]);
        candidates
            .into_iter()
            .find(|folder| folder.join(manifest::MANIFEST).is_file())
            .map(|folder| real(&folder).unwrap_or(folder))
    }

    /// Folders of the shipped test collections, on which scores are calibrated; empty if there are none.
    pub fn calibration_sets(&self) -> Vec<PathBuf> {
        let folder = self.shipped.as_deref().map(|shipped| shipped.join(CALIBRATION));
        let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        let mut sets: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        sets.sort();
        sets
    }

    /// All known models, those that are there and those that can be fetched, in the manifest's order.
    pub fn list(&self) -> Vec<ModelInfo> {
        self.known.iter().map(|entry| self.info(entry)).collect()
    }

    fn info(&self, entry: &Entry) -> ModelInfo {
        let place = self.place(entry);
        let size_bytes = match &place {
            Place::Shipped { folder } | Place::Local { folder } => {
                let size = |name: &str| folder.join(name).metadata().map_or(0, |m| m.len());
                entry.file_names().into_iter().map(size).sum()
            }
            Place::Absent { .. } => entry.files.iter().filter_map(|f| f.size_bytes).sum(),
        };
        let Entry { name, kind, default, licence, .. } = entry.clone();
        ModelInfo { name, kind, default, licence, place, size_bytes }
    }

    fn place(&self, entry: &Entry) -> Place {
        let folder = self.local_folder(&entry.name);
        if is_whole(&folder, entry) {
            return Place::Local { folder };
        }
        match (&entry.folder, &self.shipped, &entry.repo) {
            (Some(sub), Some(shipped), _) => {
                let folder = shipped.join(sub);
                match entry.file_names().into_iter().find(|name| !folder.join(name).is_file()) {
                    None => Place::Shipped { folder },
                    Some(name) => Place::Absent { reason: format!("{} is missing", folder.join(name).display()) },
                }
            }
            (_, _, Some(repo)) => Place::Absent { reason: format!("not fetched yet from {repo}") },
            _ => Place::Absent { reason: format!("{} is not whole", folder.display()) },
        }
    }

    /// Folder and entry of the named model, or of the default one of its kind.
    pub fn find(&self, kind: Kind, name: Option<&str>) -> Result<(PathBuf, Entry), LoadError> {
        let entry = match name {
            Some(name) => self.entry(name)?,
            None => self.known.iter().find(|e| e.kind == kind && e.default).ok_or(LoadError::NoDefault { kind })?,
        };
        let folder = self.folder_of(entry)?;
        if entry.kind != kind {
            return Err(LoadError::WrongKind { folder, found: entry.kind, wanted: kind });
        }
        Ok((folder, entry.clone()))
    }

    /// Computes the sums of a model's files, beside those that the manifest expects.
    pub fn verify(&self, name: &str) -> Result<Vec<FileCheck>, LoadError> {
        let entry = self.entry(name)?;
        let folder = self.folder_of(entry)?;
        let names: Vec<String> = entry.file_names().into_iter().map(str::to_owned).collect();
        let expected = |file: &ModelFile| entry.files.iter().find(|f| f.name == file.name)?.sha256.clone();
        let check = |file: ModelFile| FileCheck {
            expected: expected(&file),
            file: folder.join(&file.name),
            sha256: file.sha256.unwrap_or_default(),
            size_bytes: file.size_bytes.unwrap_or(0),
        };
        Ok(hash_files(&folder, &names)?.into_iter().map(check).collect())
    }

    fn folder_of(&self, entry: &Entry) -> Result<PathBuf, LoadError> {
        match self.place(entry) {
            Place::Shipped { folder } | Place::Local { folder } => Ok(folder),
            Place::Absent { .. } => match (&entry.folder, &self.shipped) {
                (Some(sub), Some(shipped)) => missing_in(&shipped.join(sub), entry),
                _ => Err(LoadError::NotFetched { name: entry.name.clone() }),
            },
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry, LoadError> {
        self.known.iter().find(|e| e.is_called(name)).ok_or_else(|| LoadError::UnknownModel { name: name.to_owned() })
    }

    /// The folder of a fetched or imported model. The slash in a published model's name becomes `--`.
    fn local_folder(&self, name: &str) -> PathBuf {
        self.models_dir.join(name.replace('/', "--"))
    }
}

/// Names, sums and sizes of a model's files, as the manifest lists them. Other files in the folder (a README, an
/// `onnx/`, weights of other libraries) are left out.
pub fn hash_folder(folder: &Path) -> Result<Vec<ModelFile>, LoadError> {
    hash_files(folder, &model_files(folder)?)
}

/// The files of a folder that a model is read from, relative to it.
fn model_files(folder: &Path) -> Result<Vec<String>, LoadError> {
    let mut names = vec![config::FILE.to_owned(), tokenize::FILE.to_owned()];
    names.extend(weights::names(folder)?);
    names.extend_from_slice(Modules::read(folder)?.files());
    Ok(names)
}

fn hash_files(folder: &Path, names: &[String]) -> Result<Vec<ModelFile>, LoadError> {
    names
        .iter()
        .map(|name| {
            let file = folder.join(name);
            let (sha256, size_bytes) = files::sha256_of(&file).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => LoadError::NoFile { file: file.clone() },
                _ => LoadError::Io { file: file.clone(), source },
            })?;
            Ok(ModelFile { name: name.clone(), sha256: Some(sha256), size_bytes: Some(size_bytes) })
        })
        .collect()
}

fn is_whole(folder: &Path, entry: &Entry) -> bool {
    entry.file_names().iter().chain(&[manifest::ENTRY]).all(|name| folder.join(name).is_file())
}

fn missing_in(folder: &Path, entry: &Entry) -> Result<PathBuf, LoadError> {
    if !folder.is_dir() {
        return Err(LoadError::NoFolder { folder: folder.to_owned() });
    }
    let missing = entry.file_names().iter().map(|name| folder.join(name)).find(|file| !file.is_file());
    missing.map_or_else(|| Ok(folder.to_owned()), |file| Err(LoadError::NoFile { file }))
}

/// Folders in the models folder that hold a model, sorted by name. Folders that a fetch or an import is still filling
/// are left out: their names begin with a dot.
fn subfolders(models_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(models_dir).into_iter().flatten().flatten();
    let whole = entries.map(|e| e.path()).filter(|folder| folder.join(manifest::ENTRY).is_file());
    let mut folders: Vec<PathBuf> =
        whole.filter(|f| !f.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'))).collect();
    folders.sort();
    folders
}
