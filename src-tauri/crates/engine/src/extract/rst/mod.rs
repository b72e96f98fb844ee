//! Reads reStructuredText as Docutils and Sphinx do:
//! <https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html>. The content of directives is kept, their
//! options are not. Comments and link targets are left out.

mod directive;
mod inline;

use super::block::{Draft, Outline, add};
use super::lines::{Line, LineStarts, Lines};
use super::plain::bom_len;
use super::targets::{self, target};
use super::{Block, BlockKind, Extractor, Reading, Unreadable, add_names};
use directive::{Directive, directive};

pub(super) struct Rst;

impl Extractor for Rst {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let source = std::mem::take(&mut reading.text);
        let starts = LineStarts::of(&source, bom_len(&source));
        let lines = starts.lines(&source);
        let mut reader = Reader { source: &source, lines, ..Reader::default() };
        let mut at = 0;
        while at < lines.len() {
            at = reader.read(at);
        }
        reader.flush();
        reading.title = reader.title.or(reader.outline.first_h1().map(str::to_owned));
        reading.tags = reader.tags;
        reading.date = reader.date;
        reading.blocks = reader.blocks;
        reading.unseen = reader.unseen;
        reading.text = source;
        Ok(reading)
    }
}

#[derive(Default)]
struct Reader<'a> {
    source: &'a str,
    lines: Lines<'a>,
    blocks: Vec<Block>,
    outline: Outline,
    /// From the fields at the file's start.
    title: Option<String>,
    tags: Vec<String>,
    date: Option<String>,
    /// Adornments of headings: the sign, and whether it stands above the heading as well. The order in which they first
    /// came gives their levels.
    adornments: Vec<(char, bool)>,
    /// Whether there are blocks that are not headings.
    has_text: bool,
    draft: Option<Draft>,
    /// Indentation of each open list, outermost first.
    indents: Vec<usize>,
    /// Where the columns of an open simple table begin, in bytes of a line.
    columns: Vec<usize>,
    after_blank: bool,
    unseen: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    /// Reads the line at `at` and the lines that belong to it; returns the next line to read.
    fn read(&mut self, at: usize) -> usize {
        let line = &self.lines.at(at);
        let (text, start) = line.trimmed();
        let indent = line.indent();
        if text.is_empty() {
            match &self.draft {
                Some(draft) if draft.kind == BlockKind::List && !self.after_blank => self.after_blank = true,
                _ => self.flush(),
            }
            return at + 1;
        }
        if indent == 0
            && let Some(next) = self.heading(at)
        {
            return next;
        }
        if let Some(rest) = text.strip_prefix("..").filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            return self.explicit(at, rest.trim_start());
        }
        if let Some(columns) = simple_border(line.text) {
            if self.columns.is_empty() || self.columns.len() != columns.len() {
                self.flush();
            }
            self.open(BlockKind::Table, line);
            self.columns = columns;
            self.add(line, |_| {});
            return at + 1;
        }
        if !self.columns.is_empty() && self.draft.as_ref().is_some_and(|draft| draft.kind == BlockKind::Table) {
            self.simple_row(line);
            return at + 1;
        }
        if is_grid(text) {
            self.grid_row(line, text, start);
            return at + 1;
        }
        if text.starts_with(">>> ") {
            return self.doctest(at);
        }
        if let Some((name, value)) = field(text) {
            return self.field(at, name, value);
        }
        if let Some((marker, rest)) = item(text) {
            self.item(line, &marker, rest);
            return self.literal_after(at, text, indent);
        }
        let text = text.strip_prefix("| ").unwrap_or(text);
        if indent == 0 && self.draft.as_ref().is_some_and(|draft| draft.kind != BlockKind::Paragraph) {
            self.flush();
        }
        if self.draft.is_none() {
            self.draft = Some(Draft::new(BlockKind::Paragraph, line.start..line.end));
        }
        let is_line_block = line.trimmed().0.len() != text.len();
        let after_blank = self.after_blank;
        self.add(line, |draft| {
            if is_line_block || after_blank {
                draft.new_line()
            } else {
                draft.soft_break()
            }
            // `::` at the end says that code follows. It is shown as one colon.
            let shown = match text.strip_suffix("::") {
                Some(rest) if rest.is_empty() || rest.ends_with(' ') => rest.trim_end(),
                Some(_) => &text[..text.len() - 1],
                None => text,
            };
            inline::push(shown, line.offset_of(text), draft);
        });
        self.literal_after(at, text, indent)
    }

    /// Reads a title with its adornment, or a transition. Returns the line after it.
    fn heading(&mut self, at: usize) -> Option<usize> {
        let line = &self.lines.at(at);
        let overline = adornment(line.text);
        let (title, under) = match overline {
            Some(_) => (self.lines.get(at + 1), self.lines.get(at + 2)),
            None => (Some(*line), self.lines.get(at + 1)),
        };
        let title = title.filter(|title| !title.is_blank() && adornment(title.text).is_none());
        let under = under.and_then(|under| Some((adornment(under.text)?, under)));
        let (Some(title), Some(((sign, n_signs), under))) = (title, under) else {
            // A transition stands alone; a table's border does not.
            let alone = |at: Option<usize>| at.and_then(|at| self.lines.get(at)).is_none_or(|line| line.is_blank());
            if overline.is_some_and(|(_, n)| n >= 4) && alone(at.checked_sub(1)) && alone(Some(at + 1)) {
                self.flush();
                return Some(at + 1);
            }
            return None;
        };
        let text = title.text.trim();
        // Like Docutils, accepts an underline that is too short if it has at least four signs.
        if n_signs < 4 && n_signs < text.chars().count() || overline.is_some_and(|(over, _)| over != sign) {
            return None;
        }
        // A line that continues a paragraph is no title, even if it is underlined.
        if overline.is_none() && self.draft.as_ref().is_some_and(|draft| draft.kind == BlockKind::Paragraph) {
            return None;
        }
        self.flush();
        let key = (sign, overline.is_some());
        let known = self.adornments.iter().position(|known| *known == key);
        let level = known.unwrap_or_else(|| {
            self.adornments.push(key);
            self.adornments.len() - 1
        });
        let level = u8::try_from(level.min(5) + 1).unwrap_or(6);
        let mut draft = Draft::new(BlockKind::Heading { level }, line.start..under.end);
        inline::push(text, title.offset_of(text), &mut draft);
        targets::add(&mut self.unseen, draft.unseen.drain(..));
        add(&mut self.blocks, draft.finish(self.source, &mut self.outline));
        Some(at + if overline.is_some() { 3 } else { 2 })
    }

    /// Reads what follows `.. `: a directive, a target, a footnote or a comment.
    fn explicit(&mut self, at: usize, rest: &str) -> usize {
        let line = &self.lines.at(at);
        self.flush();
        let leads = hidden_target(rest).and_then(target);
        self.unseen.extend(leads.map(|target| (line.start, target)));
        match directive(rest) {
            Directive::Code => return self.code(self.after_options(at), line.indent()),
            Directive::Text(text) => {
                if !text.is_empty() {
                    self.paragraph(line, text);
                }
                return self.after_options(at);
            }
            Directive::Image => {
                let end = self.after_options(at);
                for line in self.lines.part(at + 1..end).iter() {
                    if let Some(alt) = line.text.trim().strip_prefix(":alt:").map(str::trim).filter(|a| !a.is_empty()) {
                        self.paragraph(&line, alt);
                    }
                }
                return end;
            }
            Directive::Meta => {
                let end = self.after_body(at);
                for line in self.lines.part(at + 1..end).iter() {
                    if let Some((name, value)) = field(line.text.trim()) {
                        self.about(name, value);
                    }
                }
                return end;
            }
            Directive::Footnote(text) => {
                self.open(BlockKind::Paragraph, line);
                self.add(line, |draft| inline::push(text, line.offset_of(text), draft));
                return at + 1;
            }
            Directive::Unread => {}
        }
        self.after_body(at)
    }

    fn paragraph(&mut self, line: &Line, text: &str) {
        self.open(BlockKind::Paragraph, line);
        self.add(line, |draft| inline::push(text, line.offset_of(text), draft));
        self.flush();
    }

    /// The line after a directive's `:options:`.
    fn after_options(&self, at: usize) -> usize {
        let indent = self.lines.at(at).indent();
        let is_option = |line: &Line| line.indent() > indent && line.text.trim_start().starts_with(':');
        at + 1 + self.lines.from(at + 1).iter().take_while(is_option).count()
    }

    /// The line after all lines that are indented below the line `at`.
    fn after_body(&self, at: usize) -> usize {
        let indent = self.lines.at(at).indent();
        let is_body = |line: &Line| line.is_blank() || line.indent() > indent;
        at + 1 + self.lines.from(at + 1).iter().take_while(is_body).count()
    }

    /// Reads the code that follows a paragraph ending with `::`.
    fn literal_after(&mut self, at: usize, text: &str, indent: usize) -> usize {
        let ends = self.lines.get(at + 1).is_none_or(|next| next.is_blank());
        if !text.ends_with("::") || !ends {
            return at + 1;
        }
        let body = self.lines.from(at + 1).iter().find(|line| !line.is_blank());
        if body.is_none_or(|body| body.indent() <= indent) {
            return at + 1;
        }
        self.flush();
        self.code(at + 1, indent)
    }

    /// Reads the lines from `from` on that are indented further than `indent` as code.
    fn code(&mut self, from: usize, indent: usize) -> usize {
        let is_body = |line: &Line| line.is_blank() || line.indent() > indent;
        let end = from + self.lines.from(from).iter().take_while(is_body).count();
        let body = self.lines.part(from..end);
        let shared = body.iter().filter(|line| !line.is_blank()).map(|line| line.indent()).min().unwrap_or(0);
        for line in body.iter() {
            self.code_line(&line, shared);
        }
        self.flush();
        end
    }

    fn code_line(&mut self, line: &Line, shared_indent: usize) {
        if self.draft.is_none() && line.is_blank() {
            return;
        }
        self.open(BlockKind::Code, line);
        self.add(line, |draft| {
            let blank = line.text.bytes().take(shared_indent).take_while(u8::is_ascii_whitespace).count();
            draft.push(&line.text[blank..], line.start + blank);
            draft.mark("\n");
        });
    }

    fn doctest(&mut self, at: usize) -> usize {
        self.flush();
        let indent = self.lines.at(at).indent();
        let end = at + self.lines.from(at).iter().take_while(|line| !line.is_blank()).count();
        for line in self.lines.part(at..end).iter() {
            self.code_line(&line, indent);
        }
        self.flush();
        end
    }

    /// Reads `:name: value`: a property of the file if no text was read yet, otherwise a line of a list.
    fn field(&mut self, at: usize, name: &str, value: &str) -> usize {
        let line = &self.lines.at(at);
        if !self.has_text && self.about(name, value) {
            return at + 1;
        }
        self.item(line, "", &line.text[line.text.len() - line.text.trim_start().len() + 1..]);
        at + 1
    }

    /// Reads a property of the file, by the names that Docutils and blogs use. Returns whether `name` is one of them.
    fn about(&mut self, name: &str, value: &str) -> bool {
        match name.to_ascii_lowercase().as_str() {
            "title" => self.title = Some(value.to_owned()),
            "date" => self.date = Some(value.to_owned()),
            "tags" | "keywords" | "tag" | "category" => {
                add_names(&mut self.tags, value.split([',', ';', '，']).map(str::trim));
            }
            _ => return false,
        }
        true
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
        self.add(line, |draft| {
            draft.new_line();
            draft.mark(&"  ".repeat(depth));
            draft.mark(marker);
            inline::push(rest.trim_end(), line.offset_of(rest), draft);
        });
    }

    fn simple_row(&mut self, line: &Line) {
        let columns = std::mem::take(&mut self.columns);
        self.add(line, |draft| {
            let text = line.text;
            // Columns are counted in characters, and wide ones shift the bytes. So two spaces separate the cells.
            let mut cells = text.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).peekable();
            let continues = columns.first().is_some_and(|first| text.len() > *first && text[..].starts_with("  "));
            if continues {
                draft.mark(" ")
            } else {
                draft.new_line()
            }
            while let Some(cell) = cells.next() {
                inline::push(cell, line.offset_of(cell), draft);
                if cells.peek().is_some() {
                    draft.mark(" | ");
                }
            }
        });
        self.columns = columns;
    }

    fn grid_row(&mut self, line: &Line, text: &str, start: usize) {
        self.open(BlockKind::Table, line);
        if text.starts_with('+') {
            return self.add(line, |_| {});
        }
        let inner = text.strip_prefix('|').unwrap_or(text);
        let inner = inner.strip_suffix('|').unwrap_or(inner);
        self.add(line, |draft| {
            draft.new_line();
            let mut at = start + 1;
            for (column, cell) in inner.split('|').enumerate() {
                if column > 0 {
                    draft.mark(" | ");
                }
                inline::push(cell.trim(), at + cell.len() - cell.trim_start().len(), draft);
                at += cell.len() + 1;
            }
        });
    }

    fn open(&mut self, kind: BlockKind, line: &Line) {
        if self.draft.as_ref().is_none_or(|draft| draft.kind != kind) {
            self.flush();
            self.draft = Some(Draft::new(kind, line.start..line.end));
        }
    }

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
        let block = self.draft.take().and_then(|draft| draft.finish(self.source, &mut self.outline));
        self.has_text |= block.is_some();
        add(&mut self.blocks, block);
        self.indents.clear();
        self.columns.clear();
        self.after_blank = false;
    }
}

