//! Small files that must not be lost: written twice, so that one damaged copy costs nothing.
//!
//! Beside `settings.toml` lies `settings.toml.copy` with the same bytes. The copy is written first: a crash between the
//! two leaves the old content in the file itself, whole.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::EngineError;

/// What was read.
#[derive(Debug)]
pub(crate) struct TwinFile<T> {
    /// `None` where neither file holds anything sound.
    pub value: Option<T>,
    /// What is wrong with the file itself, e.g. "is empty"; `None` where it is sound, or was never written.
    pub damage: Option<String>,
}

/// Reads the file at `path`, or its copy if the file is damaged or gone. `parse` turns the content into a value, or
/// says why it is not sound.
///
/// # Errors
/// The file is there, but permission to read it is denied.
pub(crate) fn read<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, String>) -> io::Result<TwinFile<T>> {
    let read = |path: &Path| match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    };
    let file = match read(path) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return Err(e),
        other => other,
    };
    let copy = read(&copy_of(path)).ok().flatten();
    let found = match &file {
        Ok(Some(bytes)) if bytes.is_empty() => Err("is empty".to_owned()),
        Ok(Some(bytes)) if copy.as_ref().is_some_and(|copy| is_cut_off(bytes, copy)) => Err("was cut off".to_owned()),
        Ok(Some(bytes)) => parse(bytes).map_err(|why| format!("cannot be understood: {}", why.trim())),
        Ok(None) => Err("is gone".to_owned()),
        Err(e) => Err(format!("cannot be read: {e}")),
    };
    match found {
        Ok(value) => Ok(TwinFile { value: Some(value), damage: None }),
        Err(why) => {
            let never_written = matches!(file, Ok(None)) && copy.is_none();
            let value = copy.and_then(|bytes| parse(&bytes).ok());
            Ok(TwinFile { value, damage: (!never_written).then_some(why) })
        }
    }
}

/// Writes `path` and its copy, each atomically.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    write_atomically(&copy_of(path), bytes)?;
    write_atomically(path, bytes)
}

pub(crate) fn copy_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".copy");
    path.with_file_name(name)
}

/// Whether `bytes` are the beginning of `whole` and end within a line. A person who edits the file leaves whole lines.
fn is_cut_off(bytes: &[u8], whole: &[u8]) -> bool {
    bytes.len() < whole.len() && whole.starts_with(bytes) && !bytes.ends_with(b"\n")
}

/// Writes a temporary file beside `path` and renames it, so that a crash leaves the old content or the new, never half
/// of it. After a failure the temporary file is removed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".tmp{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // This fails if the temporary file was never made.
        let _ = fs::remove_file(&beside);
        EngineError::writing("write", path.to_owned(), source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        if text.starts_with('!') { Err("a `!`".into()) } else { Ok(text.to_owned()) }
    }

    #[test]
    fn a_damaged_file_is_read_from_its_copy() {
        let folder = std::env::temp_dir().join(format!("nuthatch-kept-{}", std::process::id()));
        let path = folder.join("file");
        let kept = |spoil: &dyn Fn()| {
            write(&path, b"one\ntwo\n").unwrap();
            spoil();
            let kept = read(&path, text).unwrap();
            (kept.value, kept.damage)
        };
        let whole = Some("one\ntwo\n".to_owned());
        let says = |what: &str| Some(what.to_owned());
        assert_eq!(kept(&|| {}), (whole.clone(), None));
        assert_eq!(kept(&|| fs::write(&path, b"").unwrap()), (whole.clone(), says("is empty")));
        assert_eq!(kept(&|| fs::write(&path, b"one\ntw").unwrap()), (whole.clone(), says("was cut off")));
        assert_eq!(kept(&|| fs::remove_file(&path).unwrap()), (whole.clone(), says("is gone")));
        assert_eq!(kept(&|| fs::write(&path, b"!").unwrap()), (whole, says("cannot be understood: a `!`")));
        // Whole lines that a person removed stay removed.
        assert_eq!(kept(&|| fs::write(&path, b"one\n").unwrap()), (Some("one\n".to_owned()), None));
        let both_gone = || {
            fs::remove_file(&path).unwrap();
            fs::remove_file(copy_of(&path)).unwrap();
        };
        assert_eq!(kept(&both_gone), (None, None));
        fs::remove_dir_all(folder).unwrap();
    }
}
