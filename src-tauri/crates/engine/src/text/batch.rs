//! Index terms, found one word or run of characters at a time, and the Tantivy token stream that yields them.

use std::borrow::Cow;
use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream};

use super::clean::{Clean, Source, clean};

/// One index term and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term<'a> {
    pub(crate) text: &'a str,
    /// Where it begins and ends in the original text, in bytes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Counts word parts and single Chinese characters; in [`super::CJK`], each Japanese and Korean character too. So
    /// terms that touch have consecutive positions in every text, however it was segmented.
    pub(crate) position: usize,
    /// How many positions it spans.
    pub(crate) length: usize,
}

/// The terms of one word or run.
#[derive(Debug, Default)]
pub struct Batch {
    buffer: String,
    entries: Vec<Entry>,
    next: usize,
}

#[derive(Debug)]
struct Entry {
    text: Range<usize>,
    source: Range<usize>,
    position: usize,
    length: usize,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.entries.clear();
        self.next = 0;
    }

    pub(super) fn push(&mut self, text: &str, source: Range<usize>, position: usize, length: usize) {
        let start = self.buffer.len();
        self.buffer.push_str(text);
        self.entries.push(Entry { text: start..self.buffer.len(), source, position, length });
    }

    /// Sorts by position; at the same position the longest term comes first.
    pub(super) fn sort(&mut self) {
        self.entries.sort_by_key(|entry| (entry.position, std::cmp::Reverse(entry.length)));
    }

    fn pop(&mut self, source: &Source) -> Option<Term<'_>> {
        let entry = self.entries.get(self.next)?;
        self.next += 1;
        let (start, end) = (source.at(entry.source.start), source.at(entry.source.end));
        let text = &self.buffer[entry.text.clone()];
        Some(Term { text, start, end, position: entry.position, length: entry.length })
    }
}

/// Finds the terms of a text, one word or run after another.
pub trait Scan {
    /// Fills the (empty) batch with the terms of the next word or run, if it has any. Returns `false` at the end of the
    /// text.
    fn scan(&mut self, batch: &mut Batch) -> bool;
}

pub struct Terms<S> {
    scan: S,
    source: Source,
    batch: Batch,
    token: Token,
}

impl<S: Scan> Terms<S> {
    /// The terms that `scan` finds in `text` after cleaning.
    pub(super) fn of<'a>(text: &'a str, scan: impl FnOnce(Cow<'a, str>) -> S) -> Self {
        let Clean { text, source } = clean(text);
        Self { scan: scan(text), source, batch: Batch::default(), token: Token::default() }
    }

    pub(super) fn next_term(&mut self) -> Option<Term<'_>> {
        while self.batch.next == self.batch.entries.len() {
            self.batch.clear();
            if !self.scan.scan(&mut self.batch) {
                return None;
            }
        }
        self.batch.pop(&self.source)
    }
}

impl<S: Scan> TokenStream for Terms<S> {
    fn advance(&mut self) -> bool {
        let mut token = std::mem::take(&mut self.token);
        token.text.clear();
        let found = match self.next_term() {
            Some(term) => {
                token.text.push_str(term.text);
                (token.offset_from, token.offset_to) = (term.start, term.end);
                (token.position, token.position_length) = (term.position, term.length);
                true
            }
            None => false,
        };
        self.token = token;
        found
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
