//! Index folders: which one serves, which model its vectors are of, which version wrote it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError};

use super::schema::{Fields, schema, settings};
use super::snapshot::Snapshot;
use super::vectors::{VectorPlugin, VectorReader};
use super::writer::Writer;
use crate::{EngineError, text};

/// Version of everything in a generation's folder: schema, tokenizers, chunker, vector column. Raise it when an
/// index made before could not be read, or would answer otherwise.
pub const FORMAT: u32 = 3;

/// Vectors of a generation made while there is no embedder: none will be added, but the schema needs a length.
const DIMENSIONS_WITHOUT_EMBEDDER: usize = 384;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Label {
    format: u32,
    dimensions: usize,
    /// Id of the bi-encoder; absent in a generation of words alone.
    embedder: Option<String>,
}

/// The folder `index/` of a data folder.
#[derive(Debug)]
pub struct Generations {
    folder: PathBuf,
}

impl Generations {
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("index") }
    }

    /// The generation that serves; `None` where nothing was indexed yet.
    ///
    /// # Errors
    /// [`EngineError::OtherVersion`] for an index written by another version, [`EngineError::Index`] for a damaged
    /// one. Neither is touched: [`Generations::set_aside`] makes room for a new one.
    pub fn current(&self) -> Result<Option<Generation>, EngineError> {
        let pointer = self.folder.join("CURRENT");
        let name = match fs::read_to_string(&pointer) {
            Ok(name) => name.trim().to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(EngineError::Io { action: "read", path: pointer, source }),
        };
        let folder = self.folder.join(&name);
        if name.is_empty() || name.contains(['/', '\\']) || !folder.is_dir() {
            return Ok(None);
        }
        Generation::open(folder).map(Some)
    }

    /// The generation for an embedder (id and dimensions), made empty if there is none.
    pub fn open_or_create(&self, embedder: Option<(&str, usize)>) -> Result<Generation, EngineError> {
        let label = Label {
            format: FORMAT,
            dimensions: embedder.map_or(DIMENSIONS_WITHOUT_EMBEDDER, |(_, dimensions)| dimensions),
            embedder: embedder.map(|(id, _)| id.to_owned()),
        };
        let hash = blake3::hash(label.embedder.as_deref().unwrap_or("").as_bytes()).to_hex();
        let folder = self.folder.join(format!("v{FORMAT}-{}-{}", label.dimensions, &hash[..12]));
        if folder.join("meta.json").is_file() {
            return Generation::open(folder);
        }
        Generation::create(folder, label)
    }

    /// Lets `generation` serve from now on. Atomic.
    pub fn promote(&self, generation: &Generation) -> Result<(), EngineError> {
        let name = generation.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        crate::settings::write_atomically(&self.folder.join("CURRENT"), name.as_bytes())
    }

    /// Removes generations that no longer serve, as far as the system lets go of their files.
    pub fn remove_others(&self, keep: &Generation) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path != keep.folder
                && path.is_dir()
                && let Err(error) = fs::remove_dir_all(&path)
            {
                tracing::warn!(path = %path.display(), %error, "an old index could not be removed");
            }
        }
    }

    /// Moves what serves now, damaged or of another version, out of the way. It is not deleted until a new
    /// generation is complete.
    pub fn set_aside(&self) -> Result<(), EngineError> {
        let pointer = self.folder.join("CURRENT");
        let Ok(name) = fs::read_to_string(&pointer) else { return Ok(()) };
        let old = self.folder.join(name.trim());
        let aside = self.folder.join(format!("old-{}", name.trim()));
        let io = |action, path: &Path, source| EngineError::Io { action, path: path.to_owned(), source };
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| io("remove", &aside, e))?;
        }
        if old.exists() {
            fs::rename(&old, &aside).map_err(|e| io("rename", &old, e))?;
        }
        fs::remove_file(&pointer).map_err(|e| io("remove", &pointer, e))
    }
}

/// One index folder, open.
pub struct Generation {
    folder: PathBuf,
    label: Label,
    index: Index,
    fields: Fields,
    reader: IndexReader,
    /// The last snapshot handed out and the hash of the `meta.json` it was made from, so that segments are opened once
    /// a commit, not once a query.
    latest: Mutex<Option<(blake3::Hash, Snapshot)>>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("folder", &self.folder).field("label", &self.label).finish_non_exhaustive()
    }
}

