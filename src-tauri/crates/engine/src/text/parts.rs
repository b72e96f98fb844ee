//! The parts of a compound written without spaces: `camelCase`, `iPhone15`, `ChatGPT`.

use std::ops::Range;

use super::signs::is_raised_digit;

/// After a word of at least this many letters, a raised digit is a footnote mark. `m²` and `km²` are units.
const LEAST_LETTERS_OF_A_WORD: usize = 3;

/// `win32api` and `mp3player` are names. A word with more changes between letters and digits is a key, and is not cut
/// at its digits.
const MOST_CHANGES: usize = 2;

/// The parts of one word, in order. Together they cover the word, except for the signs that join them.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) ranges: Vec<Range<usize>>,
    cuts: Vec<usize>,
}

impl Parts {
    pub(super) fn clear(&mut self) {
        self.ranges.clear();
    }

    /// Adds the parts of `segment`, a run of letters and digits in `text`.
    pub(super) fn add(&mut self, text: &str, segment: Range<usize>) {
        let word = &text[segment.clone()];
        if word.as_bytes().get(1..).is_some_and(|rest| rest.iter().all(u8::is_ascii_lowercase))
            && word.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            self.ranges.push(segment);
            return;
        }
        self.cuts.clear();
        self.cut_at_capitals(word.as_bytes());
        self.cut_at_digits(word.as_bytes());
        self.cut_at_footnote(word);
        self.cuts.sort_unstable();
        let mut start = 0;
        for cut in self.cuts.drain(..).chain([word.len()]) {
            self.ranges.push(segment.start + start..segment.start + cut);
            start = cut;
        }
    }

    /// Cuts `camelCase`, `XMLHttpRequest` and `ChatGPT`. Names such as `JavaScript` and `iPhone` stay whole: they are
    /// not about Java or phones in general.
    fn cut_at_capitals(&mut self, word: &[u8]) {
        for at in 1..word.len() {
            let after_small = word[at - 1].is_ascii_lowercase();
            let before_small =
                word[at - 1].is_ascii_uppercase() && word.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if word[at].is_ascii_uppercase() && (after_small && at > 1 || before_small) {
                self.cuts.push(at);
            }
        }
        let is_name = |second: usize| {
            let letters = word[second..].iter().take_while(|byte| byte.is_ascii_alphabetic());
            letters.clone().any(u8::is_ascii_lowercase) || letters.count() < 2
        };
        if let [second] = self.cuts[..]
            && word[0].is_ascii_uppercase()
            && is_name(second)
        {
            self.cuts.clear();
        }
    }

    /// Cuts where two or more letters meet a digit: `iPhone15` and `5km`, but not `x86`, `1st` or `H2O`.
    fn cut_at_digits(&mut self, word: &[u8]) {
        let n_others = self.cuts.len();
        let mut n_changes = 0;
        for at in 1..word.len() {
            let (before, after) = (word[at - 1], word[at]);
            if before.is_ascii_digit() == after.is_ascii_digit() {
                continue;
            }
            n_changes += 1;
            let is_letter = |byte: &&u8| !byte.is_ascii_digit();
            let (n_letters, is_ordinal) = if before.is_ascii_digit() {
                let letters = word[at..].iter().take_while(is_letter).count();
                (letters, is_ordinal(&word[at..at + letters]))
            } else {
                (word[..at].iter().rev().take_while(is_letter).count(), false)
            };
            if n_letters >= 2 && !is_ordinal {
                self.cuts.push(at);
            }
        }
        if n_changes > MOST_CHANGES {
            self.cuts.truncate(n_others);
        }
    }

    fn cut_at_footnote(&mut self, word: &str) {
        if !word.ends_with(is_raised_digit) {
            return;
        }
        let noted = word.trim_end_matches(is_raised_digit);
        let is_word = noted.chars().all(char::is_alphabetic) && noted.chars().count() >= LEAST_LETTERS_OF_A_WORD;
        if is_word {
            self.cuts.push(noted.len());
        }
    }
}

fn is_ordinal(letters: &[u8]) -> bool {
    ["st", "nd", "rd", "th"].iter().any(|end| letters.eq_ignore_ascii_case(end.as_bytes()))
}
