//! Follows one file through the pipeline. Every number comes from the functions that a search calls.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use tantivy::DocAddress;

use super::words::words;
use super::{WhyOutcome, WhyPassage, WhyReport};
use crate::bm25::LexicalQuery;
use crate::catalog::{self, Disk, FileRow, FileState};
use crate::engine::SearchContext;
use crate::hits::hits;
use crate::index::Row;
use crate::pipeline::{self, Answer, Question};
use crate::recall::{self, Candidate};
use crate::rerank;
use crate::scan::{self, Places, Rules};
use crate::search::Stage;
use crate::visibility::{Standing, Visibility};
use crate::{Cancel, EngineError, Hit, ModelError, SearchRequest, model};

/// The highest rank that is looked up. A higher one says nothing but "far away".
const RANKS: usize = 10_000;

/// The numbers of candidates that are tried to find one that would include the file.
const DEPTHS: [usize; 6] = [20, 50, 100, 200, 500, 1000];

/// How much of a passage is quoted.
const QUOTE_CHARS: usize = 80;

/// The file, and what is known about it without an index.
pub(crate) struct Place<'a> {
    pub rules: &'a Rules,
    pub places: &'a Places,
    pub path: &'a Path,
}

impl Place<'_> {
    /// The file's row in the catalog, from a scan of its path alone. For a file in a folder that is left out, the
    /// folder's row.
    fn catalog_row(&self, row: Option<Row>, has_vectors: bool) -> Option<FileRow> {
        let rows: BTreeMap<PathBuf, Row> = row.into_iter().map(|row| (row.path.clone(), row)).collect();
        let look = scan::some(self.rules, self.places, &rows, &[self.path.to_owned()], &mut |_| {});
        let disk = Disk { entries: &look.entries, away: &look.away, places: self.places, has_vectors };
        let (_, files) = catalog::states(&self.rules.roots, &disk, &rows);
        let holds = |file: &FileRow| self.path.starts_with(&file.path);
        files.into_iter().filter(holds).max_by_key(|file| file.path.components().count())
    }
}

/// Explains what becomes of the file in a search. `asked` holds the index and the models; `None` if nothing is indexed
/// yet.
pub(crate) fn follow(
    place: &Place<'_>,
    asked: Option<&SearchContext>,
    request: &SearchRequest,
    visibility: &Visibility<'_>,
    cancel: &Cancel,
) -> Result<WhyReport, EngineError> {
    let mut roots: Vec<PathBuf> =
        place.rules.roots.iter().filter(|root| place.path.starts_with(root)).cloned().collect();
    roots.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
    let mut report = WhyReport {
        query: request.query.clone(),
        path: place.path.to_owned(),
        outcome: WhyOutcome::NotWatched,
        file: None,
        n_passages: 0,
        n_vectors: 0,
        words: Vec::new(),
        candidates: request.candidates,
        looked_at: 0,
        candidates_needed: None,
        read_in_time: None,
        degraded: Vec::new(),
        threshold: request.threshold,
        top: request.top,
        rank: None,
        last_shown: None,
        copy_of: None,
        passages: Vec::new(),
        steps: Vec::new(),
        advice: Vec::new(),
        roots,
    };
    if !report.roots.is_empty() {
        let row = match asked {
            Some(asked) => asked.snapshot.row_of(place.path).map_err(|e| asked.snapshot.failed(e))?,
            None => None,
        };
        let is_indexed = row.as_ref().is_some_and(|row| row.passages > 0);
        report.file = place.catalog_row(row, asked.is_some_and(|asked| asked.has_vectors));
        report.outcome = match (&report.file, asked) {
            (Some(file), _) if file.state == FileState::Skipped => WhyOutcome::Skipped,
            (_, Some(asked)) if is_indexed => Following { asked, request, visibility, cancel }.through(&mut report)?,
            (None, _) => WhyOutcome::NotThere,
            (Some(file), _) => match file.state {
                FileState::Failed => WhyOutcome::Failed,
                FileState::Indexed => WhyOutcome::Empty,
                _ => WhyOutcome::Waiting,
            },
        };
    }
    super::tell::tell(&mut report, asked);
    Ok(report)
}

