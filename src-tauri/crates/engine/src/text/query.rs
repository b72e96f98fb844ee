//! What to look up for a question.

use std::collections::HashSet;
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
    /// The question as models read it: clean, and without what it leaves out.
    pub asked: String,
    /// For fields read by [`super::WORDS`]. Without stop words, unless there is nothing else.
    pub words: Vec<String>,
    /// How often the question says each of `words`: what it comes back to matters more to it.
    pub counts: Vec<usize>,
    /// Of each of `words` that is only said as a part of others, one of those (`wifi` of `wi`) and how many parts it has.
    pub part_of: Vec<Option<(usize, usize)>>,
    /// For the field read by [`super::CJK`]: pairs of characters, and single ones that stand alone. Without those that
    /// only stop words have, unless there is nothing else.
    pub cjk: Vec<String>,
    /// What stands in "quotes", word by word, as (position, term) for a phrase query over [`super::WORDS`] fields.
    pub phrases: Vec<Vec<(usize, String)>>,
    /// What stands in "quotes": a note has each of these.
    pub required: Vec<Exact>,
    /// A note that has one of these is left out.
    pub excluded: Vec<Exact>,
    /// Words in letters as they were typed, for what may be meant by them.
    pub typed: Vec<Typed>,
    /// Neighbours written together: `openai` for "open ai".
    pub joined: Vec<String>,
}

/// Stop words that verbs make nouns with: "set up", "log in".
const PARTICLES: [&str; 8] = ["down", "in", "off", "on", "out", "over", "through", "up"];

/// A term and where it stands in the question.
struct Said {
    text: String,
    source: Range<usize>,
    position: usize,
    length: usize,
}

/// Reads a question as the index reads text.
pub fn query_terms(query: &str) -> QueryTerms {
    let query = clean(query).text;
    let left_out = excluded(&query);
    let mut asked = query.clone().into_owned();
    for (all, _) in left_out.iter().rev() {
        asked.replace_range(all.clone(), "");
    }
    let mut is_anything_asked = false;
    each_word(&asked, |_| is_anything_asked = true);
    if left_out.is_empty() || !is_anything_asked {
        return terms(&query);
    }
    let excluded = left_out.iter().map(|(_, word)| exact(&query[word.clone()])).filter(|exact| !exact.is_empty());
    QueryTerms { excluded: excluded.collect(), ..terms(asked.trim()) }
}

fn terms(query: &str) -> QueryTerms {
    let mut said: Vec<Said> = Vec::new();
    each_word(query, |term| {
        let (source, text) = (term.start..term.end, term.text.to_owned());
        said.push(Said { text, source, position: term.position, length: term.length });
    });
    // The question with its stop words blotted out, so that pairs do not reach into them.
    let mut topic = query.to_owned();
    // A stop word inside a longer word is part of it.
    let covered = |inner: &Said| {
        said.iter().any(|outer| outer.holds(inner) && outer.source != inner.source && !is_stop_word(&outer.text))
    };
    for stop in said.iter().filter(|said| is_stop_word(&said.text) && !covered(said)) {
        topic.replace_range(stop.source.clone(), &" ".repeat(stop.source.len()));
    }
    let words = distinct(said.iter().map(|said| said.text.clone()));
    let topical: Vec<String> = words.iter().filter(|word| !is_stop_word(word)).cloned().collect();
    let words = if topical.is_empty() { words } else { topical };
    let mut cjk = pairs(&topic);
    if cjk.is_empty() && topic.trim().is_empty() {
        cjk = pairs(query);
    }
    let counts = words.iter().map(|word| said.iter().filter(|said| said.text == *word).count()).collect();
    let quoted = quoted(query);
    let phrases = quoted.iter().map(|quote| phrase(&query[quote.clone()], true)).filter(|phrase| !phrase.is_empty());
    let phrases = phrases.collect();
    let required = quoted.iter().map(|quote| exact(&query[quote.clone()])).filter(|exact| !exact.is_empty()).collect();
    let free: Vec<&Said> = said
        .iter()
        .filter(|said| !said.is_cjk(query) && !quoted.iter().any(|quote| quote.contains(&said.source.start)))
        .collect();
    let typed = typed(query, &free, &words);
    let joined = joined(query, &free, &words);
    let part_of = part_of(query, &said, &words);
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

    fn is_cjk(&self, query: &str) -> bool {
        query[self.source.clone()].starts_with(is_cjk)
    }
}

impl QueryTerms {
    /// Whether some notes are no answers, whatever else they say.
    pub fn narrows(&self) -> bool {
        !self.required.is_empty() || !self.excluded.is_empty()
    }
}

/// Words in letters: the whole of each, not its parts.
fn typed(query: &str, free: &[&Said], words: &[String]) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    let end = query.trim_end_matches(|c: char| c != ' ' && c.is_ascii_punctuation()).len();
    let mut folded = String::new();
    for (at, said) in free.iter().enumerate() {
        let is_whole = !free.iter().enumerate().any(|(other, outer)| other != at && outer.holds(said));
        let Some(word) = words.iter().position(|word| *word == said.text).filter(|_| is_whole) else { continue };
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

/// Of every two neighbours the word that they make together.
fn joined(query: &str, free: &[&Said], words: &[String]) -> Vec<String> {
    let mut joined = Vec::new();
    let wholes: Vec<&&Said> =
        free.iter().filter(|said| !free.iter().any(|outer| outer.length > said.length && outer.holds(said))).collect();
    for pair in wholes.windows(2) {
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
        joined.extend(longest.map(|(_, text)| text).filter(|text| !words.contains(text) && !is_stop_word(text)));
    }
    distinct(joined.into_iter())
}

/// See [`QueryTerms::part_of`]. What Chinese words are made of counts as they do.
fn part_of(query: &str, said: &[Said], words: &[String]) -> Vec<Option<(usize, usize)>> {
    let whole_of = |word: &String| {
        let mut whole = None;
        for said_so in said.iter().filter(|said| said.text == *word) {
            let outer = said.iter().find(|outer| {
                let around = outer.position <= said_so.position
                    && said_so.position + said_so.length <= outer.position + outer.length;
                around && outer.length > said_so.length && !outer.is_cjk(query)
            });
            whole =
                Some(outer.and_then(|outer| Some((words.iter().position(|word| *word == outer.text)?, outer.length)))?);
        }
        whole
    };
    words.iter().map(whole_of).collect()
}

/// Pairs, and the characters that belong to none.
pub(super) fn pairs(text: &str) -> Vec<String> {
    let mut terms: Vec<(String, usize, usize)> = Vec::new();
    each_pair(text, |term| terms.push((term.text.to_owned(), term.position, term.length)));
    let paired: HashSet<usize> =
        terms.iter().filter(|(_, _, length)| *length == 2).flat_map(|(_, at, _)| [*at, *at + 1]).collect();
    let kept = terms.into_iter().filter(|(_, at, length)| *length == 2 || !paired.contains(at));
    distinct(kept.map(|(text, ..)| text))
}

fn distinct(terms: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    terms.filter(|term| seen.insert(term.clone())).collect()
}
