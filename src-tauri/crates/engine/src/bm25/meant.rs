//! Guesses what a word that no note contains may mean: it may be the beginning of a longer word, two words written as
//! one, or misspelt. Only unknown and rare words are looked into, so that ordinary questions cost nothing.

use std::collections::{BTreeMap, HashSet};

use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use crate::text::{Typed, is_stop_word, stem};

/// The most words of a question that are looked into.
const MAX_LOOKED_INTO: usize = 8;

/// A word is rare if at most this many passages contain it. Other passages may write it as two words: `OpenAI` and
/// "Open AI".
const RARE: u64 = 20;

/// The fewest letters of each of the two words that a rare word is split into.
const LEAST_BESIDE_WORD: usize = 2;

/// The most words with a given beginning that are read from one field of a segment.
const MAX_BEGUN: usize = 500;
/// The most guesses kept for a word: the commonest.
const MAX_KEPT: usize = 8;

/// The weight of a corrected word, where the word itself weighs 1.
const SLIP_WEIGHT: f32 = 0.7;

/// Endings of English words, which the index cuts off by stemming.
const ENDINGS: [&str; 16] = [
    "ing", "ings", "ation", "ations", "ion", "ions", "ment", "ments", "ness", "ity", "ities", "able", "ible", "ally",
    "ical", "ies",
];

/// What one unknown or rare word may mean.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Meant {
    /// Terms of the index, each with its weight.
    pub(super) words: Vec<(String, f32)>,
    /// Pairs of words that the word may be split into, the commonest first.
    pub(super) pairs: Vec<[String; 2]>,
    /// Whether notes contain the word itself.
    pub(super) is_known: bool,
}

impl Meant {
    /// Whether the guesses take the place of the word: no note contains it.
    pub(super) fn is_instead(&self) -> bool {
        !(self.is_known || self.words.is_empty() && self.pairs.is_empty())
    }
}

/// The terms of an index.
pub(super) struct Known<'a> {
    pub(super) searcher: &'a Searcher,
    /// Fields that a word may stand in. The first is that of whole texts.
    pub(super) fields: &'a [Field],
}

impl Known<'_> {
    pub(super) fn has(&self, word: &str) -> tantivy::Result<bool> {
        for field in self.fields {
            if self.n_in(*field, word)? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many passages contain the word in the field.
    fn n_in(&self, field: Field, word: &str) -> tantivy::Result<u64> {
        self.searcher.doc_freq(&Term::from_field_text(field, word))
    }

    /// What each unknown or rare word of the question may mean.
    pub(super) fn meant<'t>(&self, typed: &'t [Typed], words: &[String]) -> tantivy::Result<Vec<(&'t Typed, Meant)>> {
        let mut all = Vec::new();
        for typed in typed {
            if all.len() == MAX_LOOKED_INTO {
                break;
            }
            let word = &words[typed.word];
            if !self.has(word)? {
                all.push((typed, self.of(typed)?));
            } else if typed.text.is_ascii() && self.n_in(self.fields[0], word)? <= RARE {
                let pairs = self.pairs(&typed.text, LEAST_BESIDE_WORD)?;
                all.push((typed, Meant { pairs, is_known: true, ..Meant::default() }));
            }
        }
        Ok(all)
    }

    fn of(&self, typed: &Typed) -> tantivy::Result<Meant> {
        let word = typed.text.as_str();
        let mut meant = Meant::default();
        if typed.is_last && word.chars().count() >= Typed::LEAST_OF_BEGINNING {
            meant.words = self.begun(word)?.into_iter().map(|word| (word, 1.0)).collect();
        }
        if word.is_ascii() {
            meant.pairs = self.pairs(word, 1)?;
            if meant.words.is_empty() && Typed::SLIP_LETTERS.contains(&word.len()) && is_in_letters(word) {
                meant.words = self.slips(word)?.into_iter().map(|word| (word, SLIP_WEIGHT)).collect();
            }
        }
        Ok(meant)
    }

    /// Known words with this beginning, the commonest first.
    fn begun(&self, beginning: &str) -> tantivy::Result<Vec<String>> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for segment in self.searcher.segment_readers() {
            for field in self.fields {
                let index = segment.inverted_index(*field)?;
                let mut terms = index.terms().range().ge(beginning).into_stream()?;
                let mut n_left = MAX_BEGUN;
                while n_left > 0
                    && terms.advance()
                    && let Ok(word) = std::str::from_utf8(terms.key())
                    && word.starts_with(beginning)
                {
                    *found.entry(word.to_owned()).or_default() += u64::from(terms.value().doc_freq);
                    n_left -= 1;
                }
            }
        }
        // The beginning may be longer than the stem that the index keeps: "runnin" for run.
        if is_in_letters(beginning) {
            for ending in ENDINGS {
                for typed in 1..ending.len() {
                    if !beginning.ends_with(&ending[..typed]) {
                        continue;
                    }
                    let word = format!("{beginning}{}", &ending[typed..]);
                    self.add_if_known(&stem(&word), &mut found)?;
                }
            }
        }
        Ok(commonest(found))
    }

    /// Splits of `word` into two known words, neither shorter than `least`.
    fn pairs(&self, word: &str, least: usize) -> tantivy::Result<Vec<[String; 2]>> {
        let mut pairs: Vec<(u64, [String; 2])> = Vec::new();
        for at in least..=word.len().saturating_sub(least) {
            let (first, second) = (stem(&word[..at]), stem(&word[at..]));
            if is_stop_word(&first) {
                continue;
            }
            let n_first = self.n_in(self.fields[0], &first)?;
            if n_first == 0 {
                continue;
            }
            let n = n_first.min(self.n_in(self.fields[0], &second)?);
            if n > 0 {
                pairs.push((n, [first.into_owned(), second.into_owned()]));
            }
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        pairs.truncate(MAX_KEPT);
        Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
    }

    /// Known words with one letter more, fewer or different, or with two neighbouring letters swapped.
    fn slips(&self, word: &str) -> tantivy::Result<Vec<String>> {
        let mut found = BTreeMap::new();
        let mut tried = HashSet::new();
        let mut slip = |other: String| {
            let stem = stem(&other).into_owned();
            if tried.insert(stem.clone()) { self.add_if_known(&stem, &mut found) } else { Ok(()) }
        };
        for at in 0..=word.len() {
            let (before, after) = word.split_at(at);
            for letter in 'a'..='z' {
                slip(format!("{before}{letter}{after}"))?;
                if !after.is_empty() {
                    slip(format!("{before}{letter}{}", &after[1..]))?;
                }
            }
            if !after.is_empty() {
                slip(format!("{before}{}", &after[1..]))?;
            }
            if after.len() > 1 {
                slip(format!("{before}{}{}{}", &after[1..2], &after[..1], &after[2..]))?;
            }
        }
        Ok(commonest(found))
    }

    fn add_if_known(&self, word: &str, found: &mut BTreeMap<String, u64>) -> tantivy::Result<()> {
        let mut n = 0;
        for field in self.fields {
            n += self.n_in(*field, word)?;
        }
        if n > 0 {
            found.insert(word.to_owned(), n);
        }
        Ok(())
    }
}

fn is_in_letters(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn commonest(found: BTreeMap<String, u64>) -> Vec<String> {
    let mut found: Vec<(String, u64)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found.truncate(MAX_KEPT);
    found.into_iter().map(|(word, _)| word).collect()
}
