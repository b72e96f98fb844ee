//! First stage: about a hundred passages worth reading, by words and by meaning at once.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use tantivy::DocAddress;

use crate::blend::FirstStage;
use crate::bm25::LexicalQuery;
use crate::fuse::{Evidence, fuse};
use crate::index::Snapshot;
use crate::names::Named;

/// How many passages each side ranks at least. A passage that is good on both sides can be past the hundredth on each.
const MIN_DEPTH: usize = 200;

/// A passage that was recalled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub address: DocAddress,
    pub evidence: Evidence,
    /// The score that it is ranked by: BM25, cosine or the fused score.
    pub score: f32,
}

/// Candidates in order and the milliseconds they took.
pub(crate) struct Ranked {
    pub candidates: Vec<Candidate>,
    pub took_ms: f64,
}

/// Best `n` passages by BM25.
pub(crate) fn lexical(snapshot: &Snapshot, words: &LexicalQuery, n: usize) -> tantivy::Result<Ranked> {
    let start = Instant::now();
    let evidence = |bm25| Evidence { bm25, cosine: None, lexical_rank: None, vector_rank: None };
    let found = words.best(n)?.into_iter();
    let mut candidates: Vec<Candidate> =
        found.map(|(score, address)| Candidate { address, evidence: evidence(score), score }).collect();
    settle_ties(snapshot, &mut candidates)?;
    for (i, candidate) in candidates.iter_mut().enumerate() {
        candidate.evidence.lexical_rank = Some(i + 1);
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

/// Adds files that are asked for by name and were not found by their words.
pub(crate) fn add_named(words: &LexicalQuery, named: &[Named], candidates: &mut Vec<Candidate>) -> tantivy::Result<()> {
    let is_in = |address: &DocAddress| candidates.iter().any(|c| c.address == *address);
    let read = named.iter().filter(|named| named.unread().is_none());
    let missing: Vec<DocAddress> = read.map(|named| named.address).filter(|address| !is_in(address)).collect();
    for (address, bm25) in words.scores(missing)? {
        let evidence = Evidence { bm25, cosine: None, lexical_rank: None, vector_rank: None };
        candidates.push(Candidate { address, evidence, score: bm25 });
    }
    Ok(())
}

/// Keeps the first of all passages that say the same, and those asked for by name, so that a hundred copies of one note
/// leave room for other notes.
pub(crate) fn folded(
    snapshot: &Snapshot,
    named: &[Named],
    candidates: Vec<Candidate>,
) -> tantivy::Result<Vec<Candidate>> {
    let addresses: Vec<DocAddress> = candidates.iter().map(|candidate| candidate.address).collect();
    let mut twins = snapshot.twins(&addresses)?.into_iter();
    let mut seen = HashSet::new();
    let mut kept = candidates;
    kept.retain(|candidate| {
        let is_first = twins.next().is_none_or(|twin| seen.insert(twin));
        is_first || named.iter().any(|named| named.address == candidate.address)
    });
    Ok(kept)
}

/// The best `n`. Files that are asked for by name but rank lower take the places of the last of them.
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

/// Joins both lists: every candidate gets the scores of both sides and a fused one. Returns the best `n`, best first.
/// `fitted` is [`Embedder::first_stage`](crate::Embedder::first_stage).
pub(crate) fn fused(
    snapshot: &Snapshot,
    words: &LexicalQuery,
    question: Option<&[f32]>,
    lexical: &[Candidate],
    vector: &[Candidate],
    fitted: Option<FirstStage>,
    n: usize,
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
        let unknown = all.iter().filter(|(_, evidence)| evidence.cosine.is_none());
        let unknown: Vec<DocAddress> = unknown.map(|(address, _)| *address).collect();
        for (address, cosine) in unknown.iter().zip(snapshot.vectors().cosines(question, &unknown)) {
            if let Some(evidence) = all.get_mut(address) {
                evidence.cosine = cosine;
            }
        }
    }
    for (address, bm25) in words.scores(unscored)? {
        if let Some(evidence) = all.get_mut(&address) {
            evidence.bm25 = bm25;
        }
    }
    let (addresses, evidence): (Vec<DocAddress>, Vec<Evidence>) = {
        let mut pairs: Vec<_> = all.into_iter().collect();
        pairs.sort_by_key(|(address, _)| *address);
        pairs.into_iter().unzip()
    };
    let scores = fuse(&evidence, |bm25| words.share(bm25), fitted);
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

/// Orders passages of equal score by file and place, so that merging segments does not change their order.
fn settle_ties(snapshot: &Snapshot, candidates: &mut [Candidate]) -> tantivy::Result<()> {
    if candidates.windows(2).all(|pair| pair[0].score != pair[1].score) {
        return Ok(());
    }
    let addresses: Vec<DocAddress> = candidates.iter().map(|candidate| candidate.address).collect();
    let mut keyed: Vec<(u64, Candidate)> =
        snapshot.orders(&addresses)?.into_iter().zip(candidates.iter().copied()).collect();
    for tied in keyed.chunk_by_mut(|(_, a), (_, b)| a.score == b.score) {
        tied.sort_by_key(|(order, _)| *order);
    }
    for (slot, (_, candidate)) in candidates.iter_mut().zip(keyed) {
        *slot = candidate;
    }
    Ok(())
}

pub(crate) fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}
