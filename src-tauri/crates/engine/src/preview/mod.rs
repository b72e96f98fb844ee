//! The note around a hit.

mod recent;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub(crate) use recent::Recent;

use crate::extract::{Document, Format};
use crate::snippet::highlights;

/// Text of a note around a passage. Offsets count Unicode code points of `text`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    pub path: PathBuf,
    pub title: String,
    /// As in [`Format::as_str`]. `text` has no tags if this is `html`, and is text even if the file is not (a PDF).
    pub format: String,
    pub text: String,
    /// The passage in `text`, end exclusive.
    pub hit: [usize; 2],
    /// The question's words in `text`.
    pub highlights: Vec<[usize; 2]>,
    /// Whether the note goes on before and after `text`.
    pub cut_before: bool,
    pub cut_after: bool,
}

/// How much of the note is shown on each side of the passage, in code points.
const REACH_CHARS: usize = 6000;

/// Shows the note around `span`, a byte range as in [`crate::chunk::Chunk::span`]. A span that no longer fits the file
/// is moved into it. HTML is shown as it reads, everything else as it is written.
pub fn preview(path: &Path, document: &Document, span: [usize; 2], query: &str) -> Preview {
    let (text, parts, hit) = match document.format {
        Format::Html => as_it_reads(document, span),
        _ => as_written(document, span),
    };
    let shown = around(&text, &hit, &parts);
    let points = |range: Range<usize>| text[range].chars().count();
    let start = points(shown.start..hit.start);
    let part = &text[shown.clone()];
    Preview {
        path: path.to_owned(),
        title: document.title.clone(),
        format: document.format.as_str().to_owned(),
        text: part.to_owned(),
        hit: [start, start + points(hit)],
        highlights: highlights(part, query),
        cut_before: !text[..shown.start].trim().is_empty(),
        cut_after: !text[shown.end..].trim().is_empty(),
    }
}

/// A text to show, its blocks and the passage in it, in bytes.
type Shown = (String, Vec<Range<usize>>, Range<usize>);

fn as_written(document: &Document, [start, end]: [usize; 2]) -> Shown {
    let text = document.text.as_str();
    let start = text.floor_char_boundary(start);
    let hit = start..text.ceil_char_boundary(end).max(start);
    let mark = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let shift = |range: Range<usize>| range.start.saturating_sub(mark)..range.end.saturating_sub(mark);
    let parts = document.blocks.iter().map(|block| shift(block.span.clone())).collect();
    (text[mark..].to_owned(), parts, shift(hit))
}

fn as_it_reads(document: &Document, [start, end]: [usize; 2]) -> Shown {
    let mut text = String::new();
    let mut parts = Vec::new();
    let mut hit: Option<Range<usize>> = None;
    for block in &document.blocks {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let at = text.len();
        text.push_str(&block.text);
        parts.push(at..text.len());
        if block.span.start < end && start < block.span.end {
            let begins = if start <= block.span.start { at } else { at + block.text_offset(start) };
            let from = hit.take().map_or(begins, |hit| hit.start);
            let to = if end >= block.span.end { text.len() } else { at + block.text_offset(end) };
            hit = Some(from..to.max(from));
        }
    }
    (text, parts, hit.unwrap_or(0..0))
}

/// The range of `text` to show: the passage and up to [`REACH_CHARS`] on each side, cut between blocks.
fn around(text: &str, hit: &Range<usize>, parts: &[Range<usize>]) -> Range<usize> {
    let earliest = text[..hit.start].char_indices().rev().nth(REACH_CHARS - 1).map(|(at, _)| at);
    let latest = text[hit.end..].char_indices().nth(REACH_CHARS).map(|(at, _)| hit.end + at);
    let start = earliest.filter(|at| *at > 0).map_or(0, |earliest| {
        parts.iter().map(|part| part.start).find(|start| *start >= earliest).unwrap_or(earliest).min(hit.start)
    });
    let end = latest.map_or(text.len(), |latest| {
        parts.iter().map(|part| part.end).rfind(|end| *end <= latest).unwrap_or(latest).max(hit.end)
    });
    // If no block ends within reach, the cut is inside a block.
    let start = if start == hit.start { earliest.unwrap_or(start) } else { start };
    let end = if end == hit.end { latest.unwrap_or(end) } else { end };
    start..end
}

#[cfg(test)]
mod tests;
