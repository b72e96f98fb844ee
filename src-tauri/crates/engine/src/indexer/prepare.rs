//! One file, read whole and cut.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::chunk::{ChunkRules, chunks};
use crate::extract::ExtractError;
use crate::extract::worker::{Urgency, Workers};
use crate::index::{Passage, Row, RowState, text_hash};
use crate::scan::Stamp;
use crate::{Cancel, reading};

/// Bytes of tags and aliases that every passage of a note carries. A list that is longer (an export can have 100,000 tags)
/// goes with the first passage alone: copied into each it would take gigabytes.
const CARRIED_TAG_BYTES: usize = 500;

/// A file, read and cut, ready to be written.
pub(super) struct Prepared {
    pub row: Row,
    pub passages: Vec<Passage>,
    pub hashes: Vec<u64>,
}

pub(super) enum Outcome {
    /// What went wrong with its content is the row's reason.
    Ready(Prepared),
    /// It is being written, or reading it was called off: to be looked at again once it is at rest.
    Unsettled,
    Gone,
    /// Its content could not be had, whatever it is: permission, or a drive.
    OutOfReach(Prepared),
}

/// Reads and cuts one file that has been at rest for `settle`.
pub(super) fn prepare(path: &Path, settle: Duration, workers: &Workers, cancel: &Cancel) -> Outcome {
    let (bytes, stamp) = match reading::read(path, &|stamp| stamp.is_at_rest(settle)) {
        Ok(Some(read)) => read,
        Ok(None) => return Outcome::Unsettled,
        // What was a file at the last look may be something else by now.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput) =>
        {
            return Outcome::Gone;
        }
        Err(error) => {
            let stamp = fs::symlink_metadata(path).map(|metadata| Stamp::of(&metadata)).unwrap_or_default();
            let reason = format!("cannot be read: {error}");
            return Outcome::OutOfReach(without_text(row(path, stamp), RowState::Failed, reason));
        }
    };
    let mut row = row(path, stamp);
    let document = match workers.extract(path, bytes, Urgency::Background, cancel) {
        Ok(document) => document,
        Err(ExtractError::Cancelled) => return Outcome::Unsettled,
        Err(error) => {
            // Nothing is wrong with it, and to read it again would not help.
            let is_left_out = matches!(error, ExtractError::Generated { .. });
            let state = if is_left_out { RowState::Skipped } else { RowState::Failed };
            return Outcome::Ready(without_text(row, state, error.to_string()));
        }
    };
    let mut tags = document.tags.clone();
    tags.extend(document.aliases.iter().cloned());
    // Shared: a file of short tags has 30,000 passages that carry a hundred of them.
    let carried: Arc<[String]> = tags[..n_within(&tags, CARRIED_TAG_BYTES)].into();
    let tags: Arc<[String]> = tags.into();
    let passages: Vec<Passage> = chunks(&document, &ChunkRules::default())
        .into_iter()
        .map(|chunk| Passage {
            path: path.to_string_lossy().into_owned(),
            title: document.title.clone(),
            tags: if chunk.ordinal == 0 { tags.clone() } else { carried.clone() },
            chunk,
        })
        .collect();
    row.passages = passages.len();
    let hashes = passages.iter().map(|p| text_hash(&p.model_text())).collect();
    Outcome::Ready(Prepared { row, passages, hashes })
}

/// How many of `tags`, from the first on, are `bytes` long together at most.
fn n_within(tags: &[String], bytes: usize) -> usize {
    let ends = tags.iter().scan(0, |end, tag| {
        *end += tag.len();
        Some(*end)
    });
    ends.take_while(|end| *end <= bytes).count()
}

fn row(path: &Path, stamp: Stamp) -> Row {
    Row {
        path: path.to_owned(),
        state: RowState::Indexed,
        reason: None,
        at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        embedded: false,
        passages: 0,
        modified: stamp.modified,
        changed: stamp.changed,
        size: stamp.size,
    }
}

fn without_text(mut row: Row, state: RowState, reason: String) -> Prepared {
    row.state = state;
    row.reason = Some(reason);
    Prepared { row, passages: Vec::new(), hashes: Vec::new() }
}
