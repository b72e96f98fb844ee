//! One index folder, open: what its last commit holds, as far as it is sound.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tantivy::directory::{Directory, MmapDirectory};
use tantivy::index::IndexMeta;
use tantivy::{Index, ReloadPolicy, TantivyError};

use super::damage::{self, Damage, Health, guarded, may_be_damage};
use super::directory::{Folder, MANAGED, META};
use super::label::{self, FORMAT, Label};
use super::schema::{Fields, schema, settings};
use super::snapshot::Snapshot;
use super::vectors::{VectorPlugin, VectorReader};
use super::writer::Writer;
use crate::neighbour::Limits;
use crate::{Cancel, EngineError, kept, text};

/// How often a reader looks again because the commit it was opening has been replaced meanwhile. Commits are seconds
/// apart and opening one takes milliseconds: twice is already rare.
const LOOK_AGAIN: usize = 10;

/// A failure sooner after all files were found sound has another cause than damage.
const EXAMINE_AGAIN: Duration = Duration::from_secs(60);

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

struct Latest {
    /// Of the bytes of `meta.json`. Its content and not its time is compared: two commits can fall into one tick of the
    /// file system's clock.
    of: blake3::Hash,
    index: Index,
    snapshot: Snapshot,
    /// The whole commit, with what is left out.
    committed: IndexMeta,
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
        let folder = Folder::to_write(disk.box_clone(), None);
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

