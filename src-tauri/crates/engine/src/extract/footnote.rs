//! Recognizes marks of notes that directly follow a word: the `4` of `saffron<sup>4</sup>`.

use crate::text::script::is_cjk;

/// Most bytes of a mark; `[citation needed]` is one.
const MAX_MARK_BYTES: usize = 40;

/// Most letters that are examined of the word before.
const MAX_WORD: usize = 20;

/// Words of three letters or more that are raised to a power: units and functions.
const RAISED: [&str; 34] = [
    "acre", "arc", "bar", "cal", "cos", "cot", "csc", "det", "dim", "exp", "feet", "foot", "inch", "inches", "ker",
    "lim", "log", "max", "meter", "meters", "metre", "metres", "mil", "mile", "miles", "min", "mol", "ohm", "rad",
    "sec", "sin", "sqrt", "tan", "yard",
];

/// Whether raised text (or a link to a note) right after `before` is the mark of a note. It may also be part of the
/// word, like the 2 of m² or the st of 1st. `is_link`: the text links to another place of the document.
pub(super) fn is_mark(before: &str, raised: &str, is_link: bool) -> bool {
    let raised = raised.trim();
    let Some(last) = before.chars().next_back().filter(|last| !last.is_whitespace()) else { return false };
    if raised.is_empty() || raised.len() > MAX_MARK_BYTES {
        return false;
    }
    let letters = || before.chars().rev().take_while(|c| c.is_alphabetic()).take(MAX_WORD);
    let n_letters = letters().count();
    let word = || letters().collect::<Vec<_>>().into_iter().rev().collect::<String>().to_lowercase();
    let bracketed = |open: &str, close: &str| raised.len() > 2 && raised.starts_with(open) && raised.ends_with(close);
    if raised.chars().all(|c| "*†‡§¶‖※⁑#".contains(c)) || bracketed("[", "]") {
        return true;
    }
    let is_short = raised.chars().count() == 1 || raised.len() <= 4 && raised.chars().all(|c| "ivx".contains(c));
    let is_number = is_numbers(raised);
    if is_link {
        return is_short || is_number || bracketed("(", ")");
    }
    let is_letter = raised.len() == 1 && raised.bytes().all(|b| b.is_ascii_lowercase());
    // f⁽²⁾ is a derivative.
    if bracketed("(", ")") {
        return n_letters >= 3;
    }
    match last {
        last if is_cjk(last) => is_number && !matches!(last, '米' | '尺' | '里' | '寸' | '秒'),
        '.' | ',' | ';' | ':' | '!' | '?' | '”' | '"' | '’' | '»' | '。' | '，' | '；' | '：' | '！' | '？' | '」' => {
            is_number || is_letter
        }
        last if last.is_ascii_digit() => is_number && ends_with_year(before),
        _ if is_letter => n_letters >= 4,
        _ => is_number && n_letters >= 3 && !(raised.len() == 1 && RAISED.contains(&word().as_str())),
    }
}

/// Whether raised text is numbers such as `4`, `1,2` or `3–5`.
fn is_numbers(raised: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let numbers = raised.split([',', '-', '–', '—', ' ', '，', '、']).filter(|number| !number.is_empty());
    raised.starts_with(is_digit)
        && raised.ends_with(is_digit)
        && numbers.into_iter().all(|number| number.len() <= 4 && number.chars().all(is_digit))
}

/// Whether `before` ends with a year such as 1999. Other numbers, such as 10 and 1024, are raised to powers.
fn ends_with_year(before: &str) -> bool {
    let digits = before.len() - before.bytes().rev().take_while(u8::is_ascii_digit).take(5).count();
    before[digits..].parse().is_ok_and(|year: u32| (1500..2100).contains(&year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_powers() {
        for (before, raised) in [
            ("They sold saffron", "4"),
            ("tea", "12"),
            ("saffron", "*"),
            ("x", "†"),
            ("x", "[3]"),
            ("saffron", "[citation needed]"),
            ("saffron", "(a)"),
            ("saffron", "b"),
            ("saffron", "1,2"),
            ("saffron", "3–5"),
            ("she said.", "7"),
            ("in 1999", "4"),
            ("珊瑚礁", "3"),
            ("safran déjà", "2"),
            ("feet", "12"),
        ] {
            assert!(is_mark(before, raised, false), "{before}^{raised}");
        }
        for (before, raised) in [
            ("m", "2"),
            ("30 km", "2"),
            ("E=mc", "2"),
            ("x", "2"),
            ("x", "n"),
            ("10", "6"),
            ("1024", "2"),
            ("1", "st"),
            ("the 4", "th"),
            ("Ca", "2+"),
            ("cm", "-1"),
            ("sin", "2"),
            ("square feet", "2"),
            ("f", "(2)"),
            ("M", "lle"),
            ("平方米", "2"),
            ("saffron ", "4"),
            ("", "4"),
            ("saffron", ""),
            ("Nuthatch", "TM"),
        ] {
            assert!(!is_mark(before, raised, false), "{before}^{raised}");
        }
        for (before, raised) in [("tea", "4"), ("km", "2"), ("tea", "iv"), ("tea", "(n1)")] {
            assert!(is_mark(before, raised, true), "{before}^{raised}");
        }
        assert!(!is_mark("un", "done", true));
    }
}
