//! Words: folded and stemmed, identifiers whole and in parts, Chinese by dictionary.

use std::cell::RefCell;
use std::ops::Range;

use frostem::{Algorithm, Stemmer};

use super::batch::{Batch, Scan};
use super::dictionary;
use super::fold::{fold_cjk, fold_into, is_accent};
use super::script::{is_cjk, is_han};

/// Longer "words" are keys, hashes and encoded pictures.
const MAX_TERM_BYTES: usize = 64;

/// More parts than an identifier has.
const MAX_PARTS: usize = 8;

/// Characters of Chinese given to the dictionary at once; only text without any punctuation has longer runs.
const MAX_RUN_CHARS: usize = 2000;

thread_local! {
    static STEMMER: RefCell<Stemmer> = RefCell::new(Stemmer::new(Algorithm::English));
}

/// The stem of a folded English word; other words come back as they are.
pub(super) fn stem(word: &str) -> std::borrow::Cow<'_, str> {
    if word.len() < 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.into();
    }
    STEMMER.with_borrow(|stemmer| stemmer.stem(word).into_owned().into())
}

pub struct Words<'a> {
    text: &'a str,
    at: usize,
    position: usize,
    /// Kept between words to save allocations.
    parts: Vec<Range<usize>>,
    folded: String,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, position: 0, parts: Vec::new(), folded: String::new() }
    }

    /// The run of `what` from `self.at` on, which it moves past.
    fn run(&mut self, what: impl Fn(char) -> bool) -> Range<usize> {
        let start = self.at;
        let rest = &self.text[start..];
        self.at = start + rest.find(|c| !what(c)).unwrap_or(rest.len());
        start..self.at
    }

    fn han(&mut self, batch: &mut Batch) {
        let start = self.at;
        let mut offsets = Vec::new();
        self.folded.clear();
        for (at, c) in self.text[start..].char_indices().take_while(|(_, c)| is_han(*c)).take(MAX_RUN_CHARS) {
            offsets.push(start + at);
            self.folded.push(fold_cjk(c));
            self.at = start + at + c.len_utf8();
        }
        offsets.push(self.at);
        for word in dictionary::cut(&self.folded) {
            let source = offsets[word.start]..offsets[word.end];
            batch.push(word.word, source, self.position + word.start, word.end - word.start);
        }
        batch.sort();
        self.position += offsets.len() - 1;
    }

    /// Kana and Hangul: whatever stands together.
    fn syllables(&mut self, batch: &mut Batch) {
        let range = self.run(|c| is_cjk(c) && !is_han(c));
        let folded: String = self.text[range.clone()].chars().map(fold_cjk).collect();
        if folded.len() <= MAX_TERM_BYTES {
            batch.push(&folded, range, self.position, 1);
        }
        self.position += 1;
    }

    /// A word or an identifier: parts joined by single `_`, `-` or `.`, or by a capital.
    fn word(&mut self, batch: &mut Batch) {
        let start = self.at;
        self.parts.clear();
        let mut segment = start;
        loop {
            self.run(is_letter);
            let mut next = self.text[self.at..].chars();
            let (joint, is_joined) = match (next.next(), next.next()) {
                (Some(joint), Some(after)) => (joint, is_letter(after)),
                _ => (' ', false),
            };
            if is_joined && is_apostrophe(joint) {
                self.at += joint.len_utf8();
                continue;
            }
            self.split_capitals(segment..self.at);
            if !(is_joined && matches!(joint, '_' | '-' | '.')) {
                break;
            }
            self.at += joint.len_utf8();
            segment = self.at;
        }
        self.emit(start..self.at, batch);
    }

    /// `camelCase` has parts, and so has `XMLHttpRequest`; `JavaScript` is a name and not about Java.
    fn split_capitals(&mut self, segment: Range<usize>) {
        let bytes = &self.text.as_bytes()[segment.clone()];
        let n_before = self.parts.len();
        let mut start = 0;
        for at in 1..bytes.len() {
            let after_small = bytes[at - 1].is_ascii_lowercase();
            let before_small =
                bytes[at - 1].is_ascii_uppercase() && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if bytes[at].is_ascii_uppercase() && (after_small || before_small) {
                self.parts.push(segment.start + start..segment.start + at);
                start = at;
            }
        }
        self.parts.push(segment.start + start..segment.end);
        if bytes.first().is_some_and(u8::is_ascii_uppercase) && self.parts.len() - n_before == 2 {
            self.parts.truncate(n_before);
            self.parts.push(segment);
        }
    }

    fn emit(&mut self, range: Range<usize>, batch: &mut Batch) {
        let n_parts = self.parts.len();
        let mut whole = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            fold_word(&self.text[part.clone()], &mut self.folded);
            if at > 0 && self.text[..part.start].ends_with('.') {
                whole.push('.');
            }
            whole.push_str(&self.folded);
            if !self.folded.is_empty() && self.folded.len() <= MAX_TERM_BYTES {
                batch.push(&stem(&self.folded), part.clone(), self.position + at, 1);
            }
        }
        if (2..=MAX_PARTS).contains(&n_parts) && whole.len() <= MAX_TERM_BYTES {
            batch.push(&stem(&whole), range, self.position, n_parts);
            batch.sort();
        } else if whole.len() == 1
            && let Some(sign) = ["++", "#"].into_iter().find(|sign| self.text[range.end..].starts_with(sign))
        {
            // C++, C#, F#.
            whole.push_str(sign);
            batch.push(&whole, range.start..range.end + sign.len(), self.position, 1);
        }
        self.position += n_parts;
    }
}

impl Scan for Words<'_> {
    fn scan(&mut self, batch: &mut Batch) -> bool {
        self.run(|c| !is_letter(c) && !is_cjk(c));
        match self.text[self.at..].chars().next() {
            None => return false,
            Some(c) if is_han(c) => self.han(batch),
            Some(c) if is_cjk(c) => self.syllables(batch),
            Some(_) => self.word(batch),
        }
        true
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() && !is_cjk(c) && (c.is_alphanumeric() || is_accent(c))
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

/// The folded word without apostrophes and without `'s`.
fn fold_word(word: &str, folded: &mut String) {
    folded.clear();
    let owner = word.strip_suffix(['s', 'S']).and_then(|word| word.strip_suffix(is_apostrophe));
    owner.unwrap_or(word).chars().filter(|c| !is_apostrophe(*c)).for_each(|c| fold_into(c, folded));
}
