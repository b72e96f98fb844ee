//! Puts text that is all in capitals into small letters before a model reads it.
//!
//! Models that distinguish case know words by the tokens of their usual spelling: "DIELECTRIC" is split into tokens
//! that mean nothing. Where everything is in capitals, the capitals tell nothing, so such stretches are put into small
//! letters. Questions all in capitals then find the same as in small letters (vaswani's questions: nDCG@10 by vectors
//! was .34 before and is .49 now; `tests/measured/README.md`). sentence-transformers does not do this, so its scores
//! for such text differ.

use std::borrow::Cow;
use std::ops::Range;

/// Part of the identity of every model that lowers capitals, and so of its indexes. It must change whenever [`lowered`]
/// gives another result for the same text.
pub const READING: &str = "capitals in small letters";

/// Least number of letters in a stretch that is lowered: a shorter one may be abbreviations ("HTTP API"), which stay.
const LETTERS: usize = 10;

/// The text with every stretch of words in capitals put into small letters. Words are separated by white space. A word
/// ends a stretch if it has a small letter or a letter of a script without capitals; a word without letters does not.
pub fn lowered(text: &str) -> Cow<'_, str> {
    let (mut out, mut copied) = (String::new(), 0);
    let (mut stretch, mut letters) = (0..0, 0);
    let mut end = |stretch: Range<usize>, letters: usize| {
        if letters >= LETTERS {
            out.push_str(&text[copied..stretch.start]);
            out.push_str(&text[stretch.clone()].to_lowercase());
            copied = stretch.end;
        }
    };
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        match capitals(word) {
            Some(0) => {}
            Some(n) => {
                stretch.start = if letters == 0 { start } else { stretch.start };
                stretch.end = start + word.len();
                letters += n;
            }
            None => {
                end(stretch.clone(), letters);
                letters = 0;
            }
        }
    }
    end(stretch, letters);
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Number of capitals in a word; `None` if it has other letters too.
fn capitals(word: &str) -> Option<usize> {
    let mut n = 0;
    for c in word.chars() {
        if c.is_uppercase() {
            n += 1;
        } else if c.is_alphabetic() {
            return None;
        }
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_all_in_capitals_is_read_in_small_letters() {
        for (text, expected) in [
            ("MEASUREMENT OF DIELECTRIC CONSTANTS", "measurement of dielectric constants"),
            ("  GRADIENT DESCENT?\n", "  gradient descent?\n"),
            ("TYPESCRIPT", "typescript"),
            ("SCHRÖDINGERS KATZE", "schrödingers katze"),
            ("ΚΑΛΗΜΕΡΑ ΚΟΣΜΕ", "καλημερα κοσμε"),
            ("CHAPTER 12 - 1984 NUMBERS\nIn the beginning", "chapter 12 - 1984 numbers\nIn the beginning"),
            ("MAX_CONNECTIONS = 10", "max_connections = 10"),
            (
                "Read this: THE SOFTWARE IS PROVIDED AS IS, says the licence",
                "Read this: the software is provided as is, says the licence",
            ),
            (
                "SELECT NAME FROM USERS where 使用 DROP TABLE USERS",
                "select name from users where 使用 drop table users",
            ),
        ] {
            assert_eq!(lowered(text), expected);
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "NASA",
            "HTTP API",
            "TCP/IP vs UDP",
            "How does the DEWEY Decimal Classification work?",
            "README.md",
            "使用 json.load() 函数",
            "Node.JS",
            "I. A. B.",
            "2024-01-01 10:00",
            "GPU AND CPu",
            "PYTHON读取JSON文件",
        ] {
            assert!(matches!(lowered(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
