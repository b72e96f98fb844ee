//! Builds blocks: readable text together with its place in the source.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Block, BlockKind, Place, Reading, targets, unreadable};
use crate::text::script::joins_without_space;

/// Ties a place in a block's readable text to the place in the source that it was read from. Between two anchors both
/// sides advance together, as far as the next anchor allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    text: u32,
    source: u32,
}

impl Anchor {
    /// A place beyond 4 GB becomes the last one below 4 GB. No text is that long (`Reading::decoded`).
    pub(crate) fn new(text: usize, source: usize) -> Self {
        let short = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { text: short(text), source: short(source) }
    }

    pub(crate) fn text(self) -> usize {
        self.text as usize
    }

    pub(crate) fn source(self) -> usize {
        self.source as usize
    }
}

/// Most bytes of a title or heading that the blocks below it carry. A longer text is no name: if a slip makes megabytes
/// of text a heading, each passage would hold a copy. The heading's own block keeps the whole text.
const MAX_NAME_BYTES: usize = 400;

/// Most headings of a path; the innermost ones are kept. HTML has six levels, but a hostile outline has hundreds.
const MAX_PATH: usize = 8;

/// Cuts a title or heading to [`MAX_NAME_BYTES`].
pub(super) fn short_name(name: &str) -> &str {
    name[..name.floor_char_boundary(MAX_NAME_BYTES)].trim_end()
}

#[derive(Debug)]
struct Open {
    level: u8,
    text: String,
    /// The path above this heading, restored when the heading is closed. Shared, as a file can have a million headings.
    outer: Arc<[String]>,
}

/// The headings above the place being read.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Levels ascend.
    open: Vec<Open>,
    /// Shared, as a file can have a million paragraphs below the same headings.
    path: Arc<[String]>,
    first_h1: Option<String>,
}

impl Outline {
    pub(super) fn path(&self) -> Arc<[String]> {
        self.path.clone()
    }

    /// The first heading of level 1 so far.
    pub(super) fn first_h1(&self) -> Option<&str> {
        self.first_h1.as_deref()
    }

    /// Closes the open headings of this level and deeper. Called before a heading's own block takes its path.
    pub(super) fn close(&mut self, level: u8) {
        while let Some(closed) = self.open.pop_if(|open| open.level >= level) {
            self.path = closed.outer;
        }
    }

    pub(super) fn open(&mut self, level: u8, text: &str) {
        let text = unreadable::without(short_name(text));
        if level == 1 && self.first_h1.is_none() {
            self.first_h1 = Some(text.clone());
        }
        self.open.push(Open { level, text, outer: self.path.clone() });
        let innermost = &self.open[self.open.len().saturating_sub(MAX_PATH)..];
        self.path = innermost.iter().map(|open| open.text.clone()).collect();
    }
}

/// Collects one block's text.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: BlockKind,
    pub(super) text: String,
    pub(super) span: Range<usize>,
    anchors: Vec<Anchor>,
    /// Ranges of `text` that are code.
    pub(super) code: Vec<Range<usize>>,
    /// Text that is found but not shown. The reader takes it before it finishes the block.
    pub(super) unseen: Vec<(usize, String)>,
    soft_break: bool,
}

impl Draft {
    pub(super) fn new(kind: BlockKind, span: Range<usize>) -> Self {
        let (text, anchors, code, unseen) = Default::default();
        Self { kind, text, span, anchors, code, unseen, soft_break: false }
    }

