//! Compares the ranking with that of scoring every passage, and with Tantivy's own scoring of the same question.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::{Index, IndexWriter};

use super::best::Pace;
use super::*;
use crate::chunk::Chunk;
use crate::index::vectors::{VectorPlugin, VectorReader};
use crate::index::{Passage, passage_document, schema};

const DIMENSIONS: usize = 8;

/// The earlier a word is in this list, the more often the generated notes say it.
const VOCABULARY: [&str; 16] = [
    "note",
    "file",
    "中文",
    "kettle",
    "branch",
    "the",
    "搜索引擎",
    "rebase",
    "water",
    "C++",
    "引擎",
    "getUserName",
    "tea",
    "番茄",
    "zebra",
    "quay",
];

/// A note of one passage: words of its title and of its text.
type Made = (Vec<usize>, Vec<usize>);

/// An index of `segments` of notes. The notes whose numbers, counted over all segments, are in `deleted` are deleted.
fn snapshot(segments: &[Vec<Made>], deleted: &[usize]) -> Snapshot {
    let (schema, fields) = schema(DIMENSIONS);
    let plugin = Arc::new(VectorPlugin::new(fields.vector, DIMENSIONS));
    let index = Index::builder().schema(schema).register_plugin(plugin).create_in_ram().unwrap();
    crate::text::register(index.tokenizers());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 50_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let mut number = 0;
    for segment in segments {
        for (title, text) in segment {
            let said = |words: &[usize]| words.iter().map(|word| VOCABULARY[*word]).collect::<Vec<_>>().join(" ");
            let text = said(text);
            let chunk = Chunk {
                ordinal: 0,
                span: 0..text.len(),
                heading_path: [said(title)].into(),
                place: None,
                text,
                unseen: String::new(),
            };
            let path = format!("/notes/{}/{number}.md", said(title));
            let passage = Passage { path, title: said(title), tags: std::sync::Arc::default(), chunk };
            writer.add_document(passage_document(&fields, &passage, None)).unwrap();
            number += 1;
        }
        writer.commit().unwrap();
    }
    for number in deleted {
        if let Some((title, _)) = segments.iter().flatten().nth(*number) {
            let title = title.iter().map(|word| VOCABULARY[*word]).collect::<Vec<_>>().join(" ");
            let path = format!("/notes/{title}/{number}.md");
            writer.delete_term(Term::from_field_text(fields.path, &path));
        }
    }
    writer.commit().unwrap();
    let searcher = index.reader().unwrap().searcher();
    let vectors = VectorReader::open(&searcher, DIMENSIONS).unwrap();
    Snapshot::new(searcher, fields, vectors, Path::new("/index"))
}

/// All passages that score and are not deleted, best first, found by scoring every passage.
fn exhaustive(words: &LexicalQuery) -> Vec<(f32, DocAddress)> {
    let segments = (0..).zip(words.searcher.segment_readers());
    let all = segments.flat_map(|(ord, segment)| segment.doc_ids_alive().map(move |doc| DocAddress::new(ord, doc)));
    let mut scored: Vec<(f32, DocAddress)> =
        words.scores(all.collect()).unwrap().into_iter().map(|(address, score)| (score, address)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scored
}

/// The question as a single Tantivy query.
fn whole_query(question: &str, snapshot: &Snapshot) -> BooleanQuery {
    let (terms, f) = (query_terms(question), snapshot.fields());
    let is_known = |word: &str| {
        [f.text, f.name, f.folder]
            .into_iter()
            .any(|field| snapshot.searcher().doc_freq(&Term::from_field_text(field, word)).unwrap() > 0)
    };
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let mut should = |field: Field, term: &str, boost: f32| {
        let query = TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs);
        clauses.push((Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost))));
    };
    for (at, (word, count)) in terms.words.iter().zip(&terms.counts).enumerate() {
        let n_parts = terms.part_of[at].filter(|(whole, _)| is_known(&terms.words[*whole])).map_or(1, |(_, n)| n);
        let weight = *count as f32 / n_parts as f32;
        let places = [
            (f.title, TITLE_BOOST),
            (f.headings, HEADINGS_BOOST),
            (f.tags, TAGS_BOOST),
            (f.name, NAME_BOOST),
            (f.folder, FOLDER_BOOST),
            (f.unseen, UNSEEN_BOOST),
        ];
        should(f.text, word, weight);
        places.into_iter().for_each(|(field, boost)| should(field, word, boost * weight.min(1.0)));
    }
    terms.cjk.iter().for_each(|characters| should(f.cjk, characters, CJK_BOOST));
    for phrase in terms.phrases.iter().filter(|phrase| phrase.len() > 1) {
        let words = phrase.iter().map(|(at, word)| (*at, Term::from_field_text(f.text, word))).collect();
        clauses.push((Occur::Should, Box::new(PhraseQuery::new_with_offset(words))));
    }
    BooleanQuery::new(clauses)
}

fn words(most: usize) -> impl Strategy<Value = Vec<usize>> {
    // Small numbers come up more often than large ones, because a few words are common and most are rare.
    prop::collection::vec((0..4usize, 0..4usize).prop_map(|(a, b)| a * 4 + b * a / 3), 1..most)
}

fn question() -> impl Strategy<Value = String> {
    (words(10), 0..3usize).prop_map(|(words, quoted)| {
        let said: Vec<&str> = words.iter().map(|word| VOCABULARY[word % VOCABULARY.len()]).collect();
        match quoted {
            0 => format!("\"{}\" {}", said.join(" "), said[0]),
            _ => said.join(" "),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_best_are_those_of_going_through_everything(
        segments in prop::collection::vec(prop::collection::vec((words(4), words(30)), 1..60), 1..5),
        deleted in prop::collection::vec(0..150usize, 0..20),
        question in question(),
    ) {
        let snapshot = snapshot(&segments, &deleted);
        let words = LexicalQuery::of(&question, &snapshot).unwrap();
        let all = exhaustive(&words);
        for n in [1, 2, 7, 30, 1000] {
            let expected = &all[..n.min(all.len())];
            prop_assert_eq!(&words.best(n).unwrap()[..], expected);
            // Small windows and many threads, as a search over many more passages has.
            let pace = Pace { window: 5, entries_of_a_thread: 20 };
            prop_assert_eq!(&best::best(&words, n, &pace).unwrap()[..], expected);
        }

        let query = whole_query(&question, &snapshot);
        let found = snapshot.searcher().search(&query, &TopDocs::with_limit(1000).order_by_score()).unwrap();
        let theirs = found.into_iter().filter(|(_, address)| words.allows(*address));
        let theirs: HashMap<DocAddress, f32> = theirs.map(|(score, address)| (address, score)).collect();
        prop_assert_eq!(theirs.len(), all.len());
        for (score, address) in all {
            let expected = theirs[&address];
            // Each clause is rounded down by less than a grain.
            let rounding = words.grain * words.clauses.len() as f32;
            prop_assert!((score - expected).abs() <= 1e-5 * expected + rounding, "{} for {}", score, expected);
        }
    }
}

#[test]
fn questions_of_nothing_find_nothing() {
    let snapshot = snapshot(&[vec![(vec![0], vec![1, 2])]], &[]);
    for question in ["", "?!", "nowhere", "\"\"", "丙"] {
        let words = LexicalQuery::of(question, &snapshot).unwrap();
        assert_eq!(words.best(10).unwrap(), [], "{question}");
        assert_eq!(words.scores(vec![DocAddress::new(0, 0)]).unwrap(), [], "{question}");
    }
    assert_eq!(LexicalQuery::of("file", &snapshot).unwrap().best(0).unwrap(), []);
}
