//! Reads a question into the terms to look up.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::clean::clean;
use super::exact::{Exact, exact, phrase, quoted};
use super::exclude::excluded;
use super::script::is_cjk;
use super::signs::is_hyphen;
use super::typed::Typed;
use super::words::fold_word;
use super::{each_pair, each_word, is_stop_word};

/// The distinct index terms of a question, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryTerms {
    /// The question as models read it: cleaned, and without its exclusions.
    pub asked: String,
    /// Terms for [`super::WORDS`] fields. Without stop words, unless there are no other words.
    pub words: Vec<String>,
    /// How often each of `words` occurs in the question. A repeated word weighs more.
    pub counts: Vec<usize>,
    /// For each of `words` that occurs only as a part of longer words (`wi`): the index of one such word (`wifi`) and
    /// the number of its parts.
    pub part_of: Vec<Option<(usize, usize)>>,
    /// Terms for the [`super::CJK`] field: pairs of characters, and single characters without neighbours. Without those
    /// that occur only in stop words, unless there are no others.
    pub cjk: Vec<String>,
    /// Quoted phrases as (position, term), for phrase queries over [`super::WORDS`] fields.
    pub phrases: Vec<Vec<(usize, String)>>,
    /// Quoted phrases. A note must contain all of them.
    pub required: Vec<Exact>,
    /// A note must contain none of these.
    pub excluded: Vec<Exact>,
    /// Words of letters and digits as typed, from which to guess what was meant.
    pub typed: Vec<Typed>,
    /// Neighbouring words written together: `openai` for "open ai".
    pub joined: Vec<String>,
}

/// Stop words that form nouns with verbs: "set up", "log in".
const PARTICLES: [&str; 8] = ["down", "in", "off", "on", "out", "over", "through", "up"];

/// How many bytes of a question are read: some five thousand English words, or ten thousand Chinese characters. A text
/// that was pasted whole makes its topic clear long before that.
const MOST_BYTES: usize = 32 << 10;

/// How many distinct words are looked up, and how many pairs of characters. If there are more, the most frequent in the
/// question are kept, and among equally frequent ones the first. Each costs a pass over its posting list; questions of
/// this length still take milliseconds over a million passages.
const MOST_TERMS: usize = 256;

/// The most exclusions, and the most neighbours that are looked up as one word. The first ones are kept.
const MOST_EXCLUDED: usize = 32;
const MOST_JOINED: usize = 32;

/// A term and where it stands in the question.
struct Said {
    text: String,
    source: Range<usize>,
    position: usize,
    length: usize,
    /// Whether no other term contains it.
    is_whole: bool,
    /// The first term that it is a part of, not counting Chinese, Japanese and Korean ones.
    part_of: Option<usize>,
}

/// Reads a question in the way the index reads text; of a question longer than anybody types, only the beginning. In a
/// pasted text, signs exclude nothing and quotes require nothing.
pub fn query_terms(query: &str) -> QueryTerms {
    let query = clean(&query[..query.floor_char_boundary(MOST_BYTES)]).text;
    let left_out = excluded(&query);
    let mut asked = String::with_capacity(query.len());
    let mut at = 0;
    for (all, _) in &left_out {
        asked.push_str(&query[at..all.start]);
        at = all.end;
    }
    asked.push_str(&query[at..]);
    let mut is_anything_asked = false;
    each_word(&asked, |_| is_anything_asked = true);
    if left_out.is_empty() || !is_anything_asked || is_pasted(&query) {
        return terms(&query);
    }
    let excluded = left_out.iter().map(|(_, word)| exact(&query[word.clone()])).filter(|exact| !exact.is_empty());
    QueryTerms { excluded: excluded.take(MOST_EXCLUDED).collect(), ..terms(asked.trim()) }
}

/// Whether the question was pasted: nobody types more than [`MOST_TERMS`] words.
fn is_pasted(query: &str) -> bool {
    query.split_whitespace().nth(MOST_TERMS).is_some()
}