    /// What the last commit published, by this or another process, less what is damaged. Costs little when nothing
    /// changed. Where a newer commit cannot be read at all, the last one that could goes on serving.
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        let mut latest = lock(&self.latest);
        match self.look(&mut latest) {
            Ok(()) => {}
            Err(error) if latest.is_none() => return Err(error),
            Err(error) => tracing::warn!(%error, "searches go on with the commit before"),
        }
        let snapshot = latest.as_ref().map(|latest| latest.snapshot.clone());
        let snapshot = snapshot.ok_or_else(|| self.damaged("it holds no commit".to_owned()))?;
        Ok(snapshot.with_donor(lock(&self.donor).clone()))
    }

    /// Brings `latest` in line with the last commit.
    fn look(&self, latest: &mut Option<Latest>) -> Result<(), EngineError> {
        let mut last = None;
        for _ in 0..LOOK_AGAIN {
            // Every commit, by whichever process, replaces meta.json; asking Tantivy would open every segment again.
            let known = |bytes: &[u8]| latest.as_ref().is_some_and(|latest| latest.of == blake3::hash(bytes));
            if fs::read(self.path.join(META)).is_ok_and(|bytes| known(&bytes)) {
                return Ok(());
            }
            let meta = self.committed()?;
            let of = blake3::hash(&meta);
            if known(&meta) {
                return Ok(());
            }
            match guarded(&self.path, || self.open_commit(of, &meta, latest.as_ref())) {
                Ok(opened) => {
                    *latest = Some(opened);
                    return Ok(());
                }
                // Another process may have cleared away what this commit named.
                Err(_) if self.committed().is_ok_and(|now| now != meta) => {}
                Err(error @ EngineError::OtherVersion { .. }) => return Err(error),
                Err(error) => match guarded(&self.path, || self.open_sound_part(of, &meta)) {
                    Ok(Some(opened)) => {
                        *latest = Some(opened);
                        return Ok(());
                    }
                    Ok(None) => last = Some(error),
                    Err(error) => return Err(error),
                },
            }
        }
        Err(last.unwrap_or_else(|| self.damaged("it changes faster than it can be read".to_owned())))
    }

    /// The bytes of `meta.json`, or of its copy.
    fn committed(&self) -> Result<Vec<u8>, EngineError> {
        let read = self.read_meta().map_err(|source| EngineError::Io {
            action: "read",
            path: self.path.join(META),
            source,
        })?;
        let why = || self.damaged(format!("{META} {}", read.damage.as_deref().unwrap_or("is gone")));
        read.value.clone().ok_or_else(why)
    }

    fn read_meta(&self) -> std::io::Result<kept::Kept<Vec<u8>>> {
        kept::read(&self.path.join(META), |bytes| {
            let index = Index::open(Folder::to_read(self.disk.box_clone(), bytes.to_vec()));
            let metas = guarded(&self.path, || {
                index.and_then(|index| index.load_metas()).map_err(|source| self.failed(source))
            });
            metas.map(|_| bytes.to_vec()).map_err(|_| "it describes no commit".to_owned())
        })
    }

    /// Opens a commit, less the segments that are known to be damaged.
    fn open_commit(&self, of: blake3::Hash, meta: &[u8], older: Option<&Latest>) -> Result<Latest, EngineError> {
        let index = self.index(Folder::to_read(self.disk.box_clone(), meta.to_vec()))?;
        let committed = index.load_metas().map_err(|e| self.failed(e))?;
        let health = lock(&self.health).clone();
        let sound = |index, committed: &IndexMeta| {
            let spoilt = committed.segments.iter().any(|segment| health.spoils(segment, committed));
            let left = without(committed, |segment| health.spoils(segment, committed));
            if spoilt { self.index(Folder::to_read(self.disk.box_clone(), left)) } else { Ok(index) }
        };
        let index = sound(index, &committed)?;
        let snapshot = self.open_all(&index, older)?;
        Ok(Latest { of, index, snapshot, committed })
    }

    fn open_all(&self, index: &Index, older: Option<&Latest>) -> Result<Snapshot, EngineError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        let searcher = reader.map_err(|e: TantivyError| self.failed(e))?.searcher();
        let vectors = match older {
            Some(older) => older.snapshot.vectors().reopen(&searcher),
            None => VectorReader::open(&searcher, self.label.dimensions),
        };
        Ok(Snapshot::new(searcher, self.fields, vectors.map_err(|e| self.failed(e))?, &self.path))
    }

    /// Finds the segments of a commit that can be opened, and notes what is wrong with the others. `None` where that
    /// explains nothing.
    fn open_sound_part(&self, of: blake3::Hash, meta: &[u8]) -> Result<Option<Latest>, EngineError> {
        let index = self.index(Folder::to_read(self.disk.box_clone(), meta.to_vec()))?;
        let committed = index.load_metas().map_err(|e| self.failed(e))?;
        let opens = |alone: Vec<u8>| {
            guarded(&self.path, || {
                let index = self.index(Folder::to_read(self.disk.box_clone(), alone))?;
                self.open_all(&index, None)
            })
        };
        let bad = |id| opens(without(&committed, |segment| segment.id() != id)).is_err();
        let bad: Vec<_> = committed.segments.iter().map(|s| s.id()).filter(|&id| bad(id)).collect();
        let mut spoilt = committed.clone();
        spoilt.segments.retain(|segment| bad.contains(&segment.id()));
        let Some(mut found) = damage::examine(&index, &spoilt, &Cancel::new(), &|| {}) else { return Ok(None) };
        for segment in &spoilt.segments {
            // Its files are as they were written, and still cannot be opened.
            let named = |file: &String| file.starts_with(&segment.id().uuid_string());
            if !found.keys().any(named) {
                found.insert(format!("{}.term", segment.id().uuid_string()), "cannot be opened".to_owned());
            }
        }
        if found.is_empty() || self.committed()? != meta {
            return Ok(None);
        }
        self.note(found);
        self.open_commit(of, meta, None).map(Some)
    }

    fn index(&self, folder: Folder) -> Result<Index, EngineError> {
        let (schema, fields) = schema(self.label.dimensions);
        let builder = Index::builder().schema(schema).register_plugin(plugin(&self.label, fields));
        let index = builder.open_or_create(folder).map_err(|e| match e {
            TantivyError::SchemaError(_) | TantivyError::IncompatibleIndex(_) => {
                EngineError::OtherVersion { path: self.path.clone(), found: -1, ours: FORMAT }
            }
            other => self.failed(other),
        })?;
        text::register(index.tokenizers());
        Ok(index)
    }

    /// Holds every file of the last commit against its checksum. It reads all of them: `turn` is called before each and
    /// may wait. Returns whether anything is damaged that was not known before; from then on answers leave it out.
    pub fn examine(&self, cancel: &Cancel, turn: &dyn Fn()) -> Result<bool, EngineError> {
        for _ in 0..LOOK_AGAIN {
            self.snapshot()?;
            let known = lock(&self.latest).as_ref().map(|l| (l.of, l.index.clone(), l.committed.clone()));
            let Some((of, index, committed)) = known else { return Ok(false) };
            let Some(found) = damage::examine(&index, &committed, cancel, turn) else { return Ok(false) };
            // What a later commit cleared away is not damaged.
            if !found.is_empty() && blake3::hash(&self.committed()?) != of {
                continue;
            }
            *lock(&self.examined) = Some(Instant::now());
            let new = self.note(found);
            if new {
                *lock(&self.latest) = None;
            }
            return Ok(new);
        }
        Ok(false)
    }

    /// Notes damaged files and lets the next snapshot do without them. Returns whether any was not known.
    fn note(&self, found: std::collections::BTreeMap<String, String>) -> bool {
        let mut health = lock(&self.health);
        let noted = Health::read(&self.path);
        let n_known = health.damaged.len();
        health.damaged.extend(noted.damaged);
        for (file, why) in &found {
            tracing::warn!(file = %self.path.join(file).display(), "a file of the index {why}");
        }
        health.damaged.extend(found);
        health.checked_at = Health::checked_now().checked_at;
        health.write(&self.path);
        health.damaged.len() > n_known
    }

    /// Runs `read`, which reads this generation. Where it fails or panics, damage is looked for; where some is found,
    /// `read` runs once more over what is sound.
    pub fn reading<T>(&self, mut read: impl FnMut(&Snapshot) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let snapshot = self.snapshot()?;
        match guarded(&self.path, || read(&snapshot)) {
            Err(error) if self.explains(&error) => {
                let snapshot = self.snapshot()?;
                guarded(&self.path, || read(&snapshot))
            }
            other => other,
        }
    }

    /// Whether damage that was not known until now explains `error`.
    pub(crate) fn explains(&self, error: &EngineError) -> bool {
        // A defect of ours fails every time; the files need not be read for each.
        let lately = lock(&self.examined).is_some_and(|at| at.elapsed() < EXAMINE_AGAIN);
        may_be_damage(error) && !lately && self.examine(&Cancel::new(), &|| {}).unwrap_or(false)
    }

    pub fn check_is_due(&self) -> bool {
        // Another process may have checked it, or may have been killed since.
        Health::read(&self.path).check_is_due()
    }

    pub(super) fn check_soon(&self) {
        let mut health = lock(&self.health);
        health.checked_at = None;
        health.write(&self.path);
    }

    /// What of the last commit is left out of answers, a sentence a file.
    pub fn spoilt(&self) -> Vec<Damage> {
        let latest = lock(&self.latest);
        let Some(latest) = latest.as_ref() else { return Vec::new() };
        lock(&self.health).damage(&self.path, &latest.committed)
    }

    /// What is wrong with it, a sentence a file.
    pub fn damage(&self) -> Vec<Damage> {
        // Where it cannot be opened at all, that is what a search says.
        let _ = self.snapshot();
        let mut all = self.spoilt();
        let of_copy = |file: &str, found: &str| Damage {
            file: self.path.join(file),
            message: format!("{file} {found}: its copy serves. It is written anew"),
        };
        all.extend(lock(&self.label_damage).as_deref().map(|found| of_copy("label.toml", found)));
        all.extend(self.managed().map(|_| Damage {
            file: self.path.join(MANAGED),
            message: format!("{MANAGED} is damaged or gone: it only lists files to clear away. It is written anew"),
        }));
        all.extend(self.read_meta().ok().and_then(|read| read.damage).map(|found| of_copy(META, &found)));
        all
    }

    /// Whether it may be written to: no damage but what a writer mends.
    pub(super) fn is_sound(&self) -> bool {
        let noted = Health::read(&self.path);
        let latest = lock(&self.latest);
        let spoilt = |health: &Health| {
            latest.as_ref().is_none_or(|l| l.committed.segments.iter().any(|s| health.spoils(s, &l.committed)))
        };
        !spoilt(&noted) && !spoilt(&lock(&self.health))
    }

    /// Writes small files anew whose copies serve.
    pub(super) fn mend(&self) -> Result<(), EngineError> {
        let mut damage = lock(&self.label_damage);
        if damage.is_some() {
            write_label(&self.path, &self.label)?;
            *damage = None;
        }
        if let Some(list) = self.managed() {
            kept::write_atomically(&self.path.join(MANAGED), &list)?;
        }
        // The copy describes the last commit, or one whose files were all there when the power went.
        match self.read_meta() {
            Ok(kept::Kept { value: Some(bytes), damage: Some(_) }) => {
                kept::write_atomically(&self.path.join(META), &bytes)
            }
            _ => Ok(()),
        }
    }

    /// Grows with every commit.
    pub fn number(&self) -> Result<u64, EngineError> {
        self.snapshot()?;
        Ok(lock(&self.latest).as_ref().map_or(0, |latest| latest.committed.opstamp))
    }

    /// The one writer. [`EngineError::Locked`] while another process holds it.
    pub fn writer(&self, limits: &Limits) -> Result<Writer, EngineError> {
        self.sweep();
        let folder = Folder::to_write(self.disk.box_clone(), self.managed());
        let index = self.index(folder.clone())?;
        Writer::open(index, folder, self.fields, &self.path, limits)
    }

    /// What `.managed.json` has to say where it is damaged or gone: all files of segments that are here. What of them no
    /// commit names, the next one clears away.
    fn managed(&self) -> Option<Vec<u8>> {
        let text = fs::read_to_string(self.path.join(MANAGED)).unwrap_or_default();
        let text = text.trim();
        // Tantivy writes a list of names in quotes, none of which needs an escape.
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let is_name = |name: &str| {
            let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            name.is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            })
        };
        if inner.is_some_and(|inner| inner.split(',').all(is_name)) {
            return None;
        }
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let of_segment =
            |name: &String| name.as_bytes().first_chunk::<32>().is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit));
        let mut names: Vec<String> = names.filter(of_segment).map(|name| format!("\"{name}\"")).collect();
        names.push(format!("\"{META}\""));
        Some(format!("[{}]", names.join(",")).into_bytes())
    }

    /// Removes what a writer that was killed left half written.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(".tmp") || name.contains(".tmp") {
                let _ = fs::remove_file(entry.path());
            }
        }
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

