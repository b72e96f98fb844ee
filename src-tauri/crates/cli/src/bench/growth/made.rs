//! Makes any number of different notes from real ones, with words and vectors spread as in real notes.
//!
//! A made passage begins as a real one. Some of its sentences are replaced by sentences of other passages in the same
//! language, and some of its English words by words of similar frequency, so that each word keeps its share of all
//! passages. Rare words are the exception. A real collection has more distinct words the larger it is, so a rare word
//! is sometimes replaced by a new one, put together from halves of two others. Chinese has no such tail of rare words;
//! it is recombined by clauses.
//!
//! A made vector is the real passage's vector, moved along differences of other real vectors. So it stays in the narrow
//! cone of real vectors and in the directions in which they differ.

use std::collections::HashMap;

use nuthatch_engine::chunk::Chunk;
use nuthatch_engine::index::Passage;
use nuthatch_engine::index::vectors::Quantized;

use crate::bench::growth::source::Source;

/// The folder that made notes claim to lie in. It does not exist, so they are shown like notes on a drive that is not
/// connected.
pub(crate) const FOLDER: &str = "/nuthatch-bench";

/// Shares of sentences (in Chinese, of clauses) and of words that are replaced.
const OTHER_SENTENCES: f64 = 0.4;
const OTHER_WORDS: f64 = 0.25;

/// A word that occurs at most this often is rare.
const RARE: u32 = 2;

/// Most passages in a note. Every number from 1 on is equally likely, so the average is 5.
const MAX_PASSAGES: usize = 9;

/// How far a vector is moved along each of two differences.
const MOVED: std::ops::Range<f32> = 0.15..0.55;

pub(crate) struct Note {
    pub(crate) passages: Vec<Passage>,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Note {
    pub(crate) fn quantized(&self) -> Vec<Option<Quantized>> {
        self.vectors.iter().map(|vector| Some(Quantized::from_f32(vector))).collect()
    }
}

pub(crate) struct Maker<'a> {
    source: &'a Source,
    english: Vec<&'a str>,
    chinese: Vec<&'a str>,
    vocabulary: Vocabulary,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        let (mut english, mut chinese) = (Vec::new(), Vec::new());
        for passage in &source.passages {
            let text = passage.chunk.text.as_str();
            let dense = is_dense(text);
            let pieces = pieces(text, dense);
            if dense { chinese.extend(pieces) } else { english.extend(pieces) }
        }
        let vocabulary = Vocabulary::count(source.passages.iter().map(|passage| passage.chunk.text.as_str()));
        Self { source, english, chinese, vocabulary }
    }

    /// The made note with this number. It is the same every time.
    pub(crate) fn note(&self, number: u64) -> Note {
        // The multiplication gives neighbouring numbers unrelated streams of random numbers.
        let mut random = fastrand::Rng::with_seed(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let embedded = &self.source.embedded;
        let first = random.usize(..embedded.len());
        let n = random.usize(1..=MAX_PASSAGES);
        let base = |i: usize| &embedded[(first + i) % embedded.len()];
        let title = self.reworded(&self.source.passages[base(0).0].title, &mut random);
        let path = path(&title, number);
        let (mut passages, mut vectors) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut start = 0;
        for ordinal in 0..n {
            let (place, vector) = base(ordinal);
            let real = &self.source.passages[*place].chunk;
            let text = self.recombined(&real.text, &mut random);
            let heading_path = real.heading_path.iter().map(|heading| self.reworded(heading, &mut random)).collect();
            let span = start..start + text.len();
            start = span.end + 2;
            let chunk = Chunk { ordinal, span, heading_path, place: None, text, unseen: String::new() };
            passages.push(Passage { path: path.clone(), title: title.clone(), tags: [].into(), chunk });
            vectors.push(self.moved(vector, &mut random));
        }
        Note { passages, vectors }
    }

    fn recombined(&self, text: &str, random: &mut fastrand::Rng) -> String {
        let dense = is_dense(text);
        let others = if dense { &self.chinese } else { &self.english };
        let mut made = String::with_capacity(text.len() + 64);
        for piece in pieces(text, dense) {
            let is_other = random.f64() < OTHER_SENTENCES && !others.is_empty();
            let piece = if is_other { others[random.usize(..others.len())] } else { piece };
            self.append_reworded(piece, random, &mut made);
        }
        made
    }

    fn reworded(&self, text: &str, random: &mut fastrand::Rng) -> String {
        let mut made = String::with_capacity(text.len());
        self.append_reworded(text, random, &mut made);
        made
    }

    fn append_reworded(&self, text: &str, random: &mut fastrand::Rng, made: &mut String) {
        for (is_word, part) in words(text) {
            if is_word && random.f64() < OTHER_WORDS {
                self.vocabulary.append_like(part, random, made);
            } else {
                made.push_str(part);
            }
        }
    }

    fn moved(&self, vector: &[f32], random: &mut fastrand::Rng) -> Vec<f32> {
        let embedded = &self.source.embedded;
        let mut moved = vector.to_vec();
        for _ in 0..2 {
            let by = MOVED.start + random.f32() * (MOVED.end - MOVED.start);
            let (to, from) = (&embedded[random.usize(..embedded.len())].1, &embedded[random.usize(..embedded.len())].1);
            for (x, (to, from)) in moved.iter_mut().zip(to.iter().zip(from)) {
                *x += by * (to - from);
            }
        }
        moved
    }
}

