//! Which of a question's words stand in one file.

use std::path::Path;

use tantivy::Term;
use tantivy::collector::Count;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::WhyWord;
use crate::bm25::Words;
use crate::index::Snapshot;

pub(super) fn words(question: &Words, path: &Path, snapshot: &Snapshot) -> tantivy::Result<Vec<WhyWord>> {
    let (terms, fields) = (question.terms(), snapshot.fields());
    let of_file = Term::from_field_text(fields.path, &path.to_string_lossy());
    let words = terms.words.iter().map(|word| (fields.text, word));
    let pairs = terms.cjk.iter().filter(|pair| !terms.words.contains(pair)).map(|pair| (fields.cjk, pair));
    words.chain(pairs).map(|(field, word)| count(field, word, &of_file, snapshot)).collect()
}

fn count(field: Field, word: &str, of_file: &Term, snapshot: &Snapshot) -> tantivy::Result<WhyWord> {
    let term = Term::from_field_text(field, word);
    let query = |term: &Term| Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic)) as Box<dyn Query>;
    let both = BooleanQuery::intersection(vec![query(&term), query(of_file)]);
    Ok(WhyWord {
        word: word.to_owned(),
        n_in_file: snapshot.searcher().search(&both, &Count)?,
        n_everywhere: snapshot.searcher().doc_freq(&term)? as usize,
    })
}