impl Generation {
    fn create(folder: PathBuf, label: Label) -> Result<Self, EngineError> {
        fs::create_dir_all(&folder).map_err(|source| EngineError::Io {
            action: "make the folder",
            path: folder.clone(),
            source,
        })?;
        let written = toml::to_string(&label)
            .map_err(|e| EngineError::Settings { path: folder.join("label.toml"), message: e.to_string() })?;
        crate::settings::write_atomically(&folder.join("label.toml"), written.as_bytes())?;
        Self::attach(folder, label)
    }

    fn open(folder: PathBuf) -> Result<Self, EngineError> {
        let path = folder.join("label.toml");
        let label = fs::read_to_string(&path)
            .map_err(|source| EngineError::Io { action: "read", path: path.clone(), source })
            .and_then(|s| {
                // The version first: a later one may have changed the rest.
                let raw: toml::Table = toml::from_str(&s)
                    .map_err(|e| EngineError::Damaged { path: folder.clone(), message: format!("label.toml: {e}") })?;
                let found = raw.get("format").and_then(toml::Value::as_integer).unwrap_or_default();
                if found != i64::from(FORMAT) {
                    return Err(EngineError::OtherVersion { path: folder.clone(), found, ours: FORMAT });
                }
                toml::from_str::<Label>(&s)
                    .map_err(|e| EngineError::Damaged { path: folder.clone(), message: format!("label.toml: {e}") })
            })?;
        Self::attach(folder, label)
    }

    fn attach(folder: PathBuf, label: Label) -> Result<Self, EngineError> {
        let failed = |source: TantivyError| EngineError::Index { path: folder.clone(), source };
        let (schema, fields) = schema(label.dimensions);
        let directory = MmapDirectory::open(&folder).map_err(|e| failed(e.into()))?;
        let index = Index::builder()
            .schema(schema)
            .settings(settings())
            .register_plugin(std::sync::Arc::new(VectorPlugin::new(fields.vector, label.dimensions)))
            .open_or_create(directory)
            .map_err(|e| match e {
                TantivyError::SchemaError(_) | TantivyError::IncompatibleIndex(_) => {
                    EngineError::OtherVersion { path: folder.clone(), found: -1, ours: FORMAT }
                }
                other => failed(other),
            })?;
        text::register(index.tokenizers());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
        Ok(Self { folder, label, index, fields, reader, latest: Mutex::new(None) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn embedder(&self) -> Option<&str> {
        self.label.embedder.as_deref()
    }

    /// What the last commit published, by this or another process. Costs little when nothing changed.
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        // Every commit, by whichever process, replaces meta.json; asking Tantivy would open every segment again.
        let meta = self.folder.join("meta.json");
        // Its content and not its time is compared: two commits can fall into one tick of the file system's clock.
        let content = fs::read(&meta).map_err(|source| EngineError::Io { action: "read", path: meta, source })?;
        let committed = blake3::hash(&content);
        let mut latest = self.latest.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((of, snapshot)) = latest.as_ref()
            && *of == committed
        {
            return Ok(snapshot.clone());
        }
        self.reader.reload().map_err(|e| self.failed(e))?;
        let searcher = self.reader.searcher();
        let vectors = match latest.as_ref() {
            Some((_, older)) => older.vectors().reopen(&searcher),
            None => VectorReader::open(&searcher, self.label.dimensions),
        };
        let vectors = vectors.map_err(|e| self.failed(e))?;
        let snapshot = Snapshot::new(searcher, self.fields, vectors, &self.folder);
        *latest = Some((committed, snapshot.clone()));
        Ok(snapshot)
    }

    /// Grows with every commit.
    pub fn number(&self) -> Result<u64, EngineError> {
        Ok(self.index.load_metas().map_err(|e| self.failed(e))?.opstamp)
    }

    /// The one writer. [`EngineError::Locked`] while another process holds it.
    pub fn writer(&self) -> Result<Writer, EngineError> {
        Writer::open(&self.index, self.fields, &self.folder)
    }

    pub fn size_bytes(&self) -> u64 {
        fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| e.metadata().ok())
            .map(|m| m.len())
            .sum()
    }

    pub(crate) fn failed(&self, source: TantivyError) -> EngineError {
        EngineError::Index { path: self.folder.clone(), source }
    }
}
