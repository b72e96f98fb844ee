//! Messages between the engine and an extraction process: four bytes of length (little-endian), then the CBOR.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Most bytes of a message. Only an answer may be longer.
pub(super) const MAX_MESSAGE_BYTES: u64 = 64 << 10;

/// The first message to the process: its limits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Allowance {
    /// Memory beyond what the process has at its start.
    pub(super) memory_bytes: u64,
    /// Processor time for each file, in seconds.
    pub(super) cpu_s: u64,
    pub(super) answer_bytes: u64,
}

/// The first message back. Both sides must be the same program, which they are not if it was replaced while it ran.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Greeting {
    pub(super) version: String,
}

impl Greeting {
    pub(super) fn own() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Asks for a file to be read; its `n_bytes` bytes follow unencoded. The answer is a `Result<Document, ExtractError>`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// The file's name, without its folder.
    pub(super) name: String,
    pub(super) n_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the other side has closed")]
    Closed,
    #[error("a message of {n_bytes} bytes, {allowed} are allowed")]
    TooLong { n_bytes: u64, allowed: u64 },
    #[error("not a message: {0}")]
    Malformed(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// `None` if the message is longer than `allowed` bytes.
pub(super) fn encode(message: &impl Serialize, allowed: u64) -> Option<Vec<u8>> {
    let mut frame = Capped { bytes: vec![0; 4], allowed: usize::try_from(allowed).ok()?.checked_add(4)? };
    ciborium::into_writer(message, &mut frame).ok()?;
    let n_bytes = u32::try_from(frame.bytes.len() - 4).ok()?;
    frame.bytes[..4].copy_from_slice(&n_bytes.to_le_bytes());
    Some(frame.bytes)
}

struct Capped {
    bytes: Vec<u8>,
    allowed: usize,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.allowed {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads one message of at most `allowed` bytes. The claimed length may be false, so memory is taken as bytes arrive.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read, allowed: u64) -> Result<T, FrameError> {
    let mut length = [0; 4];
    match from.read(&mut length[..1])? {
        0 => return Err(FrameError::Closed),
        _ => from.read_exact(&mut length[1..])?,
    }
    let n_bytes = u64::from(u32::from_le_bytes(length));
    if n_bytes > allowed {
        return Err(FrameError::TooLong { n_bytes, allowed });
    }
    let mut frame = Vec::new();
    from.take(n_bytes).read_to_end(&mut frame)?;
    if frame.len() as u64 != n_bytes {
        return Err(FrameError::Closed);
    }
    ciborium::from_reader(frame.as_slice()).map_err(|error| FrameError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_lengths_are_not_believed() {
        let request = Request { name: "茶.pdf".to_owned(), n_bytes: 3 };
        let frame = encode(&request, 100).expect("short enough");
        assert_eq!(read::<Request>(&mut frame.as_slice(), 100).expect("whole").name, request.name);
        assert!(encode(&request, 5).is_none());
        for n_bytes in 0..frame.len() {
            assert!(read::<Request>(&mut &frame[..n_bytes], 100).is_err(), "cut at {n_bytes}");
        }
        let long = [u32::MAX.to_le_bytes().as_slice(), b"x"].concat();
        assert!(matches!(read::<Request>(&mut long.as_slice(), 100), Err(FrameError::TooLong { .. })));
        assert!(matches!(read::<Request>(&mut long.as_slice(), u64::MAX), Err(FrameError::Closed)));
        let noise = [&4u32.to_le_bytes()[..], &[0xff; 4]].concat();
        assert!(matches!(read::<Request>(&mut noise.as_slice(), 100), Err(FrameError::Malformed(_))));
    }
}
