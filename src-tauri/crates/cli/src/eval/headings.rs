//! Chooses titles and headings that can serve as questions, and takes them out of their notes.

use std::collections::{HashMap, HashSet};

use nuthatch_engine::eval::EvalDoc;
use nuthatch_engine::notes::Note;

/// Least number of words in a title that serves as a question: one word alone is in too many notes.
const MIN_TITLE: f64 = 2.0;

/// The same for a heading. It is written to be read below its title: "Other options" by itself asks for nothing.
const MIN_HEADING: f64 = 3.0;

/// Words that must be left of a note without its heading: with fewer, nobody could tell what the note is about.
const MIN_LEFT: f64 = 8.0;

/// Parts of dates, which do not say what a note is about.
const CALENDAR: [&str; 19] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// How many notes each title or heading stands in, by [`key`].
pub(crate) struct Shared(HashMap<String, usize>);

impl Shared {
    pub(crate) fn count(notes: &[Note]) -> Self {
        let mut counts = HashMap::new();
        for note in notes {
            for key in lines(note).map(key).collect::<HashSet<String>>() {
                *counts.entry(key).or_default() += 1;
            }
        }
        Self(counts)
    }

    /// The title and headings of a note that can serve as questions: no other note has them, and they have enough
    /// words. Each comes once, the title first.
    pub(crate) fn questions<'a>(&self, note: &'a Note) -> Vec<&'a str> {
        let mut seen = HashSet::new();
        lines(note)
            .filter(|line| {
                let key = key(line);
                let needed = if same(line, &note.title) { MIN_TITLE } else { MIN_HEADING };
                self.0.get(&key) == Some(&1) && n_words(line) >= needed && seen.insert(key)
            })
            .collect()
    }
}

/// The passages of a note as documents called `id`, with `line` removed from title, headings and text. `None` if too
/// little is left to find.
pub(crate) fn without(note: &Note, line: &str, id: &str) -> Option<Vec<EvalDoc>> {
    let is_it = |other: &str| same(other, line);
    let mut passages = whole(note, id);
    for passage in &mut passages {
        if is_it(&passage.title) {
            passage.title.clear();
        }
        passage.headings.retain(|heading| !is_it(heading));
        let kept: Vec<&str> = passage.text.lines().filter(|text| !is_it(text)).collect();
        passage.text = kept.join("\n").trim().to_owned();
    }
    passages.retain(|passage| !passage.text.is_empty());
    let left: f64 = passages.iter().map(|passage| n_words(&passage.text)).sum();
    (left >= MIN_LEFT).then_some(passages)
}

/// The passages of a note as documents called `id`.
pub(crate) fn whole(note: &Note, id: &str) -> Vec<EvalDoc> {
    let document = |passage: &nuthatch_engine::index::Passage| EvalDoc {
        id: id.to_owned(),
        title: passage.title.clone(),
        headings: passage.chunk.heading_path.to_vec(),
        text: passage.chunk.text.clone(),
    };
    note.passages.iter().map(document).collect()
}

fn lines(note: &Note) -> impl Iterator<Item = &str> {
    std::iter::once(&note.title).chain(&note.headings).map(String::as_str)
}

/// Headings that differ only in digits, letter case or punctuation have the same key: "Week 12" and "week 13:" are both
/// `week 00`.
fn key(line: &str) -> String {
    words(line).join(" ").chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Whether two lines are equal apart from letter case, white space and punctuation.
fn same(a: &str, b: &str) -> bool {
    words(a) == words(b)
}

fn words(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Number of words, without numbers and parts of dates. Two characters of a script without spaces count as one word.
fn n_words(line: &str) -> f64 {
    let weight = |word: String| {
        let n_dense = word.chars().filter(|c| is_dense(*c)).count();
        if n_dense > 0 {
            return n_dense as f64 / 2.0;
        }
        let means = word.chars().any(char::is_alphabetic) && !CALENDAR.contains(&word.as_str());
        f64::from(u8::from(means))
    };
    words(line).into_iter().map(weight).sum()
}

/// Chinese characters and kana.
fn is_dense(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use nuthatch_engine::chunk::Chunk;
    use nuthatch_engine::index::Passage;

    use super::*;

    fn note(title: &str, headings: &[&str], texts: &[(&[&str], &str)]) -> Note {
        let passage = |(ordinal, (path, text)): (usize, &(&[&str], &str))| Passage {
            path: String::new(),
            title: title.to_owned(),
            tags: [].into(),
            chunk: Chunk {
                ordinal,
                span: 0..0,
                place: None,
                heading_path: path.iter().map(|heading| (*heading).to_owned()).collect(),
                text: (*text).to_owned(),
                unseen: String::new(),
            },
        };
        Note {
            path: PathBuf::from(title),
            title: title.to_owned(),
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            passages: texts.iter().enumerate().map(passage).collect(),
        }
    }

    #[test]
    fn only_headings_of_ones_own_are_asked_for() {
        let notes = [
            note(
                "Sharpening a kitchen knife",
                &["Sharpening a Kitchen Knife", "Usage", "Which stone first?", "Week 12"],
                &[],
            ),
            note("Filter coffee", &["usage:", "Week 13", "Monday, 3 March 2025", "Grinder"], &[]),
            note("番茄炒蛋", &["材料", "火候怎么看", "怎样看油温够不够", "Filter Coffee"], &[]),
        ];
        let shared = Shared::count(&notes);
        assert_eq!(shared.questions(&notes[0]), ["Sharpening a kitchen knife", "Which stone first?"]);
        assert!(shared.questions(&notes[1]).is_empty());
        assert_eq!(shared.questions(&notes[2]), ["番茄炒蛋", "怎样看油温够不够"]);
    }

    #[test]
    fn what_is_asked_for_is_taken_out_everywhere() {
        let long = "Draw the edge over the wet stone, away from you, at twenty degrees.";
        let title = "Sharpening a knife";
        let first = format!(
            "Sharpening a knife\n\n{long} Sharpening a knife takes time.\n\nWhich stone first?\n\nA coarse one."
        );
        let note = note(
            title,
            &[title, "Which stone first?"],
            &[(&[], &first), (&[title, "Which stone first?"], "Then a fine one.")],
        );

        let left = without(&note, title, "n1").unwrap();
        assert!(left.iter().all(|passage| passage.id == "n1" && passage.title.is_empty()));
        // The line that repeats the title is gone; a sentence that contains its words stays.
        assert_eq!(
            left[0].text,
            format!("{long} Sharpening a knife takes time.\n\nWhich stone first?\n\nA coarse one.")
        );
        assert_eq!(left[1].headings, ["Which stone first?"]);

        let left = without(&note, "Which stone first?", "n1").unwrap();
        assert_eq!((left[0].title.as_str(), left[1].headings.as_slice()), (title, [title.to_owned()].as_slice()));
        assert!(!left[0].text.contains("Which stone first?"));
    }

    #[test]
    fn a_note_of_nothing_but_its_heading_is_passed_over() {
        let note = note("Sharpening a knife", &[], &[(&[], "Sharpening a knife\n\nTo do.")]);
        assert_eq!(without(&note, "Sharpening a knife", "n1"), None);
    }
}
