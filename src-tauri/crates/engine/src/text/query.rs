//! What to look up for a question.

use std::collections::HashSet;

use super::{each_pair, each_word, is_stop_word};

/// The distinct index terms of a question, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryTerms {
    /// For fields read by [`super::WORDS`]. Without stop words, unless there is nothing else.
    pub words: Vec<String>,
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
    let words = distinct(words.into_iter().map(|(text, _)| text));
    let topical: Vec<String> = words.iter().filter(|word| !is_stop_word(word)).cloned().collect();
    let words = if topical.is_empty() { words } else { topical };
    let mut cjk = pairs(&topic);
    if cjk.is_empty() && topic.trim().is_empty() {
        cjk = pairs(query);
    }
    QueryTerms { words, cjk, phrases: phrases(query) }
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

/// The shortest terms that make up the text: the text searched may write "搜索 引擎" apart.
fn phrase(text: &str) -> Vec<(usize, String)> {
    let mut terms: Vec<(usize, usize, String)> = Vec::new();
    each_word(text, |term| terms.push((term.length, term.position, term.text.to_owned())));
    terms.sort();
    let mut covered = HashSet::new();
    terms.retain(|(length, position, _)| {
        let range = *position..position + length;
        let is_new = range.clone().any(|at| !covered.contains(&at));
        covered.extend(range);
        is_new
    });
    let mut phrase: Vec<(usize, String)> = terms.into_iter().map(|(_, position, text)| (position, text)).collect();
    phrase.sort();
    phrase
}

fn distinct(terms: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    terms.filter(|term| seen.insert(term.clone())).collect()
}
