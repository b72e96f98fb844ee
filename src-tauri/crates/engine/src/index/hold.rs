//! The right to write, which one process at a time has for a data folder. The lock is the system's and ends with the
//! process, however it ends; the note beside it only says which process that is.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::twin_file::write_atomically;

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
        // The lock file is never removed: a lock on a removed file excludes nobody.
        let file = File::options().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(|e| EngineError::writing("lock", folder.to_owned(), e))?;
        let note = folder.join(NOTE);
        // A process that only asks ([`Hold::check_free`]) locks the file for a moment and leaves no note.
        let is_brief = |tried: &Result<(), TryLockError>| {
            matches!(tried, Err(TryLockError::WouldBlock)) && !Note::read(&note).is_some_and(|note| note.may_hold())
        };
        match when_free(|| file.try_lock(), is_brief) {
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
            // Without the note, only the message that another process shows says less.
            tracing::warn!(%error, "the index's holder could not be noted");
        }
        Ok(Self { note, _lock: file, unclean })
    }

    /// Asks whether [`Hold::take`] would succeed. Nothing is made or written, and what the folder holds is not read.
    ///
    /// # Errors
    /// [`EngineError::Locked`] while somebody holds it.
    pub(super) fn check_free(folder: &Path) -> Result<(), EngineError> {
        let lock = folder.join(LOCK);
        let failed = |source| EngineError::Io { action: "lock", path: lock.clone(), source };
        let file = match File::open(&lock) {
            Ok(file) => file,
            // Nobody has ever written here.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed(source)),
        };
        // A shared lock, so that two processes that ask do not take each other for the holder. It ends with `file`.
        match file.try_lock_shared() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                Err(EngineError::Locked { path: folder.to_owned(), holder: holder(&folder.join(NOTE)) })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Note {
    fn read(path: &Path) -> Option<Self> {
        fs::read_to_string(path).ok().and_then(|text| toml::from_str(&text).ok())
    }

    fn is_here(&self) -> bool {
        self.host == host()
    }

    /// Whether the process it names can still be the holder.
    fn may_hold(&self) -> bool {
        !self.is_here() || is_alive(self.process)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // If the note stays, the next start checks the index, and nothing worse happens.
        let _ = fs::remove_file(&self.note);
    }
}

/// Repeats `attempt` until its result is no longer `busy`, or half a second is over. A child process that is just being
/// started has copies of all open files until it becomes the other program. With them it still holds locks that this
/// process has released meanwhile.
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

/// The holder of the lock in words, according to the note. A note of a process that has ended is not believed.
fn holder(note: &Path) -> String {
    let Some(note) = Note::read(note) else { return "a process that left no note".to_owned() };
    let (here, may_hold) = (note.is_here(), note.may_hold());
    let Note { process, host: on, since } = note;
    if !may_hold {
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

/// On other systems the note is believed.
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
