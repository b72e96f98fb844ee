//! Reads CSV and TSV (RFC 4180, and variants that people write). The delimiter is detected, and quoted fields may span
//! lines.
//!
//! A row becomes a line `a | b | c`. A block has as many rows as fit a passage and begins with the header row, so that
//! a number is never read without its column's name. A hit opens at its line: every editor knows lines, and the rows of
//! a spreadsheet have the same numbers, as long as no field spans lines.

use super::block::{Draft, Outline, add};
use super::plain::bom_len;
use super::{BlockKind, Extractor, Reading, Unreadable};
use crate::chunk::{ChunkRules, estimate_tokens};

/// Reads CSV; `is_tsv`: tabs separate the fields.
pub(super) struct Csv {
    pub(super) is_tsv: bool,
}

impl Extractor for Csv {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let source = reading.text.as_str();
        let start = bom_len(source);
        // A first line `sep=;` is Excel's own way to name the delimiter.
        let first = source[start..].split('\n').next().unwrap_or_default();
        let named = first.trim_end().strip_prefix("sep=").and_then(|rest| rest.chars().next()).map(Delimiter::new);
        let start = if named.is_some() { source.len().min(start + first.len() + 1) } else { start };
        let delimiter = match named {
            Some(delimiter) => delimiter,
            None if self.is_tsv => Delimiter::new('\t'),
            None => delimiter_of(&source[start..]),
        };
        let mut rows = Rows { source, delimiter, at: start };
        let mut outline = Outline::default();
        let mut blocks = Vec::new();
        let Some(first) = rows.next() else { return Ok(reading) };
        let header = if first.is_header() { Some(first.line()) } else { None };
        // A header of many columns must leave room for rows.
        let header = header.filter(|header| estimate_tokens(header) <= room() / 2);
        let mut draft = Draft::new(BlockKind::Table, first.start..first.end);
        let mut n_tokens = first.write(&mut draft);
        for row in rows {
            let size = estimate_tokens(&row.line());
            if size == 0 {
                continue;
            }
            if n_tokens + size > room() && !draft.text.is_empty() {
                let next = Draft::new(BlockKind::Table, row.start..row.end);
                add(&mut blocks, std::mem::replace(&mut draft, next).finish(source, &mut outline));
                n_tokens = 0;
                if let Some(header) = &header {
                    draft.mark(header);
                    draft.new_line();
                    n_tokens = estimate_tokens(header);
                }
            }
            draft.new_line();
            n_tokens += row.write(&mut draft);
            draft.span.end = row.end;
        }
        add(&mut blocks, draft.finish(source, &mut outline));
        reading.blocks = blocks;
        Ok(reading)
    }
}

/// Most tokens of a block: a little less than a passage's target, which is counted over the whole text and not by rows.
fn room() -> usize {
    ChunkRules::default().target_tokens * 9 / 10
}

/// The sign between fields, of any script: some people's tables have `；`.
#[derive(Clone, Copy)]
struct Delimiter {
    bytes: [u8; 4],
    len: usize,
}

impl Delimiter {
    fn new(sign: char) -> Self {
        let mut bytes = [0; 4];
        let len = sign.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }

    /// Whether `bytes` begin with the delimiter.
    fn begins(self, bytes: &[u8]) -> bool {
        bytes.first() == Some(&self.bytes[0]) && bytes.starts_with(&self.bytes[..self.len])
    }
}

/// A row. Its fields are found anew each time instead of being stored, because one row can have ten million.
struct Row<'a> {
    source: &'a str,
    delimiter: Delimiter,
    start: usize,
    end: usize,
}

