//! Folding: letters that differ only in case, width or accents become the same letter, and Traditional Chinese becomes
//! Simplified.

use std::sync::LazyLock;

use unicode_normalization::char::decompose_compatible;

use super::script::{is_han, is_hangul, is_kana};

const FIRST_HAN: u32 = 0x3400;
const LAST_HAN: u32 = 0x9FFF;

/// Simplified form of every character from [`FIRST_HAN`] to [`LAST_HAN`].
static SIMPLIFIED: LazyLock<Vec<char>> = LazyLock::new(|| {
    let all = || (FIRST_HAN..=LAST_HAN).filter_map(char::from_u32);
    // One character per line, so that the converter sees no neighbours and converts each character on its own.
    let lines: String = all().flat_map(|c| [c, '\n']).collect();
    let simplified = hanconv::t2s(lines);
    let mut table: Vec<char> =
        simplified.lines().zip(all()).map(|(line, c)| line.chars().next().unwrap_or(c)).collect();
    table.extend(all().skip(table.len()));
    table
});

/// Loads the table of simplified characters.
pub(super) fn warm_up() {
    LazyLock::force(&SIMPLIFIED);
}

/// Whether the character is a combining accent, which folding leaves out.
pub(crate) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Appends the folded form of `c`, which may be no character, one or a few.
pub(crate) fn fold_into(c: char, out: &mut String) {
    match c {
        c if c.is_ascii() => out.push(c.to_ascii_lowercase()),
        c if is_han(c) && c < '\u{F900}' => out.push(simplified(c)),
        '\u{3041}'..='\u{30FF}' => out.push(c),
        c if is_hangul(c) => out.push(c),
        'ß' | 'ẞ' => out.push_str("ss"),
        'æ' | 'Æ' => out.push_str("ae"),
        'œ' | 'Œ' => out.push_str("oe"),
        'ø' | 'Ø' => out.push('o'),
        'đ' | 'Đ' | 'ð' | 'Ð' => out.push('d'),
        'ł' | 'Ł' => out.push('l'),
        'þ' | 'Þ' => out.push_str("th"),
        'ı' => out.push('i'),
        c => decompose_compatible(c, |part| match part {
            part if is_accent(part) => {}
            part if is_han(part) => out.push(simplified(part)),
            part => out.extend(part.to_lowercase().filter(|c| !is_accent(*c))),
        }),
    }
}

/// Folds `c` to exactly one character, so that character offsets in a run of Chinese, Japanese or Korean stay valid.
pub(crate) fn fold_cjk(c: char) -> char {
    if is_han(c) && c < '\u{F900}' {
        return simplified(c);
    }
    let mut folded = c;
    if !is_hangul(c) && (!is_kana(c) || c >= '\u{FF00}') {
        let mut first = None;
        decompose_compatible(c, |part| folded = *first.get_or_insert(part));
    }
    simplified(folded)
}

fn simplified(c: char) -> char {
    match u32::from(c) {
        code @ FIRST_HAN..=LAST_HAN => SIMPLIFIED[(code - FIRST_HAN) as usize],
        _ => c,
    }
}
