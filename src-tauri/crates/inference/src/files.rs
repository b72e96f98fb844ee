//! Reads a model's files and computes their SHA-256 sums.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use sha2::{Digest, Sha256};

use crate::LoadError;

/// Reads a whole file. A missing file and an unreadable one give different errors.
pub fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LoadError::NoFile { file: file.to_owned() },
        _ => LoadError::Io { file: file.to_owned(), source },
    })
}

/// Whether a path found in one of a model's files stays inside the model's folder.
pub fn is_plain(name: &str) -> bool {
    !name.contains('\\') && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Lower-case hexadecimal SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal SHA-256 of a file and its length in bytes, without holding it in memory.
pub fn sha256_of(file: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(file)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex(&sum.finalize()), bytes)),
            n => {
                sum.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}
