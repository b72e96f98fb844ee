//! Markdown as people write notes in it: CommonMark, tables, footnotes, task lists, `[[wiki links]]` and `#tags`.

mod pieces;

use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::{Event, LinkType, OffsetIter, Options, Parser, Tag, TagEnd};

use super::annotations::Annotations;
use super::block::{Anchor, Draft, Outline, add, trimmed};
use super::html::InlineTag;
use super::targets::{self, target};
use super::{Block, BlockKind, Extractor, Reading, Unreadable, add_names, excalidraw, frontmatter, html};

pub(super) struct Markdown;

impl Extractor for Markdown {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let (front, body) = frontmatter::read(&reading.text);
        let drawing = excalidraw::without_drawing(&reading.text, body);
        let parsed = parse(drawing.as_deref().unwrap_or(&reading.text), body);
        for (text, span) in front.texts {
            let span = trimmed(&reading.text, span);
            let anchors = vec![Anchor::new(0, span.start)];
            let block = Block { kind: BlockKind::Paragraph, heading_path: Arc::default(), text, span, anchors };
            reading.blocks.push(block);
        }
        reading.blocks.extend(parsed.blocks);
        reading.unseen = front.unseen;
        reading.unseen.extend(parsed.unseen);
        reading.tags = front.tags;
        add_names(&mut reading.tags, parsed.hashtags.iter().map(String::as_str));
        reading.aliases = front.aliases;
        reading.date = front.date;
        reading.title = front.title.or(parsed.first_h1);
        Ok(reading)
    }
}

/// Reads a Markdown text that is part of another file.
pub(super) fn read(source: &str) -> Parsed {
    parse(source, 0)
}

pub(super) struct Parsed {
    pub(super) blocks: Vec<Block>,
    first_h1: Option<String>,
    /// `#hashtags` of the running text, in order, perhaps repeated.
    pub(super) hashtags: Vec<String>,
    /// Targets of links and names of pictures with their offsets, in any order.
    pub(super) unseen: Vec<(usize, String)>,
}

/// Reads `source` from byte `body` on. The text before it is frontmatter.
fn parse(source: &str, body: usize) -> Parsed {
    parse_in_pieces(source, body, pieces::MAX_NODES)
}

fn parse_in_pieces(source: &str, body: usize, max_nodes: usize) -> Parsed {
    let mut reader = Reader { source, body, ..Reader::default() };
    let mut at = body;
    while at < source.len() {
        let end = at + pieces::first(&source[at..], max_nodes);
        for (event, range) in events(&source[at..end]) {
            reader.read(event, at + range.start..at + range.end);
        }
        at = end;
    }
    let first_h1 = reader.outline.first_h1().map(str::to_owned);
    Parsed { blocks: reader.blocks, first_h1, hashtags: reader.hashtags, unseen: reader.unseen }
}

/// The parser's events and their ranges in `source`.
fn events(source: &str) -> OffsetIter<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_GFM
        | Options::ENABLE_HEADING_ATTRIBUTES;
    Parser::new_ext(source, options).into_offset_iter()
}

#[derive(Default)]
struct Reader<'a> {
    source: &'a str,
    body: usize,
    blocks: Vec<Block>,
    outline: Outline,
    hashtags: Vec<String>,
    /// The outermost block being read.
    draft: Option<Draft>,
    /// How many elements are open, inline ones included.
    depth: usize,
    /// The next number of each open list; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// Cells already read in this table row.
    n_cells: usize,
    /// The `[[wiki link]]` being read.
    wiki: Option<Wiki>,
    unseen: Vec<(usize, String)>,
    annotations: Annotations,
}

struct Wiki {
    target: String,
    /// Where the target stands.
    start: usize,
    /// `![[...]]`
    is_embed: bool,
}

