//! A disk that fails on demand. The writes, syncs and renames of a commit with a merge fail in turn: first one call at
//! a time, then one call and all later ones, as on a full disk. What is left must be the last commit or the new one,
//! whole.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nuthatch_engine::chunk::Chunk;
use nuthatch_engine::index::vectors::Quantized;
use nuthatch_engine::index::{Generation, Passage, Row, RowState, Snapshot, Writer};
use nuthatch_engine::throttle::Limits;
use nuthatch_engine::{EngineError, Settings};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};

use super::{Dice, content, copy_folder, folder_in_memory, scale};

const EMBEDDER: Option<(&str, usize)> = Some(("fake@1", 8));

/// When calls fail.
#[derive(Debug, Default)]
struct Faults {
    /// How many calls succeed first.
    from: AtomicUsize,
    /// Whether all later calls fail, or just one.
    lasting: AtomicBool,
    /// Whether only calls from merging threads fail.
    merges: AtomicBool,
    n_calls: AtomicUsize,
    n_failed: AtomicUsize,
}

impl Faults {
    fn call(&self) -> io::Result<()> {
        if self.merges.load(Ordering::SeqCst) {
            let merging = std::thread::current().name().is_some_and(|name| name.starts_with("merge_thread"));
            if !merging {
                return Ok(());
            }
        }
        let at = self.n_calls.fetch_add(1, Ordering::SeqCst);
        let from = self.from.load(Ordering::SeqCst);
        if at == from || (at > from && self.lasting.load(Ordering::SeqCst)) {
            self.n_failed.fetch_add(1, Ordering::SeqCst);
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn heal(&self) {
        self.lasting.store(false, Ordering::SeqCst);
        self.from.store(usize::MAX, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug)]
struct FaultyDisk {
    disk: MmapDirectory,
    faults: Arc<Faults>,
}

struct FaultyFile {
    file: WritePtr,
    faults: Arc<Faults>,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.faults.call()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TerminatingWrite for FaultyFile {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        self.faults.call()?;
        self.file.flush()?;
        self.file.get_mut().terminate_ref(token)
    }
}

impl Directory for FaultyDisk {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.disk.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let failed = |e: io::Error| DeleteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() };
        self.faults.call().map_err(failed)?;
        self.disk.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.faults.call().map_err(|e| OpenWriteError::wrap_io_error(e, path.to_owned()))?;
        let file = FaultyFile { file: self.disk.open_write(path)?, faults: self.faults.clone() };
        Ok(io::BufWriter::new(Box::new(file)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.disk.atomic_read(path)
    }

    /// Counts as three calls: writing to a temporary file, syncing it and renaming it.
    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.faults.call()?;
        self.faults.call()?;
        self.faults.call()?;
        self.disk.atomic_write(path, bytes)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.faults.call()?;
        self.disk.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.disk.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.disk.watch(callback)
    }
}

fn put(writer: &mut Writer, file: usize, version: usize) -> Result<(), EngineError> {
    let path = format!("/notes/{file}.md");
    let passage = |ordinal| Passage {
        path: path.clone(),
        title: format!("Note {file}"),
        tags: [].into(),
        chunk: Chunk {
            ordinal,
            span: ordinal * 10..ordinal * 10 + 10,
            place: None,
            heading_path: [].into(),
            text: format!("heron {file} version {version} passage {ordinal}"),
            unseen: String::new(),
        },
    };
    let passages: Vec<Passage> = (0..3).map(passage).collect();
    let vector = Quantized::from_f32(&[file as f32 + 1.0, version as f32, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    let row = Row {
        path: PathBuf::from(&path),
        state: RowState::Indexed,
        reason: None,
        at: 0,
        embedded: true,
        passages: passages.len(),
        modified: version as i64,
        changed: 0,
        size: 30,
        failed_by: 0,
    };
    writer.replace(&row, &passages, &vec![Some(vector); passages.len()])
}

fn limits() -> Limits {
    Limits::of(&Settings { memory_mb: 100, threads: Some(1), ..Settings::default() })
}

/// The version of each file that a commit holds. Asserts that every file is whole, with its text and vectors.
fn state(snapshot: &Snapshot) -> BTreeMap<String, usize> {
    let mut versions = BTreeMap::new();
    let mut n_passages = BTreeMap::<String, usize>::new();
    for ((path, _), (text, _)) in content(snapshot) {
        let version = text.split(' ').nth(3).unwrap().parse().unwrap();
        assert_eq!(*versions.entry(path.clone()).or_insert(version), version, "{path} is of two versions");
        *n_passages.entry(path).or_default() += 1;
    }
    assert!(n_passages.values().all(|n| *n == 3), "half a file: {n_passages:?}");
    assert_eq!(snapshot.vectors().n_vectors(), 3 * versions.len(), "text and vectors part");
    versions
}

fn fresh(folder: &Path) -> BTreeMap<String, usize> {
    state(&Generation::open(folder.to_owned()).unwrap().snapshot().unwrap())
}

/// An index of seven small commits. The commit in `change` has their segments merged.
fn base() -> tempfile::TempDir {
    let folder = folder_in_memory();
    let disk = MmapDirectory::open(folder.path()).unwrap();
    let generation = Generation::over(disk, folder.path().to_owned(), EMBEDDER).unwrap();
    let mut writer = generation.writer(&limits()).unwrap();
    for file in 0..7 {
        put(&mut writer, file, 1).unwrap();
        writer.commit().unwrap();
    }
    writer.close().unwrap();
    folder
}

/// The operations that the faults hit: edits, a deletion, new files and one commit. A merge follows.
fn change(writer: &mut Writer) -> Result<(), EngineError> {
    for file in [0, 3, 7, 8] {
        put(writer, file, 2)?;
    }
    writer.remove(Path::new("/notes/5.md"));
    writer.commit()
}

#[test]
fn every_write_sync_and_rename_fails_in_turn() {
    let base = base();
    let before = fresh(base.path());
    let mut after = before.clone();
    after.extend([0, 3, 7, 8].map(|file| (format!("/notes/{file}.md"), 2)));
    after.remove("/notes/5.md");
    // Each run copies an index and writes to it, which takes time: by default only every fourth call has a run.
    let (first, stride) = (scale("NUTHATCH_SEED", 1) % 4, scale("NUTHATCH_FAULT_STRIDE", 4));
    let (mut n_faults, mut n_runs, mut n_errors) = (0, 0, 0);
    for lasting in [false, true] {
        for from in (first..).step_by(stride) {
            let folder = folder_in_memory();
            copy_folder(base.path(), folder.path());
            let faults = Arc::new(Faults::default());
            let disk = FaultyDisk { disk: MmapDirectory::open(folder.path()).unwrap(), faults: faults.clone() };
            let generation = Generation::over(disk, folder.path().to_owned(), EMBEDDER).unwrap();
            let mut writer = generation.writer(&limits()).unwrap();
            faults.from.store(from, Ordering::SeqCst);
            faults.lasting.store(lasting, Ordering::SeqCst);
            faults.n_calls.store(0, Ordering::SeqCst);
            let done = change(&mut writer);
            // Merges have to end before the disk has room again.
            let kept = match &done {
                Ok(()) => {
                    writer.close().unwrap();
                    None
                }
                Err(_) => {
                    // This commit drops what was added before the call that failed.
                    let _ = writer.commit();
                    n_errors += 1;
                    Some(writer)
                }
            };
            if let Err(error) = &done {
                let message = error.to_string();
                let says = message.contains(folder.path().to_str().unwrap()) && message.contains("make room");
                assert!(says, "call {from}: {message}");
            }

            // The reader that was open before, and one that starts now, see either the old commit or the new one.
            for seen in [state(&generation.snapshot().unwrap()), fresh(folder.path())] {
                assert!(seen == before || seen == after, "call {from}: {seen:?}");
                assert!(done.is_err() || seen == after, "call {from}: said to be done, and is not");
            }

            // The disk has room again: the writer goes on, and so does merging.
            faults.heal();
            let mut writer = kept.unwrap_or_else(|| generation.writer(&limits()).unwrap());
            change(&mut writer).unwrap();
            writer.close().unwrap();
            assert_eq!(fresh(folder.path()), after, "call {from}");
            let sound = Generation::open(folder.path().to_owned()).unwrap();
            assert!(!sound.examine(&nuthatch_engine::Cancel::new(), &|| {}).unwrap(), "call {from}");

            n_runs += 1;
            let n_failed = faults.n_failed.load(Ordering::SeqCst);
            n_faults += n_failed;
            if n_failed == 0 {
                break;
            }
        }
    }
    println!("faults: {n_runs} runs, {n_faults} faults, {n_errors} commits refused, losses 0");
    assert!(n_faults > 20 && n_errors > 8, "the faults hit too little: {n_faults}, {n_errors}");
}

/// What a writer deletes first must stay deleted, whatever is merged while it commits. Tantivy gives a writer's first
/// operation the number of the last commit. If that operation were a deletion, Tantivy would take it for done in
/// segments that the last commit deleted from.
#[test]
fn a_writer_that_is_opened_again_and_again_forgets_no_deletion() {
    let folder = folder_in_memory();
    let disk = MmapDirectory::open(folder.path()).unwrap();
    let generation = Generation::over(disk, folder.path().to_owned(), EMBEDDER).unwrap();
    let (mut dice, mut expected) = (Dice::new(scale("NUTHATCH_SEED", 1) as u64), BTreeMap::new());
    for version in 1..=scale("NUTHATCH_REOPENED", 300) {
        let mut writer = generation.writer(&limits()).unwrap();
        for _ in 0..1 + dice.below(3) {
            let file = dice.below(12);
            put(&mut writer, file, version).unwrap();
            expected.insert(format!("/notes/{file}.md"), version);
        }
        writer.commit().unwrap();
        if dice.below(4) == 0 {
            writer.close().unwrap();
        }
        assert_eq!(fresh(folder.path()), expected);
    }
}

/// "Partial index after a stalled merge, silently" (cass#301).
#[test]
fn a_stalled_merge_leaves_the_index_whole() {
    let base = base();
    let faults = Arc::new(Faults::default());
    faults.merges.store(true, Ordering::SeqCst);
    faults.lasting.store(true, Ordering::SeqCst);
    let disk = FaultyDisk { disk: MmapDirectory::open(base.path()).unwrap(), faults: faults.clone() };
    let generation = Generation::over(disk, base.path().to_owned(), EMBEDDER).unwrap();
    let mut writer = generation.writer(&limits()).unwrap();
    for file in 7..20 {
        put(&mut writer, file, 1).unwrap();
        writer.commit().unwrap();
    }
    writer.close().unwrap();
    assert!(faults.n_failed.load(Ordering::SeqCst) > 0, "no merge was tried");
    assert_eq!(fresh(base.path()).len(), 20);
    faults.heal();
    let mut writer = generation.writer(&limits()).unwrap();
    put(&mut writer, 20, 1).unwrap();
    writer.commit().unwrap();
    writer.close().unwrap();
    assert_eq!(fresh(base.path()).len(), 21);
    let n_segments = generation.snapshot().unwrap().searcher().segment_readers().len();
    assert!(n_segments < 8, "merging goes on: {n_segments} segments");
}
