//! Readings of characters (ruby): `珊瑚` stays whole, and what was set above it comes after the word.

use crate::text;
use crate::text::script::{is_cjk, is_han};

/// Readings that one word or run is given; further ones are read like any text.
const MAX_READINGS: usize = 200;

/// So many readings in a row are also found as one word: `shānhú` beside `shān hú`.
const MAX_JOINED: usize = 4;

/// A word goes on this far, in characters.
const MAX_TAIL: usize = 8;

/// Readings that wait for the end of the word that they belong to.
#[derive(Debug, Default)]
pub(super) struct Readings {
    waiting: Vec<String>,
}

impl Readings {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A reading of what was written last; white space is folded.
    pub(super) fn add(&mut self, reading: &str) {
        let reading = reading.split_whitespace().collect::<Vec<_>>().join(" ");
        if !reading.is_empty() && self.waiting.len() < MAX_READINGS {
            self.waiting.push(reading);
        }
    }

    /// How many bytes of `next`, the text that follows `before`, belong to the same word, so that the readings come after
    /// them.
    pub(super) fn tail(&self, before: &str, next: &str) -> usize {
        let Some(last) = before.chars().next_back() else { return 0 };
        if self.is_empty() {
            return 0;
        }
        if is_han(last) {
            let run = |chars: &mut dyn Iterator<Item = char>| -> Vec<char> {
                chars.take_while(|c| is_han(*c)).take(MAX_TAIL).collect()
            };
            let (head, tail) = (run(&mut before.chars().rev()), run(&mut next.chars()));
            let at = head.len();
            let whole: String = head.into_iter().rev().chain(tail).collect();
            let end = text::word_end(&whole, at);
            let n_han: usize = next.chars().take(end - at).map(char::len_utf8).sum();
            // 読む: what bends the word is not set above it.
            let kana = next[n_han..].chars().take_while(|c| ('\u{3041}'..='\u{309F}').contains(c)).take(3);
            return n_han + kana.map(char::len_utf8).sum::<usize>();
        }
        let goes_on =
            |c: &char| if is_cjk(last) { is_cjk(*c) && !is_han(*c) } else { c.is_alphanumeric() && !is_cjk(*c) };
        next.chars().take_while(goes_on).take(4 * MAX_TAIL).map(char::len_utf8).sum()
    }

    /// What is written after the word, and what is found but not shown; `None` where nothing waits.
    pub(super) fn take(&mut self) -> Option<(String, String)> {
        let readings = std::mem::take(&mut self.waiting);
        if readings.is_empty() {
            return None;
        }
        let joined = (2..=MAX_JOINED).flat_map(|n| readings.windows(n).map(|some| some.concat()));
        let joined = joined.filter(|word| !word.contains(' ')).collect::<Vec<_>>().join(" ");
        Some((format!(" ({})", readings.join(" ")), joined))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_come_after_the_word() {
        let check = |before: &str, next: &str, expected: &str| {
            let mut readings = Readings::default();
            assert_eq!(readings.tail(before, next), 0, "nothing waits");
            readings.add(" a\n");
            assert_eq!(&next[..readings.tail(before, next)], expected, "{before}|{next}");
        };
        check("珊瑚", "礁很美", "礁");
        check("我喜欢珊瑚", "。", "");
        check("珊", "瑚", "瑚");
        check("漢字", "を読む", "を");
        check("読", "んだので、", "んだの");
        check("AI", "s are", "s");
        check("AI", " is", "");
        check("", "x", "");
        let mut readings = Readings::default();
        assert_eq!(readings.take(), None);
        readings.add("shān");
        readings.add("hú");
        readings.add(" ");
        assert_eq!(readings.take(), Some((" (shān hú)".to_owned(), "shānhú".to_owned())));
        assert!(readings.is_empty());
    }
}
