//! Reads files that can make their reader hang, use up all memory or crash in separate processes. Such a process is our
//! own program, started with [`WORKER_ARGUMENT`]; it gets a file's bytes over its standard input and sends back a
//! [`Document`]. It has limits on memory, time and output, and whatever goes wrong in it fails only that file.

mod child;
mod frame;
mod limits;
mod process;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use child::serve;
use process::{Death, Lost, Process};

use super::{Document, ExtractError, Format, extract, format_of, sniff};
use crate::Cancel;

/// The argument that makes a program of ours an extraction process. The program has to check for it before any other.
pub const WORKER_ARGUMENT: &str = "--extract-worker";

/// Whether this program was started to read files. It then has to call [`serve`] and nothing else.
pub fn is_worker() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == WORKER_ARGUMENT)
}

/// How an extraction process is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl WorkerCommand {
    /// Starts this program itself, which has to begin with `if is_worker() { return serve() }`.
    pub fn own() -> io::Result<Self> {
        // An update may replace the file while the program runs. This link still leads to the old program.
        let running = Path::new("/proc/self/exe");
        let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
        Ok(Self { program, args: vec![WORKER_ARGUMENT.into()] })
    }
}

/// Limits on reading files in extraction processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Processor time for one file; it may take up to two seconds more. By the clock, six times `read_time` is allowed,
    /// so that a busy machine fails no file. Where the system does not count processor time (Windows), the clock alone
    /// decides.
    pub read_time: Duration,
    /// Memory beyond what a process has when it starts.
    pub memory_bytes: u64,
    /// Size of the encoded document.
    pub answer_bytes: u64,
    /// Most processes at once.
    pub n_processes: usize,
    /// Files that a process reads before a fresh one replaces it, so that memory that a library leaks does not pile up.
    pub files_each: u32,
    /// Time after which an idle process is closed.
    pub idle: Duration,
}

impl Default for WorkerLimits {
    /// A PDF of 300 pages takes well under a tenth of each limit (README, "Formats").
    fn default() -> Self {
        Self {
            read_time: Duration::from_secs(20),
            memory_bytes: 512 << 20,
            // The text is sent twice, as a whole and in blocks: see `MAX_TEXT_BYTES`.
            answer_bytes: 96 << 20,
            n_processes: 2,
            files_each: 200,
            idle: Duration::from_secs(10),
        }
    }
}

/// Largest file of a written-out format that is read in this process: the default limit of text files (`max_text_mb`).
/// Mail and notebooks may be ten times that (`max_document_mb`).
const MAX_BYTES_HERE: usize = 20 << 20;

/// Reads files: harmless formats in this process, risky ones in processes that are started when they are needed and
/// closed when they are not.
#[derive(Debug)]
pub struct Workers {
    command: Option<WorkerCommand>,
    limits: WorkerLimits,
    pool: Mutex<Pool>,
    /// Notified when a process becomes free or ends.
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    free: Vec<Process>,
    n_busy: usize,
    /// How many urgent callers wait.
    n_urgent: usize,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} free, {} busy", self.free.len(), self.n_busy)
    }
}

/// Who waits for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The index, which lets urgent callers go first.
    Background,
    /// A user who looks at the window.
    Urgent,
}

impl Workers {
    /// Without a `command`, files of risky formats fail ([`ExtractError::NoWorker`]).
    pub fn new(command: Option<WorkerCommand>, limits: WorkerLimits) -> Self {
        Self { command, limits, pool: Mutex::default(), freed: Condvar::new() }
    }

    /// Whether a file of `n_bytes` is read in a process of its own. Files of risky formats are. So are large files of
    /// formats that are written out as text, because reading one takes several times its size in memory.
    fn is_read_apart(&self, format: Format, n_bytes: usize) -> bool {
        format.is_risky() || !format.is_text() && n_bytes > MAX_BYTES_HERE && self.command.is_some()
    }

