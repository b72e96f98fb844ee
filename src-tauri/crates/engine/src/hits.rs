//! Turns the notes that were found into hits: a snippet of the best passage, with its scores, ranks and place.

use std::path::PathBuf;

use crate::copies::Member;
use crate::index::Snapshot;
use crate::listing::{Entry, listed};
use crate::pipeline::Answer;
use crate::snippet::Finder;
use crate::visibility::Visibility;
use crate::{EngineError, Hit, SearchRequest};

/// About three lines of a card.
const SNIPPET_CHARS: usize = 240;

/// The hits to show, and the files that turned out to be gone or changed since they were read.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub hits: Vec<Hit>,
    pub outdated: Vec<PathBuf>,
}

/// The hits of an answer: see [`listed`].
pub(crate) fn hits(
    answer: &Answer,
    snapshot: &Snapshot,
    request: &SearchRequest,
    visibility: &Visibility<'_>,
) -> Result<Shown, EngineError> {
    let listed = listed(answer, snapshot, request, visibility)?;
    let finder = Finder::of(&answer.terms);
    let hits = listed.entries.into_iter().enumerate().map(|(i, entry)| hit(i + 1, entry, &finder)).collect();
    Ok(Shown { hits, outdated: listed.outdated })
}

fn hit(rank: usize, entry: Entry, finder: &Finder) -> Hit {
    let (group, scored) = match entry {
        Entry::Note(group, scored) => (group, scored),
        Entry::Unread { path, reason } => return unread(rank, path, reason),
    };
    let copies = group.copies();
    let Member { passage, worth, is_stale, .. } = group.shown;
    let snippet = finder.snippet(&passage.chunk.text, SNIPPET_CHARS);
    Hit {
        rank,
        score: Some(scored.score),
        raw_score: scored.raw_score,
        path: worth.path,
        title: passage.title,
        snippet: snippet.text,
        highlights: snippet.highlights,
        span: [passage.chunk.span.start, passage.chunk.span.end],
        place: passage.chunk.place,
        recall_rank: scored.recall_rank,
        lexical_rank: scored.candidate.evidence.lexical_rank,
        vector_rank: scored.candidate.evidence.vector_rank,
        stale: is_stale,
        copies,
        unread: None,
    }
}

fn unread(rank: usize, path: PathBuf, reason: String) -> Hit {
    Hit {
        rank,
        score: None,
        raw_score: 0.0,
        title: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path,
        snippet: String::new(),
        highlights: Vec::new(),
        span: [0, 0],
        place: None,
        recall_rank: 0,
        lexical_rank: None,
        vector_rank: None,
        stale: false,
        copies: Vec::new(),
        unread: Some(reason),
    }
}
