//! The ZIP archives that Office, OpenDocument and EPUB files are, with an eye on what they unfold to.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::Unreadable;

/// Largest archive in entries. A book of a thousand pictures has a few thousand.
const MAX_ENTRIES: usize = 20_000;

/// Largest single part, unfolded: the text of a book of a thousand pages is 3 MB, with Office's markup ten times that.
const MAX_PART_BYTES: u64 = 128 << 20;

/// How much is unfolded of one archive in all.
const MAX_UNFOLDED_BYTES: u64 = 256 << 20;

/// What the formats that are no longer archives began with: the old Office files, and encrypted new ones.
pub(super) const COMPOUND_FILE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

pub(super) const ENCRYPTED: &str = "it is protected by a password: save a copy without one if it should be searched";
const BOMB: &str = "it unfolds to more than 256 MB";
const PART_BOMB: &str = "one part of it unfolds to more than 128 MB";
const NO_ARCHIVE: &str = "it is damaged or not what its name says (no ZIP archive)";

pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// What may still be unfolded, in bytes.
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

    /// A part's bytes; `None` if the archive has none of that name.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let part = match self.zip.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => return Err(broken(ENCRYPTED)),
            Err(_) => return Err(damaged(name)),
        };
        let allowed = self.left.min(MAX_PART_BYTES);
        let mut bytes = Vec::new();
        // One byte more than is allowed tells that there is more, whatever size the archive claims.
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
        // UTF-8 nearly always; a byte order mark tells UTF-16, which the standards allow as well.
        Ok(bytes.map(|bytes| encoding_rs::UTF_8.decode(&bytes).0.into_owned()))
    }

    /// A part without which the file is nothing.
    pub(super) fn required(&mut self, name: &str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or_else(|| Unreadable::Broken(format!("it is damaged: {name} is missing in it")))
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }
}

/// For a library that opens the archive itself: refuses what [`Archive`] would refuse. What an archive claims of its sizes
/// is not believed, so all of it is unfolded once, to nowhere.
pub(super) fn check(bytes: &[u8]) -> Result<(), Unreadable> {
    let mut archive = Archive::open(bytes)?;
    for at in 0..archive.zip.len() {
        // A damaged picture is no reason not to read the table beside it.
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

/// An encrypted Office file is an old compound file that holds the new one. Names in it are UTF-16.
pub(super) fn is_encrypted_office(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(name.len()).any(|window| window == name)
}

/// `name` as another part refers to it, from the folder of `base`: `../media/a.xml` from `ppt/slides/slide1.xml`.
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
