//! Notes that a question asks for or leaves out whatever else they say: "quoted phrases" and `-words`.

use std::collections::HashSet;

use tantivy::collector::DocSetCollector;
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, Term};

use crate::index::{Fields, file_of};
use crate::text::{Exact, QueryTerms};

/// Which notes may answer. A note holds what any of its passages or its file name holds.
pub(super) struct Narrow {
    required: Vec<HashSet<u64>>,
    excluded: HashSet<u64>,
    /// A segment each: what tells a passage's file.
    orders: Vec<Column<u64>>,
}

impl Narrow {
    /// `None` where every note may.
    pub(super) fn of(terms: &QueryTerms, searcher: &Searcher, f: &Fields) -> tantivy::Result<Option<Self>> {
        if !terms.narrows() {
            return Ok(None);
        }
        let orders = searcher.segment_readers().iter().map(|segment| segment.fast_fields().u64("order"));
        let orders = orders.collect::<tantivy::Result<Vec<Column<u64>>>>()?;
        let mut narrow = Self { required: Vec::new(), excluded: HashSet::new(), orders };
        for exact in &terms.required {
            let files = narrow.files(exact, searcher, f)?;
            narrow.required.push(files);
        }
        for exact in &terms.excluded {
            let files = narrow.files(exact, searcher, f)?;
            narrow.excluded.extend(files);
        }
        Ok(Some(narrow))
    }

    pub(super) fn allows(&self, address: DocAddress) -> bool {
        self.file(address).is_some_and(|file| {
            !self.excluded.contains(&file) && self.required.iter().all(|files| files.contains(&file))
        })
    }

    fn file(&self, address: DocAddress) -> Option<u64> {
        self.orders.get(address.segment_ord as usize)?.first(address.doc_id).map(file_of)
    }

    /// The files that hold `exact`.
    fn files(&self, exact: &Exact, searcher: &Searcher, f: &Fields) -> tantivy::Result<HashSet<u64>> {
        let has = |field: Field, text: &String| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
        };
        let mut any: Vec<Box<dyn Query>> = Vec::new();
        for phrase in &exact.phrases {
            let terms = phrase.iter().map(|(at, word)| (*at, Term::from_field_text(f.text, word)));
            match &phrase[..] {
                [(_, word)] => any.push(has(f.text, word)),
                _ => any.push(Box::new(PhraseQuery::new_with_offset(terms.collect()))),
            }
            // Names hold no places: all words of the phrase will do.
            any.push(Box::new(BooleanQuery::intersection(phrase.iter().map(|(_, word)| has(f.name, word)).collect())));
        }
        let characters = exact.words.iter().map(|word| has(f.text, word));
        let all: Vec<Box<dyn Query>> = characters.chain(exact.cjk.iter().map(|pair| has(f.cjk, pair))).collect();
        if !all.is_empty() {
            any.push(Box::new(BooleanQuery::intersection(all)));
        }
        let found = searcher.search(&BooleanQuery::union(any), &DocSetCollector)?;
        Ok(found.into_iter().filter_map(|address| self.file(address)).collect())
    }
}
