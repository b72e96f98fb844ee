//! Finds the places where a text may be cut.

use std::ops::Range;

use super::estimate_tokens;

/// Abbreviations: a full stop after one of them does not end a sentence.
const ABBREVIATIONS: [&str; 22] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "eg", "e.g", "ie", "i.e", "cf", "no", "fig", "vol", "al",
    "approx", "inc", "ltd", "jr", "sr",
];

/// The sentences of a text, end to end: each includes the white space after it. With `by_line` (for lists, tables and
/// code), every line also ends a sentence.
pub(crate) fn sentences(text: &str, by_line: bool) -> Vec<Range<usize>> {
    each_sentence(text, by_line).collect()
}

/// The same sentences as an iterator, because a file of one-letter lines has ten million of them.
pub(super) fn each_sentence(text: &str, by_line: bool) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while let Some((at, c)) = chars.next() {
            let is_end = match c {
                '\n' => by_line,
                '。' | '！' | '？' | '；' | '…' | '｡' => true,
                '.' | '!' | '?' => false,
                _ => continue,
            };
            let mut end = at + c.len_utf8();
            while let Some((_, next)) = chars.peek()
                && (is_closing(*next) || c != '\n' && is_stop(*next))
            {
                end += next.len_utf8();
                chars.next();
            }
            let rest = &text[end..];
            if is_end || ends_english(text, at, rest) {
                let blank = rest.len() - rest.trim_start().len();
                while chars.next_if(|(at, _)| *at < end + blank).is_some() {}
                return Some(std::mem::replace(&mut start, end + blank)..end + blank);
            }
        }
        (start < text.len()).then(|| std::mem::replace(&mut start, text.len())..text.len())
    })
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '…')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '」' | '』' | '）' | '】' | '》')
}

/// Whether the sign at byte `at` ends a sentence. White space must follow, and after that no lower-case letter, so a
/// `.` in a number or an address does not count. Neither does one after an initial or an abbreviation.
fn ends_english(text: &str, at: usize, rest: &str) -> bool {
    let Some(after) = rest.chars().next() else { return true };
    if !after.is_whitespace() || rest.trim_start().starts_with(char::is_lowercase) {
        return false;
    }
    if !text[at..].starts_with('.') {
        return true;
    }
    let before = &text[..at];
    let word = before.rsplit(|c: char| c.is_whitespace() || "([\"".contains(c)).next().unwrap_or(before);
    let is_initial = word.len() == 1 && word.starts_with(|c: char| c.is_ascii_uppercase());
    !is_initial && !ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Cuts a sentence that is longer than `max_tokens`: at line ends, else at spaces, else anywhere.
pub(super) fn hard_cuts(text: &str, range: Range<usize>, max_tokens: usize) -> Vec<Range<usize>> {
    if estimate_tokens(&text[range.clone()]) <= max_tokens {
        return vec![range];
    }
    // Each part grows in steps of as many bytes as it may have tokens. A step that does not fit is halved.
    let mut found = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let mut end = start;
        let mut step = max_tokens.max(4);
        loop {
            let next = text.floor_char_boundary((end + step).min(range.end));
            if next > end && estimate_tokens(&text[start..next]) <= max_tokens {
                end = next;
                if end == range.end {
                    break;
                }
            } else if step > 4 {
                step /= 2;
            } else {
                break;
            }
        }
        if end == start {
            end = text.ceil_char_boundary((start + 1).min(range.end));
        }
        if end < range.end {
            let part = &text[start..end];
            // A cut near the beginning would make a tiny part.
            let after = |at: usize, c: char| (at > part.len() / 4).then_some(start + at + c.len_utf8());
            let by_line = part.rfind('\n').and_then(|at| after(at, '\n'));
            let by_space = || {
                let (at, c) = part.char_indices().rfind(|(_, c)| c.is_whitespace())?;
                after(at, c)
            };
            end = by_line.or_else(by_space).unwrap_or(end);
        }
        found.push(start..end);
        start = end;
    }
    found
}