fn terms(query: &str) -> QueryTerms {
    let mut said: Vec<Said> = Vec::new();
    each_word(query, |term| {
        let (source, text) = (term.start..term.end, term.text.to_owned());
        said.push(Said { text, source, position: term.position, length: term.length, is_whole: true, part_of: None });
    });
    mark_parts(&mut said, query);
    let topic = without_stop_words(query, &said);
    let is_topical = said.iter().any(|said| !is_stop_word(&said.text));
    let topical = said.iter().filter(|said| !is_topical || !is_stop_word(&said.text));
    let (words, counts): (Vec<String>, Vec<usize>) =
        most_said(topical.map(|said| said.text.clone())).into_iter().unzip();
    let mut cjk = pairs(&topic);
    if cjk.is_empty() && topic.trim().is_empty() {
        cjk = pairs(query);
    }
    let quoted = quoted(query);
    let phrases = quoted.iter().map(|quote| phrase(&query[quote.clone()], true)).filter(|phrase| !phrase.is_empty());
    let phrases = phrases.collect();
    let required = quoted.iter().filter(|_| !is_pasted(query)).map(|quote| exact(&query[quote.clone()]));
    let required = required.filter(|exact| !exact.is_empty()).collect();
    let free: Vec<&Said> = said
        .iter()
        .filter(|said| !said.is_cjk(query) && !quoted.iter().any(|quote| quote.contains(&said.source.start)))
        .collect();
    let places: HashMap<&str, usize> = words.iter().enumerate().map(|(at, word)| (word.as_str(), at)).collect();
    let typed = typed(query, &free, &places);
    let joined = joined(query, &free, &places);
    let part_of = part_of(&said, &places);
    QueryTerms {
        asked: query.to_owned(),
        words,
        counts,
        part_of,
        cjk,
        phrases,
        required,
        excluded: Vec::new(),
        typed,
        joined,
    }
}

impl Said {
    fn holds(&self, inner: &Said) -> bool {
        self.source.start <= inner.source.start && inner.source.end <= self.source.end
    }

    /// Whether `inner` covers some, but not all, of the positions of `self`.
    fn is_made_of(&self, inner: &Said) -> bool {
        self.position <= inner.position
            && inner.position + inner.length <= self.position + self.length
            && self.length > inner.length
    }

    fn is_cjk(&self, query: &str) -> bool {
        query[self.source.clone()].starts_with(is_cjk)
    }
}

impl QueryTerms {
    /// Whether the question rules out notes, by requiring or excluding words.
    pub fn narrows(&self) -> bool {
        !self.required.is_empty() || !self.excluded.is_empty()
    }
}

/// Finds the terms that stand inside others. To save time, only terms whose ranges overlap are compared.
fn mark_parts(said: &mut [Said], query: &str) {
    let mut start = 0;
    while start < said.len() {
        let mut end = start + 1;
        let mut reach = said[start].source.end;
        while end < said.len() && said[end].source.start < reach {
            reach = reach.max(said[end].source.end);
            end += 1;
        }
        for inner in start..end {
            let others = || (start..end).filter(|outer| *outer != inner);
            let is_whole = !others().any(|outer| said[outer].holds(&said[inner]));
            let part_of = others().find(|outer| said[*outer].is_made_of(&said[inner]) && !said[*outer].is_cjk(query));
            (said[inner].is_whole, said[inner].part_of) = (is_whole, part_of);
        }
        start = end;
    }
}

/// The words of letters and digits among `free`, without their parts.
fn typed(query: &str, free: &[&Said], places: &HashMap<&str, usize>) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    let end = query.trim_end_matches(|c: char| c != ' ' && c.is_ascii_punctuation()).len();
    let mut folded = String::new();
    for said in free.iter().filter(|said| said.is_whole) {
        let Some(&word) = places.get(said.text.as_str()) else { continue };
        let is_last = said.source.end >= end;
        match typed.iter_mut().find(|typed| typed.word == word) {
            Some(typed) => typed.is_last |= is_last,
            None => {
                let is_inside = |c: &char| !(is_hyphen(*c) || *c == '_');
                let source: String = match is_number(said) {
                    true => said.text.clone(),
                    false => query[said.source.clone()].chars().filter(is_inside).collect(),
                };
                fold_word(&source, &mut folded);
                typed.push(Typed { word, text: folded.clone(), is_last });
            }
        }
    }
    typed
}

