//! First stage: about a hundred passages worth reading, by words and by meaning at once.

use std::collections::HashMap;
use std::time::Instant;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, EnableScoring, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, TERMINATED, Term};

use crate::fuse::{Evidence, fuse};
use crate::index::{Fields, Snapshot};
use crate::names::Named;
use crate::text::{QueryTerms, query_terms};

/// How deep each side looks, at least. A passage that is good on both sides can be past the hundredth on either.
const MIN_DEPTH: usize = 200;

/// What a word adds by standing in a special place, besides its BM25 score in the whole text. Larger title weights
/// (0.3) lost .01 nDCG@10 on CACM and CISI.
const TITLE_BOOST: f32 = 0.15;
const HEADINGS_BOOST: f32 = 0.1;
const TAGS_BOOST: f32 = 0.1;
const NAME_BOOST: f32 = 0.15;
const FOLDER_BOOST: f32 = 0.05;
const CJK_BOOST: f32 = 0.3;

/// A passage that was recalled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub address: DocAddress,
    pub evidence: Evidence,
    /// What it was ranked by: BM25, cosine or the fused score.
    pub score: f32,
}

/// Candidates in order and the milliseconds they took.
pub(crate) struct Ranked {
    pub candidates: Vec<Candidate>,
    pub took_ms: f64,
}

/// A question, analysed for one index.
pub(crate) struct Words {
    query: BooleanQuery,
    /// Upper end of what BM25 gives a passage that holds every word: see [`Words::share`].
    ideal: f32,
    is_empty: bool,
}

impl Words {
    pub(crate) fn of(question: &str, snapshot: &Snapshot) -> Self {
        let terms = query_terms(question);
        let query = lexical_query(&terms, snapshot.fields());
        let ideal = ideal_score(&terms, snapshot);
        Self { query, ideal, is_empty: terms.words.is_empty() && terms.cjk.is_empty() }
    }

