//! Reads HTML as blocks of text, without scripts, styles and menus.

mod references;
mod tags;
mod tokens;

use std::ops::Range;

use super::annotations::Annotations;
use super::block::{Draft, Outline, add};
use super::plain::bom_len;
use super::targets;
use super::{Block, BlockKind, Extractor, Reading, Unreadable};
use tags::{about, leads_to, leads_to_note};
use tokens::{Attributes, What, tokens};

pub(super) use tags::{InlineTag, inline_tag};

pub(super) struct Html;

impl Extractor for Html {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, true)?;
        let range = bom_len(&reading.text)..reading.text.len();
        let mut outline = Outline::default();
        let parsed = parse(&reading.text, range, &mut outline);
        reading.title = parsed.title.or(outline.first_h1().map(str::to_owned));
        reading.blocks = parsed.blocks;
        reading.unseen = parsed.unseen;
        Ok(reading)
    }
}

pub(super) struct Parsed {
    /// The text of `<title>`, with its white space collapsed.
    pub(super) title: Option<String>,
    pub(super) blocks: Vec<Block>,
    /// Targets of links, names of pictures and properties of the page, with their offsets.
    pub(super) unseen: Vec<(usize, String)>,
}

/// Elements whose content no one reads, or which every page of a site repeats.
const UNREAD: [&[u8]; 10] =
    [b"script", b"style", b"noscript", b"template", b"svg", b"iframe", b"object", b"nav", b"select", b"math"];

/// Elements that stand on lines of their own.
const BLOCKS: [&[u8]; 27] = [
    b"address",
    b"article",
    b"aside",
    b"blockquote",
    b"body",
    b"center",
    b"dd",
    b"details",
    b"dialog",
    b"div",
    b"dl",
    b"dt",
    b"fieldset",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"header",
    b"hr",
    b"html",
    b"main",
    b"p",
    b"section",
    b"summary",
    b"tbody",
    b"thead",
    b"caption",
];

/// Reads the part `range` of `source`. Its headings continue those in `outline`.
pub(super) fn parse(source: &str, range: Range<usize>, outline: &mut Outline) -> Parsed {
    let mut reader = Reader {
        source,
        outline,
        blocks: Vec::new(),
        title: None,
        in_title: false,
        unread: None,
        draft: None,
        marker: None,
        heading: None,
        lists: Vec::new(),
        n_pre: 0,
        n_tables: 0,
        n_quotes: 0,
        n_cells: 0,
        unseen: Vec::new(),
        annotations: Annotations::default(),
    };
    for token in tokens(&source[range.clone()]) {
        let span = range.start + token.span.start..range.start + token.span.end;
        match token.what {
            What::Start { name, is_self_closing, attributes } => {
                if reader.unread.is_none() {
                    let unseen = leads_to(&attributes).chain(about(&attributes)).map(|words| (span.end, words));
                    targets::add(&mut reader.unseen, unseen);
                }
                reader.start(&name, is_self_closing, &attributes);
                if let Some(alt) = attributes.get("alt") {
                    reader.text(&alt, span);
                }
            }
            What::End { name } => reader.end(&name),
            What::Text(text) => reader.text(&String::from_utf8_lossy(&text), span),
        }
    }
    reader.flush();
    let title = reader.title.filter(|title| !title.is_empty());
    Parsed { title, blocks: reader.blocks, unseen: reader.unseen }
}

struct Reader<'a> {
    source: &'a str,
    outline: &'a mut Outline,
    blocks: Vec<Block>,
    title: Option<String>,
    in_title: bool,
    /// The element being skipped, and how many elements of its name are open.
    unread: Option<(Vec<u8>, usize)>,
    draft: Option<Draft>,
    /// The marker of a list item that comes before the next text.
    marker: Option<String>,
    heading: Option<u8>,
    /// The next number of each open list; `None` for bullets.
    lists: Vec<Option<u64>>,
    n_pre: usize,
    n_tables: usize,
    n_quotes: usize,
    /// Cells already read in this table row.
    n_cells: usize,
    unseen: Vec<(usize, String)>,
    annotations: Annotations,
}

