//! The note around a hit.

use std::path::PathBuf;

use serde::Serialize;

/// Text of a note around a passage. Offsets count Unicode code points of `text`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    pub path: PathBuf,
    pub title: String,
    /// `markdown`, `text` or `html` (tags already taken off).
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

/// Shows the note around `span`, a byte range as in [`crate::chunk::Chunk::span`] (one that no longer fits the file
/// is moved into it): Markdown and text as they are written, HTML as it reads.
pub fn preview(
    _path: &std::path::Path,
    _bytes: &[u8],
    _span: [usize; 2],
    _query: &str,
) -> Result<Preview, crate::extract::ExtractError> {
    todo!()
}
