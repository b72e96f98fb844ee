//! Reads Org, the outlines of Emacs (<https://orgmode.org/worg/org-syntax.html>), as far as they say something to a
//! reader. Drawers (properties, clocks) and comments are not shown.

mod inline;

use std::ops::Range;

use super::block::{Draft, Outline, add};
use super::lines::{Line, LineStarts, Lines};
use super::plain::bom_len;
use super::{Block, BlockKind, Extractor, Reading, Unreadable, add_names, targets};

pub(super) struct Org;

impl Extractor for Org {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let source = std::mem::take(&mut reading.text);
        let starts = LineStarts::of(&source, bom_len(&source));
        let lines = starts.lines(&source);
        let mut reader = Reader { source: &source, ..Reader::default() };
        let mut at = 0;
        while at < lines.len() {
            at = reader.read(lines, at);
        }
        reader.flush();
        reading.title = Some(reader.title).filter(|title| !title.is_empty());
        reading.title = reading.title.or(reader.outline.first_h1().map(str::to_owned));
        reading.tags = reader.tags;
        reading.aliases = reader.aliases;
        reading.date = reader.date;
        reading.blocks = reader.blocks;
        reading.unseen = reader.unseen;
        reading.text = source;
        Ok(reading)
    }
}

/// States of a task before a heading's text; a file may name more in `#+TODO:`.
const STATES: [&str; 11] =
    ["TODO", "DONE", "NEXT", "WAITING", "WAIT", "HOLD", "STARTED", "SOMEDAY", "CANCELLED", "CANCELED", "IN-PROGRESS"];

/// Most states that a file may name, because each heading is compared with all of them.
const MAX_STATES: usize = 50;

/// Blocks that are read differently from the text around them. All others are special blocks.
const BLOCKS: [&str; 6] = ["comment", "src", "example", "export", "quote", "verse"];

#[derive(Default)]
struct Reader<'a> {
    source: &'a str,
    /// Lines that are known to hold no heading and no end of a drawer or special block, so that they are not searched
    /// again for each drawer before them.
    no_drawer_end: Range<usize>,
    blocks: Vec<Block>,
    outline: Outline,
    title: String,
    tags: Vec<String>,
    aliases: Vec<String>,
    date: Option<String>,
    states: Vec<String>,
    unseen: Vec<(usize, String)>,
    draft: Option<Draft>,
    /// Indentation of each open list, outermost first.
    indents: Vec<usize>,
    /// Whether a blank line came after the draft's last line.
    after_blank: bool,
}

impl<'a> Reader<'a> {
    /// Reads the line at `at` and the lines that belong to it; returns the next line to read.
    fn read(&mut self, lines: Lines<'a>, at: usize) -> usize {
        let line = &lines.at(at);
        let (text, start) = line.trimmed();
        if text.is_empty() {
            self.blank();
            return at + 1;
        }
        if let Some(level) = heading_level(line.text) {
            self.heading(line, level);
            return at + 1;
        }
        if let Some(keyword) = text.strip_prefix("#+") {
            return self.keyword(lines, at, keyword);
        }
        if text == "#" || text.starts_with("# ") {
            self.flush();
            return at + 1;
        }
        if is_drawer(text)
            && let Some(end) = self.drawer_end(lines, at)
        {
            self.flush();
            lines.part(at + 1..end).iter().for_each(|line| self.property(&line));
            return end + 1;
        }
        if text.starts_with("CLOCK: [") {
            return at + 1;
        }
        if text.starts_with('|') {
            self.table_row(line, text, start);
        } else if text == ":" || text.starts_with(": ") {
            let code = text.get(2..).unwrap_or_default();
            self.open(BlockKind::Code, line);
            self.add(line, |draft| {
                draft.push(code, start + text.len() - code.len());
                draft.mark("\n");
            });
        } else if text.len() >= 5 && text.bytes().all(|b| b == b'-') {
            self.flush();
        } else if let Some((marker, rest)) = item(text, line.indent()) {
            self.item(line, &marker, rest);
        } else {
            self.running_text(line, text, start);
        }
        at + 1
    }

