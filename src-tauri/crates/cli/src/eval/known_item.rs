//! A test collection from the user's own notes: each question is a title or heading, and its answer is the note that
//! this line was taken out of (known-item search; Broder 2002 calls the need navigational). Such questions are easier
//! than real ones, but they are about the user's notes.
//!
//! File names and tags often repeat the title, so they are left out of all notes.

use std::collections::HashSet;
use std::path::Path;

use fastrand::Rng;
use nuthatch_engine::notes::{IndexedNotes, Note};
use serde::Serialize;

use crate::eval::headings::{Shared, whole, without};
use crate::eval::metrics::Judgements;
use crate::eval::test_set::{Question, TestSet, hash};

/// Number of notes asked for by default.
pub(crate) const LIMIT: usize = 200;

/// Most passages in a collection: whole notes are drawn at random until the next one would exceed this.
const MAX_PASSAGES: usize = 20_000;

/// With fewer questions, a single one would decide the result.
const MIN_QUESTIONS: usize = 10;

#[derive(Debug, thiserror::Error)]
pub(crate) enum KnownItemError {
    #[error("no note is indexed in {}: run `nuthatch index FOLDER` first", data_dir.display())]
    NothingIndexed { data_dir: std::path::PathBuf },
    #[error(
        "{n_questions} of your {n_notes} notes can be asked for, at least {MIN_QUESTIONS} are needed: a note needs a title of two words or a heading of three that no other note has, and some text under it"
    )]
    TooFew { n_questions: usize, n_notes: usize },
}

/// What the test is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct About {
    pub(crate) n_notes_indexed: usize,
    /// Notes in the collection: all, or as many as hold 20,000 passages.
    pub(crate) n_notes: usize,
    pub(crate) n_passages: usize,
    /// Questions that are titles, and those that are headings inside a note.
    pub(crate) n_titles: usize,
    pub(crate) n_headings: usize,
}

/// Draws at most `limit` notes and a title or heading of each. The same notes and `seed` make the same test.
pub(crate) fn build(
    notes: &IndexedNotes,
    data_dir: &Path,
    limit: usize,
    seed: u64,
) -> Result<(TestSet, About), KnownItemError> {
    let indexed = notes.notes();
    if indexed.is_empty() {
        return Err(KnownItemError::NothingIndexed { data_dir: data_dir.to_owned() });
    }
    let shared = Shared::count(indexed);
    let mut random = Rng::with_seed(seed);
    let sampled = sample(indexed, &mut random);
    let mut order: Vec<usize> = (0..sampled.len()).collect();
    random.shuffle(&mut order);

    let mut set = TestSet { name: "your notes".to_owned(), ..TestSet::default() };
    let mut about =
        About { n_notes_indexed: indexed.len(), n_notes: sampled.len(), n_passages: 0, n_titles: 0, n_headings: 0 };
    // Ids that hold no word of the notes. The leading zeros keep them from matching numbers in questions.
    let ids: Vec<String> = (0..sampled.len()).map(|i| format!("n{i:06}")).collect();
    let mut documents: Vec<_> = sampled.iter().zip(&ids).map(|(note, id)| whole(note, id)).collect();
    for i in order {
        if set.questions.len() == limit {
            break;
        }
        let lines = shared.questions(sampled[i]);
        // If a note has both, its title is chosen half of the time, however many headings it has.
        let titles = lines.iter().take_while(|line| **line == sampled[i].title).count();
        let (titles, headings) = lines.split_at(titles);
        let of = if headings.is_empty() || (!titles.is_empty() && random.bool()) { titles } else { headings };
        let Some(line) = random.choice(of).copied() else { continue };
        let Some(stripped) = without(sampled[i], line, &ids[i]) else { continue };
        documents[i] = stripped;
        let is_title = line == sampled[i].title;
        *(if is_title { &mut about.n_titles } else { &mut about.n_headings }) += 1;
        let question = Question { id: ids[i].clone(), text: line.to_owned() };
        set.questions.push((question, Judgements::from([(ids[i].clone(), 1.0)])));
    }
    if set.questions.len() < MIN_QUESTIONS.min(limit) {
        return Err(KnownItemError::TooFew { n_questions: set.questions.len(), n_notes: indexed.len() });
    }
    set.paths = ids.into_iter().zip(sampled).map(|(id, note)| (id, note.path.clone())).collect();
    set.documents = documents.concat();
    set.corpus_hash = hash(&set.documents);
    about.n_passages = set.documents.len();
    Ok((set, about))
}

/// All notes, or as many random ones as [`MAX_PASSAGES`] allows, in their original order.
fn sample<'a>(notes: &'a [Note], random: &mut Rng) -> Vec<&'a Note> {
    let mut order: Vec<usize> = (0..notes.len()).collect();
    random.shuffle(&mut order);
    let mut n_passages = 0;
    let drawn: HashSet<usize> = order
        .into_iter()
        .take_while(|i| {
            n_passages += notes[*i].passages.len();
            n_passages <= MAX_PASSAGES
        })
        .collect();
    notes.iter().enumerate().filter(|(i, _)| drawn.contains(i)).map(|(_, note)| note).collect()
}
