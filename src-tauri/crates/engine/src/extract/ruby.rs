//! Readings of characters (ruby). A word such as `珊瑚` stays whole, and the readings set above it come after it.

use crate::text;
use crate::text::script::{is_cjk, is_han};

/// Most readings that one word or run is given; further ones are dropped.
const MAX_READINGS: usize = 200;

/// Up to this number of readings in a row are also found as one word: `shānhú` beside `shān hú`.
const MAX_JOINED: usize = 4;

/// Most characters that belong to a word after the one with a reading.
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

    /// Adds a reading of the text written last, with its white space collapsed.
    pub(super) fn add(&mut self, reading: &str) {
        let reading = reading.split_whitespace().collect::<Vec<_>>().join(" ");
        if !reading.is_empty() && self.waiting.len() < MAX_READINGS {
            self.waiting.push(reading);
        }
    }

    /// How many bytes of `next`, the text that follows `before`, belong to the same word. The readings come after them.
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
            // 読む: the inflected ending has no reading, but belongs to the word.
            let kana = next[n_han..].chars().take_while(|c| ('\u{3041}'..='\u{309F}').contains(c)).take(3);
            return n_han + kana.map(char::len_utf8).sum::<usize>();
        }
        let goes_on =
            |c: &char| if is_cjk(last) { is_cjk(*c) && !is_han(*c) } else { c.is_alphanumeric() && !is_cjk(*c) };
        next.chars().take_while(goes_on).take(4 * MAX_TAIL).map(char::len_utf8).sum()
    }

    /// Takes the waiting readings: the text to write after the word, and the text that is found but not shown. `None`
    /// if none wait.
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
