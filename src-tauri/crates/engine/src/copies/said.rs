//! The sentences of a passage, compared without regard to layout and typography.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// The fewest letters of a word in which a difference of one letter is a slip, as in `sourdogh`. Shorter words become
/// other words, as `for` and `far`.
const LONG_WORD_CHARS: usize = 6;

/// The sentences of a passage, without case, width, spacing and the full stop at the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    sentences: Vec<String>,
}

impl Said {
    pub(crate) fn of(text: &str) -> Self {
        let mut sentences = Vec::new();
        for line in text.lines() {
            let line: String = match line.is_ascii() {
                true => line.chars().map(|c| plain(c.to_ascii_lowercase())).collect(),
                false => line.nfkc().flat_map(char::to_lowercase).map(plain).collect(),
            };
            let mut rest = line.as_str();
            while !rest.is_empty() {
                let (sentence, after) = rest.split_at(sentence_end(rest));
                let words: Vec<&str> = sentence.split_whitespace().collect();
                let sentence = words.join(" ");
                let sentence = sentence.trim_end_matches(['.', '。', '!']);
                if !sentence.is_empty() {
                    sentences.push(sentence.to_owned());
                }
                rest = after;
            }
        }
        Self { sentences }
    }

    pub(crate) fn sentences(&self) -> impl Iterator<Item = &str> {
        self.sentences.iter().map(String::as_str)
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.sentences.iter().map(String::len).sum()
    }

    /// Each Chinese, Japanese or Korean character counts as one.
    pub(crate) fn n_words(&self) -> usize {
        let of = |word: &str| word.chars().filter(|c| crate::text::script::is_cjk(*c)).count().max(1);
        self.sentences().flat_map(str::split_whitespace).map(of).sum()
    }

    /// Whether this passage says every sentence of `other`, apart from typing slips in long words.
    pub(crate) fn says_all_of(&self, other: &Said) -> bool {
        let mut left: HashMap<&str, usize> = HashMap::new();
        for sentence in self.sentences() {
            *left.entry(sentence).or_default() += 1;
        }
        let mut missing = Vec::new();
        for sentence in other.sentences() {
            match left.get_mut(sentence).filter(|n| **n > 0) {
                Some(n) => *n -= 1,
                None => missing.push(sentence),
            }
        }
        missing.into_iter().all(|sentence| {
            let found = left.iter_mut().find(|(known, n)| **n > 0 && is_slip(known, sentence));
            found.map(|(_, n)| *n -= 1).is_some()
        })
    }
}

/// One form for signs that are typed in several ways.
fn plain(c: char) -> char {
    match c {
        '‘' | '’' | 'ʼ' | '´' | '`' => '\'',
        '“' | '”' | '„' | '«' | '»' => '"',
        '\u{2010}'..='\u{2015}' | '−' => '-',
        c => c,
    }
}

/// Where the first sentence of a line ends, including the sign that ends it.
fn sentence_end(line: &str) -> usize {
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let is_end = match c {
            '.' | '!' | '?' => chars.peek().is_none_or(|(_, next)| next.is_whitespace()),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if is_end {
            return end;
        }
    }
    line.len()
}

/// Whether two sentences differ only by slips in long words.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| *one == other || is_one_word(one, other))
}

/// Whether two words of letters differ by one slip: a letter missing, added or changed, or two neighbours swapped. A
/// difference in the first two or the last two letters makes another word (`illegal`, `notes`, `walked`).
fn is_one_word(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.len() < LONG_WORD_CHARS || long.len() - short.len() > 1 || !long.iter().all(|c| c.is_alphabetic()) {
        return false;
    }
    let n_before = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    let n_after = short[n_before..].iter().rev().zip(long.iter().rev()).take_while(|(a, b)| a == b).count();
    if n_before < 2 || n_after < 2 {
        return false;
    }
    let differs = long.len() - n_before - n_after;
    let is_swap = short.len() == long.len()
        && differs == 2
        && short[n_before] == long[n_before + 1]
        && short[n_before + 1] == long[n_before];
    differs <= 1 || is_swap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_does_not_count() {
        let one = Said::of("Feed the starter twice.  Bake at 230 °C.\r\n\r\n“Wait” an hour");
        for other in [
            "Feed the starter twice. Bake at 230 °C.\n\"Wait\" an hour.",
            "feed the starter  twice.\nBake at 230 °C\n\n\n\"Wait\" an hour",
            "ＦＥＥＤ the starter twice! Bake at 230 °C.\n„Wait“ an hour",
        ] {
            assert_eq!(Said::of(other), one, "{other}");
        }
    }

    #[test]
    fn what_is_said_in_full() {
        let note = "Feed the sourdough twice. Bake for 45 minutes. The key lies under the blue pot.";
        let check = |other: &str, expect: bool| {
            assert_eq!(Said::of(note).says_all_of(&Said::of(other)), expect, "{other}");
        };
        check(note, true);
        check("Bake for 45 minutes. Feed the sourdough twice.", true);
        check("Feed the sourdogh twice. Bake for 45 mintues.", true);
        check("Bake for 40 minutes.", false);
        check("Do not bake for 45 minutes.", false);
        check("The key lies in the shed.", false);
        check("Bake for 45 minutes. Bake for 45 minutes.", false);
        for (one, other) in [
            ("legal notes", "illegal notes"),
            ("affected", "effected"),
            ("-5 degrees", "5 degrees"),
            ("a + b", "a - b"),
        ] {
            assert!(!Said::of(one).says_all_of(&Said::of(other)), "{one}, {other}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(Said::of("Opens at nine.\n押金").n_words(), 5);
    }
}