    /// How much of the question's weight in words a passage carries, about `0..=1`, comparable between questions.
    pub(crate) fn share(&self, bm25: f32) -> f32 {
        if self.ideal > 0.0 { (bm25 / self.ideal).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Best `n` passages by BM25.
pub(crate) fn lexical(snapshot: &Snapshot, words: &Words, n: usize) -> tantivy::Result<Ranked> {
    let start = Instant::now();
    let mut candidates = Vec::new();
    if !words.is_empty && n > 0 {
        let found = snapshot.searcher().search(&words.query, &TopDocs::with_limit(n).order_by_score())?;
        let evidence = |bm25| Evidence { bm25, cosine: None, lexical_rank: None, vector_rank: None };
        candidates =
            found.into_iter().map(|(score, address)| Candidate { address, evidence: evidence(score), score }).collect();
        settle_ties(snapshot, &mut candidates)?;
        for (i, candidate) in candidates.iter_mut().enumerate() {
            candidate.evidence.lexical_rank = Some(i + 1);
        }
    }
    Ok(Ranked { candidates, took_ms: ms(start) })
}

/// Best `n` passages by cosine.
pub(crate) fn vector(snapshot: &Snapshot, question: &[f32], n: usize) -> tantivy::Result<Ranked> {
    let start = Instant::now();
    let found = snapshot.vectors().nearest(question, n);
    let evidence = |cosine| Evidence { bm25: 0.0, cosine: Some(cosine), lexical_rank: None, vector_rank: None };
    let mut candidates: Vec<Candidate> =
        found.into_iter().map(|(address, score)| Candidate { address, evidence: evidence(score), score }).collect();
    settle_ties(snapshot, &mut candidates)?;
    for (i, candidate) in candidates.iter_mut().enumerate() {
        candidate.evidence.vector_rank = Some(i + 1);
    }
    Ok(Ranked { candidates, took_ms: ms(start) })
}

/// Adds files that are asked for by name where their words do not bring them in.
pub(crate) fn add_named(
    snapshot: &Snapshot,
    words: &Words,
    named: &[Named],
    candidates: &mut Vec<Candidate>,
) -> tantivy::Result<()> {
    let is_in = |address: &DocAddress| candidates.iter().any(|c| c.address == *address);
    let missing: Vec<DocAddress> = named.iter().map(|n| n.address).filter(|address| !is_in(address)).collect();
    for (address, bm25) in bm25_of(snapshot.searcher(), &words.query, missing)? {
        let evidence = Evidence { bm25, cosine: None, lexical_rank: None, vector_rank: None };
        candidates.push(Candidate { address, evidence, score: bm25 });
    }
    Ok(())
}

/// The best `n`, and those asked for by name in place of the last of them.
pub(crate) fn best(n: usize, named: &[Named], mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let is_named = |c: &Candidate| named.iter().any(|named| named.address == c.address);
    let beyond: Vec<Candidate> = candidates.iter().skip(n).copied().filter(is_named).collect();
    candidates.truncate(n.saturating_sub(beyond.len()));
    candidates.extend(beyond.into_iter().take(n));
    candidates
}

/// How deep each side must look for `n` fused candidates.
pub(crate) fn depth(n: usize) -> usize {
    n.max(MIN_DEPTH)
}

/// Both lists, every candidate scored by both sides, best `n` first.
pub(crate) fn fused(
    snapshot: &Snapshot,
    words: &Words,
    question: Option<&[f32]>,
    lexical: &[Candidate],
    vector: &[Candidate],
    n: usize,
    cosine_weight: f32,
) -> tantivy::Result<Ranked> {
    let start = Instant::now();
    let mut all: HashMap<DocAddress, Evidence> = lexical.iter().map(|c| (c.address, c.evidence)).collect();
    let mut unscored = Vec::new();
    for c in vector {
        let known = all.entry(c.address).or_insert_with(|| {
            unscored.push(c.address);
            c.evidence
        });
        known.cosine = c.evidence.cosine;
        known.vector_rank = c.evidence.vector_rank;
    }
    if let Some(question) = question {
        for (address, evidence) in &mut all {
            if evidence.cosine.is_none() {
                evidence.cosine = snapshot.vectors().cosine(question, *address);
            }
        }
    }
    for (address, bm25) in bm25_of(snapshot.searcher(), &words.query, unscored)? {
        if let Some(evidence) = all.get_mut(&address) {
            evidence.bm25 = bm25;
        }
    }
    let (addresses, evidence): (Vec<DocAddress>, Vec<Evidence>) = {
        let mut pairs: Vec<_> = all.into_iter().collect();
        pairs.sort_by_key(|(address, _)| *address);
        pairs.into_iter().unzip()
    };
    let scores = fuse(&evidence, cosine_weight);
    let mut candidates: Vec<Candidate> = addresses
        .into_iter()
        .zip(evidence)
        .zip(scores)
        .map(|((address, evidence), score)| Candidate { address, evidence, score })
        .collect();
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.address.cmp(&b.address)));
    settle_ties(snapshot, &mut candidates)?;
    candidates.truncate(n);
    Ok(Ranked { candidates, took_ms: ms(start) })
}

/// Puts passages of equal score in the order of their files and places, which no merge of segments changes.
fn settle_ties(snapshot: &Snapshot, candidates: &mut [Candidate]) -> tantivy::Result<()> {
    for tied in candidates.chunk_by_mut(|a, b| a.score == b.score).filter(|tied| tied.len() > 1) {
        let mut keyed = Vec::with_capacity(tied.len());
        for candidate in tied.iter() {
            let passage = snapshot.passage(candidate.address)?;
            keyed.push(((passage.path, passage.chunk.ordinal), *candidate));
        }
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (slot, (_, candidate)) in tied.iter_mut().zip(keyed) {
            *slot = candidate;
        }
    }
    Ok(())
}

/// BM25 of given passages, by seeking in the postings; those without a matching word are left out.
fn bm25_of(
    searcher: &Searcher,
    query: &dyn Query,
    mut addresses: Vec<DocAddress>,
) -> tantivy::Result<Vec<(DocAddress, f32)>> {
    addresses.sort();
    let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
    let mut scored = Vec::with_capacity(addresses.len());
    for segment in addresses.chunk_by(|a, b| a.segment_ord == b.segment_ord) {
        let ord = segment[0].segment_ord;
        let mut scorer = weight.scorer(searcher.segment_reader(ord), 1.0)?;
        for address in segment {
            if scorer.doc() < address.doc_id && scorer.seek(address.doc_id) == TERMINATED {
                break;
            }
            if scorer.doc() == address.doc_id {
                scored.push((*address, scorer.score()));
            }
        }
    }
    Ok(scored)
}

fn lexical_query(terms: &QueryTerms, f: &Fields) -> BooleanQuery {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let mut should = |field: Field, term: &str, boost: f32| {
        let query = TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs);
        let query: Box<dyn Query> =
            if boost == 1.0 { Box::new(query) } else { Box::new(BoostQuery::new(Box::new(query), boost)) };
        clauses.push((Occur::Should, query));
    };
    for (word, count) in terms.words.iter().zip(&terms.counts) {
        should(f.text, word, *count as f32);
        should(f.title, word, TITLE_BOOST);
        should(f.headings, word, HEADINGS_BOOST);
        should(f.tags, word, TAGS_BOOST);
        should(f.name, word, NAME_BOOST);
        should(f.folder, word, FOLDER_BOOST);
    }
    for characters in &terms.cjk {
        should(f.cjk, characters, CJK_BOOST);
    }
    for phrase in terms.phrases.iter().filter(|p| p.len() > 1) {
        let terms = phrase.iter().map(|(at, word)| (*at, Term::from_field_text(f.text, word))).collect();
        clauses.push((Occur::Should, Box::new(PhraseQuery::new_with_offset(terms))));
    }
    BooleanQuery::new(clauses)
}

/// Sum over the question's words of idf times BM25's ceiling for one field (k1 + 1 = 2.2).
fn ideal_score(terms: &QueryTerms, snapshot: &Snapshot) -> f32 {
    let n = snapshot.searcher().num_docs() as f32;
    let idf = |field: Field, term: &str| {
        let found = snapshot.searcher().doc_freq(&Term::from_field_text(field, term)).unwrap_or(0) as f32;
        (1.0 + (n - found + 0.5).max(0.0) / (found + 0.5)).ln()
    };
    let f = snapshot.fields();
    let words: f32 = terms.words.iter().zip(&terms.counts).map(|(t, count)| *count as f32 * idf(f.text, t)).sum();
    let cjk: f32 = terms.cjk.iter().map(|t| CJK_BOOST * idf(f.cjk, t)).sum();
    2.2 * (words + cjk)
}

pub(crate) fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}
