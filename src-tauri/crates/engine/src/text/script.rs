//! Which characters are Chinese, Japanese or Korean, and which are written without spaces between words.

/// Chinese characters, radicals and iteration marks.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{3FFFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{2E80}'..='\u{2FDF}' | '々' | '〇' | '〻')
}

/// Hiragana and Katakana, half-width ones included.
pub(crate) fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}') && c != '・'
}

pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}')
}

/// Han, kana or Hangul: the characters that the pairs of [`crate::text::CJK`] are made of.
pub(crate) fn is_cjk(c: char) -> bool {
    c >= '\u{1100}' && (is_han(c) || is_kana(c) || is_hangul(c))
}

/// Whether a line break between two such characters stands for nothing rather than for a space. Not for Korean, which
/// puts spaces between words.
pub(crate) fn joins_without_space(c: char) -> bool {
    c >= '\u{2E80}' && (is_han(c) || is_kana(c) || matches!(c, '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF65}'))
}
