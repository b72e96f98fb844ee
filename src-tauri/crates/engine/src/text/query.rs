//! What to look up for a question.

use std::collections::HashSet;

use super::{each_pair, each_word, is_stop_word};

/// The distinct index terms of a question, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryTerms {
    /// For fields read by [`super::WORDS`]. Without stop words, unless there is nothing else.
    pub words: Vec<String>,
    /// How often the question says each of `words`: what it comes back to matters more to it.
    pub counts: Vec<usize>,
    /// For the field read by [`super::CJK`]: pairs of characters, and single ones that stand alone. Without those that
    /// only stop words have, unless there is nothing else.
    pub cjk: Vec<String>,
    /// What stands in "quotes", word by word, as (position, term) for a phrase query over [`super::WORDS`] fields.
    pub phrases: Vec<Vec<(usize, String)>>,
}

/// Reads a question as the index reads text.
pub fn query_terms(query: &str) -> QueryTerms {
    let mut words = Vec::new();
    // The question with its stop words blotted out, so that pairs do not reach into them.
    let mut topic = query.to_owned();
    each_word(query, |term| words.push((term.text.to_owned(), term.start..term.end)));
    // A stop word inside a longer word is part of it.
    let covered = |at: usize| {
        let (_, inner) = &words[at];
        words.iter().any(|(text, outer)| {
            outer.start <= inner.start && inner.end <= outer.end && outer.len() > inner.len() && !is_stop_word(text)
        })
    };
    for (at, (text, range)) in words.iter().enumerate() {
        if is_stop_word(text) && !covered(at) {
            topic.replace_range(range.clone(), &" ".repeat(range.len()));
        }
    }
    let said: Vec<String> = words.into_iter().map(|(text, _)| text).collect();
    let words = distinct(said.iter().cloned());
    let topical: Vec<String> = words.iter().filter(|word| !is_stop_word(word)).cloned().collect();
    let words = if topical.is_empty() { words } else { topical };
    let mut cjk = pairs(&topic);
    if cjk.is_empty() && topic.trim().is_empty() {
        cjk = pairs(query);
    }
    let counts = words.iter().map(|word| said.iter().filter(|said| *said == word).count()).collect();
    QueryTerms { words, counts, cjk, phrases: phrases(query) }
}

/// Pairs, and the characters that belong to none.
fn pairs(text: &str) -> Vec<String> {
    let mut terms: Vec<(String, usize, usize)> = Vec::new();
    each_pair(text, |term| terms.push((term.text.to_owned(), term.position, term.length)));
    let paired: HashSet<usize> =
        terms.iter().filter(|(_, _, length)| *length == 2).flat_map(|(_, at, _)| [*at, *at + 1]).collect();
    let kept = terms.into_iter().filter(|(_, at, length)| *length == 2 || !paired.contains(at));
    distinct(kept.map(|(text, ..)| text))
}

fn phrases(query: &str) -> Vec<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(open) = rest.find(['"', '“', '「']) {
        let close = match rest[open..].chars().next() {
            Some('“') => '”',
            Some('「') => '」',
            _ => '"',
        };
        let inner = &rest[open + rest[open..].chars().next().map_or(1, char::len_utf8)..];
        let Some(end) = inner.find(close) else { break };
        let phrase = phrase(&inner[..end]);
        if !phrase.is_empty() {
            found.push(phrase);
        }
        rest = &inner[end + close.len_utf8()..];
    }
    found
}

/// The most terms that make up the text end to end: the text searched may write "搜索 引擎" apart.
fn phrase(text: &str) -> Vec<(usize, String)> {
    let mut terms: Vec<(usize, usize, String)> = Vec::new();
    each_word(text, |term| terms.push((term.position, term.length, term.text.to_owned())));
    let n_positions = terms.iter().map(|(at, length, _)| at + length).max().unwrap_or(0);
    // For each position, how many terms make up the rest, and the first of them.
    let mut best: Vec<(usize, Option<usize>)> = vec![(0, None); n_positions + 1];
    for at in (0..n_positions).rev() {
        best[at] = (best[at + 1].0, None);
        for (nth, (start, length, _)) in terms.iter().enumerate() {
            if *start == at && (best[at].1.is_none() || best[at + length].0 + 1 > best[at].0) {
                best[at] = (best[at + length].0 + 1, Some(nth));
            }
        }
    }
    let mut phrase = Vec::new();
    let mut at = 0;
    while at < n_positions {
        match best[at].1 {
            Some(nth) => {
                let (start, length, text) = &terms[nth];
                phrase.push((*start, text.clone()));
                at += length;
            }
            None => at += 1,
        }
    }
    phrase
}

fn distinct(terms: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    terms.filter(|term| seen.insert(term.clone())).collect()
}