struct Following<'a> {
    asked: &'a SearchContext,
    request: &'a SearchRequest,
    visibility: &'a Visibility<'a>,
    cancel: &'a Cancel,
}

impl Following<'_> {
    /// Follows the file through recall, fusion, reranking and the choice of hits.
    fn through(&self, report: &mut WhyReport) -> Result<WhyOutcome, EngineError> {
        let snapshot = &self.asked.snapshot;
        let failed = |e| snapshot.failed(e);
        let path = report.path.clone();
        let addresses = snapshot.passages_of(&path).map_err(failed)?;
        report.n_passages = addresses.len();
        report.n_vectors = addresses.iter().filter(|a| snapshot.vectors().payload(**a).is_some()).count();
        let question = LexicalQuery::of(&self.request.query, snapshot).map_err(failed)?;
        report.words = words(&question, &path, snapshot).map_err(failed)?;

        let answer = self.run(self.request.candidates, self.request.stage)?;
        // A small collection yields fewer candidates than requested.
        report.candidates = answer.counts.recalled;
        report.read_in_time = self.read_in_time(&answer);
        report.degraded = self.asked.without(self.request.stage, &answer, &[])?;
        report.passages = self.passages(&question, &addresses, &answer, report)?;
        // Of several passages that say the same, only one is a candidate, and it may be in another file.
        let mut mine: HashSet<DocAddress> = addresses.iter().copied().collect();
        let twins: HashSet<u64> = match question.terms().narrows() {
            true => HashSet::new(),
            false => snapshot.twins(&addresses).map_err(failed)?.into_iter().collect(),
        };
        for twin in twins {
            mine.extend(snapshot.with_twin(twin).map_err(failed)?);
        }
        let Some(best) = answer.scored.iter().find(|scored| mine.contains(&scored.candidate.address)) else {
            report.candidates_needed = self.candidates_needed(&mine)?;
            return Ok(WhyOutcome::NotRecalled);
        };
        let standing = self.visibility.standing(&path, snapshot)?;
        if standing == Standing::Gone {
            return Ok(WhyOutcome::Gone);
        }
        // All files found, in order, without a threshold.
        let all = SearchRequest { top: usize::MAX, threshold: None, ..self.request.clone() };
        let found = hits(&answer, snapshot, &all, self.visibility)?.hits;
        let is_it = |hit: &Hit| hit.path == path || hit.copies.contains(&path);
        report.rank = found.iter().position(is_it).map(|at| at + 1);
        let shown = hits(&answer, snapshot, self.request, self.visibility)?.hits;
        report.last_shown = shown.last().and_then(|hit| hit.score);
        report.copy_of = found.into_iter().find(is_it).map(|hit| hit.path).filter(|shown| *shown != path);
        Ok(if shown.iter().any(is_it) {
            WhyOutcome::Shown
        } else if self.request.threshold.is_some_and(|threshold| best.score < threshold) {
            WhyOutcome::BelowThreshold
        } else {
            WhyOutcome::BeyondTop
        })
    }

    fn run(&self, candidates: usize, stage: Stage) -> Result<Answer, EngineError> {
        let question = Question { text: &self.request.query, candidates, stage, budget: None, folds_twins: true };
        pipeline::run(&self.asked.snapshot, &self.asked.models, &question, self.cancel, &mut |_| {})
    }

    fn read_in_time(&self, answer: &Answer) -> Option<usize> {
        let (read, took) = (answer.counts.reranked, answer.took_ms.rerank);
        let budget = self.request.budget_ms.filter(|_| read > 0)? as f64;
        let in_time = (read as f64 * budget / took.max(1.0)) as usize;
        Some(in_time.max(rerank::TOP).min(read))
    }

    /// Every passage of the file with its ranks, best first.
    fn passages(
        &self,
        question: &LexicalQuery,
        addresses: &[DocAddress],
        answer: &Answer,
        report: &mut WhyReport,
    ) -> Result<Vec<WhyPassage>, EngineError> {
        let snapshot = &self.asked.snapshot;
        let failed = |e| snapshot.failed(e);
        let n = snapshot.n_passages().map_err(failed)? as usize;
        report.looked_at = n.min(RANKS);
        let by_words = by_address(recall::lexical(snapshot, question, report.looked_at).map_err(failed)?.candidates);
        let vector = match &self.asked.models.embedder {
            Some(embedder) if report.n_vectors > 0 => {
                match model::embed_query(embedder.as_ref(), &question.terms().asked) {
                    Err(ModelError::Cancelled) => return Err(ModelError::Cancelled.into()),
                    // Any other failure is in `WhyReport::degraded`, from the search itself.
                    vector => vector.ok(),
                }
            }
            _ => None,
        };
        let by_meaning = match &vector {
            Some(vector) => by_address(recall::vector(snapshot, vector, report.looked_at).map_err(failed)?.candidates),
            None => HashMap::new(),
        };
        // Keyed by twin hash, because one candidate stands for all passages that say the same.
        let candidates: Vec<DocAddress> = answer.scored.iter().map(|scored| scored.candidate.address).collect();
        let of_candidates = snapshot.twins(&candidates).map_err(failed)?;
        let scored: HashMap<u64, &pipeline::Scored> = of_candidates.into_iter().zip(&answer.scored).collect();
        let twins = snapshot.twins(addresses).map_err(failed)?;
        let mut passages = Vec::with_capacity(addresses.len());
        for (address, twin) in addresses.iter().zip(twins) {
            let passage = snapshot.passage(*address).map_err(failed)?;
            let (lexical, found) = (by_words.get(address), scored.get(&twin));
            let text: Vec<&str> = passage.chunk.text.split_whitespace().collect();
            passages.push(WhyPassage {
                span: [passage.chunk.span.start, passage.chunk.span.end],
                place: passage.chunk.place,
                text: text.join(" ").chars().take(QUOTE_CHARS).collect(),
                lexical_rank: lexical.and_then(|candidate| candidate.evidence.lexical_rank),
                vector_rank: by_meaning.get(address).and_then(|candidate| candidate.evidence.vector_rank),
                bm25: lexical.map_or(0.0, |candidate| candidate.evidence.bm25),
                cosine: vector.as_ref().and_then(|vector| snapshot.vectors().cosine(vector, *address)),
                recall_rank: found.map(|scored| scored.recall_rank),
                cross: found.and_then(|scored| scored.cross),
                score: found.map(|scored| scored.score),
            });
        }
        let rank = |passage: &WhyPassage| passage.lexical_rank.into_iter().chain(passage.vector_rank).min();
        passages.sort_by(|a, b| {
            let by_score = b.score.unwrap_or(-1.0).total_cmp(&a.score.unwrap_or(-1.0));
            let by_rank = rank(a).unwrap_or(usize::MAX).cmp(&rank(b).unwrap_or(usize::MAX));
            by_score.then(by_rank).then(a.span.cmp(&b.span))
        });
        Ok(passages)
    }

    /// The first of [`DEPTHS`] with which one of these passages would be a candidate.
    fn candidates_needed(&self, mine: &HashSet<DocAddress>) -> Result<Option<usize>, EngineError> {
        let stage = self.request.stage.min(Stage::Hybrid);
        for depth in DEPTHS.into_iter().filter(|depth| *depth > self.request.candidates) {
            let answer = self.run(depth, stage)?;
            if answer.scored.iter().any(|scored| mine.contains(&scored.candidate.address)) {
                return Ok(Some(depth));
            }
        }
        Ok(None)
    }
}

fn by_address(candidates: Vec<Candidate>) -> HashMap<DocAddress, Candidate> {
    candidates.into_iter().map(|candidate| (candidate.address, candidate)).collect()
}
