//! A file as it was read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Format;
use super::block::{Anchor, short_name};

/// The content of a file.
///
/// Every span is a byte range of `text`, on character boundaries. Where the file is text in UTF-8 (nearly always),
/// `text` is the file byte for byte (a byte order mark included), so a span is also the range in the file. A file in
/// another encoding is decoded first, and one that is not text (a PDF, a spreadsheet) is written out as text: spans
/// then count bytes of the decoded or written text. [`Document::is_file_text`] tells these cases apart, and
/// [`Document::places_at`] finds the place in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub format: Format,
    /// Never blank: frontmatter or `<title>`, else the first heading, else the file's name made readable. Cut where it
    /// is too long for a name.
    pub title: String,
    /// From frontmatter and `#hashtags`, without `#`, distinct, in order.
    pub tags: Vec<String>,
    /// Other names of the note, from frontmatter.
    pub aliases: Vec<String>,
    /// From frontmatter, as it is written there.
    pub date: Option<String>,
    /// The decoded file, markup included; or the text written out for a file that is not text.
    pub text: String,
    /// In order. No two spans overlap, and no block is blank.
    pub blocks: Vec<Block>,
    /// The parts of the file, such as pages or slides, if it has any. A part begins at its offset in `text` and ends
    /// where the next one begins. Offsets ascend.
    pub places: Vec<(usize, Place)>,
    /// Text that is found but not shown, such as the targets of links and the names of pictures, with its offset in
    /// `text`. Offsets ascend.
    pub unseen: Vec<(usize, String)>,
    /// Encoding the file was read in, by its WHATWG name, e.g. `UTF-8` or `GBK`; `UTF-8` for one that is not text.
    pub encoding: String,
    /// Whether `text` is the file byte for byte.
    pub is_file_text: bool,
}

impl Document {
    /// Finds the place in the file (page, slide, cells ... or line) of each offset. Offsets are bytes of `text`, best
    /// ascending. `None` only for a file that is not text and has no parts.
    pub fn places_at(&self, offsets: impl IntoIterator<Item = usize>) -> Vec<Option<Place>> {
        // Counts lines from the previous offset on, not from the start: a long log has many passages.
        let (mut counted, mut line) = (0, 1);
        let mut line_at = |offset: usize| {
            let offset = offset.min(self.text.len());
            if offset < counted {
                (counted, line) = (0, 1);
            }
            line += self.text.as_bytes()[counted..offset].iter().filter(|byte| **byte == b'\n').count();
            counted = offset;
            Place::Line { number: u32::try_from(line).unwrap_or(u32::MAX) }
        };
        let place_at = |offset| match self.places.partition_point(|(start, _)| *start <= offset).checked_sub(1) {
            Some(last) => Some(self.places[last].1.clone()),
            None => self.format.is_text().then(|| line_at(offset)),
        };
        offsets.into_iter().map(place_at).collect()
    }
}

impl Document {
    /// Whether the fields keep what their comments promise. Checks a document that another process sent.
    pub(crate) fn is_sound(&self) -> bool {
        let mut end = 0;
        let blocks = self.blocks.iter().all(|block| {
            let span = block.span.clone();
            let in_order = end <= span.start && span.start < span.end;
            end = span.end;
            let anchors = &block.anchors;
            in_order
                && self.text.get(span).is_some_and(|source| !source.trim().is_empty())
                && !block.text.trim().is_empty()
                && anchors.is_sorted_by(|a, b| a.text() <= b.text() && a.source() <= b.source())
                && anchors.last().is_none_or(|last| last.text() <= block.text.len() && last.source() <= self.text.len())
        });
        let ascends = self.places.is_sorted_by(|a, b| a.0 <= b.0) && self.unseen.is_sorted_by(|a, b| a.0 <= b.0);
        blocks && !self.title.trim().is_empty() && ascends
    }
}

/// A place in a file, so that a hit can be opened there. Numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    Line {
        number: u32,
    },
    Page {
        number: u32,
    },
    Slide {
        number: u32,
    },
    /// `cells` as spreadsheets write them: `B2:D9`.
    Cells {
        sheet: String,
        cells: String,
    },
    Chapter {
        title: String,
    },
    /// A notebook's cell.
    NotebookCell {
        number: u32,
    },
    /// A subtitle's time, in seconds from the start of the film.
    Time {
        seconds: u32,
    },
}

impl Place {
    /// Cuts a sheet's or chapter's name that is too long for a name.
    pub(super) fn shorten(&mut self) {
        if let Place::Cells { sheet: name, .. } | Place::Chapter { title: name } = self {
            *name = short_name(name).to_owned();
        }
    }
}

impl fmt::Display for Place {
    /// Writes the place as people do: `line 12`, `p. 3`, `slide 4`, `Budget!B2:D9`, `Chapter One`, `cell 7`, `1:02:33`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { number } => write!(f, "line {number}"),
            Place::Page { number } => write!(f, "p. {number}"),
            Place::Slide { number } => write!(f, "slide {number}"),
            Place::Cells { sheet, cells } => write!(f, "{sheet}!{cells}"),
            Place::Chapter { title } => f.write_str(title),
            Place::NotebookCell { number } => write!(f, "cell {number}"),
            Place::Time { seconds } => write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        }
    }
}

/// A paragraph, a list, a table ...: the smallest unit of a document's structure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    /// The headings above, outermost first, cut where they are too long for a name. Excludes a heading's own text.
    pub heading_path: Arc<[String]>,
    /// Without markup: the text of links, the description of images, code as it stands. Never blank.
    pub text: String,
    /// The block's place in [`Document::text`], markup included.
    pub span: Range<usize>,
    /// Ascending both in the text and in the source.
    pub(crate) anchors: Vec<Anchor>,
}

impl Block {
    /// Maps an offset in the block's text to an offset in the document, both in bytes. Exact where the text stands in
    /// the file unchanged; approximate where markup or entities lie between.
    pub fn source_offset(&self, document: &Document, text_offset: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.text() <= text_offset);
        let end = self.anchors.get(next).map_or(self.span.end, |anchor| anchor.source());
        let start = next.checked_sub(1).map_or(Anchor::new(text_offset, self.span.start), |at| self.anchors[at]);
        let offset =
            (start.source() + text_offset.saturating_sub(start.text())).min(end).clamp(self.span.start, self.span.end);
        document.text.floor_char_boundary(offset)
    }

    /// Maps an offset in the document to an offset in the block's text: the inverse of [`Block::source_offset`].
    pub fn text_offset(&self, source_offset: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.source() <= source_offset);
        let end = self.anchors.get(next).map_or(self.text.len(), |anchor| anchor.text());
        let Some(start) = next.checked_sub(1).map(|at| self.anchors[at]) else { return 0 };
        self.text.floor_char_boundary((start.text() + (source_offset - start.source())).min(end))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BlockKind {
    /// `level` is 1 to 6.
    Heading {
        level: u8,
    },
    Paragraph,
    List,
    Code,
    Table,
    Quote,
}
