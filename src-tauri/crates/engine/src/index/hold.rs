//! Who writes: one process a data folder. The lock is the system's and ends with the process, however it ends; the
//! note beside it only says who that is.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::kept::write_atomically;

const LOCK: &str = ".writer.lock";
const NOTE: &str = "HOLDER";

/// Holds the right to write to an index folder until it is dropped.
#[derive(Debug)]
pub struct Hold {
    note: PathBuf,
    /// Unlocked when it is closed, which is after the note is gone.
    _lock: File,
    /// Whether the last holder ended without letting go: killed, or the machine lost power.
    pub(super) unclean: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    process: u32,
    host: String,
    /// Seconds since 1970.
    since: u64,
}

impl Hold {
    /// # Errors
    /// [`EngineError::Locked`] while another process, or another part of this one, holds it.
    pub(super) fn take(folder: &Path) -> Result<Self, EngineError> {
        let lock = folder.join(LOCK);
        fs::create_dir_all(folder).map_err(|e| EngineError::writing("make the folder", folder.to_owned(), e))?;
        // Never removed: a lock on a file that is gone excludes nobody.
        let file = File::options().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(|e| EngineError::writing("lock", folder.to_owned(), e))?;
        let note = folder.join(NOTE);
        match when_free(|| file.try_lock(), |tried| matches!(tried, Err(TryLockError::WouldBlock)) && !note.exists()) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::Locked { path: folder.to_owned(), holder: holder(&note) });
            }
            Err(TryLockError::Error(source)) => return Err(EngineError::Io { action: "lock", path: lock, source }),
        }
        let unclean = note.exists();
        let mine = Note { process: std::process::id(), host: host(), since: now() };
        let written = toml::to_string(&mine).map_err(|e| e.to_string());
        let written = written.and_then(|text| write_atomically(&note, text.as_bytes()).map_err(|e| e.to_string()));
        if let Err(error) = written {
            // Only the message that another process shows suffers.
            tracing::warn!(%error, "the index's holder could not be noted");
        }
        Ok(Self { note, _lock: file, unclean })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // A note that stays makes the next start check the index, no more.
        let _ = fs::remove_file(&self.note);
    }
}

/// Tries until it is no longer `busy`, or half a second is over. A process that is just being started from here has copies
/// of all open files until it becomes the other program, and with them locks that were let go of meanwhile.
pub(super) fn when_free<T>(mut attempt: impl FnMut() -> T, busy: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let tried = attempt();
        if !busy(&tried) || begun.elapsed() > Duration::from_millis(500) {
            return tried;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Who the note says holds the lock, in words. A note of a process that is no more is not believed.
fn holder(note: &Path) -> String {
    let read = fs::read_to_string(note).ok().and_then(|text| toml::from_str::<Note>(&text).ok());
    let Some(Note { process, host: on, since }) = read else { return "a process that left no note".to_owned() };
    let here = on == host();
    if here && !is_alive(process) {
        return format!("a process that left no note; the last one that did, {process}, has ended");
    }
    let minutes = now().saturating_sub(since) / 60;
    let since = match (minutes, minutes / 60) {
        (0, _) => "for less than a minute".to_owned(),
        (minutes, 0) => format!("for {minutes} min"),
        (_, hours) => format!("for {hours} h"),
    };
    let place = if here { String::new() } else { format!(" on {on}") };
    format!("process {process}{place}, {since}")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(target_os = "linux")]
fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

/// Elsewhere the note is taken at its word.
#[cfg(not(target_os = "linux"))]
fn is_alive(_: u32) -> bool {
    true
}

/// The machine's name: a data folder on a network drive may be held from another one.
fn host() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".into())
}
