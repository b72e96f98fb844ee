//! The passages of one segment that match a clause, in document order, with the score that the clause gives each.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::Bm25Weight;
use tantivy::{DocId, TERMINATED};

use super::phrase::Phrase;

pub(super) struct List<'a> {
    entries: Entries,
    lengths: FieldNormReader,
    weight: &'a Bm25Weight,
    /// How many grains a score of 1 has.
    scale: f32,
    /// The most grains that the list gives any passage.
    pub(super) most: f32,
    /// The estimated work of reading the whole list, in entries of a term's list.
    pub(super) n_entries: f32,
}

/// What a list needs to score its entries.
pub(super) struct Scoring<'a> {
    pub(super) lengths: FieldNormReader,
    pub(super) weight: &'a Bm25Weight,
    /// The highest score that the list gives any passage, and the score of one grain.
    pub(super) most: f32,
    pub(super) grain: f32,
}

/// Reading the positions of a phrase's words in a passage takes as long as reading this many entries.
const ENTRIES_OF_PLACES: u64 = 8;

enum Entries {
    Term {
        /// Read in blocks of 128 entries. `at` is the current entry in the current block.
        postings: Box<BlockSegmentPostings>,
        at: usize,
    },
    Phrase(Phrase),
}

impl<'a> List<'a> {
    pub(super) fn term(postings: BlockSegmentPostings, scoring: Scoring<'a>) -> Self {
        let n_entries = u64::from(postings.doc_freq());
        Self::new(Entries::Term { postings: Box::new(postings), at: 0 }, n_entries, scoring)
    }

    pub(super) fn phrase(phrase: Phrase, scoring: Scoring<'a>) -> Self {
        let n_entries = phrase.n_entries() * ENTRIES_OF_PLACES;
        Self::new(Entries::Phrase(phrase), n_entries, scoring)
    }

    fn new(entries: Entries, n_entries: u64, scoring: Scoring<'a>) -> Self {
        let Scoring { lengths, weight, most, grain } = scoring;
        let scale = 1.0 / grain;
        // One grain more, because `most` itself is rounded.
        let most = (most * scale).floor() + 1.0;
        Self { entries, lengths, weight, scale, most, n_entries: n_entries.max(1) as f32 }
    }

    /// The most that the list gives, divided by the work of reading it.
    pub(super) fn worth(&self) -> f32 {
        self.most / self.n_entries
    }

    /// The current document; [`TERMINATED`] after the last.
    pub(super) fn document(&self) -> DocId {
        match &self.entries {
            Entries::Term { postings, at } => postings.docs().get(*at).copied().unwrap_or(TERMINATED),
            Entries::Phrase(phrase) => phrase.document(),
        }
    }

    /// Moves to the first document that is not before `document`.
    pub(super) fn seek(&mut self, document: DocId) {
        if self.document() >= document {
            return;
        }
        match &mut self.entries {
            Entries::Term { postings, at } => *at = postings.seek(document),
            Entries::Phrase(phrase) => phrase.seek(document),
        }
    }

    /// The grains that `document` gets; 0 if it is not in the list. If that is less than `least`, the result may be any
    /// smaller number. Call it for documents in ascending order only.
    pub(super) fn grains_at(&mut self, document: DocId, least: f32) -> f32 {
        self.seek(document);
        if self.document() != document {
            return 0.0;
        }
        match &mut self.entries {
            Entries::Term { postings, at } => {
                grains(self.weight, self.lengths.fieldnorm_id(document), postings.freq(*at), self.scale)
            }
            Entries::Phrase(phrase) => phrase_grains(phrase, &self.lengths, self.weight, self.scale, least),
        }
    }

    /// Adds the grains of the documents before `end` to `sums`, which begin with document `start`, and moves past these
    /// documents. The current document must not be before `start`. Sums that stay below `least` may lack these grains.
    pub(super) fn add(&mut self, start: DocId, end: DocId, sums: &mut [f32], least: f32) {
        let Self { entries, lengths, weight, scale, .. } = self;
        match entries {
            Entries::Term { postings, at } => loop {
                let (documents, frequencies) = (&postings.docs()[*at..], &postings.freqs()[*at..]);
                let n = documents.partition_point(|document| *document < end);
                for (document, frequency) in documents[..n].iter().zip(frequencies) {
                    sums[(document - start) as usize] +=
                        grains(weight, lengths.fieldnorm_id(*document), *frequency, *scale);
                }
                if n < documents.len() || documents.is_empty() {
                    *at += n;
                    return;
                }
                postings.advance();
                *at = 0;
            },
            Entries::Phrase(phrase) => {
                while phrase.document() < end {
                    let sum = &mut sums[(phrase.document() - start) as usize];
                    *sum += phrase_grains(phrase, lengths, weight, *scale, least - *sum);
                    phrase.advance();
                }
            }
        }
    }

    pub(super) fn is_phrase(&self) -> bool {
        matches!(self.entries, Entries::Phrase(_))
    }
}

/// The grains that the phrase gives its current document. 0 if even an upper bound is less than `least`: this saves
/// reading the positions of the words.
fn phrase_grains(phrase: &mut Phrase, lengths: &FieldNormReader, weight: &Bm25Weight, scale: f32, least: f32) -> f32 {
    let length = lengths.fieldnorm_id(phrase.document());
    if grains(weight, length, phrase.at_most(), scale) < least {
        return 0.0;
    }
    grains(weight, length, phrase.count(), scale)
}

#[inline(always)]
fn grains(weight: &Bm25Weight, length: u8, frequency: u32, scale: f32) -> f32 {
    whole(weight.score(length, frequency) * scale)
}

/// Rounds down a number that is not negative and at most a few million. (`f32::floor` is a call on x86 before SSE 4.1.)
#[inline(always)]
fn whole(grains: f32) -> f32 {
    grains as i32 as f32
}