fn is_number(said: &Said) -> bool {
    said.text.bytes().all(|byte| byte.is_ascii_digit())
}

/// For every two neighbouring words, the word that they form together.
fn joined(query: &str, free: &[&Said], places: &HashMap<&str, usize>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let wholes: Vec<&&Said> = free.iter().filter(|said| said.part_of.is_none()).collect();
    for pair in wholes.windows(2) {
        if joined.len() == MOST_JOINED {
            break;
        }
        let [first, second] = [pair[0], pair[1]];
        if first.source.end >= second.source.start
            || &query[first.source.end..second.source.start] != " "
            // "a way" is not away, but "log in" is a login.
            || is_stop_word(&first.text)
            || is_stop_word(&second.text) && !PARTICLES.contains(&second.text.as_str())
            || is_number(first)
        {
            continue;
        }
        let together = format!("{}{}", &query[first.source.clone()], &query[second.source.clone()]).to_lowercase();
        let mut longest: Option<(usize, String)> = None;
        each_word(&together, |term| {
            if longest.as_ref().is_none_or(|(length, _)| term.length > *length) {
                longest = Some((term.length, term.text.to_owned()));
            }
        });
        if let Some((_, text)) = longest
            && !places.contains_key(text.as_str())
            && !is_stop_word(&text)
            && !joined.contains(&text)
        {
            joined.push(text);
        }
    }
    joined
}

/// See [`QueryTerms::part_of`]. The parts of Chinese words count as words themselves.
fn part_of(said: &[Said], places: &HashMap<&str, usize>) -> Vec<Option<(usize, usize)>> {
    let (mut whole_of, mut stands_alone) = (vec![None; places.len()], vec![false; places.len()]);
    for inner in said {
        let Some(&word) = places.get(inner.text.as_str()) else { continue };
        let outer = inner.part_of.map(|outer| &said[outer]);
        match outer.and_then(|outer| Some((*places.get(outer.text.as_str())?, outer.length))) {
            Some(whole) => whole_of[word] = Some(whole),
            None => stands_alone[word] = true,
        }
    }
    whole_of.into_iter().zip(stands_alone).map(|(whole, is_alone)| whole.filter(|_| !is_alone)).collect()
}

/// The question with its stop words blanked, so that no pair of characters includes a part of one. A stop word inside a
/// longer word stays.
fn without_stop_words(query: &str, said: &[Said]) -> String {
    let mut ordered: Vec<(bool, &Range<usize>)> =
        said.iter().map(|said| (is_stop_word(&said.text), &said.source)).collect();
    ordered.sort_by_key(|(_, range)| (range.start, std::cmp::Reverse(range.end)));
    let mut topic = query.as_bytes().to_vec();
    // The furthest end of the non-stop words that begin earlier (`reach`) and of those that begin here (`longer`).
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
    // Still valid UTF-8: only whole characters were replaced.
    String::from_utf8_lossy(&topic).into_owned()
}

/// The distinct terms in order of first occurrence, each with its count: the [`MOST_TERMS`] most frequent.
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

