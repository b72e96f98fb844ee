//! What a question leaves out: `-word`, `NOT word`, and either with a quoted phrase.

use std::ops::Range;

use super::script::is_cjk;
use super::signs::is_hyphen;

/// Options of programs are asked about (`git commit -m`): single letters are no words to leave out.
const LEAST_LETTERS: usize = 2;

/// What is left out, as bytes of the question: sign and word, and the word alone. In order, apart.
pub(super) fn excluded(question: &str) -> Vec<(Range<usize>, Range<usize>)> {
    // Typed with caps lock on, `NOT` is a word like any other.
    let has_small = question.chars().any(|c| c.is_lowercase() || is_cjk(c));
    let mut found: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut is_quoted = false;
    let mut before = ' ';
    for (at, c) in question.char_indices() {
        let is_first = before.is_whitespace() || before == '(';
        before = c;
        if c == '"' {
            is_quoted = !is_quoted;
        }
        if is_quoted || !is_first || found.last().is_some_and(|(all, _)| at < all.end) {
            continue;
        }
        let rest = &question[at..];
        let start = if is_hyphen(c) {
            at + c.len_utf8()
        } else if has_small && (rest.starts_with("NOT ") || rest.starts_with("NOT\"")) {
            question.len() - rest[3..].trim_start().len()
        } else {
            continue;
        };
        if let Some(word) = word(question, start, is_hyphen(c)) {
            // A quote that is passed over here opens no phrase.
            found.push((at..word.end + usize::from(question[word.end..].starts_with('"')), word));
        }
    }
    found
}

/// The word or quoted phrase that begins at a byte.
fn word(question: &str, start: usize, is_hyphen: bool) -> Option<Range<usize>> {
    let rest = &question[start..];
    if let Some(phrase) = rest.strip_prefix('"') {
        let length = phrase.find('"')?;
        return (!phrase[..length].trim().is_empty()).then_some(start + 1..start + 1 + length);
    }
    let length = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | ')')).unwrap_or(rest.len());
    let word = &rest[..length];
    let first = word.chars().next()?;
    let is_word = first.is_alphabetic() && (is_cjk(first) || word.chars().count() >= LEAST_LETTERS);
    (is_word || !is_hyphen && first.is_alphanumeric()).then_some(start..start + length)
}
