//! What is on disk under the watched folders, now.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::{DirEntry, WalkDir};

use crate::extract;
use crate::index::Row;

/// Larger files are left out: a text of this size is a log or a dump, not a note.
pub(crate) const MAX_FILE_BYTES: u64 = 20 << 20;

/// A file that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Nanoseconds since 1970; 0 where the file system does not say.
    pub modified: i64,
    /// When the file's entry changed, nanoseconds since 1970; 0 where the system has no such time. A rename over
    /// another file brings its old modification time along, but not this.
    pub changed: i64,
    pub size: u64,
    /// Why it is left out without being read.
    pub skip: Option<String>,
}

impl Seen {
    /// Whether the file is as it was when `row` was made.
    pub(crate) fn is_as_in(&self, row: &Row) -> bool {
        (self.modified, self.changed, self.size) == (row.modified, row.changed, row.size)
    }
}

/// The result of one walk over all watched folders.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub files: BTreeMap<PathBuf, Seen>,
    /// Folders and files that could not be looked into: what is known of anything under them is kept.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Watched folders that are not there.
    pub offline: Vec<PathBuf>,
}

/// Walks `roots`, without following links. Hidden files and folders, and `excluded` (our own data), are passed over.
pub(crate) fn scan(roots: &[PathBuf], excluded: &Path) -> Scan {
    let mut scan = Scan::default();
    for root in roots {
        if !root.is_dir() {
            scan.offline.push(root.clone());
            continue;
        }
        let walk = WalkDir::new(root).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|e| e.depth() == 0 || (!is_hidden(e) && e.path() != excluded)) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let seen = see(&entry);
                    scan.files.insert(entry.into_path(), seen);
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    let gone = error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
                    if !gone {
                        scan.unreadable.push((path, error.to_string()));
                    }
                }
            }
        }
    }
    scan
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().first() == Some(&b'.')
}

fn see(entry: &DirEntry) -> Seen {
    let metadata = entry.metadata().ok();
    let size = metadata.as_ref().map_or(0, |m| m.len());
    let changed = metadata.as_ref().map_or(0, changed);
    let modified = metadata
        .and_then(|m| m.modified().ok())
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos() as i64);
    let skip = if entry.path().to_str().is_none() {
        Some("its name is not UTF-8: rename it".to_owned())
    } else if extract::format_of(entry.path()).is_none() {
        let kind = entry.path().extension().map(|e| e.to_string_lossy().to_lowercase());
        Some(kind.map_or("not a text format".to_owned(), |e| format!(".{e} files are not read")))
    } else if size > MAX_FILE_BYTES {
        Some(format!("larger than {} MB", MAX_FILE_BYTES >> 20))
    } else {
        None
    };
    Seen { modified, changed, size, skip }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec()
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> i64 {
    0
}
