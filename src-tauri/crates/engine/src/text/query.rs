//! What to look up for a question.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

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

/// Of a question so many bytes are read: some five thousand English words, or ten thousand Chinese characters. A text that
/// was pasted whole says what it is about long before.
const MOST_BYTES: usize = 32 << 10;

/// Distinct words that are looked up, and as many pairs of characters; of more, those that the question says most often, of
/// equals the first. A list is gone through for each, and questions of this length still take milliseconds over a million
/// passages.
const MOST_TERMS: usize = 256;

/// Quoted phrases that are looked up, and words of each.
const MOST_PHRASES: usize = 16;
const MOST_PHRASE_WORDS: usize = 32;

/// Reads a question as the index reads text, or the beginning of one that is longer than anybody types.
pub fn query_terms(query: &str) -> QueryTerms {
    let query = &query[..query.floor_char_boundary(MOST_BYTES)];
    let mut words = Vec::new();
    each_word(query, |term| words.push((term.text.to_owned(), term.start..term.end)));
    let topic = without_stop_words(query, &words);
    let is_topical = words.iter().any(|(word, _)| !is_stop_word(word));
    let words = words.into_iter().map(|(word, _)| word).filter(|word| !is_topical || !is_stop_word(word));
    let (words, counts) = most_said(words).into_iter().unzip();
    let mut cjk = pairs(&topic);
    if cjk.is_empty() && topic.trim().is_empty() {
        cjk = pairs(query);
    }
    QueryTerms { words, counts, cjk, phrases: phrases(query) }
}

/// The question with its stop words blotted out, so that pairs do not reach into them. A stop word inside a longer word is
/// part of it.
fn without_stop_words(query: &str, words: &[(String, Range<usize>)]) -> String {
    let mut ordered: Vec<(bool, &Range<usize>)> =
        words.iter().map(|(text, range)| (is_stop_word(text), range)).collect();
    ordered.sort_by_key(|(_, range)| (range.start, std::cmp::Reverse(range.end)));
    let mut topic = query.as_bytes().to_vec();
    // How far words reach that begin before, and those that begin here and are longer.
    let mut reach = 0;
    for here in ordered.chunk_by(|(_, a), (_, b)| a.start == b.start) {
        let mut longer = 0;
        for (is_stop, range) in here {
            if !is_stop {
                longer = longer.max(range.end);
            } else if reach < range.end && longer <= range.end {
                topic[(*range).clone()].fill(b' ');
            }
        }
        reach = reach.max(longer);
    }
    // Whole characters became spaces.
    String::from_utf8_lossy(&topic).into_owned()
}

/// Distinct terms in the order in which they come, each with how often; no more than [`MOST_TERMS`].
fn most_said(terms: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut said: Vec<(String, usize)> = Vec::new();
    for term in terms {
        match places.get(&term) {
            Some(at) => said[*at].1 += 1,
            None => {
                places.insert(term.clone(), said.len());
                said.push((term, 1));
            }
        }
    }
    if said.len() > MOST_TERMS {
        let mut by_count: Vec<(usize, usize)> = said.iter().map(|(_, count)| *count).enumerate().collect();
        by_count.sort_by_key(|(at, count)| (std::cmp::Reverse(*count), *at));
        let kept: HashSet<usize> = by_count[..MOST_TERMS].iter().map(|(at, _)| *at).collect();
        let mut at = 0..;
        said.retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
    }
    said
}

/// Pairs, and the characters that belong to none.
fn pairs(text: &str) -> Vec<String> {
    let mut terms: Vec<(String, usize, usize)> = Vec::new();
    each_pair(text, |term| terms.push((term.text.to_owned(), term.position, term.length)));
    let paired: HashSet<usize> =
        terms.iter().filter(|(_, _, length)| *length == 2).flat_map(|(_, at, _)| [*at, *at + 1]).collect();
    let kept = terms.into_iter().filter(|(_, at, length)| *length == 2 || !paired.contains(at));
    most_said(kept.map(|(text, ..)| text)).into_iter().map(|(text, _)| text).collect()
}

fn phrases(query: &str) -> Vec<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(open) = rest.find(['"', '“', '「'])
        && found.len() < MOST_PHRASES
    {
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

/// The most terms that make up the text end to end, so far as [`MOST_PHRASE_WORDS`] go: the text searched may write "搜索
/// 引擎" apart.
fn phrase(text: &str) -> Vec<(usize, String)> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text that somebody pasted: `n` words, of which none is said twice, and every tenth is about herons.
    fn pasted(n: usize) -> String {
        let word = |i: usize| if i % 10 == 3 { "heron".to_owned() } else { format!("word{i}x") };
        (0..n).map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_a_long_text_what_it_says_most_often_counts() {
        let terms = query_terms(&pasted(12_000));
        assert_eq!((terms.words.len(), terms.counts.len()), (MOST_TERMS, MOST_TERMS));
        let at = terms.words.iter().position(|word| word == "heron").expect("what it is about");
        assert!(terms.counts[at] > 300, "{}", terms.counts[at]);
        assert_eq!(terms.words[0], "word0x", "of equals the first");
        let pairs = query_terms(&('\u{4e00}'..'\u{9fff}').collect::<String>()).cjk;
        assert_eq!(pairs.len(), MOST_TERMS);
        let quoted = query_terms(&format!("\"{}\" ", pasted(1_000)).repeat(40)).phrases;
        assert!(quoted.len() <= MOST_PHRASES && quoted.iter().all(|phrase| phrase.len() <= 2 * MOST_PHRASE_WORDS));
        assert!(!quoted.is_empty());
    }

    /// What anybody types is read to the last word.
    #[test]
    fn an_ordinary_question_is_read_whole() {
        let n = MOST_TERMS - 1;
        let mut question: String = (0..n).map(|i| format!("word{i}x ")).collect();
        question.push_str("heron heron");
        let terms = query_terms(&question);
        assert_eq!((terms.words.len(), terms.words.last().map(String::as_str)), (n + 1, Some("heron")));
        assert_eq!(terms.counts, [vec![1; n], vec![2]].concat());
    }

    proptest! {
        /// Against every word held against every other.
        #[test]
        fn stop_words_inside_of_others_stay(
            words in prop::collection::vec(prop::sample::select(vec![
                "the", "heron", "is", "what's", "do_not", "toDo", "的", "什么", "怎么样", "为什么", "苹果", "a-b", "in", " ", "，", "x",
            ]), 0..12),
            gap in prop::sample::select(vec!["", " "]),
        ) {
            let question = words.join(gap);
            let mut found = Vec::new();
            each_word(&question, |term| found.push((term.text.to_owned(), term.start..term.end)));
            let mut expected = question.clone().into_bytes();
            for (word, inner) in &found {
                let covers = |(word, outer): &&(String, Range<usize>)| {
                    let is_around = outer.start <= inner.start && inner.end <= outer.end && outer.len() > inner.len();
                    is_around && !is_stop_word(word)
                };
                if is_stop_word(word) && !found.iter().any(|other| covers(&other)) {
                    expected[inner.clone()].fill(b' ');
                }
            }
            prop_assert_eq!(without_stop_words(&question, &found).into_bytes(), expected);
        }
    }
}