/// English words, the most frequent first.
struct Vocabulary {
    ranks: HashMap<String, usize>,
    words: Vec<(String, u32)>,
    /// Where the rare ones begin in `words`.
    rare_from: usize,
}

impl Vocabulary {
    fn count<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for (is_word, part) in texts.flat_map(words) {
            if is_word {
                *counts.entry(part.to_ascii_lowercase()).or_default() += 1;
            }
        }
        let mut words: Vec<(String, u32)> = counts.into_iter().collect();
        words.sort_by(|(a, n_a), (b, n_b)| n_b.cmp(n_a).then_with(|| a.cmp(b)));
        let ranks = words.iter().enumerate().map(|(rank, (word, _))| (word.clone(), rank)).collect();
        let rare_from = words.partition_point(|(_, n)| *n > RARE);
        Self { ranks, words, rare_from }
    }

    /// Appends a word about as frequent as `word`. For a rare word, half of the time it is a newly made one.
    fn append_like(&self, word: &str, random: &mut fastrand::Rng, made: &mut String) {
        let Some(&rank) = self.ranks.get(&word.to_ascii_lowercase()) else { return made.push_str(word) };
        let rare = &self.words[self.rare_from..];
        if rank < self.rare_from {
            let near = rank * 4 / 5..(rank * 5 / 4 + 2).min(self.rare_from);
            made.push_str(&self.words[random.usize(near)].0);
        } else if random.bool() {
            made.push_str(&rare[random.usize(..rare.len())].0);
        } else {
            let (head, tail) = (&rare[random.usize(..rare.len())].0, &rare[random.usize(..rare.len())].0);
            made.push_str(&head[..head.len().div_ceil(2)]);
            made.push_str(&tail[tail.len() / 2..]);
        }
    }
}

/// Splits a text into ASCII words of two letters or more and the parts between them.
fn words(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let is_letter = first.is_ascii_alphabetic();
        let end = rest.find(|c: char| c.is_ascii_alphabetic() != is_letter).unwrap_or(rest.len());
        let (part, later) = rest.split_at(end);
        rest = later;
        Some((is_letter && part.len() > 1, part))
    })
}

