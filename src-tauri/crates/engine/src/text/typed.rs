//! Words as they were typed, which may be less or other than was meant.

use std::ops::RangeInclusive;

use super::words::fold_word;

/// A word of letters and digits, outside quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// Which of [`super::QueryTerms::words`] it is.
    pub word: usize,
    /// Folded, not stemmed.
    pub text: String,
    /// It ends the question: there may be more of it to come.
    pub is_last: bool,
}

impl Typed {
    /// Shorter beginnings are those of too many words.
    pub(crate) const LEAST_OF_BEGINNING: usize = 3;

    /// Letters of a word that may hold a slip: one of fewer letters is one letter away from many others.
    pub(crate) const SLIP_LETTERS: RangeInclusive<usize> = 5..=24;

    /// Whether it may be the beginning of a word of a text, or that word with one letter more, less, other, or two that
    /// changed places.
    pub(crate) fn may_mean(&self, word: &str) -> bool {
        let mut folded = String::new();
        fold_word(word, &mut folded);
        let is_begun =
            self.is_last && folded.starts_with(&self.text) && self.text.chars().count() >= Self::LEAST_OF_BEGINNING;
        is_begun
            || Self::SLIP_LETTERS.contains(&self.text.len()) && is_one_slip(self.text.as_bytes(), folded.as_bytes())
    }
}

fn is_one_slip(one: &[u8], other: &[u8]) -> bool {
    if one.len().abs_diff(other.len()) > 1 || !one.is_ascii() {
        return false;
    }
    let n_alike = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[n_alike..], &other[n_alike..]);
    match (one, other) {
        ([a, b, one @ ..], [c, d, other @ ..]) if a == d && b == c && one == other => true,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([_, one @ ..], other) | (other, [_, one @ ..]) if one == other => true,
        _ => false,
    }
}
