//! From scored passages to what is shown: the best passage of each file, with a snippet.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::index::Snapshot;
use crate::pipeline::Answer;
use crate::snippet::snippet;
use crate::{EngineError, Hit, SearchRequest};

/// About three lines of a card.
const SNIPPET_CHARS: usize = 240;

/// At most `request.top` hits at or above the threshold, one a file. A file that is no longer there, or no longer
/// watched, is passed over.
pub(crate) fn hits(
    answer: &Answer,
    snapshot: &Snapshot,
    request: &SearchRequest,
    folders: &[PathBuf],
) -> Result<Vec<Hit>, EngineError> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut files = HashSet::new();
    for scored in &answer.scored {
        if hits.len() == request.top {
            break;
        }
        if request.threshold.is_some_and(|threshold| scored.score < threshold) {
            continue;
        }
        let passage = snapshot.passage(scored.candidate.address).map_err(|e| snapshot.failed(e))?;
        if !files.insert(passage.path.clone()) || !is_shown(Path::new(&passage.path), folders) {
            continue;
        }
        let snippet = snippet(&passage.chunk.text, &request.query, SNIPPET_CHARS);
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
        });
    }
    Ok(hits)
}

fn is_shown(path: &Path, folders: &[PathBuf]) -> bool {
    let Some(folder) = folders.iter().find(|folder| path.starts_with(folder)) else { return false };
    // Notes of a drive that is away are still shown: they are only out of reach.
    path.exists() || !folder.exists()
}
