//! What stands in "quotes", and how it is told that a text holds it as it stands.

use std::ops::Range;

use super::clean::clean;
use super::each_word;
use super::fold::fold_into;
use super::query::pairs;
use super::script::is_cjk;

/// Quoted phrases that are looked up, and words of each.
pub(super) const MOST_PHRASES: usize = 16;
pub(super) const MOST_PHRASE_WORDS: usize = 32;

/// A longer quote that holds Chinese, Japanese or Korean is known by its beginning.
const MOST_EXACT_CHARS: usize = 256;

/// Something that stands in a text as it stands here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    /// Any of these phrases over [`super::WORDS`] fields: of the parts of joined words, and of the whole ones.
    pub phrases: Vec<Vec<(usize, String)>>,
    /// Where there is Chinese, Japanese or Korean in it: all of these words and all of these pairs instead, because where
    /// a word ends there depends on its neighbours; and the text is to hold [`Exact::plain`].
    pub words: Vec<String>,
    pub cjk: Vec<String>,
    /// Every term of it, for fields that are short.
    pub terms: Vec<String>,
    /// As [`plain`] writes it.
    pub plain: String,
}

impl Exact {
    pub(super) fn is_empty(&self) -> bool {
        self.phrases.is_empty() && self.words.is_empty() && self.cjk.is_empty()
    }
}

/// What stands between quotes, as bytes of the question. One right after a letter or digit opens nothing: 27" is a size.
pub(super) fn quoted(query: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = query[at..].find(['"', '“', '「']).map(|open| at + open)
        && found.len() < MOST_PHRASES
    {
        let (sign, close) = match query[open..].chars().next() {
            Some('“') => ('“', '”'),
            Some('「') => ('「', '」'),
            _ => ('"', '"'),
        };
        let start = open + sign.len_utf8();
        at = start;
        if query[..open].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        let Some(length) = query[start..].find(close) else { break };
        found.push(start..start + length);
        at = start + length + close.len_utf8();
    }
    found
}

/// The letters and digits of a text, those that count as the same alike.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    clean(text).text.chars().filter(|c| c.is_alphanumeric()).for_each(|c| fold_into(c, &mut plain));
    plain
}

/// Reads what stands between quotes, or after the sign that leaves it out.
pub(super) fn exact(text: &str) -> Exact {
    if !text.contains(is_cjk) {
        let phrases = [phrase(text, true), phrase(text, false)].into_iter().filter(|phrase| !phrase.is_empty());
        let mut phrases: Vec<_> = phrases.collect();
        phrases.dedup();
        return Exact { phrases, ..Exact::default() };
    }
    let end = text.char_indices().nth(MOST_EXACT_CHARS).map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let (mut words, mut terms) = (Vec::new(), Vec::new());
    each_word(text, |term| {
        terms.push(term.text.to_owned());
        if !term.text.starts_with(is_cjk) {
            words.push((term.position, term.length, term.text.to_owned()));
        }
    });
    let is_part = |(at, length, _): &(usize, usize, String)| {
        words.iter().any(|(start, outer, _)| start <= at && at + length <= start + outer && outer > length)
    };
    let words = words.iter().filter(|word| !is_part(word)).map(|(_, _, text)| text.clone()).collect();
    Exact { phrases: Vec::new(), words, cjk: pairs(text), terms, plain: plain(text) }
}

/// The most terms that make up the text end to end, so far as [`MOST_PHRASE_WORDS`] go: the text searched may write "搜索
/// 引擎" apart. Or the fewest, one after another, because it may write `wifi` in one.
pub(super) fn phrase(text: &str, by_parts: bool) -> Vec<(usize, String)> {
    let mut terms: Vec<(usize, usize, String)> = Vec::new();
    each_word(text, |term| {
        if term.position + term.length <= MOST_PHRASE_WORDS {
            terms.push((term.position, term.length, term.text.to_owned()));
        }
    });
    let n_positions = terms.iter().map(|(at, length, _)| at + length).max().unwrap_or(0);
    // For each position, how many terms make up the rest, and the first of them.
    let mut best: Vec<(usize, Option<usize>)> = vec![(0, None); n_positions + 1];
    for at in (0..n_positions).rev() {
        best[at] = (best[at + 1].0, None);
        for (nth, (start, length, _)) in terms.iter().enumerate() {
            let n = best[(at + length).min(n_positions)].0 + 1;
            let is_better = if by_parts { n > best[at].0 } else { n < best[at].0 };
            if *start == at && (best[at].1.is_none() || is_better) {
                best[at] = (n, Some(nth));
            }
        }
    }
    let mut phrase = Vec::new();
    let mut at = 0;
    while at < n_positions {
        match best[at].1 {
            Some(nth) => {
                let (start, length, text) = &terms[nth];
                phrase.push((if by_parts { *start } else { phrase.len() }, text.clone()));
                at += length;
            }
            None => at += 1,
        }
    }
    phrase
}
