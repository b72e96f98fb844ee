//! The state that a watch publishes for other processes: `watch.toml` in the data folder, valid as long as `watch.lock`
//! is held.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::catalog::WatchStatus;
use crate::twin_file::write_atomically;

/// Publishes the state of a watch. Its lock is held while the watch runs; the system releases it when the process ends,
/// however it ends.
pub(super) struct Published {
    data_dir: PathBuf,
    last: Option<WatchStatus>,
    lock: Option<File>,
}

impl Published {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), last: None, lock: None }
    }

    /// Publishes `status` if it has changed. If that fails, only other processes do not see it.
    pub(super) fn tell(&mut self, status: WatchStatus) {
        if self.last.as_ref() == Some(&status) && self.lock.is_some() {
            return;
        }
        if self.lock.is_none() {
            let lock = File::create(lock_file(&self.data_dir));
            self.lock = lock.ok().filter(|file| file.try_lock().is_ok());
        }
        let written = toml::to_string(&status).map(|text| write_atomically(&file(&self.data_dir), text.as_bytes()));
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!("the state of the watch could not be written");
        }
        self.last = Some(status);
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_file(file(&self.data_dir));
        }
    }
}

/// The state of the watch that runs on this data folder, in any process.
pub(crate) fn status(data_dir: &Path) -> Option<WatchStatus> {
    let text = fs::read_to_string(file(data_dir)).ok()?;
    let lock = File::open(lock_file(data_dir)).ok()?;
    // If the lock is free, the watch that wrote the file has ended.
    if lock.try_lock_shared().is_ok() { None } else { toml::from_str(&text).ok() }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("watch.toml")
}

fn lock_file(data_dir: &Path) -> PathBuf {
    data_dir.join("watch.lock")
}
