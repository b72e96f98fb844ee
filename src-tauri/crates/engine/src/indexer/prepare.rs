//! Reads one file whole and cuts it into passages.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::chunk::{ChunkRules, chunks};
use crate::extract::worker::{Urgency, Workers};
use crate::extract::{Document, ExtractError};
use crate::guard::caught;
use crate::index::{PROGRAM, Passage, Row, RowState, text_hash, unanalysable};
use crate::scan::Stamp;
use crate::{Cancel, reading};

/// How many bytes of a note's tags and aliases every passage carries. Only the first passage carries a longer list
/// whole (an export can have 100,000 tags): copied into each passage it would take gigabytes.
const CARRIED_TAG_BYTES: usize = 500;

/// A file, read and cut, ready to be written.
pub(super) struct Prepared {
    pub row: Row,
    pub passages: Vec<Passage>,
    pub hashes: Vec<u64>,
}

pub(super) enum Outcome {
    /// The content was read. If it could not be used, the row's reason says why.
    Ready(Prepared),
    /// It is being written, or reading it was cancelled. It has to be looked at again once it is at rest.
    Unsettled,
    Gone,
    /// The content could not be read at all, because of permissions or of the drive.
    OutOfReach(Prepared),
}

/// How files are read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub workers: &'a Workers,
    /// Files whose texts are also analysed here, to see whether that panics: the analysis of one of them did before.
    pub suspects: &'a BTreeMap<PathBuf, Stamp>,
    pub cancel: &'a Cancel,
}

/// Reads and cuts one file that has been at rest for `settle`. Never panics: a file that cannot be read, cut or
/// analysed counts as failed.
pub(super) fn prepare(path: &Path, settle: Duration, reader: Reader<'_>) -> Outcome {
    let Reader { workers, cancel, .. } = reader;
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
    let row = row(path, stamp);
    let document = match workers.extract(path, bytes, Urgency::Background, cancel) {
        Ok(document) => document,
        Err(ExtractError::Cancelled) => return Outcome::Unsettled,
        Err(error) => {
            // Nothing is wrong with a generated file, and reading it again would not help.
            let is_left_out = matches!(error, ExtractError::Generated { .. });
            let state = if is_left_out { RowState::Skipped } else { RowState::Failed };
            return Outcome::Ready(without_text(row, state, error.to_string()));
        }
    };
    let cut = caught(|| cut(path, &document)).and_then(|(passages, hashes)| {
        let is_suspect = reader.suspects.contains_key(path);
        let spoilt = if is_suspect { unanalysable(&passages) } else { None };
        spoilt.map_or(Ok((passages, hashes)), Err)
    });
    match cut {
        Ok((passages, hashes)) => {
            let row = Row { passages: passages.len(), ..row };
            Outcome::Ready(Prepared { row, passages, hashes })
        }
        Err(message) => {
            let reason = ExtractError::panicked(path, message).to_string();
            Outcome::Ready(without_text(row, RowState::Failed, reason))
        }
    }
}

/// The passages of a file, and the hash of each.
fn cut(path: &Path, document: &Document) -> (Vec<Passage>, Vec<u64>) {
    #[cfg(test)]
    crate::guard::Trap::Chunker.pass(document.text.as_bytes());
    let mut tags = document.tags.clone();
    tags.extend(document.aliases.iter().cloned());
    // Shared, because a file can have 30,000 passages that carry a hundred short tags each.
    let carried: Arc<[String]> = tags[..n_within(&tags, CARRIED_TAG_BYTES)].into();
    let tags: Arc<[String]> = tags.into();
    let passages: Vec<Passage> = chunks(document, &ChunkRules::default())
        .into_iter()
        .map(|chunk| Passage {
            path: path.to_string_lossy().into_owned(),
            title: document.title.clone(),
            tags: if chunk.ordinal == 0 { tags.clone() } else { carried.clone() },
            chunk,
        })
        .collect();
    let hashes = passages.iter().map(|p| text_hash(&p.model_text())).collect();
    (passages, hashes)
}

/// How many of `tags`, from the first on, fit into `bytes` together.
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
        failed_by: 0,
    }
}

fn without_text(mut row: Row, state: RowState, reason: String) -> Prepared {
    row.state = state;
    row.failed_by = if state == RowState::Failed { PROGRAM } else { 0 };
    row.reason = Some(reason);
    Prepared { row, passages: Vec::new(), hashes: Vec::new() }
}
