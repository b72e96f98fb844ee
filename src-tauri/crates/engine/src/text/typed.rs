//! Words as they were typed. A typed word may be incomplete or misspelt.

use std::ops::RangeInclusive;

use super::words::fold_word;

/// A word of letters and digits, outside quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// Its index in [`super::QueryTerms::words`].
    pub word: usize,
    /// Folded, not stemmed.
    pub text: String,
    /// Whether it ends the question, so that it may still be incomplete.
    pub is_last: bool,
}

impl Typed {
    /// The fewest letters of a beginning: too many words begin with fewer.
    pub(crate) const LEAST_OF_BEGINNING: usize = 3;

    /// How many letters a word must have to be checked for a slip. A shorter word is one letter away from many others.
    pub(crate) const SLIP_LETTERS: RangeInclusive<usize> = 5..=24;

    /// Whether the typed word may be the beginning of `word`, or differs from it by one slip: a letter added, missing
    /// or wrong, or two neighbouring letters swapped.
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