impl Reader<'_> {
    fn read(&mut self, event: Event, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag),
            Event::InlineHtml(tag) => self.inline_html(&tag, range),
            _ => {
                let Some(draft) = &mut self.draft else { return };
                match event {
                    Event::Text(text) if self.annotations.takes(&text) => {}
                    Event::Text(text) => match &self.wiki {
                        // `![[cup.png|300]]`: the picture's width says nothing, so its name is shown.
                        Some(wiki) if wiki.is_embed && text.bytes().all(|b| b.is_ascii_digit() || b == b'x') => {
                            draft.push(&wiki.target, wiki.start);
                        }
                        // `[[#Heading]]` is no tag.
                        Some(_) => {
                            let shown = text.trim_start_matches('#');
                            draft.push(shown, range.start + text.len() - shown.len());
                        }
                        None => {
                            let mut text = without_block_id(&text, &self.source[range.end..]);
                            let mut at = range.start;
                            if let Some(n) = self.annotations.tail(draft, text).filter(|n| *n < text.len()) {
                                draft.push(&text[..n], at);
                                (text, at) = (&text[n..], at + n);
                                let unseen = self.annotations.settle(Some(draft), text);
                                self.unseen.extend(unseen.map(|words| (at, words)));
                            }
                            draft.push(text, at);
                        }
                    },
                    Event::Code(text) => {
                        let ticks = self.source[range.clone()].bytes().take_while(|b| *b == b'`').count();
                        draft.push_code(&text, range.start + ticks);
                    }
                    Event::SoftBreak => draft.soft_break(),
                    Event::HardBreak => draft.new_line(),
                    Event::TaskListMarker(done) => draft.mark(if done { "[x] " } else { "[ ] " }),
                    _ => {}
                }
            }
        }
    }

    fn inline_html(&mut self, tag: &str, range: Range<usize>) {
        match html::inline_tag(tag) {
            Some(InlineTag::Start { name, .. }) if name == b"br" => {
                self.close_annotations();
                if let Some(draft) = &mut self.draft {
                    draft.new_line();
                }
            }
            Some(InlineTag::Start { name, leads_to_note, alt, leads_to }) => {
                self.annotations.start(&name, leads_to_note, self.draft.as_ref());
                targets::add(&mut self.unseen, leads_to.into_iter().map(|target| (range.end - 1, target)));
                if let Some((draft, alt)) = self.draft.as_mut().zip(alt) {
                    draft.push(&alt, range.start);
                }
            }
            Some(InlineTag::End { name }) => self.annotations.end(&name, self.draft.as_mut()),
            None => {}
        }
    }

    fn close_annotations(&mut self) {
        let at = self.draft.as_ref().map_or(0, |draft| draft.span.end);
        self.unseen.extend(self.annotations.close(self.draft.as_mut()).map(|words| (at, words)));
    }

    /// Adds the target of a link or a picture, unless its text shows it, and the title that appears under the pointer.
    fn target(&mut self, tag: &Tag, start: usize) {
        let (Tag::Link { link_type, dest_url, title, .. } | Tag::Image { link_type, dest_url, title, .. }) = tag else {
            return;
        };
        let is_shown = match link_type {
            LinkType::Autolink | LinkType::Email => true,
            LinkType::WikiLink { has_pothole } => !has_pothole,
            _ => false,
        };
        if !is_shown {
            targets::add(&mut self.unseen, target(dest_url).map(|target| (start + 1, target)));
        }
        let title = Some(title.trim()).filter(|title| !title.is_empty());
        targets::add(&mut self.unseen, title.map(|title| (start + 1, title.to_owned())));
    }

    fn start(&mut self, tag: &Tag, range: Range<usize>) {
        self.depth += 1;
        let start = range.start;
        if self.draft.is_none() {
            let kind = match tag {
                Tag::Heading { level, .. } => BlockKind::Heading { level: *level as u8 },
                Tag::BlockQuote(_) => BlockKind::Quote,
                Tag::CodeBlock(_) => BlockKind::Code,
                Tag::List(_) => BlockKind::List,
                Tag::Table(_) => BlockKind::Table,
                _ => BlockKind::Paragraph,
            };
            self.draft = Some(Draft::new(kind, range));
        }
        if let Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. } = tag
            && matches!(link_type, LinkType::WikiLink { .. })
        {
            let is_embed = matches!(tag, Tag::Image { .. });
            self.wiki = Some(Wiki { target: dest_url.to_string(), start: start + 2 + usize::from(is_embed), is_embed });
        }
        self.target(tag, start);
        if let Tag::Link { dest_url, .. } = tag {
            self.annotations.start(b"a", dest_url.starts_with('#'), self.draft.as_ref());
        }
        if let Tag::Paragraph | Tag::Item | Tag::TableCell | Tag::TableRow = tag {
            self.close_annotations();
        }
        let Some(draft) = &mut self.draft else { return };
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::HtmlBlock
                // A list item's first paragraph stands beside its dash.
                if !draft.text.ends_with("- ") && !draft.text.ends_with(". ") =>
            {
                draft.new_line();
            }
            Tag::List(first) => {
                draft.new_line();
                self.lists.push(*first);
            }
            Tag::Item => {
                draft.new_line();
                let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(8));
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}- "),
                };
                draft.mark(&marker);
            }
            Tag::TableHead | Tag::TableRow => {
                draft.new_line();
                self.n_cells = 0;
            }
            Tag::TableCell => {
                if self.n_cells > 0 {
                    draft.mark(" | ");
                }
                self.n_cells += 1;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        self.depth = self.depth.saturating_sub(1);
        if let TagEnd::Link | TagEnd::Image = tag {
            self.wiki = None;
        }
        if let TagEnd::Link = tag {
            self.annotations.end(b"a", self.draft.as_mut());
        }
        if let TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell | TagEnd::Heading(_) = tag {
            self.close_annotations();
        }
        if let TagEnd::List(_) = tag {
            self.lists.pop();
        }
        if let (TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::Heading(_), Some(draft)) =
            (tag, &mut self.draft)
        {
            draft.new_line();
        }
        if self.depth > 0 {
            return;
        }
        let Some(draft) = self.draft.take() else { return };
        if let TagEnd::HtmlBlock = tag {
            let parsed = html::parse(self.source, draft.span, &mut self.outline);
            self.unseen.extend(parsed.unseen);
            return parsed.blocks.into_iter().for_each(|block| add(&mut self.blocks, Some(block)));
        }
        if !matches!(draft.kind, BlockKind::Code | BlockKind::Heading { .. }) {
            hashtags(&draft.text, &draft.code, &mut self.hashtags);
        }
        add(&mut self.blocks, draft.finish(self.source, &mut self.outline));
        debug_assert!(self.blocks.last().is_none_or(|block| block.span.start >= self.body));
    }
}

/// Removes a block id such as `^block-1` from a line's end: links use it, but it is not text.
fn without_block_id<'a>(text: &'a str, after: &str) -> &'a str {
    let id = text.rsplit_once(" ^").filter(|_| after.is_empty() || after.starts_with(['\n', '\r']));
    match id {
        Some((before, id)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => before,
        _ => text,
    }
}

/// Finds `#tag`, `#标签` and `#area/topic` after white space or an opening bracket, outside code. A number alone
/// (`#12`) is an issue, not a tag. A list of channels or colours can have millions; those that are too many to be tags
/// are still found as words.
fn hashtags(text: &str, code: &[Range<usize>], found: &mut Vec<String>) {
    for (at, _) in text.match_indices('#') {
        let before = text[..at].chars().next_back();
        let opens = before.is_none_or(|c| c.is_whitespace() || "(（[【,，;；。".contains(c));
        if !opens || code.iter().any(|range| range.contains(&at)) {
            continue;
        }
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-/".contains(c))).unwrap_or(rest.len());
        let tag = rest[..end].trim_end_matches(['-', '/', '_']);
        if tag.chars().any(char::is_alphabetic) {
            add_names(found, [tag]);
        }
    }
}
