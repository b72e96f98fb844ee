//! Which of a question's words one file contains.

use std::path::Path;

use tantivy::Term;
use tantivy::collector::Count;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::WhyWord;
use crate::bm25::LexicalQuery;
use crate::index::Snapshot;

pub(super) fn words(question: &LexicalQuery, path: &Path, snapshot: &Snapshot) -> tantivy::Result<Vec<WhyWord>> {
    let (terms, fields) = (question.terms(), snapshot.fields());
    let of_file = Term::from_field_text(fields.path, &path.to_string_lossy());
    let words = terms.words.iter().map(|word| (vec![fields.text, fields.unseen], word));
    let pairs = terms.cjk.iter().filter(|pair| !terms.words.contains(pair)).map(|pair| (vec![fields.cjk], pair));
    words.chain(pairs).map(|(fields, word)| count(&fields, word, &of_file, snapshot)).collect()
}

fn count(fields: &[Field], word: &str, of_file: &Term, snapshot: &Snapshot) -> tantivy::Result<WhyWord> {
    let query = |term: &Term| Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic)) as Box<dyn Query>;
    let any = || {
        let terms = fields.iter().map(|field| query(&Term::from_field_text(*field, word))).collect();
        Box::new(BooleanQuery::union(terms)) as Box<dyn Query>
    };
    let both = BooleanQuery::intersection(vec![any(), query(of_file)]);
    Ok(WhyWord {
        word: word.to_owned(),
        n_in_file: snapshot.searcher().search(&both, &Count)?,
        n_everywhere: snapshot.searcher().search(&any(), &Count)?,
    })
}
