//! Markdown as people write notes in it: CommonMark, tables, footnotes, task lists, `[[wiki links]]` and `#tags`.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::block::{Anchor, Draft, Outline, trimmed};
use super::{Block, BlockKind, Extractor, Reading, Unreadable, frontmatter, html};

pub(super) struct Markdown;

impl Extractor for Markdown {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let (front, body) = frontmatter::read(&reading.text);
        let parsed = parse(&reading.text, body);
        if let Some((text, span)) = front.description {
            let span = trimmed(&reading.text, span);
            let anchors = vec![Anchor { text: 0, source: span.start }];
            reading.blocks.push(Block { kind: BlockKind::Paragraph, heading_path: Vec::new(), text, span, anchors });
        }
        reading.blocks.extend(parsed.blocks);
        reading.tags = front.tags;
        reading.tags.extend(parsed.hashtags);
        reading.aliases = front.aliases;
        reading.date = front.date;
        reading.title = front.title.or(parsed.first_h1);
        Ok(reading)
    }
}

struct Parsed {
    blocks: Vec<Block>,
    first_h1: Option<String>,
    /// `#hashtags` of the running text, in order, perhaps repeated.
    hashtags: Vec<String>,
}

/// Reads `source` from byte `body` on (what is before is frontmatter).
fn parse(source: &str, body: usize) -> Parsed {
    let mut reader = Reader { source, body, ..Reader::default() };
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_GFM
        | Options::ENABLE_HEADING_ATTRIBUTES;
    for (event, range) in Parser::new_ext(&source[body..], options).into_offset_iter() {
        reader.read(event, body + range.start..body + range.end);
    }
    let first_h1 = reader.outline.first_h1().map(str::to_owned);
    Parsed { blocks: reader.blocks, first_h1, hashtags: reader.hashtags }
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
}

impl Reader<'_> {
    fn read(&mut self, event: Event, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag),
            _ => {
                let Some(draft) = &mut self.draft else { return };
                match event {
                    Event::Text(text) => draft.push(&text, range.start),
                    Event::Code(text) => {
                        let ticks = self.source[range.clone()].bytes().take_while(|b| *b == b'`').count();
                        draft.push_code(&text, range.start + ticks);
                    }
                    Event::SoftBreak => draft.soft_break(),
                    Event::HardBreak => draft.new_line(),
                    Event::InlineHtml(tag) if tag.to_ascii_lowercase().starts_with("<br") => draft.new_line(),
                    Event::TaskListMarker(done) => draft.mark(if done { "[x] " } else { "[ ] " }),
                    _ => {}
                }
            }
        }
    }

    fn start(&mut self, tag: &Tag, range: Range<usize>) {
        self.depth += 1;
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
            self.blocks.extend(html::parse(self.source, draft.span, &mut self.outline).blocks);
            return;
        }
        if !matches!(draft.kind, BlockKind::Code | BlockKind::Heading { .. }) {
            hashtags(&draft.text, &draft.code, &mut self.hashtags);
        }
        self.blocks.extend(draft.finish(self.source, &mut self.outline));
        debug_assert!(self.blocks.last().is_none_or(|block| block.span.start >= self.body));
    }
}

/// Finds `#tag`, `#标签` and `#area/topic` after white space or an opening bracket, outside code. A number alone
/// (`#12`) is an issue, not a tag.
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
            found.push(tag.to_owned());
        }
    }
}