    /// Adds text read from `source`.
    pub(super) fn push(&mut self, text: &str, source: usize) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.soft_break) {
            let around = (self.text.chars().next_back(), text.chars().next());
            if let (Some(before), Some(after)) = around
                && !before.is_whitespace()
                && !after.is_whitespace()
                && !(joins_without_space(before) && joins_without_space(after))
            {
                self.text.push(' ');
            }
        }
        tie(&mut self.anchors, Anchor::new(self.text.len(), source));
        self.text.push_str(text);
    }

    pub(super) fn push_code(&mut self, text: &str, source: usize) {
        self.push(text, source);
        self.code.push(self.text.len() - text.len()..self.text.len());
    }

    /// Whether the text ends inside a word, so that text added next would continue the word.
    pub(super) fn is_in_word(&self) -> bool {
        !self.soft_break && self.text.chars().next_back().is_some_and(|last| !last.is_whitespace())
    }

    /// Separates the text from `at` on from the text before it with a space.
    pub(super) fn part_at(&mut self, at: usize) {
        self.text.insert(at, ' ');
        for anchor in self.anchors.iter_mut().rev().take_while(|anchor| anchor.text() >= at) {
            *anchor = Anchor::new(anchor.text() + 1, anchor.source());
        }
        for code in self.code.iter_mut().rev().take_while(|code| code.start >= at) {
            *code = code.start + 1..code.end + 1;
        }
    }

    /// Adds text that stands elsewhere in the source. A soft break before it takes effect after it.
    pub(super) fn note(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds text that is not in the source, such as a list's dash.
    pub(super) fn mark(&mut self, text: &str) {
        self.soft_break = false;
        self.text.push_str(text);
    }

    /// Marks a line end that becomes a space between words, and nothing between Chinese characters.
    pub(super) fn soft_break(&mut self) {
        self.soft_break = true;
    }

    /// Begins a new line, unless one has just begun.
    pub(super) fn new_line(&mut self) {
        self.soft_break = false;
        let kept = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(kept);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Finishes the block and narrows its span to the text in `source` that is not blank. `None` if the block is empty.
    pub(super) fn finish(mut self, source: &str, outline: &mut Outline) -> Option<Block> {
        if let BlockKind::Heading { level } = self.kind {
            outline.close(level);
        }
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
        let lead = match self.kind {
            // Indentation is part of code.
            BlockKind::Code => self.text.len() - self.text.trim_start_matches(['\r', '\n']).len(),
            _ => self.text.len() - self.text.trim_start().len(),
        };
        self.text.drain(..lead);
        for anchor in &mut self.anchors {
            let (text, source) = (anchor.text(), anchor.source());
            *anchor = Anchor::new(text.saturating_sub(lead), source + lead.saturating_sub(text));
        }
        // Most paragraphs have one anchor, and a file can have a million short paragraphs. Spare capacity would double
        // their memory.
        self.anchors.shrink_to_fit();
        self.text.shrink_to_fit();
        let span = trimmed(source, self.span);
        if self.text.is_empty() || span.is_empty() {
            return None;
        }
        let heading_path = outline.path();
        if let BlockKind::Heading { level } = self.kind {
            outline.open(level, &self.text);
        }
        Some(Block { kind: self.kind, heading_path, text: self.text, span, anchors: self.anchors })
    }
}

/// Adds an anchor, unless both sides have advanced together since the last one, which then implies the new one.
fn tie(anchors: &mut Vec<Anchor>, anchor: Anchor) {
    if anchors.last().is_none_or(|last| last.source() + anchor.text() != last.text() + anchor.source()) {
        anchors.push(anchor);
    }
}

/// From this number of blocks in a file on, a block joins a short one before it of the same kind. 20 MB written by a
/// person have some 60,000 blocks. A dump of numbers separated by blank lines has millions, and each block would take a
/// hundred times the memory of its text.
const MANY_BLOCKS: usize = 100_000;

/// From this number on, a block joins any short one before it, headings too: each block takes 200 bytes or more.
const TOO_MANY_BLOCKS: usize = 200_000;

/// A block takes in others until it is this long, in bytes.
const JOINED_BYTES: usize = 400;

/// Adds a finished block, if there is one, to those of its file.
pub(super) fn add(blocks: &mut Vec<Block>, block: Option<Block>) {
    let Some(block) = block else { return };
    let n_blocks = blocks.len();
    match blocks.last_mut() {
        Some(last) if takes_in(n_blocks, last, &block) => join(last, block),
        _ => blocks.push(block),
    }
}

/// Whether the last of `n_blocks` blocks takes in the one that follows.
fn takes_in(n_blocks: usize, last: &Block, block: &Block) -> bool {
    joins(n_blocks, (last.kind, last.text.len()), block.kind)
        && (n_blocks >= TOO_MANY_BLOCKS || Arc::ptr_eq(&last.heading_path, &block.heading_path))
}

/// Whether the last of `n_blocks` blocks, of this kind and length, takes in a block of `kind` below the same headings.
pub(super) fn joins(n_blocks: usize, (last, len): (BlockKind, usize), kind: BlockKind) -> bool {
    let are_alike = last == kind && !matches!(kind, BlockKind::Heading { .. });
    len < JOINED_BYTES && (n_blocks >= TOO_MANY_BLOCKS || n_blocks >= MANY_BLOCKS && are_alike)
}

fn join(last: &mut Block, block: Block) {
    join_texts((&mut last.kind, &mut last.text), (block.kind, &block.text));
    let at = last.text.len() - block.text.len();
    for anchor in &block.anchors {
        tie(&mut last.anchors, Anchor::new(at + anchor.text(), anchor.source()));
    }
    last.span.end = block.span.end;
}

/// Adds a block's text to another's. Two different kinds together become a paragraph.
pub(super) fn join_texts((kind, text): (&mut BlockKind, &mut String), (added_kind, added): (BlockKind, &str)) {
    if *kind != added_kind {
        *kind = BlockKind::Paragraph;
    }
    text.push_str("\n\n");
    text.push_str(added);
}

/// Writes out a file that is not text, such as a PDF's pages or a spreadsheet's rows, as text. Blank lines separate its
/// readable blocks, so that the text is fit to be shown.
#[derive(Debug, Default)]
pub(super) struct Rendition {
    reading: Reading,
    outline: Outline,
}

impl Rendition {
    /// Text added from here on stands at `place`.
    pub(super) fn place(&mut self, place: Place) {
        let at = self.reading.text.len();
        // If a file has too many notebook cells, film scenes or messages, their blocks are joined and share one place.
        let is_small = matches!(place, Place::NotebookCell { .. } | Place::Time { .. } | Place::Chapter { .. });
        let are_too_many = is_small && self.reading.blocks.len() >= TOO_MANY_BLOCKS;
        if are_too_many && self.reading.blocks.last().is_some_and(|last| last.text.len() < JOINED_BYTES) {
            return;
        }
        // If there is no text between two places, the later one counts.
        while self.reading.places.pop_if(|(start, _)| *start >= at).is_some() {}
        self.reading.places.push((at, place));
    }

    /// Adds a block, unless it is blank. A heading closes the open headings of its level and deeper.
    pub(super) fn push(&mut self, kind: BlockKind, text: &str) {
        let text = if kind == BlockKind::Code { text.trim_matches(['\r', '\n']).trim_end() } else { text.trim() };
        if text.trim().is_empty() {
            return;
        }
        // The blank line belongs to the block after it, so that a place begins where its first block does.
        let start = self.reading.text.len();
        let start = if start == 0 { 0 } else { start + 2 };
        if start > 0 {
            self.reading.text.push_str("\n\n");
        }
        self.reading.text.push_str(text);
        if let BlockKind::Heading { level } = kind {
            self.outline.close(level);
        }
        let heading_path = self.outline.path();
        if let BlockKind::Heading { level } = kind {
            self.outline.open(level, text);
        }
        let anchors = vec![Anchor::new(0, start)];
        let span = start..start + text.len();
        let block = Block { kind, heading_path, text: text.to_owned(), span, anchors };
        // No block reaches from one place into the next.
        let reaches = |last: &Block| self.reading.places.last().is_none_or(|(at, _)| *at <= last.span.start);
        if self.reading.blocks.last().is_some_and(reaches) {
            add(&mut self.reading.blocks, Some(block));
        } else {
            self.reading.blocks.push(block);
        }
    }

    /// Adds text that is found but not shown ([`super::Document::unseen`]) to the block added last.
    pub(super) fn unseen(&mut self, words: &str) {
        let found = Some(words).filter(|words| !words.is_empty());
        let at = self.reading.text.len().saturating_sub(1);
        targets::add(&mut self.reading.unseen, found.map(|words| (at, words.to_owned())));
    }

    /// Adds blocks that were read from another text, with the unseen text found there. The offsets of `unseen` and the
    /// blocks' spans count in that other text.
    pub(super) fn push_all(&mut self, blocks: Vec<Block>, mut unseen: Vec<(usize, String)>) {
        unseen.sort_by_key(|(at, _)| *at);
        let mut unseen = unseen.into_iter().peekable();
        let mut starts = blocks.iter().skip(1).map(|block| block.span.start).collect::<Vec<_>>().into_iter();
        for block in blocks {
            self.push(block.kind, &block.text);
            let end = starts.next().unwrap_or(usize::MAX);
            while let Some((_, words)) = unseen.next_if(|(at, _)| *at < end) {
                self.unseen(&words);
            }
        }
        unseen.for_each(|(_, words)| self.unseen(&words));
    }

    /// Bytes written so far, so that a reader can stop at its limit.
    pub(super) fn len(&self) -> usize {
        self.reading.text.len()
    }

    /// `title`: the title that the file itself names. Without one, its first heading of level 1 is its title.
    pub(super) fn finish(mut self, title: Option<String>) -> Reading {
        let title = title.filter(|title| !title.trim().is_empty());
        self.reading.title = title.or(self.outline.first_h1().map(str::to_owned));
        self.reading
    }
}

/// `range` without the white space at its ends, moved outward to character boundaries.
pub(super) fn trimmed(source: &str, range: Range<usize>) -> Range<usize> {
    let start = source.floor_char_boundary(range.start);
    let end = source.ceil_char_boundary(range.end.max(start));
    let slice = &source[start..end];
    let lead = slice.len() - slice.trim_start().len();
    start + lead..start + lead + slice.trim().len()
}