impl<'a> Row<'a> {
    fn fields(&self) -> impl Iterator<Item = Field> + use<'a> {
        let Self { source, delimiter, start, end } = *self;
        let mut rows = Rows { source, delimiter, at: start };
        // An empty field may stand at the end.
        let mut is_over = false;
        std::iter::from_fn(move || {
            let field = (!is_over).then(|| rows.field())?;
            is_over = rows.at >= end;
            rows.at += delimiter.len;
            Some(field)
        })
    }

    /// The row as a line of text.
    fn line(&self) -> String {
        let mut line = String::new();
        for (column, field) in self.fields().enumerate() {
            line.push_str(if column > 0 { " | " } else { "" });
            line.push_str(&field.text(self.source));
        }
        line.trim_matches([' ', '|']).to_owned()
    }

    /// Adds the row to a block; returns the row's size in tokens.
    fn write(&self, draft: &mut Draft) -> usize {
        let says_something = |field: Field| !self.source[field.start..field.end].trim().is_empty();
        let n_fields =
            self.fields().enumerate().filter_map(|(at, field)| says_something(field).then_some(at + 1)).last();
        let start = draft.text.len();
        for (column, field) in self.fields().take(n_fields.unwrap_or(0)).enumerate() {
            if column > 0 {
                draft.mark(" | ");
            }
            draft.push(&field.text(self.source), field.start);
        }
        estimate_tokens(&draft.text[start..])
    }

    /// Whether a first row names the columns: at most one field is empty or a number.
    fn is_header(&self) -> bool {
        let is_name = |field: &Field| {
            let text = self.source[field.start..field.end].trim();
            let is_number = text.chars().all(|c| c.is_ascii_digit() || ".,+-%/: $€¥".contains(c));
            !is_number && text.len() <= 120
        };
        let n_names = self.fields().filter(is_name).count();
        let n_fields = self.fields().count();
        // A last column may be without a name, and the first (numbers of rows) often is.
        n_fields > 1 && n_names + 1 >= n_fields && n_names > 0
    }
}

/// The place of a field, without its quotes.
struct Field {
    start: usize,
    end: usize,
    /// Whether the field holds doubled quotes.
    has_quotes: bool,
}

impl Field {
    /// The field's text, on one line.
    fn text(&self, source: &str) -> String {
        let text = source[self.start..self.end].trim();
        let text = if self.has_quotes { text.replace("\"\"", "\"") } else { text.to_owned() };
        if text.contains(['\n', '\r', '\t']) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
    }
}

/// Rows from `at` on; blank lines are rows without fields.
struct Rows<'a> {
    source: &'a str,
    delimiter: Delimiter,
    at: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let bytes = self.source.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let start = self.at;
        self.field();
        while self.delimiter.begins(&bytes[self.at..]) {
            self.at += self.delimiter.len;
            self.field();
        }
        let row = Row { source: self.source, delimiter: self.delimiter, start, end: self.at };
        self.at += match bytes.get(self.at..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([_, ..]) => 1,
            _ => 0,
        };
        Some(row)
    }
}

impl Rows<'_> {
    /// Reads a field. `at` then stands at the sign that ended it.
    fn field(&mut self) -> Field {
        let bytes = self.source.as_bytes();
        let start = self.at;
        let delimiter = self.delimiter;
        let is_end = |at: usize| matches!(bytes[at], b'\n' | b'\r') || delimiter.begins(&bytes[at..]);
        let end = |from: usize| (from..bytes.len()).find(|at| is_end(*at)).unwrap_or(bytes.len());
        if bytes.get(start) == Some(&b'"') {
            let mut at = start + 1;
            let mut has_quotes = false;
            while at < bytes.len() {
                if bytes[at] != b'"' {
                    at += 1;
                } else if bytes.get(at + 1) == Some(&b'"') {
                    has_quotes = true;
                    at += 2;
                } else {
                    break;
                }
            }
            // A quote encloses the field only if its closing quote stands right before the field's end. One that is
            // never closed would swallow the file.
            let closes = at < bytes.len() && bytes.get(at + 1).is_none_or(|b| *b == b' ' || is_end(at + 1));
            if closes && at - start <= MAX_QUOTED_BYTES {
                self.at = end(at + 1);
                return Field { start: start + 1, end: at, has_quotes };
            }
        }
        self.at = end(start);
        Field { start, end: self.at, has_quotes: false }
    }
}

/// Most bytes of a quoted field; if the closing quote is farther away, the field is read as if it had no quotes.
const MAX_QUOTED_BYTES: usize = 64 * 1024;

/// The delimiter that cuts most rows into the same number of fields, at least two.
fn delimiter_of(text: &str) -> Delimiter {
    let head = &text[..text.floor_char_boundary(16 * 1024)];
    let score = |delimiter: Delimiter| {
        let rows = Rows { source: head, delimiter, at: 0 };
        let counts: Vec<usize> = rows.take(50).map(|row| row.fields().count()).filter(|n| *n > 0).collect();
        let first = counts.first().copied().unwrap_or(1);
        let same = counts.iter().filter(|n| **n == first).count();
        if first < 2 { (0, 0) } else { (same * 100 / counts.len().max(1), first) }
    };
    // Among equal scores the first delimiter wins: decimal commas make many fields, too.
    let best = ['\t', ';', '|', ',', '；', '，'].map(Delimiter::new).into_iter().rev().max_by_key(|d| score(*d));
    best.filter(|best| score(*best).1 > 1).unwrap_or(Delimiter::new(','))
}
