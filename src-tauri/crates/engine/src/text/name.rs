//! Compares the names of files and notes, ignoring differences in spelling.

use unicode_normalization::UnicodeNormalization;

use super::fold::fold_into;

/// Longer keys are cut: names differ before that.
const MAX_CHARS: usize = 200;

/// Two names count as the same if their keys are equal. The key ignores case, accents, width, Traditional or
/// Simplified, composed or decomposed letters (macOS decomposes names), spaces, punctuation and the format of a date.
/// `C`, `C++` and `C#` have different keys. The key is empty only for a name of nothing but spaces.
pub(crate) fn name_key(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    name.nfkc().for_each(|c| fold_into(c, &mut folded));
    let pieces = pieces(&folded);
    let mut key = String::with_capacity(folded.len());
    let mut rest = &pieces[..];
    while let Some((first, after)) = rest.split_first() {
        if let Some((date, n)) = date(rest) {
            key.push_str(&date);
            rest = &rest[n..];
            continue;
        }
        match first {
            Piece::Number(text) | Piece::Word(text) => key.push_str(text),
            Piece::Between => {}
        }
        rest = after;
    }
    if key.is_empty() {
        key = folded.split_whitespace().collect();
    }
    match key.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => key[..end].to_owned(),
        None => key,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    /// ASCII digits.
    Number(&'a str),
    Word(&'a str),
    /// Punctuation and spaces.
    Between,
}

fn pieces(folded: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = folded;
    while let Some(first) = rest.chars().next() {
        let is_digit = |c: char| c.is_ascii_digit();
        let n = match first {
            c if is_digit(c) => run(rest, is_digit),
            c if is_of_word(c) => {
                // `+` and `#` belong to the word they follow (`C++`, `C#`); elsewhere they are punctuation.
                let word = run(rest, |c| is_of_word(c) && !is_digit(c));
                word + run(&rest[word..], |c| matches!(c, '+' | '#'))
            }
            _ => run(rest, |c| !is_of_word(c)),
        };
        let (text, after) = rest.split_at(n);
        match first {
            c if is_digit(c) => found.push(Piece::Number(text)),
            c if is_of_word(c) => found.push(Piece::Word(text)),
            // An apostrophe separates nothing.
            _ if text.chars().all(is_apostrophe) => {}
            _ => found.push(Piece::Between),
        }
        rest = after;
    }
    found
}

fn run(text: &str, what: impl Fn(char) -> bool) -> usize {
    text.find(|c| !what(c)).unwrap_or(text.len())
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | '`' | '´')
}

/// The date at the beginning of `pieces`, year first, as `20240501` or `202405`, and how many pieces it consists of.
fn date(pieces: &[Piece<'_>]) -> Option<(String, usize)> {
    let number = |at: usize| match pieces.get(at) {
        Some(Piece::Number(text)) => Some(*text),
        _ => None,
    };
    let joint = |at: usize, sign: &str| match pieces.get(at) {
        Some(Piece::Between) => true,
        Some(Piece::Word(word)) => *word == sign,
        _ => false,
    };
    let part = |text: &str, most: u32| {
        let value: u32 = text.parse().ok().filter(|value| (1..=most).contains(value))?;
        (text.len() <= 2).then(|| format!("{value:02}"))
    };
    let year = number(0).filter(|text| text.len() == 4 && !text.starts_with('0'))?;
    let month = number(2).filter(|_| joint(1, "年")).and_then(|text| part(text, 12))?;
    let ends_in = |at: usize, signs: &[&str]| match pieces.get(at) {
        Some(Piece::Word(word)) => usize::from(signs.contains(word)),
        _ => 0,
    };
    let day = number(4).filter(|_| joint(3, "月")).and_then(|text| part(text, 31));
    Some(match day {
        Some(day) => (format!("{year}{month}{day}"), 5 + ends_in(5, &["日", "号"])),
        None => (format!("{year}{month}"), 3 + ends_in(3, &["月"])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_many_spellings() {
        for spellings in [
            &["What's next", "whats next", "What’s Next?", "WHATS-NEXT", "whats_next", "Whats.next", "what`s  next"][..],
            &["Łódź trip", "lodz trip", "LODZ  TRIP", "Lo\u{301}dz\u{301}-trip"],
            &["Größentabelle", "Gro\u{308}ßentabelle", "grossentabelle", "Grössentabelle"],
            &["ガイド", "カ\u{3099}イト\u{3099}", "ｶﾞｲﾄﾞ"],
            &["한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"],
            &["讀書筆記", "读书笔记", "读书 笔记", "《读书笔记》"],
            &["ＡＰＩ　设计", "API设计", "api 設計"],
            &[
                "2024-05-01",
                "2024.05.01",
                "20240501",
                "2024/5/1",
                "2024_05_01",
                "2024 5 1",
                "2024年5月1日",
                "２０２４．５．１",
            ],
            &["2024-05", "2024/5", "202405", "2024年5月"],
            &["Meeting 2024-05-01 Berlin", "meeting 20240501 berlin", "Meeting 2024.5.1, Berlin"],
            &["🏔️ trip", "trip"],
            &["Q&A", "q a"],
        ] {
            for spelling in spellings {
                assert_eq!(name_key(spelling), name_key(spellings[0]), "{spelling}");
            }
        }
    }

    #[test]
    fn different_names() {
        for (one, other) in [
            ("C", "C++"),
            ("C", "C#"),
            ("2024-05-01", "2024-05-11"),
            ("2024-13-01", "2024-1-301"),
            ("🏔️", "🚲"),
            ("!!!", "???"),
            ("押金", "押"),
            ("note 1", "note 2"),
        ] {
            assert_ne!(name_key(one), name_key(other), "{one}, {other}");
        }
        assert_eq!(name_key("  "), "");
        assert_eq!(name_key(&"长".repeat(500)).chars().count(), MAX_CHARS);
    }
}