    /// The line of the next `:END:` from `at` on, if no heading and no end of a special block comes before it.
    fn drawer_end(&mut self, lines: Lines, at: usize) -> Option<usize> {
        let is_end = |line: Line| line.text.trim().eq_ignore_ascii_case(":end:");
        let known = &mut self.no_drawer_end;
        if !(known.start..=known.end).contains(&at) {
            *known = at..at;
        }
        let goes_on =
            |line: Line| !is_end(line) && heading_level(line.text).is_none() && !ends_special_block(line.text);
        while lines.get(known.end).is_some_and(goes_on) {
            known.end += 1;
        }
        lines.get(known.end).is_some_and(is_end).then_some(known.end)
    }

    fn blank(&mut self) {
        match &self.draft {
            // A list goes on after one blank line, and ends with two.
            Some(draft) if draft.kind == BlockKind::List && !self.after_blank => self.after_blank = true,
            _ => self.flush(),
        }
    }

    fn heading(&mut self, line: &Line, level: usize) {
        self.flush();
        let mut text = line.text[level..].trim();
        let (state, rest) = text.split_once(' ').unwrap_or((text, ""));
        if STATES.contains(&state) || self.states.iter().any(|known| known == state) {
            text = rest.trim_start();
        }
        if let Some(rest) = text.strip_prefix("[#").and_then(|rest| rest.split_once(']')).filter(|(p, _)| p.len() <= 2)
        {
            text = rest.1.trim_start();
        }
        let (before, last) = text.split_at(text.rfind(char::is_whitespace).unwrap_or(0));
        if let Some(tags) = tags(last.trim_start()) {
            add_names(&mut self.tags, tags);
            text = before.trim_end();
        }
        let level = u8::try_from(level.min(6)).unwrap_or(6);
        let mut draft = Draft::new(BlockKind::Heading { level }, line.start..line.end);
        inline::push(text, line.offset_of(text), &mut draft);
        targets::add(&mut self.unseen, draft.unseen.drain(..));
        add(&mut self.blocks, draft.finish(self.source, &mut self.outline));
    }