/// The bytes of a `meta.json` that leaves segments out.
fn without(committed: &IndexMeta, left_out: impl Fn(&tantivy::index::SegmentMeta) -> bool) -> Vec<u8> {
    let mut rest = committed.clone();
    rest.segments.retain(|segment| !left_out(segment));
    // Tantivy writes an `IndexMeta` as JSON here; that it can be read back is tested with every kind of damage.
    format!("{rest:?}").into_bytes()
}

fn disk(path: &Path) -> Result<Box<dyn Directory>, EngineError> {
    let disk = MmapDirectory::open(path);
    let disk = disk.map_err(|e| EngineError::Index { path: path.to_owned(), source: e.into() })?;
    Ok(Box::new(disk))
}

fn plugin(label: &Label, fields: Fields) -> Arc<VectorPlugin> {
    Arc::new(VectorPlugin::new(fields.vector, label.dimensions))
}

fn write_label(path: &Path, label: &Label) -> Result<(), EngineError> {
    let file = path.join("label.toml");
    let written =
        toml::to_string(label).map_err(|e| EngineError::Settings { path: file.clone(), message: e.to_string() })?;
    kept::write(&file, written.as_bytes())
}

fn read_label(path: &Path) -> Result<(Label, Option<String>), EngineError> {
    let file = path.join("label.toml");
    let read =
        kept::read(&file, label::parse).map_err(|source| EngineError::Io { action: "read", path: file, source })?;
    match (read.value, read.damage) {
        (Some(Ok(label)), damage) => Ok((label, damage)),
        (Some(Err(found)), _) => Err(EngineError::OtherVersion { path: path.to_owned(), found, ours: FORMAT }),
        (None, damage) => {
            let why = damage.as_deref().unwrap_or("is gone");
            Err(EngineError::Damaged { path: path.to_owned(), message: format!("label.toml {why}") })
        }
    }
}

/// A lock whose holder panicked still holds valid data here: every write is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
