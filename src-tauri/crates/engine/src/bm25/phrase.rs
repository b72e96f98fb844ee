//! The passages that hold a phrase, in document order.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::{DocId, DocSet, TERMINATED};

/// A word of a phrase in one segment.
pub(super) struct PhraseWord {
    pub(super) postings: SegmentPostings,
    /// Its place in the phrase.
    pub(super) at: usize,
}

/// Stands at documents that hold all words; whether they stand together is only read when it is asked for.
pub(super) struct Phrase {
    /// The rarest first.
    words: Vec<PhraseWord>,
    document: DocId,
    /// Where the words before stand so that the phrase may go on, and where the next one does.
    begun: Vec<u32>,
    next: Vec<u32>,
}

impl Phrase {
    pub(super) fn new(mut words: Vec<PhraseWord>) -> Self {
        words.sort_by_key(|word| word.postings.doc_freq());
        let mut phrase = Self { words, document: 0, begun: Vec::new(), next: Vec::new() };
        phrase.settle();
        phrase
    }

    /// Entries that are gone through to find all documents.
    pub(super) fn n_entries(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.postings.doc_freq())).sum()
    }

    /// The document it stands at; [`TERMINATED`] after the last.
    pub(super) fn document(&self) -> DocId {
        self.document
    }

    pub(super) fn seek(&mut self, document: DocId) {
        if self.document < document {
            self.document = document;
            self.settle();
        }
    }

    pub(super) fn advance(&mut self) {
        self.seek(self.document.saturating_add(1));
    }

    /// Moves to the first document, not before where it stands, that holds all words.
    fn settle(&mut self) {
        'documents: while self.document < TERMINATED {
            for word in &mut self.words {
                if word.postings.doc() < self.document {
                    word.postings.seek(self.document);
                }
                if word.postings.doc() != self.document {
                    self.document = word.postings.doc();
                    continue 'documents;
                }
            }
            return;
        }
        self.document = TERMINATED;
    }

    /// The phrase cannot stand oftener in the document than this.
    pub(super) fn at_most(&self) -> u32 {
        self.words.iter().map(|word| word.postings.term_freq()).min().unwrap_or(0)
    }

    /// How often it does.
    pub(super) fn count(&mut self) -> u32 {
        let last = self.words.iter().map(|word| word.at).max().unwrap_or(0);
        let Some((first, rest)) = self.words.split_first_mut() else { return 0 };
        // A word's places are counted from the end of the phrase, so that those of one phrase are the same number.
        first.postings.positions_with_offset((last - first.at) as u32, &mut self.begun);
        for word in rest {
            word.postings.positions_with_offset((last - word.at) as u32, &mut self.next);
            let mut next = self.next.iter().copied().peekable();
            self.begun.retain(|place| {
                while next.next_if(|other| other < place).is_some() {}
                next.peek() == Some(place)
            });
        }
        self.begun.len() as u32
    }
}
