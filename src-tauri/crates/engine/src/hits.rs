//! From scored passages to what is shown: the best passage of each file, with a snippet.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::index::Snapshot;
use crate::pipeline::{Answer, Scored};
use crate::scan::Stamp;
use crate::snippet::Finder;
use crate::{EngineError, Hit, SearchRequest};

/// About three lines of a card.
const SNIPPET_CHARS: usize = 240;

/// What is to be shown, and which files turned out to be gone or changed since they were read.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub hits: Vec<Hit>,
    pub outdated: Vec<PathBuf>,
}

/// What may be shown: files that are there, under a watched folder, or out of reach.
pub(crate) struct Wall<'a> {
    pub folders: &'a [PathBuf],
    /// Whether a file that is not there is on a drive that is away, rather than deleted.
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

/// At most `request.top` hits at or above the threshold, one a file. A file that is no longer there, or no longer
/// watched, is passed over; one that has changed since is marked as stale, because what it says now is not known until
/// it is read again.
pub(crate) fn hits(
    answer: &Answer,
    snapshot: &Snapshot,
    request: &SearchRequest,
    wall: &Wall<'_>,
) -> Result<Shown, EngineError> {
    let Shown { mut hits, mut outdated } = Shown::default();
    let mut files = HashSet::new();
    let finder = Finder::of(&answer.terms);
    for scored in by_name_first(answer, snapshot)? {
        if hits.len() == request.top {
            break;
        }
        if request.threshold.is_some_and(|threshold| scored.score < threshold) {
            continue;
        }
        let passage = snapshot.passage(scored.candidate.address).map_err(|e| snapshot.failed(e))?;
        if !files.insert(passage.path.clone()) {
            continue;
        }
        let standing = wall.standing(Path::new(&passage.path), snapshot)?;
        if matches!(standing, Standing::Changed | Standing::Gone) {
            outdated.push(PathBuf::from(&passage.path));
        }
        if matches!(standing, Standing::Gone | Standing::NotWatched) {
            continue;
        }
        let snippet = finder.snippet(&passage.chunk.text, SNIPPET_CHARS);
        hits.push(Hit {
            rank: hits.len() + 1,
            score: scored.score,
            raw_score: scored.raw_score,
            path: PathBuf::from(passage.path),
            title: passage.title,
            snippet: snippet.text,
            highlights: snippet.highlights,
            span: [passage.chunk.span.start, passage.chunk.span.end],
            place: passage.chunk.place,
            recall_rank: scored.recall_rank,
            lexical_rank: scored.candidate.evidence.lexical_rank,
            vector_rank: scored.candidate.evidence.vector_rank,
            stale: standing == Standing::Changed,
        });
    }
    Ok(Shown { hits, outdated })
}

/// In the answer's order, files that were asked for by name first.
fn by_name_first<'a>(answer: &'a Answer, snapshot: &Snapshot) -> Result<Vec<&'a Scored>, EngineError> {
    if answer.named.is_empty() {
        return Ok(answer.scored.iter().collect());
    }
    let mut of_named = HashSet::new();
    for named in &answer.named {
        of_named.extend(snapshot.passages_of(Path::new(&named.path)).map_err(|e| snapshot.failed(e))?);
    }
    let is_named = |scored: &&Scored| of_named.contains(&scored.candidate.address);
    let (mut first, rest): (Vec<_>, Vec<_>) = answer.scored.iter().partition(is_named);
    first.extend(rest);
    Ok(first)
}

impl Wall<'_> {
    /// How an indexed file stands on disk, now.
    pub(crate) fn standing(&self, path: &Path, snapshot: &Snapshot) -> Result<Standing, EngineError> {
        if !self.folders.iter().any(|folder| path.starts_with(folder)) {
            return Ok(Standing::NotWatched);
        }
        let stamp = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Stamp::of(&metadata),
            Ok(_) => return Ok(Standing::Gone),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let away = (self.is_away)(path);
                return Ok(if away { Standing::OutOfReach } else { Standing::Gone });
            }
            Err(_) => return Ok(Standing::OutOfReach),
        };
        let row = snapshot.row_of(path).map_err(|e| snapshot.failed(e))?;
        Ok(if row.is_some_and(|row| stamp.is_as_in(&row)) { Standing::AsRead } else { Standing::Changed })
    }
}
