//! The few lines of a passage that answer a question best, and where the question's words stand in them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::chunk::sentence::sentences;
use crate::guard::caught;
use crate::text::{QueryTerms, Typed, each_pair, each_word, query_terms};

/// At most this many of the question's words that a text lacks are compared with each word of the text.
const MOST_MISSING: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// White space is reduced to single spaces, and `…` shows where the passage goes on.
    pub text: String,
    /// The question's words in `text`: ranges of Unicode code points, end exclusive, in order, not touching.
    pub highlights: Vec<[usize; 2]>,
}

/// See [`Finder::snippet`].
pub fn snippet(text: &str, query: &str, max_chars: usize) -> Snippet {
    Finder::of(&query_terms(query)).snippet(text, max_chars)
}

/// The question's words in `text`: ranges as in [`Snippet::highlights`]. For a word that the text does not contain, the
/// words that it may be the beginning or a misspelling of.
pub(crate) fn highlights(text: &str, query: &str) -> Vec<[usize; 2]> {
    let terms = query_terms(query);
    let finder = Finder::of(&terms);
    let mut found = finder.find(text);
    let held: HashSet<usize> = found.iter().map(|hit| hit.term).collect();
    let missing = terms.typed.iter().filter(|typed| !held.contains(&typed.word));
    let missing: Vec<&Typed> = missing.take(MOST_MISSING).collect();
    if !missing.is_empty() {
        each_word(text, |term| {
            let range = term.start..term.end;
            if let Some(typed) = missing.iter().find(|typed| typed.may_mean(&text[range.clone()])) {
                found.push(Found { range, term: typed.word, weight: 0.0 });
            }
        });
    }
    code_points(text, found.into_iter().map(|hit| hit.range).collect())
}

/// One of the question's words in a text.
struct Found {
    range: Range<usize>,
    /// Which of the question's terms it is.
    term: usize,
    weight: f32,
}

/// Finds a question's words in texts.
pub(crate) struct Finder {
    words: HashMap<String, usize>,
    pairs: HashMap<String, usize>,
}

impl Finder {
    pub(crate) fn of(terms: &QueryTerms) -> Self {
        let first = terms.words.len() + terms.joined.len();
        let words = terms.words.iter().chain(&terms.joined).enumerate().map(|(at, term)| (term.clone(), at)).collect();
        let pairs = terms.cjk.iter().enumerate().map(|(at, term)| (term.clone(), first + at)).collect();
        Self { words, pairs }
    }

    /// At most `max_chars` code points of `text`, cut at sentences or words, with as many of the question's words as
    /// possible. Never panics: if finding words in the text panics, the beginning of the text is shown.
    pub(crate) fn snippet(&self, text: &str, max_chars: usize) -> Snippet {
        caught(|| self.cut(text, max_chars)).unwrap_or_else(|_| Snippet {
            text: text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(max_chars).collect(),
            highlights: Vec::new(),
        })
    }

    fn cut(&self, text: &str, max_chars: usize) -> Snippet {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = self.find(&text);
        let window = best_window(&text, &found, max_chars);
        let mut shown = String::new();
        if window.start > 0 {
            shown.push('…');
        }
        let shift = shown.len();
        shown.push_str(&text[window.clone()]);
        if window.end < text.len() {
            shown.push('…');
        }
        let inside = found.iter().filter(|hit| window.start <= hit.range.start && hit.range.end <= window.end);
        let ranges =
            inside.map(|hit| hit.range.start - window.start + shift..hit.range.end - window.start + shift).collect();
        let highlights = code_points(&shown, ranges);
        Snippet { text: shown, highlights }
    }

    /// Finds the question's words, and its pairs of Chinese characters where no found word covers them.
    fn find(&self, text: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        each_word(text, |term| {
            if let Some(id) = self.words.get(term.text) {
                found.push(Found { range: term.start..term.end, term: *id, weight: weight(term.text) });
            }
        });
        let n_words = found.len();
        let mut next = 0;
        if !self.pairs.is_empty() {
            let mut pairs = Vec::new();
            each_pair(text, |term| {
                let Some(id) = self.pairs.get(term.text) else { return };
                while next < n_words && found[next].range.end <= term.start {
                    next += 1;
                }
                let is_marked = found[next..n_words.min(next + 4)]
                    .iter()
                    .any(|word| word.range.start <= term.start && term.end <= word.range.end);
                if !is_marked {
                    pairs.push(Found { range: term.start..term.end, term: *id, weight: weight(term.text) });
                }
            });
            found.extend(pairs);
        }
        found.sort_by_key(|hit| (hit.range.start, hit.range.end));
        found
    }
}