impl Reader<'_> {
    fn start(&mut self, name: &[u8], is_self_closing: bool, attributes: &Attributes) {
        if let Some((unread, n_open)) = &mut self.unread {
            *n_open += usize::from(unread == name);
            return;
        }
        // A template that is a shadow root is shown in the place of its element.
        let is_shown =
            name == b"template" && ["shadowrootmode", "shadowroot"].iter().any(|on| attributes.get(on).is_some());
        if UNREAD.contains(&name) && !is_shown {
            if !(is_self_closing && matches!(name, b"svg" | b"math")) {
                self.unread = Some((name.to_vec(), 1));
            }
            return;
        }
        self.annotations.start(name, leads_to_note(attributes), self.draft.as_ref());
        match name {
            b"template" => self.part(),
            b"title" => self.in_title = self.title.is_none(),
            b"br" => self.new_line(),
            b"ul" | b"ol" | b"menu" => {
                self.part();
                self.lists.push((name == b"ol").then_some(1));
            }
            b"li" => {
                self.new_line();
                let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(8));
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}- "),
                });
            }
            b"table" => {
                self.part();
                self.n_tables += 1;
            }
            b"tr" => {
                self.new_line();
                self.n_cells = 0;
            }
            b"td" | b"th" => {
                self.close_annotations();
                if let (Some(draft), true) = (&mut self.draft, self.n_cells > 0) {
                    draft.mark(" | ");
                }
                self.n_cells += 1;
            }
            b"pre" => {
                self.part();
                self.n_pre += 1;
            }
            b"blockquote" => {
                self.part();
                self.n_quotes += 1;
            }
            _ if heading_level(name).is_some() => {
                self.flush();
                self.heading = heading_level(name);
            }
            _ if BLOCKS.contains(&name) => self.part(),
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        if let Some((unread, n_open)) = &mut self.unread {
            *n_open -= usize::from(unread == name);
            if *n_open == 0 {
                self.unread = None;
            }
            return;
        }
        self.annotations.end(name, self.draft.as_mut());
        match name {
            b"template" => self.part(),
            b"title" => self.in_title = false,
            b"ul" | b"ol" | b"menu" => {
                self.marker = None;
                self.new_line();
                self.lists.pop();
                self.part();
            }
            b"li" | b"tr" => self.new_line(),
            b"table" => {
                self.n_tables = self.n_tables.saturating_sub(1);
                self.part();
            }
            b"pre" => {
                self.n_pre = self.n_pre.saturating_sub(1);
                self.part();
            }
            b"blockquote" => {
                self.part();
                self.n_quotes = self.n_quotes.saturating_sub(1);
            }
            _ if heading_level(name).is_some() => {
                self.flush();
                self.heading = None;
            }
            _ if BLOCKS.contains(&name) => self.part(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: Range<usize>) {
        if self.unread.is_some() {
            return;
        }
        if self.in_title {
            let title = self.title.get_or_insert_default();
            for word in text.split_whitespace() {
                if !title.is_empty() {
                    title.push(' ');
                }
                title.push_str(word);
            }
            return;
        }
        let kind = self.kind();
        if self.annotations.takes(text) || self.draft.is_none() && text.trim().is_empty() {
            return;
        }
        let draft = self.draft.get_or_insert_with(|| Draft::new(kind, span.clone()));
        if let Some(marker) = self.marker.take_if(|_| !text.trim().is_empty()) {
            draft.new_line();
            draft.mark(&marker);
        }
        draft.span.end = span.end;
        let source = self.source.get(span.clone()).unwrap_or_default();
        // Waiting readings come after this many bytes of the text, where their word ends.
        let mut tail = self.annotations.tail(draft, text);
        let (annotations, unseen, is_code) = (&mut self.annotations, &mut self.unseen, self.n_pre > 0);
        let push = |draft: &mut Draft, run: &str, at: usize| match is_code {
            true => draft.push(run, at),
            false => push_words(draft, run, at),
        };
        references::each_run(text, source, |run, at| {
            let at = span.start + at;
            match tail {
                Some(n) if n < run.len() => {
                    let (end, rest) = run.split_at(n);
                    push(draft, end, at);
                    unseen.extend(annotations.settle(Some(&mut *draft), rest).map(|words| (at, words)));
                    push(draft, rest, at + n);
                    tail = None;
                }
                _ => {
                    push(draft, run, at);
                    tail = tail.map(|n| n - run.len());
                }
            }
        });
    }

    /// Ends open annotations, since none reaches beyond its line or cell.
    fn close_annotations(&mut self) {
        let at = self.draft.as_ref().map_or(0, |draft| draft.span.end);
        self.unseen.extend(self.annotations.close(self.draft.as_mut()).map(|words| (at, words)));
    }

    fn kind(&self) -> BlockKind {
        match self.heading {
            Some(level) => BlockKind::Heading { level },
            None if self.n_tables > 0 => BlockKind::Table,
            None if !self.lists.is_empty() => BlockKind::List,
            None if self.n_pre > 0 => BlockKind::Code,
            None if self.n_quotes > 0 => BlockKind::Quote,
            None => BlockKind::Paragraph,
        }
    }

    /// Ends a part: in a list or a table a line, elsewhere a block.
    fn part(&mut self) {
        if self.lists.is_empty() && self.n_tables == 0 { self.flush() } else { self.new_line() }
    }

    fn new_line(&mut self) {
        self.close_annotations();
        if let Some(draft) = &mut self.draft {
            draft.new_line();
        }
    }

    fn flush(&mut self) {
        self.close_annotations();
        add(&mut self.blocks, self.draft.take().and_then(|draft| draft.finish(self.source, self.outline)));
    }
}

/// Adds running text, in which any white space means one space.
fn push_words(draft: &mut Draft, text: &str, at: usize) {
    let mut at = at;
    for line in text.split_inclusive('\n') {
        if line.starts_with(char::is_whitespace) {
            draft.soft_break();
        }
        let mut words = 0..0;
        // Words with single spaces between them are added together, as they stand in the source.
        for word in line.split_whitespace() {
            let start = word.as_ptr() as usize - line.as_ptr() as usize;
            if words.end > 0 && line[words.end..start] != *" " {
                draft.push(&line[words.clone()], at + words.start);
                draft.mark(" ");
                words.start = start;
            } else if words.end == 0 {
                words.start = start;
            }
            words.end = start + word.len();
        }
        draft.push(&line[words.clone()], at + words.start);
        if line.ends_with(char::is_whitespace) {
            draft.soft_break();
        }
        at += line.len();
    }
}

fn heading_level(name: &[u8]) -> Option<u8> {
    match name {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}