/// Splits a text into sentences, or Chinese into clauses, each up to and including the character that ends it.
fn pieces(text: &str, dense: bool) -> Vec<&str> {
    let ends = |c: char| match c {
        '\n' | '。' | '！' | '？' => true,
        '，' | '；' | '：' | '、' => dense,
        '.' | '!' | '?' => !dense,
        _ => false,
    };
    text.split_inclusive(ends).filter(|piece| !piece.is_empty()).collect()
}

/// Whether a text is in Chinese rather than English: at least a tenth of its characters are Chinese.
pub(crate) fn is_dense(text: &str) -> bool {
    let n_dense = text.chars().filter(|c| ('\u{3400}'..='\u{9FFF}').contains(c)).count();
    n_dense * 10 >= text.chars().count().max(1)
}

/// A file named after its title, in one of some hundred folders.
fn path(title: &str, number: u64) -> String {
    const KINDS: [&str; 12] = [
        "work", "projects", "reading", "recipes", "journal", "travel", "papers", "linux", "meetings", "ideas", "笔记",
        "工作",
    ];
    let kind = KINDS[(number % KINDS.len() as u64) as usize];
    let name: String = title.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).take(60).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join("-");
    format!("{FOLDER}/{kind}/{}/{name}-{number}.md", 2015 + number / 12 % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn source() -> Source {
        let texts = [
            "The kettle sings. The water is hot, and the tea leaves open slowly in the pot.",
            "A merge keeps both histories. A rebase rewrites one. Choose before you push the branch.",
            "先把油烧热，再放葱姜。番茄切块，鸡蛋打散；火候要大。",
        ];
        let passages: Vec<Passage> = texts
            .into_iter()
            .enumerate()
            .map(|(i, text)| Passage {
                path: format!("/real/{i}.md"),
                title: format!("Note {i}"),
                tags: [].into(),
                chunk: Chunk {
                    ordinal: 0,
                    span: 0..text.len(),
                    heading_path: ["Heading here".to_owned()].into(),
                    place: None,
                    text: text.to_owned(),
                    unseen: String::new(),
                },
            })
            .collect();
        let vectors = [vec![1.0, 0.0, 0.1], vec![0.9, 0.3, 0.0], vec![0.8, 0.1, 0.4]];
        Source { headings: vec!["Heading here".to_owned()], embedded: (0..).zip(vectors).collect(), passages }
    }

    #[test]
    fn made_notes_are_the_same_every_time_and_differ_from_each_other() {
        let source = source();
        let maker = Maker::new(&source);
        let mut texts = HashSet::new();
        let mut n = 0;
        for number in 0..200 {
            let (note, again) = (maker.note(number), maker.note(number));
            assert_eq!((&note.passages, &note.vectors), (&again.passages, &again.vectors));
            assert_eq!(note.passages.len(), note.vectors.len());
            for (ordinal, passage) in note.passages.iter().enumerate() {
                assert_eq!(passage.chunk.ordinal, ordinal);
                assert_eq!(passage.chunk.span.len(), passage.chunk.text.len());
                assert!(passage.path.ends_with(&format!("-{number}.md")), "{}", passage.path);
                texts.insert(passage.chunk.text.clone());
                n += 1;
            }
        }
        assert!(texts.len() * 2 > n, "{} texts among {n} passages", texts.len());
    }

    #[test]
    fn frequent_words_stay_frequent_and_new_words_come_in() {
        let source = source();
        let maker = Maker::new(&source);
        let count = |texts: &mut dyn Iterator<Item = String>| {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for text in texts {
                for (is_word, word) in words(&text) {
                    if is_word {
                        *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
                    }
                }
            }
            counts
        };
        let real = count(&mut source.passages.iter().map(|passage| passage.chunk.text.clone()));
        let made =
            count(&mut (0..300).flat_map(|number| maker.note(number).passages).map(|passage| passage.chunk.text));
        assert_eq!(made.iter().max_by_key(|(_, n)| **n).map(|(word, _)| word.as_str()), Some("the"));
        assert!(made.len() > 2 * real.len(), "{} words from {}", made.len(), real.len());
    }
}
