//! The passages that hold a phrase, in document order.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::{DocId, DocSet, TERMINATED};

/// A word of a phrase in one segment.
pub(super) struct PhraseWord {
    pub(super) postings: SegmentPostings,
    /// Its place in the phrase.
    pub(super) at: usize,
}

/// Goes through the documents that contain all words. Only [`Phrase::count`] reads whether the words stand together.
pub(super) struct Phrase {
    /// The rarest first.
    words: Vec<PhraseWord>,
    document: DocId,
    /// Positions at which all words so far match the phrase, and those of the next word.
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

    /// How many list entries are read to find all documents.
    pub(super) fn n_entries(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.postings.doc_freq())).sum()
    }

    /// The current document; [`TERMINATED`] after the last.
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

    /// Moves to the first document, from the current one on, that contains all words.
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

    /// An upper bound on how often the phrase occurs in the current document.
    pub(super) fn at_most(&self) -> u32 {
        self.words.iter().map(|word| word.postings.term_freq()).min().unwrap_or(0)
    }

    /// How often the phrase occurs in the current document.
    pub(super) fn count(&mut self) -> u32 {
        let last = self.words.iter().map(|word| word.at).max().unwrap_or(0);
        let Some((first, rest)) = self.words.split_first_mut() else { return 0 };
        // Each word's positions are shifted to the last word of the phrase. So all words of one occurrence have the
        // same position.
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
