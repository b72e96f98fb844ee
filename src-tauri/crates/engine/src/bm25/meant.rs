//! What may be meant by a word that no note has: the beginning of a longer one, two words written in one, or a slip of
//! the finger. Asked of words that are unknown, so that ordinary questions cost nothing.

use std::collections::{BTreeMap, HashSet};

use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use crate::text::{Typed, is_stop_word, stem};

/// So many words of a question are looked into.
const MAX_LOOKED_INTO: usize = 8;

/// A word that so many passages have at most may stand as two words in others: `OpenAI` and "Open AI".
const RARE: u64 = 20;

/// Letters of each of two words that a known one may stand for.
const LEAST_BESIDE_WORD: usize = 2;

/// Words that are gone through for a beginning, and those that are kept, the commonest.
const MAX_BEGUN: usize = 500;
const MAX_KEPT: usize = 8;

/// What a slip's correction counts, beside the word itself.
const SLIP_WEIGHT: f32 = 0.7;

/// How English words end, behind what the index knows of them (their stem).
const ENDINGS: [&str; 16] = [
    "ing", "ings", "ation", "ations", "ion", "ions", "ment", "ments", "ness", "ity", "ities", "able", "ible", "ally",
    "ical", "ies",
];

/// What one unknown word may mean.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Meant {
    /// Terms of the index, and what each counts.
    pub(super) words: Vec<(String, f32)>,
    /// Two words that make it up, one after the other; the commonest first.
    pub(super) pairs: Vec<[String; 2]>,
    /// A few notes have the word itself.
    pub(super) is_known: bool,
}

impl Meant {
    /// Whether what may be meant is looked for in place of the word.
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

    /// Passages that hold the word.
    fn n_in(&self, field: Field, word: &str) -> tantivy::Result<u64> {
        self.searcher.doc_freq(&Term::from_field_text(field, word))
    }

    /// What each of the question's unknown words may mean.
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

    /// Words that begin so, the commonest first.
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
        // Typed beyond what the index keeps of the word: "runnin" for run.
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

    /// Two known words in one, neither shorter than `least`.
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

    /// Words with one letter more, less or other, or two that changed places.
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
