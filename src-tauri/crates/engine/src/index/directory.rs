//! The folder of an index as Tantivy sees it: any Tantivy directory, with five habits of our own.
//!
//! * `meta.json`, which says what the last commit holds, is kept twice (`meta.json.copy`, see [`crate::twin_file`]).
//! * A reader sees one commit, frozen: the same bytes of `meta.json` whenever it asks, less the segments left out.
//! * The list of files, `.managed.json`, may be given by us where it is damaged or gone.
//! * Files are mapped under guard ([`super::mapped`]), and nothing is committed that was made of one that was cut off.
//! * The last fault of a write is remembered: Tantivy reports those of its threads as mere text.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, META_LOCK, TerminatingWrite, WatchCallback, WatchHandle,
    WritePtr,
};

use super::mapped;

pub(super) const META: &str = "meta.json";
pub(super) const META_COPY: &str = "meta.json.copy";
pub(super) const MANAGED: &str = ".managed.json";

/// The last fault of a write; see [`Folder::fault`].
pub(super) type Fault = (io::ErrorKind, String);

#[derive(Clone, Debug)]
pub(super) struct Folder {
    inner: Box<dyn Directory>,
    path: Arc<Path>,
    /// What `meta.json` says in place of the file; only a reader has it.
    meta: Option<Arc<[u8]>>,
    /// What `.managed.json` says in place of the file.
    managed: Option<Arc<[u8]>>,
    fault: Arc<Mutex<Option<Fault>>>,
    /// [`mapped::n_cut_off`] when what is written was begun.
    n_cut_off: Arc<AtomicUsize>,
}

impl Folder {
    /// To write in. `managed` as in the field of that name.
    pub fn to_write(inner: Box<dyn Directory>, path: &Path, managed: Option<Vec<u8>>) -> Self {
        let n_cut_off = Arc::new(AtomicUsize::new(mapped::n_cut_off(path)));
        Self { inner, path: path.into(), meta: None, managed: managed.map(Arc::from), fault: Arc::default(), n_cut_off }
    }

    /// To read the commit that `meta` (the bytes of a `meta.json`) describes.
    pub fn to_read(inner: Box<dyn Directory>, path: &Path, meta: Vec<u8>) -> Self {
        // A reader removes nothing, so its list of files may be empty.
        Self { meta: Some(meta.into()), ..Self::to_write(inner, path, Some(b"[]".to_vec())) }
    }

    /// Takes the last fault of a write, if there was one since it was last taken. What was written until now counts as
    /// dropped.
    pub fn fault(&self) -> Option<Fault> {
        self.n_cut_off.store(mapped::n_cut_off(&self.path), Ordering::Release);
        self.fault.lock().unwrap_or_else(|e| e.into_inner()).take()
    }

    fn instead(&self, path: &Path) -> Option<&Arc<[u8]>> {
        match path.to_str() {
            Some(META) => self.meta.as_ref(),
            Some(MANAGED) => self.managed.as_ref(),
            _ => None,
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| note(&self.fault, error))
    }
}

fn note(fault: &Mutex<Option<Fault>>, error: &io::Error) {
    *fault.lock().unwrap_or_else(|e| e.into_inner()) = Some((error.kind(), error.to_string()));
}

impl Directory for Folder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let handle = self.inner.get_file_handle(path)?;
        mapped::watched(handle, self.path.join(path))
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.inner.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        if self.instead(path).is_some() { Ok(true) } else { self.inner.exists(path) }
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self.inner.open_write(path).inspect_err(|error| {
            if let OpenWriteError::IoError { io_error, .. } = error {
                note(&self.fault, io_error);
            }
        })?;
        // Tantivy takes the buffer off and puts its own around.
        Ok(io::BufWriter::new(Box::new(NotedWrite { file, fault: self.fault.clone() })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        match self.instead(path) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => self.inner.atomic_read(path),
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        if path == Path::new(META) {
            // Vectors and words may have been taken over from what read as zeros.
            if self.n_cut_off.load(Ordering::Acquire) != mapped::n_cut_off(&self.path) {
                return self.note(Err(io::Error::other("a file of the index was cut off while it was read")));
            }
            self.note(self.inner.atomic_write(Path::new(META_COPY), data))?;
            self.note(self.inner.atomic_write(path, data))?;
            // The rename itself must reach the disk before files that only the old commit names are removed.
            return self.note(self.inner.sync_directory());
        }
        self.note(self.inner.atomic_write(path, data))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.note(self.inner.sync_directory())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        match self.inner.acquire_lock(lock) {
            // Where nothing can be written, nobody removes files under a reader either.
            Err(LockError::IoError(error))
                if lock.filepath == META_LOCK.filepath
                    && matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
            {
                Ok(DirectoryLock::from(Box::new(())))
            }
            other => other,
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(callback)
    }
}

/// A file that remembers why it could not be written.
struct NotedWrite {
    file: WritePtr,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Write for NotedWrite {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| note(&self.fault, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().inspect_err(|error| note(&self.fault, error))
    }
}

impl TerminatingWrite for NotedWrite {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        let ended = self.file.flush().and_then(|()| self.file.get_mut().terminate_ref(token));
        ended.inspect_err(|error| note(&self.fault, error))
    }
}
