//! Decides which files may be shown, by comparing a file on disk now with the file as it was read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::index::{Row, Snapshot};
use crate::scan::Stamp;

/// Only files under a watched folder may be shown, if they are there or out of reach.
pub(crate) struct Visibility<'a> {
    pub folders: &'a [PathBuf],
    /// Whether a missing file is on a drive that is away, rather than deleted.
    pub is_away: &'a dyn Fn(&Path) -> bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    AsRead,
    /// On a drive that is away, or in a folder that cannot be looked into: kept, and shown.
    OutOfReach,
    Changed,
    Gone,
    NotWatched,
}

impl Visibility<'_> {
    /// How an indexed file stands on disk, now.
    pub(crate) fn standing(&self, path: &Path, snapshot: &Snapshot) -> Result<Standing, EngineError> {
        Ok(self.look(path, snapshot)?.0)
    }

    /// Like [`Visibility::standing`], with the file's row in the index.
    pub(crate) fn look(&self, path: &Path, snapshot: &Snapshot) -> Result<(Standing, Option<Row>), EngineError> {
        if !self.folders.iter().any(|folder| path.starts_with(folder)) {
            return Ok((Standing::NotWatched, None));
        }
        let row = snapshot.row_of(path).map_err(|e| snapshot.failed(e))?;
        let stamp = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Stamp::of(&metadata),
            Ok(_) => return Ok((Standing::Gone, row)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let away = (self.is_away)(path);
                return Ok((if away { Standing::OutOfReach } else { Standing::Gone }, row));
            }
            Err(_) => return Ok((Standing::OutOfReach, row)),
        };
        let is_as_read = row.as_ref().is_some_and(|row| stamp.is_as_in(row));
        Ok((if is_as_read { Standing::AsRead } else { Standing::Changed }, row))
    }
}
