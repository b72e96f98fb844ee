//! Looks at what is on disk under the watched folders now, and decides what is left out and why.
//!
//! Every file gets an entry, which says either that it is to be read or why it is not. A folder that is left out is one
//! entry and is not entered. A watched folder may itself be a link. Links in it are never followed, so no walk ends in
//! a loop or leads out of a watched folder, and only plain files are ever opened.

mod ignore_files;
mod places;
mod rules;
mod walk;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use places::{Away, Places};
pub(crate) use rules::Rules;
pub(crate) use walk::special;

use crate::index::Row;

/// When a file was changed and how large it is. An equal stamp means that the file has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds since 1970; 0 where the file system does not say.
    pub modified: i64,
    /// When the file's entry changed, nanoseconds since 1970; 0 where the system has no such time. A rename over
    /// another file brings its old modification time along, but not this.
    pub changed: i64,
    pub size: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Self { modified: modified.map_or(0, |d| d.as_nanos() as i64), changed: changed(metadata), size: metadata.len() }
    }

    /// Whether the file is as it was when `row` was made.
    pub(crate) fn is_as_in(&self, row: &Row) -> bool {
        (self.modified, self.changed, self.size) == (row.modified, row.changed, row.size)
    }

    /// Whether nothing has happened to the file for `settle`. A time in the future comes from a wrong clock, and is no
    /// reason to wait.
    pub(crate) fn is_at_rest(&self, settle: Duration) -> bool {
        let last = if self.changed == 0 { self.modified } else { self.changed };
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return true };
        let age = now.as_nanos() as i64 - last;
        age < 0 || age >= settle.as_nanos() as i64
    }

    /// Seconds since 1970 of the last change.
    pub(crate) fn at(&self) -> u64 {
        u64::try_from(self.modified.max(self.changed) / 1_000_000_000).unwrap_or_default()
    }
}

/// What is to be done with something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Read,
    /// Left out on purpose, and why.
    Skip(String),
    /// A file in a format that is read, but left out for its size. It can still be found by its name.
    TooLarge(String),
    /// Could not be looked at, and why. What is known of it, and of anything below it, is kept.
    Unreadable(String),
}

/// A file, or a folder that was not entered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub stamp: Stamp,
    pub verdict: Verdict,
}

/// The result of looking at the disk, at all of it or at parts.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The files and folders looked at, with everything below them; `None` for all watched folders.
    pub scopes: Option<Vec<PathBuf>>,
    pub entries: BTreeMap<PathBuf, Seen>,
    /// Watched folders, and drives inside them, that are not there now. What is known of them is kept.
    pub away: Vec<Away>,
    /// Devices of the watched folders and of drives inside them.
    pub devices: BTreeMap<PathBuf, u64>,
}

/// Files known from earlier looks. They tell a drive that is away from files that were deleted.
pub(crate) trait Known {
    /// Some of the files known under `folder`, enough to see whether it is the same folder.
    fn some_under(&self, folder: &Path) -> Vec<PathBuf>;
}

impl Known for BTreeMap<PathBuf, Row> {
    fn some_under(&self, folder: &Path) -> Vec<PathBuf> {
        /// If none of this many files is there, the folder is on another drive, or its drive is away.
        const ENOUGH: usize = 200;
        under(self, folder).take(ENOUGH).map(|(path, _)| path.clone()).collect()
    }
}

/// The entries of `map` at `folder` and below: paths are ordered by their components.
pub(crate) fn under<'m, V>(
    map: &'m BTreeMap<PathBuf, V>,
    folder: &'m Path,
) -> impl Iterator<Item = (&'m PathBuf, &'m V)> {
    map.range::<Path, _>((Bound::Included(folder), Bound::Unbounded))
        .take_while(move |(path, _)| path.starts_with(folder))
}

/// Looks at everything. `entered` is told of each folder before it is listed.
pub(crate) fn everything(rules: &Rules, places: &Places, known: &dyn Known, entered: &mut dyn FnMut(&Path)) -> Look {
    let mut look = Look::default();
    for root in &rules.roots {
        walk::root(rules, places, known, root, &mut look, entered);
    }
    look
}

/// Looks at `paths` and everything below them. Paths outside every watched folder are passed over. If something above a
/// path decides about it (an ignored folder, an ignore file that changed), that is looked at instead.
pub(crate) fn some(
    rules: &Rules,
    places: &Places,
    known: &dyn Known,
    paths: &[PathBuf],
    entered: &mut dyn FnMut(&Path),
) -> Look {
    let mut look = Look { scopes: Some(Vec::new()), ..Look::default() };
    for path in paths {
        let Some(scope) = walk::one(rules, places, known, path, &mut look, entered) else { continue };
        look.scopes.get_or_insert_default().push(scope);
    }
    look
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

#[cfg(unix)]
pub(crate) fn device(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.dev()
}

/// One number for all, as drives have letters here: a path that exists is on the drive that it names.
#[cfg(not(unix))]
pub(crate) fn device(_: &Metadata) -> u64 {
    0
}
