//! The extraction process itself: reads one file after another, until the engine closes its end of the pipe.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use super::frame::{self, Allowance, FrameError, Greeting, MAX_MESSAGE_BYTES, Request};
use super::limits;
use crate::extract::{Document, ExtractError, extract};

/// Stack size for reading a deeply nested file, in bytes. Most systems give a program's first thread this much, but
/// Windows does not.
const STACK_BYTES: usize = 8 << 20;

/// Everything that a program started to read files does (see [`super::WorkerCommand`]).
pub fn serve() -> ExitCode {
    let reading = std::thread::Builder::new().name("extract".to_owned()).stack_size(STACK_BYTES).spawn(read_files);
    match reading.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        // The memory did not even suffice for the file's bytes.
        Ok(Ok(Err(FrameError::Io(error)))) if error.kind() == io::ErrorKind::OutOfMemory => {
            ExitCode::from(limits::OVER_MEMORY)
        }
        _ => ExitCode::FAILURE,
    }
}

fn read_files() -> Result<(), FrameError> {
    // Text that a library prints must not end up between messages.
    let mut answers = limits::take_stdout()?;
    let mut requests = io::stdin().lock();
    let allowance: Allowance = frame::read(&mut requests, MAX_MESSAGE_BYTES)?;
    limits::apply(allowance.memory_bytes)?;
    send(&mut answers, frame::encode(&Greeting::own(), MAX_MESSAGE_BYTES))?;
    loop {
        let request: Request = match frame::read(&mut requests, MAX_MESSAGE_BYTES) {
            Err(FrameError::Closed) => return Ok(()),
            other => other?,
        };
        let mut bytes = Vec::new();
        requests.by_ref().take(request.n_bytes).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != request.n_bytes {
            return Ok(());
        }
        limits::allow_cpu(allowance.cpu_s)?;
        let answer = answer(&request.name, &bytes, allowance.memory_bytes);
        drop(bytes);
        let limit_mb = allowance.answer_bytes >> 20;
        let too_long = || ExtractError::TooLong { name: request.name.clone(), limit_mb };
        let encoded = frame::encode(&answer, allowance.answer_bytes)
            .or_else(|| frame::encode(&Err::<Document, _>(too_long()), MAX_MESSAGE_BYTES));
        send(&mut answers, encoded)?;
    }
}

fn answer(name: &str, bytes: &[u8], memory_bytes: u64) -> Result<Document, ExtractError> {
    match extract(Path::new(name), bytes) {
        // Some readers panic if they do not get the memory that they ask for.
        Err(ExtractError::Panicked { name, .. }) if limits::was_short_of_memory(memory_bytes) => {
            Err(ExtractError::OutOfMemory { name, limit_mb: memory_bytes >> 20 })
        }
        answer => answer,
    }
}

fn send(to: &mut File, frame: Option<Vec<u8>>) -> Result<(), FrameError> {
    to.write_all(&frame.ok_or(io::ErrorKind::FileTooLarge).map_err(io::Error::from)?)?;
    Ok(to.flush()?)
}
