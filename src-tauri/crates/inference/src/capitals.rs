//! Text in capitals, as a model reads it.
//!
//! Models that tell capitals from small letters know words by the pieces of their usual spelling, and "DIELECTRIC" falls apart into pieces
//! that mean nothing. Where everything is in capitals they say nothing either, so such stretches are read in small letters. Questions
//! all in capitals then find what they find in small letters (vaswani's: by vectors nDCG@10 .34 before, .49 now; `tests/measured/README.md`).
//! What sentence-transformers makes of such text is another score.

use std::borrow::Cow;
use std::ops::Range;

/// Goes into the identity of every model that reads so, and of its indexes: changes whenever the same text is read differently.
pub const READING: &str = "capitals in small letters";

/// Letters that a stretch has at least: fewer may be abbreviations ("HTTP API"), which stay.
const LETTERS: usize = 10;

/// The same text, with every stretch of words in capitals in small letters. Words stand between blanks; one with a small letter, or with a
/// letter of a script without capitals, ends a stretch, one without letters does not.
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

/// How many capitals a word has; `None` if other letters are among them.
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
