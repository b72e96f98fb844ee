//! Removes invisible characters from a text and unifies variants of characters. Every text is cleaned before it is
//! split into terms or given to a model.
//!
//! Soft hyphens, zero-width characters, direction marks and variation selectors only say where a line may break and how
//! a character is drawn, so they are left out. Radicals become the characters they look like, full-width letters and
//! digits become ASCII, and Unicode hyphens become `-`. A letter with combining marks (macOS writes file names so)
//! becomes one character.

use std::borrow::Cow;

use unicode_normalization::char::{compose, decompose_compatible};

use super::radicals;

/// A cleaned text, and where each of its characters stands in the original.
#[derive(Clone, Debug)]
pub struct Clean<'a> {
    pub text: Cow<'a, str>,
    pub(super) source: Source,
}

/// Maps byte offsets in a clean text to byte offsets in the original.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// (offset in the clean text, what to add to reach the original from there on), by ascending offset. Of equal
    /// offsets the last counts.
    shifts: Vec<(usize, isize)>,
}

impl Source {
    /// The offset in the original of the character at byte `at` of the clean text.
    pub(super) fn at(&self, at: usize) -> usize {
        match self.shifts.partition_point(|(from, _)| *from <= at).checked_sub(1) {
            Some(last) => at.saturating_add_signed(self.shifts[last].1),
            None => at,
        }
    }
}

/// Cleans a text. Most texts are clean already and are borrowed unchanged.
pub fn clean(text: &str) -> Clean<'_> {
    let Some(first) = first_odd(text) else {
        return Clean { text: Cow::Borrowed(text), source: Source::default() };
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut shifts: Vec<(usize, isize)> = Vec::new();
    let mut chars = text[first..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_odd(c) {
            out.push(c);
            continue;
        }
        let mut end = first + at + c.len_utf8();
        match c {
            '\u{AD}' => {
                // A soft hyphen at the end of a line: the word continues on the next line.
                let skipped = blank_inside_word(&text[end..]);
                while chars.next_if(|(at, _)| first + at < end + skipped).is_some() {}
                end += skipped;
            }
            '\u{200B}' if out.chars().next_back().is_some_and(is_without_spaces) => out.push(c),
            '\u{300}'..='\u{36F}' | '\u{1161}'..='\u{11C2}' | '\u{3099}' | '\u{309A}' | '\u{FF9E}' | '\u{FF9F}'
                if c != '\u{34F}' =>
            {
                match out.chars().next_back().and_then(|last| Some((last, joined(last, c)?))) {
                    Some((last, joined)) => {
                        out.truncate(out.len() - last.len_utf8());
                        out.push(joined);
                    }
                    None => out.push(c),
                }
            }
            '\u{2010}' | '\u{2011}' | '\u{FF0D}' => out.push('-'),
            '\u{2BB}' | '\u{2BC}' => out.push('\''),
            '\u{2E80}'..='\u{2FDF}' => out.push(radicals::character(c)),
            '\u{FF10}'..='\u{FF5A}' => out.extend(char::from_u32(u32::from(c) - 0xFEE0)),
            _ => {}
        }
        while shifts.pop_if(|(from, _)| *from > out.len()).is_some() {}
        shifts.push((out.len(), end as isize - out.len() as isize));
    }
    Clean { text: Cow::Owned(out), source: Source { shifts } }
}

/// The offset of the first character that [`clean`] may change. Every text is scanned and few contain such a character,
/// so the scan compares bytes and decodes a character only where its first byte is in [`BEGINS_ODD`].
fn first_odd(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text.as_bytes()[at..].iter().position(|byte| BEGINS_ODD[usize::from(*byte)])?;
        let c = text[at..].chars().next()?;
        if is_odd(c) {
            return Some(at);
        }
        at += c.len_utf8();
    }
}

const BEGINS_ODD: [bool; 256] = {
    let first_bytes = [0xC2, 0xCA, 0xCC, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xEF, 0xF0, 0xF3];
    let mut begins = [false; 256];
    let mut i = 0;
    while i < first_bytes.len() {
        begins[first_bytes[i]] = true;
        i += 1;
    }
    begins
};

/// Whether [`clean`] may change or remove the character. [`BEGINS_ODD`] must list the first byte of each of these.
pub(super) fn is_odd(c: char) -> bool {
    c >= '\u{AD}'
        && matches!(c,
            '\u{AD}' | '\u{2BB}' | '\u{2BC}' | '\u{300}'..='\u{36F}' | '\u{61C}' | '\u{1161}'..='\u{11C2}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2010}' | '\u{2011}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2E80}'..='\u{2FDF}' | '\u{3099}' | '\u{309A}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FF0D}' | '\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}'
            | '\u{FF9E}' | '\u{FF9F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The single character for a letter and the combining mark after it, if there is one.
fn joined(letter: char, mark: char) -> Option<char> {
    let wide = |c: char| {
        let mut wide = c;
        decompose_compatible(c, |part| wide = part);
        wide
    };
    match mark {
        '\u{FF9E}' | '\u{FF9F}' => compose(wide(letter), wide(mark)),
        _ => compose(letter, mark),
    }
}

/// Whether the character is Thai, Lao, Burmese or Khmer. These scripts separate words by zero-width spaces, if at all.
fn is_without_spaces(c: char) -> bool {
    matches!(c, '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

/// The length in bytes of the white space at the start of `rest`; 0 unless a letter follows it and it has at most one
/// line break.
fn blank_inside_word(rest: &str) -> usize {
    let word = rest.trim_start();
    let blank = &rest[..rest.len() - word.len()];
    let goes_on = word.starts_with(char::is_alphabetic) && blank.matches('\n').count() <= 1;
    if goes_on { blank.len() } else { 0 }
}