    /// Reads a line that begins with `#+`. `keyword` is the rest of the line.
    fn keyword(&mut self, lines: Lines<'a>, at: usize, keyword: &str) -> usize {
        let line = &lines.at(at);
        let lower = keyword.get(..6).unwrap_or_default().to_ascii_lowercase();
        if lower == "begin_" {
            let name = keyword[6..].split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            return self.block(lines, at + 1, &name);
        }
        if lower.starts_with("end_") {
            self.flush();
            return at + 1;
        }
        let Some((key, value)) = keyword.split_once(':') else {
            if !lower.starts_with("end") {
                let (text, start) = line.trimmed();
                self.running_text(line, text, start);
            }
            return at + 1;
        };
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "title" => {
                if !self.title.is_empty() {
                    self.title.push(' ');
                }
                self.title.push_str(value);
            }
            "date" => self.date = Some(value.trim_matches(['<', '>', '[', ']']).to_owned()),
            "filetags" | "roam_tags" => match tags(value) {
                Some(tags) => add_names(&mut self.tags, tags),
                None => add_names(&mut self.tags, value.split_whitespace()),
            },
            "roam_alias" | "roam_aliases" => add_names(&mut self.aliases, quoted(value)),
            "todo" | "seq_todo" | "typ_todo" => {
                // `WAIT(w@/!)`: the brackets hold a key to press.
                let words = value.split_whitespace().filter(|word| *word != "|");
                let room = MAX_STATES.saturating_sub(self.states.len());
                self.states.extend(words.filter_map(|word| word.split('(').next()).map(str::to_owned).take(room));
            }
            "author" | "email" | "publisher" | "source" | "translator" | "editor" | "institute" => {
                self.flush();
                let shown = line.trimmed().0.trim_start_matches("#+");
                self.running_text(line, shown, line.offset_of(shown));
                self.flush();
            }
            "description" | "subtitle" | "caption" => {
                self.flush();
                self.running_text(line, value, line.offset_of(value));
                self.flush();
            }
            // Other keywords do not end the open block: a table's formulas, for example, stand right below the table.
            _ => {}
        }
        at + 1
    }

    /// Reads the lines between `#+begin_NAME` and `#+end_NAME`, or up to the next heading. Special blocks and centred
    /// text hold running text, lists and tables, so they are read as if these two lines were not there.
    fn block(&mut self, lines: Lines<'a>, from: usize, name: &str) -> usize {
        self.flush();
        if !BLOCKS.contains(&name) {
            return from;
        }
        let is_end = |line: &Line| block_end(line.text).is_some_and(|ended| ended.eq_ignore_ascii_case(name));
        let is_over = |line: Line| is_end(&line) || heading_level(line.text).is_some();
        let end = lines.from(from).iter().position(is_over).map_or(lines.len(), |at| from + at);
        let body = lines.part(from..end);
        let after = if lines.get(end).is_some_and(|line| is_end(&line)) { end + 1 } else { end };
        let kind = match name {
            "comment" => return after,
            "quote" | "verse" => BlockKind::Quote,
            _ => BlockKind::Code,
        };
        let indent = body.iter().filter(|line| !line.is_blank()).map(|line| line.indent()).min().unwrap_or(0);
        for line in body.iter() {
            self.open(kind, &line);
            self.add(&line, |draft| {
                if kind == BlockKind::Code {
                    let blank = line.text.bytes().take(indent).take_while(u8::is_ascii_whitespace).count();
                    // A comma escapes a line that would be a heading or a keyword.
                    let escaped = line.text[blank..].trim_start();
                    let comma = usize::from(escaped.starts_with(",*") || escaped.starts_with(",#+"));
                    let blank = blank + comma * (1 + line.text[blank..].len() - escaped.len());
                    draft.push(&line.text[blank..], line.start + blank);
                    draft.mark("\n");
                } else if line.is_blank() {
                    draft.new_line();
                } else {
                    let (text, start) = line.trimmed();
                    inline::push(text, start, draft);
                    if name == "verse" { draft.new_line() } else { draft.soft_break() }
                }
            });
        }
        self.flush();
        after
    }

    /// Reads a property in a drawer. `:ROAM_ALIASES: "One" Two` gives other names of the note. Most other properties
    /// are found, but not shown.
    fn property(&mut self, line: &Line) {
        let Some((key, value)) = line.text.trim().strip_prefix(':').and_then(|rest| rest.split_once(':')) else {
            return;
        };
        match key.to_ascii_lowercase().as_str() {
            "roam_aliases" | "roam_alias" => add_names(&mut self.aliases, quoted(value)),
            "roam_tags" => add_names(&mut self.tags, quoted(value)),
            "id" | "custom_id" | "header-args" | "effort" | "visibility" | "style" => {}
            _ if value.chars().any(char::is_alphanumeric) => {
                self.unseen.push((line.start, format!("{key} {}", value.trim())));
            }
            _ => {}
        }
    }

    fn table_row(&mut self, line: &Line, text: &str, start: usize) {
        self.open(BlockKind::Table, line);
        if text.starts_with("|-") {
            self.add(line, |_| {});
            return;
        }
        self.add(line, |draft| {
            draft.new_line();
            let mut at = start + 1;
            let row = text[1..].strip_suffix('|').unwrap_or(&text[1..]);
            for (column, cell) in row.split('|').enumerate() {
                if column > 0 {
                    draft.mark(" | ");
                }
                inline::push(cell.trim(), at + cell.len() - cell.trim_start().len(), draft);
                at += cell.len() + 1;
            }
        });
    }

    fn item(&mut self, line: &Line, marker: &str, rest: &str) {
        let indent = line.indent();
        self.open(BlockKind::List, line);
        while self.indents.last().is_some_and(|open| *open > indent) {
            self.indents.pop();
        }
        if self.indents.last() != Some(&indent) {
            self.indents.push(indent);
        }
        let depth = self.indents.len().saturating_sub(1).min(8);
        let start = line.offset_of(rest);
        self.add(line, |draft| {
            draft.new_line();
            draft.mark(&"  ".repeat(depth));
            draft.mark(marker);
            inline::push(rest.trim_end(), start, draft);
        });
    }

    fn running_text(&mut self, line: &Line, text: &str, start: usize) {
        let in_list = self.draft.as_ref().is_some_and(|draft| draft.kind == BlockKind::List) && line.indent() > 0;
        if !in_list {
            self.open(BlockKind::Paragraph, line);
        }
        let after_blank = self.after_blank;
        self.add(line, |draft| {
            if after_blank {
                draft.new_line();
            } else {
                draft.soft_break();
            }
            // The definition of a footnote begins with its mark, which says nothing.
            let body = text.strip_prefix("[fn:").and_then(|rest| rest.split_once("] ")).map_or(text, |(_, body)| body);
            match body.strip_suffix("\\\\") {
                Some(body) => {
                    inline::push(body, start + text.len() - body.len() - 2, draft);
                    draft.new_line();
                }
                None => inline::push(body, start + text.len() - body.len(), draft),
            }
        });
    }

    /// Makes sure that the open block is of this kind.
    fn open(&mut self, kind: BlockKind, line: &Line) {
        if self.draft.as_ref().is_none_or(|draft| draft.kind != kind) {
            self.flush();
            self.draft = Some(Draft::new(kind, line.start..line.end));
        }
    }

    /// Adds a line to the open block.
    fn add(&mut self, line: &Line, write: impl FnOnce(&mut Draft)) {
        if let Some(draft) = &mut self.draft {
            write(draft);
            draft.span.end = line.end;
            self.after_blank = false;
        }
    }

    fn flush(&mut self) {
        if let Some(draft) = &mut self.draft {
            targets::add(&mut self.unseen, draft.unseen.drain(..));
        }
        add(&mut self.blocks, self.draft.take().and_then(|draft| draft.finish(self.source, &mut self.outline)));
        self.indents.clear();
        self.after_blank = false;
    }
}

