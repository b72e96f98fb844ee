//! What a question excludes: `-word`, `NOT word`, and both with a quoted phrase.

use std::ops::Range;

use super::exact::{closing, quoted};
use super::script::is_cjk;
use super::signs::is_hyphen;

/// The fewest letters of a word excluded by a hyphen. People ask about options of programs (`git commit -m`), so a
/// single letter excludes nothing.
const LEAST_LETTERS: usize = 2;

/// The exclusions in a question, each as two byte ranges: sign and word together, and the word alone. In order, not
/// overlapping.
pub(super) fn excluded(question: &str) -> Vec<(Range<usize>, Range<usize>)> {
    // In a question typed with caps lock on, `NOT` is an ordinary word.
    let has_small = question.chars().any(|c| c.is_lowercase() || is_cjk(c));
    let mut found: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let quotes = quoted(question);
    let mut before = ' ';
    for (at, c) in question.char_indices() {
        let is_first = before.is_whitespace() || before == '(';
        before = c;
        let is_quoted = quotes.iter().any(|quote| quote.contains(&at));
        if is_quoted || !is_first || found.last().is_some_and(|(all, _)| at < all.end) {
            continue;
        }
        let rest = &question[at..];
        let start = if is_hyphen(c) {
            at + c.len_utf8()
        } else if has_small
            && rest.strip_prefix("NOT").is_some_and(|rest| rest.starts_with(|c| c == ' ' || closing(c).is_some()))
        {
            question.len() - rest[3..].trim_start().len()
        } else {
            continue;
        };
        if let Some(word) = word(question, start, is_hyphen(c)) {
            // The range includes a quote right after the word. Left in the question, it would open a phrase.
            let sign = question[word.end..].chars().next().filter(|c| matches!(c, '"' | '”' | '」'));
            found.push((at..word.end + sign.map_or(0, char::len_utf8), word));
        }
    }
    found
}

/// The word or quoted phrase that begins at byte `start`; `None` if it cannot be excluded.
fn word(question: &str, start: usize, is_hyphen: bool) -> Option<Range<usize>> {
    let rest = &question[start..];
    let first = rest.chars().next()?;
    if let Some(close) = closing(first) {
        let start = start + first.len_utf8();
        let length = question[start..].find(close)?;
        return (!question[start..start + length].trim().is_empty()).then_some(start..start + length);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '“' | '”' | '「' | '」' | ')');
    let length = rest.find(ends).unwrap_or(rest.len());
    let word = &rest[..length];
    let first = word.chars().next()?;
    let is_word = first.is_alphabetic() && (is_cjk(first) || word.chars().count() >= LEAST_LETTERS);
    (is_word || !is_hyphen && first.is_alphanumeric()).then_some(start..start + length)
}