    /// Reads a file's content, in this process or in one of its own. Never panics, whatever the bytes. Ends within six
    /// times [`WorkerLimits::read_time`] from the file's turn on, or as soon as `cancel` is raised
    /// ([`ExtractError::Cancelled`], which says nothing about the file).
    pub fn extract(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        urgency: Urgency,
        cancel: &Cancel,
    ) -> Result<Document, ExtractError> {
        if !format_of(path).is_some_and(|format| self.is_read_apart(format, bytes.len()) || sniff::is_risky(&bytes)) {
            return extract(path, &bytes);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(command) = &self.command else {
            return Err(ExtractError::NoWorker { name, reason: "this program starts none".to_owned() });
        };
        // Shared with the thread that writes to the process, not copied: a document can have 100 MB.
        let bytes = Arc::new(bytes);
        loop {
            let mut process = match self.acquire(command, urgency, cancel) {
                Ok(Some(process)) => process,
                Ok(None) => return Err(ExtractError::Cancelled),
                Err(error) => return Err(ExtractError::NoWorker { name, reason: error.to_string() }),
            };
            let was_fresh = process.n_read == 0;
            match process.read(&name, &bytes, self.limits.read_time, cancel) {
                Ok(answer) => {
                    self.release(Some(process));
                    return answer.and_then(|document| sound(document, path, name));
                }
                Err(lost) => {
                    self.release(None);
                    match lost {
                        // The process may have died of what earlier files left behind: a fresh one tries again.
                        Lost::Died(_) if !was_fresh => {}
                        lost => return Err(self.error(&lost, name)),
                    }
                }
            }
        }
    }

    fn error(&self, lost: &Lost, name: String) -> ExtractError {
        match lost {
            Lost::Cancelled => ExtractError::Cancelled,
            Lost::TimedOut | Lost::Died(Death::Processor) => {
                ExtractError::TimedOut { name, limit: self.limits.read_time }
            }
            Lost::Died(Death::Memory) => ExtractError::OutOfMemory { name, limit_mb: self.limits.memory_bytes >> 20 },
            Lost::Died(Death::TooLong) => ExtractError::TooLong { name, limit_mb: self.limits.answer_bytes >> 20 },
            Lost::Died(Death::Nesting) => ExtractError::Broken { name, reason: "it is nested too deeply".to_owned() },
            Lost::Died(Death::Crash) => ExtractError::Crashed { name },
        }
    }

    /// A process for one file; `None` when cancelled.
    fn acquire(&self, command: &WorkerCommand, urgency: Urgency, cancel: &Cancel) -> io::Result<Option<Process>> {
        let is_urgent = urgency == Urgency::Urgent;
        let mut pool = self.pool();
        pool.n_urgent += usize::from(is_urgent);
        let go_on = loop {
            if cancel.is_cancelled() {
                break false;
            }
            pool.free.retain(Process::is_open);
            if pool.n_busy < self.limits.n_processes.max(1) && (is_urgent || pool.n_urgent == 0) {
                break true;
            }
            let waited = self.freed.wait_timeout(pool, Duration::from_millis(50));
            pool = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        pool.n_urgent -= usize::from(is_urgent);
        if !go_on {
            return Ok(None);
        }
        pool.n_busy += 1;
        // Takes the process that was used last, so that the others become idle and close.
        let free = pool.free.pop();
        drop(pool);
        match free.map_or_else(|| Process::start(command, &self.limits), Ok) {
            Ok(process) => Ok(Some(process)),
            Err(error) => {
                self.release(None);
                Err(error)
            }
        }
    }

    fn release(&self, process: Option<Process>) {
        let mut pool = self.pool();
        pool.n_busy -= 1;
        pool.free.extend(process.filter(|process| process.n_read < self.limits.files_each));
        drop(pool);
        self.freed.notify_all();
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks a document that a process sent, before its text is sliced: a hostile file may have taken over the process.
fn sound(document: Document, path: &Path, name: String) -> Result<Document, ExtractError> {
    match format_of(path).is_some_and(|named| sniff::may_be(named, document.format)) && document.is_sound() {
        true => Ok(document),
        false => Err(ExtractError::Crashed { name }),
    }
}
