//! One extraction process, as the engine sees it. Everything that can block (writing to it, reading from it, waiting
//! for its end) happens in a thread of its own. The engine only waits for a channel, with a time limit.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::frame::{self, Allowance, FrameError, Greeting, MAX_MESSAGE_BYTES, Request};
use super::{WorkerCommand, WorkerLimits, limits};
use crate::Cancel;
use crate::extract::{Document, ExtractError};

/// Time from a process's start to its greeting. Generous: a program that links a whole web view starts slowly on a busy
/// disk.
const START: Duration = Duration::from_secs(30);

/// How often a wait checks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes that are kept of a process's standard error, for the log and to tell why it ended.
const STDERR_BYTES: usize = 8 << 10;

/// Time by the clock that is allowed for each second of processor time. A process of low priority gets little of a busy
/// machine, and other programs must not make a file fail.
const CLOCK_FACTOR: u32 = 6;

/// How long a process that no longer answers may take to end by itself, so that its exit status tells the reason.
const TO_END: Duration = Duration::from_millis(500);

/// How a process that gave no answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Memory,
    Processor,
    Nesting,
    /// Its answer was longer than allowed.
    TooLong,
    Crash,
}

type Answer = Result<Document, ExtractError>;

/// Why there is no answer.
pub(super) enum Lost {
    TimedOut,
    Cancelled,
    Died(Death),
}

pub(super) struct Process {
    child: Arc<Mutex<Child>>,
    requests: Sender<(Request, Arc<Vec<u8>>)>,
    answers: Receiver<Result<Answer, Death>>,
    /// Files it has read.
    pub(super) n_read: u32,
}

impl Process {
    /// Starts a process and waits for its greeting.
    pub(super) fn start(command: &WorkerCommand, limits: &WorkerLimits) -> io::Result<Self> {
        let mut command = own_process(command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (stdin, stdout) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let printed = tail(child.stderr.take().ok_or_else(missing)?)?;
        let child = Arc::new(Mutex::new(child));
        let (requests, to_do) = bounded(1);
        let (done, answers) = bounded(1);
        let (greeted, greeting) = bounded(1);
        let mut talk = Talk { child: child.clone(), stdin: Some(stdin), stdout, printed, limits: *limits, to_do, done };
        thread::Builder::new().name("extraction".to_owned()).spawn(move || talk.run(&greeted))?;
        let process = Self { child, requests, answers, n_read: 0 };
        match greeting.recv_timeout(START) {
            Ok(Ok(())) => Ok(process),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                process.kill();
                Err(io::Error::new(io::ErrorKind::TimedOut, "it did not answer"))
            }
        }
    }

