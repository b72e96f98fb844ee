//! One clause's passages in one segment, in document order, with what each gets for it.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::Bm25Weight;
use tantivy::{DocId, TERMINATED};

use super::phrase::Phrase;

pub(super) struct List<'a> {
    entries: Entries,
    lengths: FieldNormReader,
    weight: &'a Bm25Weight,
    /// Grains to a score of 1.
    scale: f32,
    /// No passage gets more grains.
    pub(super) most: f32,
    /// About as many entries of a term take as long as going through all of it.
    pub(super) n_entries: f32,
}

/// What its entries are scored by.
pub(super) struct Scoring<'a> {
    pub(super) lengths: FieldNormReader,
    pub(super) weight: &'a Bm25Weight,
    /// The most that a passage gets, and a grain, in score.
    pub(super) most: f32,
    pub(super) grain: f32,
}

/// Reading where the words of a phrase stand in a passage takes as long as so many entries.
const ENTRIES_OF_PLACES: u64 = 8;

enum Entries {
    Term {
        /// Read block by block (128 entries), `at` an entry of the current one.
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
        // A grain more, for the rounding of `most` itself.
        let most = (most * scale).floor() + 1.0;
        Self { entries, lengths, weight, scale, most, n_entries: n_entries.max(1) as f32 }
    }

    /// The most that it gives, for what going through it takes.
    pub(super) fn worth(&self) -> f32 {
        self.most / self.n_entries
    }

    /// The document it stands at; [`TERMINATED`] after the last.
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

    /// What `document` gets, 0 if it is not in the list; or anything less, if what it gets is less than `least`. Only
    /// for documents in ascending order.
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

    /// Adds what the documents before `end` get to `sums`, which begin with document `start`, and moves past them. The
    /// list stands at `start` or behind it. Sums that stay below `least` may lack it.
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

/// What the phrase gives the document it stands at, or 0 if that is less than `least`: then it is mostly known without
/// reading where the words stand.
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

/// Rounded down; of at most a few million, and not negative. (`f32::floor` is a call on x86 before SSE 4.1.)
#[inline(always)]
fn whole(grains: f32) -> f32 {
    grains as i32 as f32
}
