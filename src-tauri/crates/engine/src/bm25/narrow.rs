//! Narrows the notes that may answer by what a question requires and excludes: "quoted phrases" and `-words`.

use std::collections::HashSet;

use tantivy::collector::DocSetCollector;
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Term};

use crate::index::{Snapshot, file_of};
use crate::text::{Exact, QueryTerms, plain};

/// The most passages that are read to check whether the characters they contain stand together. If there are more, all
/// of them count as if they did.
const MAX_READ: usize = 300;

/// Which notes may answer. A note contains what any of its passages or its file name contains.
pub(super) struct Narrow {
    required: Vec<HashSet<u64>>,
    excluded: HashSet<u64>,
    /// For each segment, the column that tells a passage's file.
    orders: Vec<Column<u64>>,
}

impl Narrow {
    /// `None` if every note may answer.
    pub(super) fn of(terms: &QueryTerms, snapshot: &Snapshot) -> tantivy::Result<Option<Self>> {
        if !terms.narrows() {
            return Ok(None);
        }
        let orders = snapshot.searcher().segment_readers().iter().map(|segment| segment.fast_fields().u64("order"));
        let orders = orders.collect::<tantivy::Result<Vec<Column<u64>>>>()?;
        let mut narrow = Self { required: Vec::new(), excluded: HashSet::new(), orders };
        for exact in &terms.required {
            let files = narrow.files(exact, snapshot)?;
            narrow.required.push(files);
        }
        for exact in &terms.excluded {
            let files = narrow.files(exact, snapshot)?;
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
    fn files(&self, exact: &Exact, snapshot: &Snapshot) -> tantivy::Result<HashSet<u64>> {
        let (searcher, f) = (snapshot.searcher(), snapshot.fields());
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
            // Names and links are indexed without positions: it is enough that they contain all words of the phrase.
            for field in [f.name, f.unseen] {
                any.push(Box::new(BooleanQuery::intersection(
                    phrase.iter().map(|(_, word)| has(field, word)).collect(),
                )));
            }
        }
        for field in [f.name, f.tags, f.unseen].into_iter().filter(|_| !exact.terms.is_empty()) {
            any.push(Box::new(BooleanQuery::intersection(exact.terms.iter().map(|term| has(field, term)).collect())));
        }
        let mut found = searcher.search(&BooleanQuery::union(any), &DocSetCollector)?;
        let words = exact.words.iter().map(|word| has(f.text, word));
        let all: Vec<Box<dyn Query>> = words.chain(exact.cjk.iter().map(|pair| has(f.cjk, pair))).collect();
        if !all.is_empty() {
            let is_sure = all.len() == 1;
            let apart = searcher.search(&BooleanQuery::intersection(all), &DocSetCollector)?;
            let is_too_much = apart.len() > MAX_READ;
            for address in apart {
                if is_sure || is_too_much || holds(snapshot, address, &exact.plain)? {
                    found.insert(address);
                }
            }
        }
        Ok(found.into_iter().filter_map(|address| self.file(address)).collect())
    }
}

fn holds(snapshot: &Snapshot, address: DocAddress, wanted: &str) -> tantivy::Result<bool> {
    let passage = snapshot.passage(address)?;
    let mut texts = [&passage.title, &passage.chunk.text].into_iter().chain(passage.chunk.heading_path.iter());
    Ok(texts.any(|text| plain(text).contains(wanted)))
}
