//! Cuts a [`Document`] into the passages that are indexed, embedded and shown.

mod cutter;
pub(crate) mod sentence;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

pub use tokens::estimate_tokens;

use crate::extract::{Document, Place};

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
    /// The headings above the passage, outermost first. The passages of a section share them.
    pub heading_path: Arc<[String]>,
    /// Where in the file it begins; `None` for a file that has no parts.
    pub place: Option<Place>,
    /// Readable text, with a blank line between blocks. Empty only if the whole note is (its name is still found).
    pub text: String,
    /// Text that the passage is found by but does not show: see [`Document::unseen`]. Empty when read from an index.
    pub unseen: String,
}

/// Cuts a document into passages, in order. Never empty: a blank note is one blank passage.
///
/// A passage ends at a heading once it holds two fifths of the target, at a block's end once it is near the target, and
/// inside a block (at a sentence's end) only if the block does not fit. A note up to a quarter above the target stays
/// whole. A passage does not end with the heading of the next one, and a few words at the end of a note are not a
/// passage of their own.
pub fn chunks(document: &Document, rules: &ChunkRules) -> Vec<Chunk> {
    let mut found = cutter::cut(document, rules);
    if found.is_empty() {
        found.push(Chunk {
            ordinal: 0,
            span: 0..0,
            heading_path: Arc::default(),
            place: None,
            text: String::new(),
            unseen: String::new(),
        });
    }
    add_unseen(&mut found, &document.unseen);
    found
}

/// The most unseen text of a passage, in bytes. Passages full of links have 2,000; more is a list of links for
/// programs.
const MAX_UNSEEN_BYTES: usize = 4000;

/// Gives each passage the unseen text from its beginning to that of the next one, without duplicates.
fn add_unseen(chunks: &mut [Chunk], unseen: &[(usize, String)]) {
    let mut seen = HashSet::new();
    let mut before = usize::MAX;
    for (offset, words) in unseen {
        // Unseen text before the first passage goes to that passage.
        let at = chunks.partition_point(|chunk| chunk.span.start <= *offset).saturating_sub(1);
        if at != before {
            seen.clear();
            before = at;
        }
        let Some(chunk) = chunks.get_mut(at) else { return };
        if chunk.unseen.len() + words.len() < MAX_UNSEEN_BYTES && seen.insert(words.as_str()) {
            if !chunk.unseen.is_empty() {
                chunk.unseen.push('\n');
            }
            chunk.unseen.push_str(words);
        }
    }
}

/// A passage as the models read it: "Title > Heading", a line break, the text. The title is left out if the passage
/// begins with it.
pub fn embedding_text(title: &str, chunk: &Chunk) -> String {
    let begins_with_title = chunk.text.starts_with(title);
    let mut head: Vec<&str> = if begins_with_title { Vec::new() } else { vec![title] };
    head.extend(chunk.heading_path.iter().map(String::as_str).filter(|heading| *heading != title));
    match (head.is_empty(), chunk.text.is_empty()) {
        (true, _) => chunk.text.clone(),
        (_, true) => head.join(" > "),
        _ => format!("{}\n{}", head.join(" > "), chunk.text),
    }
}