/// The pairs of characters in `text`, and the characters that belong to no pair.
pub(super) fn pairs(text: &str) -> Vec<String> {
    let mut terms: Vec<(String, usize, usize)> = Vec::new();
    each_pair(text, |term| terms.push((term.text.to_owned(), term.position, term.length)));
    let paired: HashSet<usize> =
        terms.iter().filter(|(_, _, length)| *length == 2).flat_map(|(_, at, _)| [*at, *at + 1]).collect();
    let kept = terms.into_iter().filter(|(_, at, length)| *length == 2 || !paired.contains(at));
    most_said(kept.map(|(text, ..)| text)).into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::exact::{MOST_PHRASE_WORDS, MOST_PHRASES};
    use super::*;

    /// A word of letters that is its own stem, a different one for each `i`.
    fn word(i: usize) -> String {
        let digits = i.to_string();
        digits.bytes().map(|digit| char::from(b"bcdfghjklm"[usize::from(digit - b'0')])).chain(['x']).collect()
    }

    /// A text of `n` words, as somebody may paste it. Every tenth word is "heron", all others are different.
    fn pasted(n: usize) -> String {
        let said = |i: usize| if i % 10 == 3 { "heron".to_owned() } else { word(i) };
        (0..n).map(said).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_a_long_text_what_it_says_most_often_counts() {
        let terms = query_terms(&pasted(12_000));
        assert_eq!((terms.words.len(), terms.counts.len()), (MOST_TERMS, MOST_TERMS));
        let at = terms.words.iter().position(|word| word == "heron").expect("what it is about");
        assert!(terms.counts[at] > 300, "{}", terms.counts[at]);
        assert_eq!(terms.words[0], word(0), "of equals the first");
        let pairs = query_terms(&('\u{4e00}'..'\u{9fff}').collect::<String>()).cjk;
        assert_eq!(pairs.len(), MOST_TERMS);
        let quoted = query_terms(&format!("\"{}\" ", pasted(1_000)).repeat(40)).phrases;
        assert!(quoted.len() <= MOST_PHRASES && quoted.iter().all(|phrase| phrase.len() <= 2 * MOST_PHRASE_WORDS));
        assert!(!quoted.is_empty());
    }

    /// No list that is derived from the words of a question is longer than the list of words.
    #[test]
    fn of_a_long_text_little_is_looked_into() {
        let left_out = query_terms(&format!("heron {}", "-egret -\"blue ibis\" ".repeat(40)));
        assert_eq!((left_out.words.len(), left_out.excluded.len()), (1, MOST_EXCLUDED));
        let terms = query_terms(&format!("{} -egret \"blue ibis\" wi-fi", pasted(1_000)));
        assert_eq!((terms.excluded, terms.required), (vec![], vec![]), "of a text that was pasted");
        let n = (terms.words.len(), terms.part_of.len(), terms.joined.len());
        assert_eq!(n, (MOST_TERMS, MOST_TERMS, MOST_JOINED));
        assert!(terms.typed.len() <= MOST_TERMS && terms.typed.iter().all(|typed| typed.word < MOST_TERMS));
    }

    /// A question no longer than people type is read to the last word.
    #[test]
    fn an_ordinary_question_is_read_whole() {
        let n = MOST_TERMS - 1;
        let mut question: String = (0..n).map(|i| word(i) + " ").collect();
        question.push_str("heron heron");
        let terms = query_terms(&question);
        assert_eq!((terms.words.len(), terms.words.last().map(String::as_str)), (n + 1, Some("heron")));
        assert_eq!(terms.counts, [vec![1; n], vec![2]].concat());
    }

    proptest! {
        /// The result is that of comparing every word with every other.
        #[test]
        fn stop_words_inside_of_others_stay(
            words in prop::collection::vec(prop::sample::select(vec![
                "the", "heron", "is", "what's", "do_not", "toDo", "的", "什么", "怎么样", "为什么", "苹果", "a-b", "in", " ", "，", "x",
            ]), 0..12),
            gap in prop::sample::select(vec!["", " "]),
        ) {
            let question = words.join(gap);
            let mut found = Vec::new();
            let mut said = Vec::new();
            each_word(&question, |term| {
                let (text, source) = (term.text.to_owned(), term.start..term.end);
                found.push((text.clone(), source.clone()));
                said.push(Said { text, source, position: 0, length: 1, is_whole: true, part_of: None });
            });
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
            prop_assert_eq!(without_stop_words(&question, &said).into_bytes(), expected);
        }
    }
}
