//! One index folder, open: what its last commit holds, as far as it is sound.

mod commit;
mod health;
mod mend;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tantivy::directory::{Directory, MmapDirectory};
use tantivy::{Index, TantivyError};

use commit::Latest;
use mend::{read_label, write_label};

use super::analysis;
use super::damage::Health;
use super::directory::{Folder, META};
use super::label::Label;
use super::schema::{Fields, schema, settings};
use super::snapshot::Snapshot;
use super::vectors::VectorPlugin;
use super::writer::Writer;
use crate::EngineError;
use crate::throttle::Limits;

pub struct Generation {
    path: PathBuf,
    label: Label,
    /// What is wrong with the label, if anything; it is written anew by the next writer.
    label_damage: Mutex<Option<String>>,
    fields: Fields,
    disk: Box<dyn Directory>,
    /// The last commit that was looked at, so that segments are opened once a commit, not once a query.
    latest: Mutex<Option<Latest>>,
    health: Mutex<Health>,
    /// When all files were last held against their checksums by this process.
    examined: Mutex<Option<Instant>>,
    /// An older generation whose vectors are taken over.
    donor: Mutex<Option<Snapshot>>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("path", &self.path).field("label", &self.label).finish_non_exhaustive()
    }
}

impl Generation {
    pub(super) fn create(path: PathBuf, label: Label) -> Result<Self, EngineError> {
        fs::create_dir_all(&path).map_err(|e| EngineError::writing("make the folder", path.clone(), e))?;
        let disk = disk(&path)?;
        Self::create_on(disk, path, label)
    }

    /// Opens the generation in a folder.
    ///
    /// # Errors
    /// [`EngineError::OtherVersion`], or [`EngineError::Damaged`] where nothing in it can be read.
    pub fn open(path: PathBuf) -> Result<Self, EngineError> {
        let disk = disk(&path)?;
        Self::open_on(disk, path)
    }

    /// The same over any Tantivy directory that stands for the folder's index files, e.g. one that fails at will. Made
    /// where there is nothing yet; `embedder` is an id and the length of its vectors.
    pub fn over(
        disk: impl Into<Box<dyn Directory>>,
        path: PathBuf,
        embedder: Option<(&str, usize)>,
    ) -> Result<Self, EngineError> {
        if path.join(META).is_file() {
            return Self::open_on(disk.into(), path);
        }
        Self::create_on(disk.into(), path, Label::ours(embedder))
    }

    fn create_on(disk: Box<dyn Directory>, path: PathBuf, label: Label) -> Result<Self, EngineError> {
        write_label(&path, &label)?;
        let (schema, fields) = schema(label.dimensions);
        let folder = Folder::to_write(disk.box_clone(), &path, None);
        let made = Index::builder()
            .schema(schema)
            .settings(settings())
            .register_plugin(plugin(&label, fields))
            .open_or_create(folder.clone());
        made.map_err(|source| match (folder.fault(), source) {
            (Some((kind, message)), _) => {
                EngineError::writing("make an index in", path.clone(), std::io::Error::new(kind, message))
            }
            (None, source) => EngineError::Index { path: path.clone(), source },
        })?;
        // Nothing is in it yet that could be damaged.
        Health::checked_now().write(&path);
        Self::open_on(disk, path)
    }

    fn open_on(disk: Box<dyn Directory>, path: PathBuf) -> Result<Self, EngineError> {
        let (label, label_damage) = read_label(&path)?;
        let (_, fields) = schema(label.dimensions);
        let generation = Self {
            label,
            label_damage: Mutex::new(label_damage),
            fields,
            disk,
            latest: Mutex::new(None),
            health: Mutex::new(Health::read(&path)),
            examined: Mutex::new(None),
            donor: Mutex::new(None),
            path,
        };
        generation.snapshot()?;
        Ok(generation)
    }

    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Id of the bi-encoder whose vectors it holds.
    pub fn embedder(&self) -> Option<&str> {
        self.label.embedder.as_deref()
    }

    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    /// Grows with every commit.
    pub fn number(&self) -> Result<u64, EngineError> {
        self.snapshot()?;
        Ok(lock(&self.latest).as_ref().map_or(0, |latest| latest.committed.opstamp))
    }

    /// The one writer. [`EngineError::Locked`] while another process holds it.
    pub fn writer(&self, limits: &Limits) -> Result<Writer, EngineError> {
        self.sweep();
        let folder = Folder::to_write(self.disk.box_clone(), &self.path, self.managed());
        let index = self.index(folder.clone())?;
        let spoilt = analysis::guard(&index);
        Writer::open((index, spoilt), folder, self.fields, &self.path, limits)
    }

    /// From now on [`Snapshot::vector_of`] also asks `older`, which has vectors of the same model.
    pub(super) fn take_vectors_from(&self, older: &Generation) -> Result<(), EngineError> {
        *lock(&self.donor) = Some(older.snapshot()?);
        Ok(())
    }

    pub(super) fn let_go(&self) {
        *lock(&self.donor) = None;
    }

    pub fn size_bytes(&self) -> u64 {
        fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| e.metadata().ok())
            .map(|m| m.len())
            .sum()
    }

    pub(crate) fn failed(&self, source: TantivyError) -> EngineError {
        EngineError::Index { path: self.path.clone(), source }
    }

    fn damaged(&self, message: String) -> EngineError {
        EngineError::Damaged { path: self.path.clone(), message }
    }
}

fn disk(path: &Path) -> Result<Box<dyn Directory>, EngineError> {
    let disk = MmapDirectory::open(path);
    let disk = disk.map_err(|e| EngineError::Index { path: path.to_owned(), source: e.into() })?;
    Ok(Box::new(disk))
}

fn plugin(label: &Label, fields: Fields) -> Arc<VectorPlugin> {
    Arc::new(VectorPlugin::new(fields.vector, label.dimensions))
}

/// A lock whose holder panicked still holds valid data here: every write is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
