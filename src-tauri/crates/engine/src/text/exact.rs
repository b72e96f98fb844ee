//! Quoted phrases in a question, and how to test whether a text contains one literally.

use std::ops::Range;

use super::clean::clean;
use super::each_word;
use super::fold::fold_into;
use super::query::pairs;
use super::script::is_cjk;

/// The most quoted phrases that are looked up, and the most words of each.
pub(super) const MOST_PHRASES: usize = 16;
pub(super) const MOST_PHRASE_WORDS: usize = 32;

/// A quote that contains Chinese, Japanese or Korean is cut to this length.
const MOST_EXACT_CHARS: usize = 256;

/// A word or phrase to be found literally in a text. If it contains no Chinese, Japanese or Korean, only `phrases` is
/// filled in, otherwise only the other fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    /// Phrases of (position, term) over [`super::WORDS`] fields: one of the parts of joined words, one of the whole
    /// words. The text must contain either.
    pub phrases: Vec<Vec<(usize, String)>>,
    /// The text must contain all of these words and all of the pairs in `cjk`, and also [`Exact::plain`]. A phrase
    /// would not do, because where a Chinese word ends depends on its neighbours.
    pub words: Vec<String>,
    pub cjk: Vec<String>,
    /// Every term, to be looked up in short fields such as names.
    pub terms: Vec<String>,
    /// The result of [`plain`].
    pub plain: String,
}

impl Exact {
    pub(super) fn is_empty(&self) -> bool {
        self.phrases.is_empty() && self.words.is_empty() && self.cjk.is_empty()
    }
}

/// The sign that closes a quote that `open` opens; `None` if it opens none.
pub(super) fn closing(open: char) -> Option<char> {
    match open {
        '"' => Some('"'),
        '“' => Some('”'),
        '「' => Some('」'),
        _ => None,
    }
}

/// The byte ranges of the question between quotes. A quote right after a letter or digit opens nothing: 27" is a size.
pub(super) fn quoted(query: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((open, sign, close)) = query[at..].char_indices().find_map(|(i, c)| Some((at + i, c, closing(c)?)))
        && found.len() < MOST_PHRASES
    {
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

/// The letters and digits of a text, folded. Everything else is left out.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    clean(text).text.chars().filter(|c| c.is_alphanumeric()).for_each(|c| fold_into(c, &mut plain));
    plain
}

/// Reads the text of a quote, or of an excluded word or phrase.
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

/// The terms that cover the text end to end, up to [`MOST_PHRASE_WORDS`] positions. With `by_parts`, as many terms as
/// possible, because the searched text may write "搜索 引擎" as two words. Otherwise as few terms as possible, at
/// consecutive positions, because it may write `wifi` as one word.
pub(super) fn phrase(text: &str, by_parts: bool) -> Vec<(usize, String)> {
    let mut terms: Vec<(usize, usize, String)> = Vec::new();
    each_word(text, |term| {
        if term.position + term.length <= MOST_PHRASE_WORDS {
            terms.push((term.position, term.length, term.text.to_owned()));
        }
    });
    let n_positions = terms.iter().map(|(at, length, _)| at + length).max().unwrap_or(0);
    // For each position, how many terms cover the text from there on, and which is the first of them.
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
