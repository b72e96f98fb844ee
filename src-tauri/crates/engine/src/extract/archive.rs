//! Reads ZIP archives, which Office, OpenDocument and EPUB files are, and limits what they decompress to.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::Unreadable;

/// Most entries of an archive. A book with a thousand pictures has a few thousand entries.
const MAX_ENTRIES: usize = 20_000;

/// Largest single part, decompressed. The text of a thousand-page book is 3 MB, with Office's markup ten times that.
const MAX_PART_BYTES: u64 = 128 << 20;

/// Most bytes that are decompressed from one archive in all.
const MAX_UNFOLDED_BYTES: u64 = 256 << 20;

/// First bytes of Office files that are not ZIP archives: the old binary formats, and encrypted new ones.
pub(super) const COMPOUND_FILE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

pub(super) const ENCRYPTED: &str = "it is protected by a password: save a copy without one if it should be searched";
const BOMB: &str = "it unfolds to more than 256 MB";
const PART_BOMB: &str = "one part of it unfolds to more than 128 MB";
const NO_ARCHIVE: &str = "it is damaged or not what its name says (no ZIP archive)";

pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be decompressed.
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        check_magic(bytes)?;
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| broken(NO_ARCHIVE))?;
        if zip.len() > MAX_ENTRIES {
            return Err(broken("it holds more than 20,000 files"));
        }
        Ok(Self { zip, left: MAX_UNFOLDED_BYTES })
    }

    /// A part's bytes; `None` if the archive has no part of that name.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let part = match self.zip.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => return Err(broken(ENCRYPTED)),
            Err(_) => return Err(damaged(name)),
        };
        let allowed = self.left.min(MAX_PART_BYTES);
        let mut bytes = Vec::new();
        // Reads one byte more than allowed to see whether the part is too long, whatever size the archive claims.
        let read = part.take(allowed + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > allowed {
            return Err(broken(if allowed < MAX_PART_BYTES { BOMB } else { PART_BOMB }));
        }
        read.map_err(|_| damaged(name))?;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// A part that is XML, decoded.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let bytes = self.bytes(name)?;
        // Nearly always UTF-8. A byte order mark announces UTF-16, which the standards also allow.
        Ok(bytes.map(|bytes| encoding_rs::UTF_8.decode(&bytes).0.into_owned()))
    }

    /// A part that the file cannot be read without.
    pub(super) fn required(&mut self, name: &str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or_else(|| Unreadable::Broken(format!("it is damaged: {name} is missing in it")))
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }
}

/// Refuses what [`Archive`] would refuse, for a library that opens the archive itself. An archive may lie about its
/// sizes, so all of it is decompressed once and discarded.
pub(super) fn check(bytes: &[u8]) -> Result<(), Unreadable> {
    let mut archive = Archive::open(bytes)?;
    for at in 0..archive.zip.len() {
        // A damaged part, such as a picture, must not keep the rest of the file from being read.
        let Ok(part) = archive.zip.by_index(at) else { continue };
        let unfolded = std::io::copy(&mut part.take(archive.left + 1), &mut std::io::sink()).unwrap_or(0);
        archive.left = archive.left.checked_sub(unfolded).ok_or_else(|| broken(BOMB))?;
    }
    Ok(())
}

fn check_magic(bytes: &[u8]) -> Result<(), Unreadable> {
    match bytes {
        [] => Err(broken("it is empty")),
        _ if bytes.starts_with(COMPOUND_FILE) && is_encrypted_office(bytes) => Err(broken(ENCRYPTED)),
        _ if bytes.starts_with(COMPOUND_FILE) => {
            Err(broken("it is of the old binary Office format in spite of its name: save it in the new one"))
        }
        _ => Ok(()),
    }
}

/// An encrypted Office file is a compound file, like the old formats, that contains the new one. Its names are UTF-16.
pub(super) fn is_encrypted_office(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(name.len()).any(|window| window == name)
}

/// Resolves a `name` that the part `base` refers to: `../media/a.xml` in `ppt/slides/slide1.xml` is `ppt/media/a.xml`.
pub(super) fn resolve(base: &str, name: &str) -> String {
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole = if name.starts_with('/') { name.to_owned() } else { format!("{folder}/{name}") };
    let mut steps: Vec<&str> = Vec::new();
    for step in whole.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

pub(super) fn broken(reason: &str) -> Unreadable {
    Unreadable::Broken(reason.to_owned())
}

fn damaged(name: &str) -> Unreadable {
    Unreadable::Broken(format!("it is damaged: {name} in it cannot be unfolded"))
}
