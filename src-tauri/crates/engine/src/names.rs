//! Files whose name is what was asked for: they come first, whatever else is found.

use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Term};

use crate::extract::format_of;
use crate::index::Snapshot;
use crate::text::query_terms;

/// Of one name there are seldom more; those beyond are ranked as any other.
const MAX_FILES: usize = 3;

/// Files that hold the words of a name are looked through to find those that have no other word in theirs.
const LOOKED_THROUGH: usize = 50;

/// A file that is asked for by name: its path and its first passage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub path: String,
    pub address: DocAddress,
}

/// `heron`, `Heron.md` and `meeting notes` name `heron.md` and `meeting-notes.md`.
pub(crate) fn named(question: &str, snapshot: &Snapshot) -> tantivy::Result<Vec<Named>> {
    let asked = question.trim().trim_matches('"');
    let stem = match format_of(Path::new(asked)) {
        Some(_) => Path::new(asked).file_stem().and_then(|stem| stem.to_str()).unwrap_or(asked),
        None => asked,
    };
    let (terms, wanted) = (query_terms(stem), plain(stem));
    if terms.words.is_empty() {
        return Ok(Vec::new());
    }
    let name = snapshot.fields().name;
    let mut all: Vec<Box<dyn Query>> = vec![Box::new(snapshot.first_passages())];
    // A name may have a word whole or in parts.
    for (at, word) in terms.words.iter().enumerate().filter(|(at, _)| terms.part_of[*at].is_none()) {
        let has = |word: &String| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(name, word), IndexRecordOption::Basic))
        };
        let is_part = |(_, of): &(_, &Option<(usize, usize)>)| of.is_some_and(|(whole, _)| whole == at);
        let parts: Vec<Box<dyn Query>> =
            terms.words.iter().zip(&terms.part_of).filter(is_part).map(|(part, _)| has(part)).collect();
        all.push(match parts.is_empty() {
            true => has(word),
            false => Box::new(BooleanQuery::union(vec![has(word), Box::new(BooleanQuery::intersection(parts))])),
        });
    }
    let best = TopDocs::with_limit(LOOKED_THROUGH).order_by_score();
    let mut found = Vec::new();
    let looked_at = snapshot.searcher().search(&BooleanQuery::intersection(all), &best)?;
    let addresses: Vec<DocAddress> = looked_at.into_iter().map(|(_, address)| address).collect();
    for (address, path) in snapshot.paths(&addresses)? {
        let is_it = Path::new(&path).file_stem().is_some_and(|stem| plain(&stem.to_string_lossy()) == wanted);
        if is_it {
            found.push(Named { path, address });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.truncate(MAX_FILES);
    Ok(found)
}

/// Without regard to the case of letters and to what stands between words.
fn plain(name: &str) -> String {
    let name: String = name.chars().map(|c| if matches!(c, '-' | '_' | '.') { ' ' } else { c }).collect();
    name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
