//! From a file's bytes to a [`Document`]: title, tags and readable blocks, each knowing where it stands in the file.

mod block;
mod encoding;
mod frontmatter;
mod html;
mod markdown;
mod plain;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use block::{Anchor, Outline, trimmed};

/// What a file is read as; its name decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Markdown,
    Text,
    Html,
}

impl Format {
    /// `markdown`, `text` or `html`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Text => "text",
            Format::Html => "html",
        }
    }
}

/// A note, read.
///
/// Every span is a byte range of `text`, on character boundaries. Where the file is UTF-8 (nearly always), `text` is
/// the file byte for byte (a byte order mark included), so a span is also the range in the file. A file in another
/// encoding is decoded first, and its spans count bytes of the decoded text; [`Document::is_file_text`] tells them
/// apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub format: Format,
    /// Never blank: frontmatter or `<title>`, else the first heading, else the file's name made readable.
    pub title: String,
    /// From frontmatter and `#hashtags`, without `#`, distinct, in order.
    pub tags: Vec<String>,
    /// Other names of the note, from frontmatter.
    pub aliases: Vec<String>,
    /// From frontmatter, as it is written there.
    pub date: Option<String>,
    /// The decoded file, markup included.
    pub text: String,
    /// In order and apart: no two spans overlap. None is blank.
    pub blocks: Vec<Block>,
    /// Encoding the file was read in, by its WHATWG name, e.g. `UTF-8` or `GBK`.
    pub encoding: &'static str,
    /// Whether `text` is the file byte for byte.
    pub is_file_text: bool,
}

/// A paragraph, a list, a table ...: the smallest piece that structure gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub kind: BlockKind,
    /// The headings above, outermost first; a heading's own text is not among them.
    pub heading_path: Vec<String>,
    /// Without markup: the text of links, the description of images, code as it stands. Never blank.
    pub text: String,
    /// Where it stands in [`Document::text`], markup included.
    pub span: Range<usize>,
    /// In order on both sides.
    pub(crate) anchors: Vec<Anchor>,
}

impl Block {
    /// Where in the document a place of the block's text comes from, both in bytes. Exact where the text stands in
    /// the file as it is; near by where markup or entities lie between.
    pub fn source_offset(&self, document: &Document, text_offset: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.text <= text_offset);
        let end = self.anchors.get(next).map_or(self.span.end, |anchor| anchor.source);
        let start =
            next.checked_sub(1).map_or(Anchor { text: text_offset, source: self.span.start }, |at| self.anchors[at]);
        let offset = (start.source + (text_offset - start.text)).min(end).clamp(self.span.start, self.span.end);
        document.text.floor_char_boundary(offset)
    }

    /// Where in the block's text a place of the document is shown: the way back of [`Block::source_offset`].
    pub fn text_offset(&self, source_offset: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.source <= source_offset);
        let end = self.anchors.get(next).map_or(self.text.len(), |anchor| anchor.text);
        let Some(start) = next.checked_sub(1).map(|at| self.anchors[at]) else { return 0 };
        self.text.floor_char_boundary((start.text + (source_offset - start.source)).min(end))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error("{name} is not a format Nuthatch reads: it reads .md, .txt and .html files")]
    UnknownFormat { name: String },
    #[error("{name} is not text ({reason}): save it as UTF-8 text if it should be searched")]
    NotText { name: String, reason: &'static str },
}

/// The format a file's extension stands for, in any case of letters; `None` for one that is not read.
pub fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdown" | "mkd" => Some(Format::Markdown),
        "txt" | "text" | "log" => Some(Format::Text),
        "html" | "htm" | "xhtml" => Some(Format::Html),
        _ => None,
    }
}

/// Reads a file's content. Never panics, whatever the bytes.
pub fn extract(path: &Path, bytes: &[u8]) -> Result<Document, ExtractError> {
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let format = format_of(path).ok_or_else(|| ExtractError::UnknownFormat { name: name() })?;
    let decoded = encoding::decode(bytes, format == Format::Html)
        .map_err(|reason| ExtractError::NotText { name: name(), reason })?;
    let mut document = Document {
        format,
        title: String::new(),
        tags: Vec::new(),
        aliases: Vec::new(),
        date: None,
        text: decoded.text,
        blocks: Vec::new(),
        encoding: decoded.encoding,
        is_file_text: decoded.is_file_text,
    };
    let title = match format {
        Format::Markdown => read_markdown(&mut document),
        Format::Html => read_html(&mut document),
        Format::Text => {
            document.blocks = plain::blocks(&document.text);
            None
        }
    };
    let title = title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
    document.title = title.filter(|title| !title.is_empty()).unwrap_or_else(|| readable_stem(path));
    distinct(&mut document.tags);
    distinct(&mut document.aliases);
    Ok(document)
}

fn read_markdown(document: &mut Document) -> Option<String> {
    let (front, body) = frontmatter::read(&document.text);
    let markdown = markdown::parse(&document.text, body);
    if let Some((text, span)) = front.description {
        let span = trimmed(&document.text, span);
        let anchors = vec![Anchor { text: 0, source: span.start }];
        document.blocks.push(Block { kind: BlockKind::Paragraph, heading_path: Vec::new(), text, span, anchors });
    }
    document.blocks.extend(markdown.blocks);
    document.tags = front.tags;
    document.tags.extend(markdown.hashtags);
    document.aliases = front.aliases;
    document.date = front.date;
    front.title.or(markdown.first_h1)
}

fn read_html(document: &mut Document) -> Option<String> {
    let mut outline = Outline::default();
    let range = plain::bom_len(&document.text)..document.text.len();
    let html = html::parse(&document.text, range, &mut outline);
    document.blocks = html.blocks;
    html.title.or(outline.first_h1().map(str::to_owned))
}

/// `deploy_to-staging.md` reads `deploy to staging`; dates keep their hyphens.
fn readable_stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let chars: Vec<char> = stem.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let spaced: String = chars
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            '_' => ' ',
            '-' if !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))) => ' ',
            c => *c,
        })
        .collect();
    let readable = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if readable.is_empty() { stem } else { readable }
}

/// Keeps the first of equals, letter case aside.
fn distinct(names: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.to_lowercase()));
}