/// For a line that only repeats one sign: the sign, and how often it comes.
fn adornment(line: &str) -> Option<(char, usize)> {
    let line = line.trim_end();
    let sign = line.chars().next().filter(char::is_ascii_punctuation)?;
    (line.len() >= 2 && line.bytes().all(|b| b == sign as u8)).then_some((sign, line.len()))
}

/// Where the columns of a simple table begin, from its border: `=====  ===`.
fn simple_border(line: &str) -> Option<Vec<usize>> {
    let text = line.trim_end();
    let is_border = text.len() > 4
        && text.trim_start().starts_with("==")
        && text.contains(" =")
        && text.bytes().all(|b| b == b'=' || b == b' ');
    let starts = |at: &usize| text.as_bytes()[*at] == b'=' && (*at == 0 || text.as_bytes()[*at - 1] == b' ');
    is_border.then(|| (0..text.len()).filter(starts).collect())
}

fn is_grid(text: &str) -> bool {
    let is_border = text.starts_with("+-") || text.starts_with("+=");
    is_border && text.ends_with('+') || text.starts_with('|') && text.ends_with('|') && text.len() > 2
}

/// The name and the value of a field: `:name: value`.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix(':')?.split_once(':')?;
    let is_field = !name.is_empty() && name.len() <= 60 && !name.starts_with(' ') && !name.contains('`');
    (is_field && (value.is_empty() || value.starts_with(' '))).then_some((name, value.trim()))
}

