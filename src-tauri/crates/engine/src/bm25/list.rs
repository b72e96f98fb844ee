//! One clause's passages in one segment, in document order, with what each gets for it.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::{Bm25Weight, Scorer};
use tantivy::{DocId, TERMINATED};

pub(super) struct List<'a> {
    entries: Entries<'a>,
    /// Grains to a score of 1.
    scale: f32,
    /// No passage gets more grains.
    pub(super) most: f32,
}

enum Entries<'a> {
    Term {
        /// Read block by block (128 entries), `at` an entry of the current one.
        postings: Box<BlockSegmentPostings>,
        at: usize,
        lengths: FieldNormReader,
        weight: &'a Bm25Weight,
    },
    Phrase(Box<dyn Scorer>),
}

impl<'a> List<'a> {
    pub(super) fn term(
        postings: BlockSegmentPostings,
        lengths: FieldNormReader,
        weight: &'a Bm25Weight,
        most: f32,
        grain: f32,
    ) -> Self {
        Self::new(Entries::Term { postings: Box::new(postings), at: 0, lengths, weight }, most, grain)
    }

    pub(super) fn phrase(scorer: Box<dyn Scorer>, most: f32, grain: f32) -> Self {
        Self::new(Entries::Phrase(scorer), most, grain)
    }

    fn new(entries: Entries<'a>, most: f32, grain: f32) -> Self {
        let scale = 1.0 / grain;
        // A grain more, for the rounding of `most` itself.
        Self { entries, scale, most: (most * scale).floor() + 1.0 }
    }

    /// The document it stands at; [`TERMINATED`] after the last.
    pub(super) fn document(&self) -> DocId {
        match &self.entries {
            Entries::Term { postings, at, .. } => postings.docs().get(*at).copied().unwrap_or(TERMINATED),
            Entries::Phrase(scorer) => scorer.doc(),
        }
    }

    /// Moves to the first document that is not before `document`.
    pub(super) fn seek(&mut self, document: DocId) {
        if self.document() >= document {
            return;
        }
        match &mut self.entries {
            Entries::Term { postings, at, .. } => *at = postings.seek(document),
            Entries::Phrase(scorer) => drop(scorer.seek(document)),
        }
    }

    /// What `document` gets, 0 if it is not in the list. Only for documents in ascending order.
    pub(super) fn grains_at(&mut self, document: DocId) -> f32 {
        self.seek(document);
        if self.document() != document {
            return 0.0;
        }
        match &mut self.entries {
            Entries::Term { postings, at, lengths, weight } => {
                grains(weight, lengths.fieldnorm_id(document), postings.freq(*at), self.scale)
            }
            Entries::Phrase(scorer) => (scorer.score() * self.scale).floor(),
        }
    }

    /// Adds what the documents before `end` get to `sums`, which begin with document `start`, and moves past them. The
    /// list stands at `start` or behind it.
    pub(super) fn add(&mut self, start: DocId, end: DocId, sums: &mut [f32]) {
        let scale = self.scale;
        match &mut self.entries {
            Entries::Term { postings, at, lengths, weight } => loop {
                let (documents, frequencies) = (&postings.docs()[*at..], &postings.freqs()[*at..]);
                let n = documents.partition_point(|document| *document < end);
                for (document, frequency) in documents[..n].iter().zip(frequencies) {
                    sums[(document - start) as usize] +=
                        grains(weight, lengths.fieldnorm_id(*document), *frequency, scale);
                }
                if n < documents.len() || documents.is_empty() {
                    *at += n;
                    return;
                }
                postings.advance();
                *at = 0;
            },
            Entries::Phrase(scorer) => {
                let mut document = scorer.doc();
                while document < end {
                    sums[(document - start) as usize] += (scorer.score() * scale).floor();
                    document = scorer.advance();
                }
            }
        }
    }
}

#[inline(always)]
fn grains(weight: &Bm25Weight, length: u8, frequency: u32, scale: f32) -> f32 {
    (weight.score(length, frequency) * scale).floor()
}
