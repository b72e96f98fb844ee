//! Signs in and between words: which join parts, which are ignored, and which are words themselves.

/// Characters used as an apostrophe between two letters, including the ʻokina and the marks of transliterated Arabic
/// and Hebrew.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '‛' | '`' | '´' | '′' | '＇' | '\u{2B9}'..='\u{2C0}' | '\u{2C8}' | '\u{A78C}')
}

/// Signs that join the parts of a word or identifier: hyphens, characters that look like one, `_` and `.`.
pub(super) fn is_joint(c: char) -> bool {
    matches!(c, '_' | '.') || is_hyphen(c)
}

pub(super) fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2013}' | '\u{2D7}' | '\u{2043}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}')
}

/// Emoji, and each half of a flag. Without skin tones, which do not change the meaning.
pub(super) fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1F3FA}' | '\u{1F400}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}'
        | '\u{231A}' | '\u{231B}' | '\u{2328}' | '\u{23CF}' | '\u{23E9}'..='\u{23FA}' | '\u{2B05}'..='\u{2B07}'
        | '\u{2B1B}' | '\u{2B1C}' | '\u{2B50}' | '\u{2B55}')
}

/// Regional indicators: two of them are a flag.
pub(super) fn is_flag(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

/// Raised digits, which are footnote marks after a word.
pub(super) fn is_raised_digit(c: char) -> bool {
    matches!(c, '¹' | '²' | '³' | '⁰' | '⁴'..='⁹')
}

/// Spaces that separate the groups of a number.
pub(super) fn is_thin_space(c: char) -> bool {
    matches!(c, ' ' | '\u{A0}' | '\u{202F}' | '\u{2007}'..='\u{2009}')
}
