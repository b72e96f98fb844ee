//! Reads files that somebody else can change at any moment. Opens only plain files, never through a link, and never
//! waits for the other end of a pipe.

use std::fs::{self, File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use crate::scan::{Stamp, special};

/// How often a file is read at most if it changes while it is read.
const ATTEMPTS: usize = 3;

/// The whole content of a file, and its stamp, which was the same before and after reading. `None` if `is_ready`
/// refuses the stamp, or if the file changed during each attempt.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no file. [`ErrorKind::InvalidInput`] if something else has taken its place; the
/// message says what.
pub(crate) fn read(path: &Path, is_ready: &dyn Fn(&Stamp) -> bool) -> Result<Option<(Vec<u8>, Stamp)>, Error> {
    for _ in 0..ATTEMPTS {
        let mut file = open(path)?;
        let before = Stamp::of(&plain(&file.metadata()?)?);
        if !is_ready(&before) {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(before.size as usize);
        // Reads up to one byte more, to notice a file that has grown.
        file.by_ref().take(before.size + 1).read_to_end(&mut bytes)?;
        let after = Stamp::of(&file.metadata()?);
        // An editor that saves by renaming leaves the open file as it was, so the path is looked at, too.
        let here = Stamp::of(&fs::symlink_metadata(path)?);
        if before == after && before == here && bytes.len() as u64 == before.size {
            return Ok(Some((bytes, before)));
        }
    }
    Ok(None)
}

/// Opens a plain file, never through a link: one put there since the last look could lead out of the watched folder.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    // Checked before opening, because merely opening some devices has an effect.
    plain(&fs::symlink_metadata(path)?)?;
    let file = open_itself(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

fn plain(metadata: &Metadata) -> Result<Metadata, Error> {
    let kind = metadata.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(metadata.clone()),
        () if kind.is_dir() => "a folder",
        () if kind.is_symlink() => "a link",
        () => special(kind),
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("{found} has taken the place of the file, and is never opened")))
}

#[cfg(unix)]
fn open_itself(path: &Path) -> Result<File, Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    File::options().read(true).custom_flags(flags).open(path).map_err(|error| match error.raw_os_error() {
        // The file has become a link since it was checked.
        Some(libc::ELOOP) => Error::new(ErrorKind::InvalidInput, "a link has taken the place of the file"),
        _ => error,
    })
}

#[cfg(not(unix))]
fn open_itself(path: &Path) -> Result<File, Error> {
    File::open(path)
}