/// The name of the block that ends with this line.
fn block_end(text: &str) -> Option<&str> {
    let (sign, name) = text.trim().split_at_checked(6)?;
    sign.eq_ignore_ascii_case("#+end_").then_some(name.trim())
}

fn ends_special_block(text: &str) -> bool {
    block_end(text).is_some_and(|name| !BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block)))
}

/// Number of stars at the start of a heading.
fn heading_level(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|b| *b == b'*').count();
    (level > 0 && line[level..].starts_with([' ', '\t'])).then_some(level)
}

fn is_drawer(text: &str) -> bool {
    let name = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// The tags in `:one:two:`; `None` if the text does not have this form.
fn tags(text: &str) -> Option<impl Iterator<Item = &str>> {
    let inner = text.strip_prefix(':')?.strip_suffix(':')?;
    let is_tag = |tag: &str| !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || "_@#%-/".contains(c));
    inner.split(':').all(is_tag).then(|| inner.split(':'))
}

/// The two names in `"Two words" one`.
fn quoted(value: &str) -> impl Iterator<Item = &str> {
    value.split('"').enumerate().flat_map(|(at, part)| {
        let (whole, words) = if at % 2 == 1 { (Some(part.trim()), "") } else { (None, part) };
        whole.into_iter().chain(words.split_whitespace())
    })
}

/// A list item's marker, as it is shown, and the item's text.
fn item(text: &str, indent: usize) -> Option<(String, &str)> {
    let bullet = text.strip_prefix(['-', '+']).or(text.strip_prefix('*').filter(|_| indent > 0));
    if let Some(rest) = bullet {
        return (rest.is_empty() || rest.starts_with(' ')).then(|| ("- ".to_owned(), rest.trim_start()));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[digits..].strip_prefix(['.', ')']).filter(|_| (1..=9).contains(&digits))?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (format!("{}. ", &text[..digits]), rest.trim_start()))
}