/// A term's weight by its length, because longer words are rarer. The weight in the index is not available here.
fn weight(term: &str) -> f32 {
    let n_chars = term.chars().count() as f32;
    if term.is_ascii() { n_chars.min(12.0).sqrt() } else { (n_chars * 3.0).min(12.0).sqrt() }
}

/// The range of at most `max_chars` code points (two of them reserved for `…`) that contains the most of the question.
fn best_window(text: &str, found: &[Found], max_chars: usize) -> Range<usize> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let n_chars = offsets.len() - 1;
    if n_chars <= max_chars {
        return 0..text.len();
    }
    let room = max_chars.saturating_sub(2).max(1);
    let place = |byte: usize| offsets.partition_point(|at| *at < byte);
    let starts: Vec<(usize, usize)> = found.iter().map(|hit| (place(hit.range.start), place(hit.range.end))).collect();
    let (mut best, mut best_score) = (None, 0.0);
    for first in 0..found.len() {
        let mut seen = HashSet::new();
        let (mut score, mut last) = (0.0, first);
        for at in first..found.len() {
            if starts[at].1 > starts[first].0 + room {
                break;
            }
            // The same word again counts for little.
            let is_new = seen.insert(found[at].term);
            score += found[at].weight * if is_new { 1.0 } else { 0.1 };
            last = at;
        }
        let spread = (starts[last].1 - starts[first].0) as f32 / room as f32;
        let score = score * (1.0 - 0.2 * spread);
        if score > best_score {
            (best, best_score) = (Some((starts[first].0, starts[last].1)), score);
        }
    }
    let Some((first, last)) = best else {
        return 0..cut_before(text, &offsets, max_chars.saturating_sub(1), 0);
    };
    let start = begin(text, &offsets, first, last, room);
    let end = (start + room).min(n_chars);
    let end = if end == n_chars { text.len() } else { cut_before(text, &offsets, end, last) };
    // The window always reaches the end of the last word found.
    offsets[start]..end.max(offsets[last])
}

/// The code point where the window begins: at a sentence before the first word found if one fits, else a few words
/// before it. If the text ends before the window is full, the window begins earlier.
fn begin(text: &str, offsets: &[usize], first: usize, last: usize, room: usize) -> usize {
    let n_chars = offsets.len() - 1;
    let earliest = last.saturating_sub(room).max(first.saturating_sub(room / 2));
    let earliest = earliest.min(first).min(n_chars.saturating_sub(room));
    if earliest == 0 {
        return 0;
    }
    let stretch = offsets[earliest]..offsets[first];
    let lead = &text[stretch.clone()];
    // `lead` may begin inside a sentence. The next sentence begins where that one ends.
    let sentence = sentences(lead, false).into_iter().map(|range| range.end).find(|end| *end < lead.len());
    let whole = lead.len();
    let by_word = || lead.char_indices().find(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
    let at = sentence.or_else(by_word).unwrap_or(if lead.is_ascii() { whole } else { 0 });
    offsets.partition_point(|offset| *offset < stretch.start + at)
}

/// The byte where the window ends: after a sentence or a word, at or before code point `end` and not before `least`.
fn cut_before(text: &str, offsets: &[usize], end: usize, least: usize) -> usize {
    let tail_start = least.max(end.saturating_sub(end.saturating_sub(least) / 2));
    let (from, to) = (offsets[tail_start.min(end)], offsets[end]);
    let tail = &text[from..to];
    let rest_begins_word = text[to..].starts_with(char::is_whitespace);
    let sentence = sentences(tail, false).into_iter().map(|range| range.end).rfind(|cut| *cut < tail.len());
    if let Some(cut) = sentence {
        return from + tail[..cut].trim_end().len();
    }
    let is_between = rest_begins_word || !tail.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
    match tail.rfind(' ') {
        Some(cut) if !is_between => from + cut,
        _ => to,
    }
}

/// Converts byte ranges to ranges of code points. Ranges that touch or overlap are joined.
fn code_points(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<[usize; 2]> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    let (mut byte, mut point) = (0, 0);
    let mut count = |to: usize| {
        point += text[byte..to].chars().count();
        byte = to;
        point
    };
    joined.into_iter().map(|range| [count(range.start), count(range.end)]).collect()
}

#[cfg(test)]
mod tests;