    /// Makes the process read a file. After any `Err` the process is gone.
    pub(super) fn read(
        &mut self,
        name: &str,
        bytes: &Arc<Vec<u8>>,
        limit: Duration,
        cancel: &Cancel,
    ) -> Result<Answer, Lost> {
        let request = Request { name: name.to_owned(), n_bytes: bytes.len() as u64 };
        if self.requests.send((request, bytes.clone())).is_err() {
            return Err(Lost::Died(Death::Crash));
        }
        let deadline = Instant::now() + limit * CLOCK_FACTOR;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left.min(LOOK)) {
                Ok(Ok(answer)) => {
                    self.n_read += 1;
                    return Ok(answer);
                }
                Ok(Err(death)) => return Err(Lost::Died(death)),
                Err(RecvTimeoutError::Disconnected) => return Err(Lost::Died(Death::Crash)),
                Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => {
                    self.kill();
                    return Err(Lost::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) if left <= LOOK => {
                    self.kill();
                    return Err(Lost::TimedOut);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether the process still waits for requests. It is closed when it has been idle.
    pub(super) fn is_open(&self) -> bool {
        // No request is pending, so the channel can only tell that its other end is gone.
        matches!(self.answers.try_recv(), Err(crossbeam_channel::TryRecvError::Empty))
    }

    fn kill(&self) {
        // Killing fails if the process has ended just now.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

/// The thread that talks to the process.
struct Talk {
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    printed: Receiver<String>,
    limits: WorkerLimits,
    to_do: Receiver<(Request, Arc<Vec<u8>>)>,
    done: Sender<Result<Answer, Death>>,
}

impl Talk {
    fn run(&mut self, greeted: &Sender<io::Result<()>>) {
        if let Err(error) = self.greet() {
            self.end();
            let _ = greeted.send(Err(error));
            return;
        }
        // Sending fails if the engine has given up and no longer listens.
        let _ = greeted.send(Ok(()));
        // The process was started for a file, so a first request will come: wait for it without a limit, since a busy
        // machine may delay it.
        let mut next = self.to_do.recv().ok();
        while let Some((request, bytes)) = next {
            let answer = self.ask(&request, &bytes).map_err(|error| self.died(&error));
            let is_dead = answer.is_err();
            if self.done.send(answer).is_err() || is_dead {
                break;
            }
            next = self.to_do.recv_timeout(self.limits.idle).ok();
        }
        self.end();
    }

    fn greet(&mut self) -> io::Result<()> {
        let allowance = Allowance {
            memory_bytes: self.limits.memory_bytes,
            cpu_s: self.limits.read_time.as_secs(),
            answer_bytes: self.limits.answer_bytes,
        };
        let broken = |error: FrameError| io::Error::other(error.to_string());
        self.send(&frame::encode(&allowance, MAX_MESSAGE_BYTES).unwrap_or_default())?;
        let greeting: Greeting = frame::read(&mut self.stdout, MAX_MESSAGE_BYTES).map_err(broken)?;
        match greeting == Greeting::own() {
            true => Ok(()),
            false => Err(io::Error::other("Nuthatch was updated while it ran: start it again")),
        }
    }

    fn ask(&mut self, request: &Request, bytes: &[u8]) -> Result<Answer, FrameError> {
        let header = frame::encode(request, MAX_MESSAGE_BYTES).ok_or(io::ErrorKind::InvalidInput);
        self.send(&header.map_err(io::Error::from)?)?;
        self.send(bytes)?;
        frame::read(&mut self.stdout, self.limits.answer_bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    /// Ends the process and tells why there was no answer.
    fn died(&mut self, error: &FrameError) -> Death {
        if matches!(error, FrameError::TooLong { .. }) {
            return Death::TooLong;
        }
        let status = self.end();
        // The process's end of the pipe is closed by now, unless another process has inherited it.
        let printed = self.printed.recv_timeout(TO_END).unwrap_or_default();
        tracing::debug!("an extraction process ended ({status:?}, {error}): {printed}");
        death(status, &printed)
    }

    /// Closes the process, by force if it does not end by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        self.stdin = None;
        let deadline = Instant::now() + TO_END;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < deadline {
            match child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Ok(status) => return status,
                Err(_) => break,
            }
        }
        let _ = child.kill();
        child.wait().ok()
    }
}

/// Tells why a process ended. A failed allocation and a stack overflow show only in the message that Rust prints.
fn death(status: Option<ExitStatus>, printed: &str) -> Death {
    let over_memory = status.and_then(|status| status.code()) == Some(limits::OVER_MEMORY.into());
    if over_memory || printed.contains("memory allocation of ") {
        Death::Memory
    } else if printed.contains("has overflowed its stack") {
        Death::Nesting
    } else if is_out_of_time(status) {
        Death::Processor
    } else {
        Death::Crash
    }
}

#[cfg(unix)]
fn is_out_of_time(status: Option<ExitStatus>) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.and_then(|status| status.signal());
    signal == Some(libc::SIGXCPU)
}

#[cfg(not(unix))]
fn is_out_of_time(_: Option<ExitStatus>) -> bool {
    false
}

/// Sends the end of a process's output once the pipe is closed. Reads it all the time, so that the process never blocks
/// on a full pipe.
fn tail(mut from: impl Read + Send + 'static) -> io::Result<Receiver<String>> {
    let (done, printed) = bounded(1);
    let read = move || {
        let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(n_bytes @ 1..) = from.read(&mut piece) {
            kept.extend_from_slice(&piece[..n_bytes]);
            let extra = kept.len().saturating_sub(STDERR_BYTES);
            kept.drain(..extra);
        }
        let _ = done.send(String::from_utf8_lossy(&kept).into_owned());
    };
    thread::Builder::new().name("extraction stderr".to_owned()).spawn(read).map(|_| printed)
}

fn own_process(command: &WorkerCommand) -> Command {
    let mut own = Command::new(&command.program);
    // One malloc arena, because each further one reserves address space, which the memory limit counts. No backtraces,
    // because they load the program's symbols into memory.
    own.args(&command.args).env("MALLOC_ARENA_MAX", "1").env("RUST_BACKTRACE", "0");
    #[cfg(unix)]
    // Ctrl-C in a terminal is for the engine, which then closes the process; a file must not fail because of it.
    std::os::unix::process::CommandExt::process_group(&mut own, 0);
    #[cfg(windows)]
    {
        use windows_sys::Win32::System::Threading::{
            BELOW_NORMAL_PRIORITY_CLASS, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW,
        };
        let flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | BELOW_NORMAL_PRIORITY_CLASS;
        std::os::windows::process::CommandExt::creation_flags(&mut own, flags);
    }
    own
}