/// A list item's marker (`*`, `1.`, `#.`, `(a)`), as it is shown, and the item's text.
fn item(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix(['-', '*', '+', '•']) {
        return (rest.is_empty() || rest.starts_with(' ')).then(|| ("- ".to_owned(), rest.trim_start()));
    }
    let body = text.strip_prefix('(').unwrap_or(text);
    let n = body.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let n = if n == 0 && body.starts_with('#') { 1 } else { n };
    let is_number = n > 0 && (n == 1 || body[..n].bytes().all(|b| b.is_ascii_digit())) && n <= 9;
    let rest = body[n..].strip_prefix(['.', ')']).filter(|_| is_number)?;
    let rest = rest.strip_prefix(' ')?.trim_start();
    Some((if body.starts_with('#') { "- ".to_owned() } else { format!("{}. ", &body[..n]) }, rest))
}

/// The address of a link target (`_name: https://...`), or the file of a picture. `rest` is the text after two dots.
fn hidden_target(rest: &str) -> Option<&str> {
    if let Some(named) = rest.strip_prefix('_') {
        return named.split_once(": ").map(|(_, target)| target);
    }
    let (name, argument) = rest.split_once("::")?;
    let is_picture = matches!(name.rsplit('|').next()?.trim(), "image" | "figure");
    is_picture.then_some(argument)
}
