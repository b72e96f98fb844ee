//! Opens the last commit, as far as it is sound.

use std::fs;

use tantivy::index::{IndexMeta, SegmentMeta};
use tantivy::{Index, ReloadPolicy, TantivyError};

use super::{Generation, lock, plugin};
use crate::index::damage::{self, guarded};
use crate::index::directory::{Folder, META};
use crate::index::label::FORMAT;
use crate::index::schema::schema;
use crate::index::snapshot::Snapshot;
use crate::index::vectors::VectorReader;
use crate::{Cancel, EngineError, text, twin_file};

/// How often a reader tries to open the last commit, if the commit is replaced each time meanwhile. Commits are seconds
/// apart and opening one takes milliseconds, so even a second try is rare.
pub(super) const LOOK_AGAIN: usize = 10;

/// A commit, open.
pub(super) struct Latest {
    /// Hash of the bytes of `meta.json`. The content is compared and not the time, because two commits can fall into
    /// one tick of the file system's clock.
    pub(super) of: blake3::Hash,
    pub(super) index: Index,
    pub(super) snapshot: Snapshot,
    /// The whole commit, including damaged segments that `snapshot` leaves out.
    pub(super) committed: IndexMeta,
}

impl Generation {
    /// The last commit, by this or another process, without damaged segments. Costs little when nothing changed. If a
    /// newer commit cannot be read at all, the last readable one goes on serving.
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
            // A commit by any process replaces meta.json. Asking Tantivy instead would open every segment again.
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
                // There is a newer commit, and the process that made it may have removed files of this one.
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

    /// The bytes of `meta.json`, or of its copy if that is damaged.
    pub(super) fn committed(&self) -> Result<Vec<u8>, EngineError> {
        let read = self.read_meta().map_err(|source| EngineError::Io {
            action: "read",
            path: self.path.join(META),
            source,
        })?;
        let why = || self.damaged(format!("{META} {}", read.damage.as_deref().unwrap_or("is gone")));
        read.value.clone().ok_or_else(why)
    }

    pub(super) fn read_meta(&self) -> std::io::Result<twin_file::TwinFile<Vec<u8>>> {
        twin_file::read(&self.path.join(META), |bytes| {
            let index = Index::open(Folder::to_read(self.disk.box_clone(), &self.path, bytes.to_vec()));
            let metas = guarded(&self.path, || {
                index.and_then(|index| index.load_metas()).map_err(|source| self.failed(source))
            });
            metas.map(|_| bytes.to_vec()).map_err(|_| "it describes no commit".to_owned())
        })
    }

    /// Opens a commit without the segments that are known to be damaged.
    fn open_commit(&self, of: blake3::Hash, meta: &[u8], older: Option<&Latest>) -> Result<Latest, EngineError> {
        let index = self.index(Folder::to_read(self.disk.box_clone(), &self.path, meta.to_vec()))?;
        let committed = index.load_metas().map_err(|e| self.failed(e))?;
        let health = lock(&self.health).clone();
        let sound = |index, committed: &IndexMeta| {
            let spoilt = committed.segments.iter().any(|segment| health.spoils(segment, committed));
            if !spoilt {
                return Ok(index);
            }
            let left = without(committed, |segment| health.spoils(segment, committed)).map_err(|e| self.failed(e))?;
            self.index(Folder::to_read(self.disk.box_clone(), &self.path, left))
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

    /// Opens those segments of a commit that can be opened, and notes what is wrong with the others. `None` if no
    /// segment turns out to be damaged, or if the commit has been replaced meanwhile.
    fn open_sound_part(&self, of: blake3::Hash, meta: &[u8]) -> Result<Option<Latest>, EngineError> {
        let index = self.index(Folder::to_read(self.disk.box_clone(), &self.path, meta.to_vec()))?;
        let committed = index.load_metas().map_err(|e| self.failed(e))?;
        let opens = |alone: tantivy::Result<Vec<u8>>| {
            guarded(&self.path, || {
                let alone = alone.map_err(|e| self.failed(e))?;
                let index = self.index(Folder::to_read(self.disk.box_clone(), &self.path, alone))?;
                self.open_all(&index, None)
            })
        };
        let bad = |id| opens(without(&committed, |segment| segment.id() != id)).is_err();
        let bad: Vec<_> = committed.segments.iter().map(|s| s.id()).filter(|&id| bad(id)).collect();
        let mut spoilt = committed.clone();
        spoilt.segments.retain(|segment| bad.contains(&segment.id()));
        let Some(mut found) = damage::examine(&index, &spoilt, &Cancel::new(), &|| {}) else { return Ok(None) };
        for segment in &spoilt.segments {
            // The files of this segment match their checksums, but it cannot be opened all the same.
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

    pub(super) fn index(&self, folder: Folder) -> Result<Index, EngineError> {
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
}

/// The bytes of a `meta.json` that leaves segments out.
fn without(committed: &IndexMeta, left_out: impl Fn(&SegmentMeta) -> bool) -> tantivy::Result<Vec<u8>> {
    let mut rest = committed.clone();
    rest.segments.retain(|segment| !left_out(segment));
    Ok(serde_json::to_vec(&rest)?)
}
