//! Words: folded and stemmed, identifiers whole and in parts, Chinese by dictionary.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use frostem::{Algorithm, Stemmer};

use super::batch::{Batch, Scan};
use super::dictionary;
use super::fold::{fold_cjk, fold_into, is_accent};
use super::numbers::number;
use super::parts::Parts;
use super::script::{is_cjk, is_han};
use super::signs::{is_apostrophe, is_emoji, is_flag, is_joint};

/// Longer "words" are keys, hashes and encoded pictures.
const MAX_TERM_BYTES: usize = 64;

/// A "word" with more parts is no identifier, and only its parts become terms.
const MAX_PARTS: usize = 8;

/// The most Chinese characters given to the dictionary at once. Only text without any punctuation has longer runs.
const MAX_RUN_CHARS: usize = 2000;

thread_local! {
    static STEMMER: RefCell<Stemmer> = RefCell::new(Stemmer::new(Algorithm::English));
}

/// The stem of a folded English word; other words come back as they are.
pub(crate) fn stem(word: &str) -> Cow<'_, str> {
    if word.len() < 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.into();
    }
    STEMMER.with_borrow(|stemmer| stemmer.stem(word).into_owned().into())
}

pub struct Words<'a> {
    text: Cow<'a, str>,
    at: usize,
    position: usize,
    /// Kept between words to save allocations.
    parts: Parts,
    folded: String,
    whole: String,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Self {
        Self { text, at: 0, position: 0, parts: Parts::default(), folded: String::new(), whole: String::new() }
    }

    /// Moves `self.at` past the characters for which `what` is true, and returns their range.
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

    /// A run of kana and Hangul, which becomes one term.
    fn syllables(&mut self, batch: &mut Batch) {
        let range = self.run(|c| is_cjk(c) && !is_han(c));
        let folded: String = self.text[range.clone()].chars().map(fold_cjk).collect();
        if folded.len() <= MAX_TERM_BYTES {
            batch.push(&folded, range, self.position, 1);
        }
        self.position += 1;
    }

    /// One emoji, or the two halves of a flag.
    fn emoji(&mut self, batch: &mut Batch) {
        let rest = &self.text[self.at..];
        let n = if rest.starts_with(is_flag) { 2 } else { 1 };
        let length = rest.chars().take(n).take_while(|c| n == 1 || is_flag(*c)).map(char::len_utf8).sum::<usize>();
        let range = self.at..self.at + length;
        batch.push(&self.text[range.clone()], range.clone(), self.position, 1);
        self.at = range.end;
        self.position += 1;
    }

    /// A number in groups of digits: each group, and the groups together. `false` if there is none here.
    fn number(&mut self, batch: &mut Batch) -> bool {
        let Some(number) = number(&self.text, self.at) else { return false };
        for (at, group) in number.groups.iter().enumerate().filter(|(_, group)| group.len() <= MAX_TERM_BYTES) {
            batch.push(&self.text[group.clone()], group.clone(), self.position + at, 1);
        }
        for whole in number.wholes {
            self.whole.clear();
            for at in whole.clone() {
                if number.has_fraction && at + 1 == number.groups.len() {
                    self.whole.push('.');
                }
                self.whole.push_str(&self.text[number.groups[at].clone()]);
            }
            let source = number.groups[whole.start].start..number.groups[whole.end - 1].end;
            batch.push(&self.whole, source, self.position + whole.start, whole.len());
        }
        batch.sort();
        self.at = number.groups.last().map_or(self.at, |last| last.end);
        self.position += number.groups.len();
        true
    }

    /// A word or an identifier. Its parts are joined by single `_`, `-` or `.`, or meet at a capital or a digit.
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
            self.parts.add(&self.text, segment..self.at);
            if !(is_joined && is_joint(joint)) {
                break;
            }
            self.at += joint.len_utf8();
            segment = self.at;
        }
        self.emit(start..self.at, batch);
    }

    fn emit(&mut self, range: Range<usize>, batch: &mut Batch) {
        let n_parts = self.parts.ranges.len();
        self.whole.clear();
        for (at, part) in self.parts.ranges.iter().enumerate() {
            fold_word(&self.text[part.clone()], &mut self.folded);
            if at > 0 && self.text[..part.start].ends_with('.') {
                self.whole.push('.');
            }
            self.whole.push_str(&self.folded);
            if !self.folded.is_empty() && self.folded.len() <= MAX_TERM_BYTES {
                batch.push(&stem(&self.folded), part.clone(), self.position + at, 1);
            }
        }
        let whole = &mut self.whole;
        if (2..=MAX_PARTS).contains(&n_parts) && whole.len() <= MAX_TERM_BYTES {
            batch.push(&stem(whole), range, self.position, n_parts);
            batch.sort();
        } else if whole.len() == 1
            && let Some(sign) = ["++", "#"].into_iter().find(|sign| self.text[range.end..].starts_with(sign))
        {
            // C++, C#, F#.
            whole.push_str(sign);
            batch.push(whole, range.start..range.end + sign.len(), self.position, 1);
        }
        self.position += n_parts;
    }
}

impl Scan for Words<'_> {
    fn scan(&mut self, batch: &mut Batch) -> bool {
        self.run(|c| !is_letter(c) && (c.is_ascii() || !is_cjk(c) && !is_emoji(c)));
        match self.text[self.at..].chars().next() {
            None => return false,
            Some(c) if c.is_ascii_digit() && self.number(batch) => {}
            Some(c) if is_letter(c) => self.word(batch),
            Some(c) if is_han(c) => self.han(batch),
            Some(c) if is_cjk(c) => self.syllables(batch),
            Some(_) => self.emoji(batch),
        }
        true
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || !c.is_ascii() && !is_cjk(c) && (c.is_alphanumeric() || is_accent(c)) && !is_apostrophe(c) && !is_emoji(c)
}

/// The folded word without apostrophes and without `'s`.
pub(super) fn fold_word(word: &str, folded: &mut String) {
    folded.clear();
    let owner = word.strip_suffix(['s', 'S']).and_then(|word| word.strip_suffix(is_apostrophe));
    owner.unwrap_or(word).chars().filter(|c| !is_apostrophe(*c)).for_each(|c| fold_into(c, folded));
}
