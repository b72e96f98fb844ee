//! From a [`Document`] to the passages that are indexed, embedded and shown.

use std::ops::Range;

use crate::extract::Document;

/// Sizes in model tokens, as [`estimate_tokens`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRules {
    /// A passage is closed once it holds this many.
    pub target_tokens: usize,
    /// How much of a passage's end the next one repeats, where a long section is cut. 0 for none.
    pub overlap_tokens: usize,
    /// No passage is longer (by the estimate).
    pub max_tokens: usize,
}

impl Default for ChunkRules {
    fn default() -> Self {
        Self { target_tokens: 200, overlap_tokens: 40, max_tokens: 320 }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// 0-based place in the document.
    pub ordinal: usize,
    /// Byte range of [`Document::text`], as in [`crate::extract::Block::span`].
    pub span: Range<usize>,
    /// The headings above the passage, outermost first.
    pub heading_path: Vec<String>,
    /// Readable text, blocks a blank line apart. Empty only where the whole note is (its name is still found).
    pub text: String,
}

/// Cuts a document into passages, in order. Never empty: a blank note is one blank passage.
pub fn chunks(_document: &Document, _rules: &ChunkRules) -> Vec<Chunk> {
    todo!()
}

/// What the models read of a passage: "Title > Heading", a line break, the text. The title is left out where the
/// passage begins with it.
pub fn embedding_text(_title: &str, _chunk: &Chunk) -> String {
    todo!()
}

/// How many tokens a WordPiece or SentencePiece model makes of a text, roughly and fast, without a model.
pub fn estimate_tokens(_text: &str) -> usize {
    todo!()
}
