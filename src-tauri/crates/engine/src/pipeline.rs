//! Takes one question through all stages, over one snapshot of the index.
//!
//! ```text
//! recall: by words | by meaning, at once -> Recalled
//! fuse:   both become one list, scored   -> Answer
//! rerank: the cross-encoder reads it     -> Answer
//! ```
//!
//! Each list before the final one is shown as soon as it is complete.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blend::{self, Features};
use crate::bm25::LexicalQuery;
use crate::index::{Snapshot, guarded};
use crate::model;
use crate::names::{Named, named};
use crate::recall::{self, Candidate, Ranked, ms};
use crate::rerank::{Reading, Scores};
use crate::search::{Counts, Stage, TookMs};
use crate::text::{QueryTerms, query_terms};
use crate::{Cancel, Embedder, EngineError, ModelError, Reranker};

/// The models that a question may use. It does without those that are absent.
#[derive(Clone, Default)]
pub(crate) struct Models {
    pub embedder: Option<Arc<dyn Embedder>>,
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Earlier scores of the cross-encoder. Without them it reads every candidate again.
    pub scores: Option<Arc<Scores>>,
}

/// A candidate with its final score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub candidate: Candidate,
    /// 1-based rank among the candidates.
    pub recall_rank: usize,
    pub raw_score: f32,
    /// The cross-encoder's calibrated score, if it read the passage.
    pub cross: Option<f32>,
    /// See [`LexicalQuery::share`].
    pub words: f32,
    pub score: f32,
}

/// A stage's list, best first.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub stage: Stage,
    pub scored: Vec<Scored>,
    pub took_ms: TookMs,
    pub counts: Counts,
    /// Files that were asked for by name.
    pub named: Vec<Named>,
    /// The words that were looked for.
    pub terms: Arc<QueryTerms>,
    pub failures: Failures,
}

/// Why models failed on this question. The answer was found without them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Failures {
    pub embedder: Option<String>,
    pub reranker: Option<String>,
}

impl Failures {
    /// The first failure as an error, for callers that need every model.
    pub(crate) fn into_result(self) -> Result<(), ModelError> {
        let message = self.embedder.or(self.reranker);
        message.map_or(Ok(()), |message| Err(ModelError::Failed { message }))
    }
}

pub(crate) struct Question<'a> {
    pub text: &'a str,
    pub candidates: usize,
    pub stage: Stage,
    /// How long the cross-encoder may read; `None` is as long as it takes.
    pub budget: Option<Duration>,
    /// Whether one passage stands for all that say the same; [`crate::listing`] finds the others again.
    pub folds_twins: bool,
}

/// How many times more vectors are looked at where the question rules out some notes, by a quoted phrase for example.
const NARROWED_DEPTH: usize = 5;

/// Runs every stage up to `question.stage` for which there is a model, and does without a model that fails. `show` gets
/// each list but the last; reranking makes one list after each batch.
pub(crate) fn run(
    snapshot: &Snapshot,
    models: &Models,
    question: &Question<'_>,
    cancel: &Cancel,
    show: &mut dyn FnMut(&Answer),
) -> Result<Answer, EngineError> {
    let search = Search { snapshot, models, question, cancel, start: Instant::now() };
    let recalled = search.recall(show)?;
    search.go_on()?;
    let answer = search.fuse(recalled)?;
    search.go_on()?;
    search.rerank(answer, show)
}

/// A question on its way through the stages.
struct Search<'a> {
    snapshot: &'a Snapshot,
    models: &'a Models,
    question: &'a Question<'a>,
    cancel: &'a Cancel,
    start: Instant,
}

/// What each side of the first stage found.
struct Recalled {
    words: LexicalQuery,
    terms: Arc<QueryTerms>,
    named: Vec<Named>,
    /// Empty where vectors alone were asked for.
    by_words: Vec<Candidate>,
    by_meaning: Meaning,
    took_ms: TookMs,
}

/// What was found by meaning.
enum Meaning {
    /// The question's vector and the passages nearest to it.
    Found(Vec<f32>, Vec<Candidate>),
    /// A search by meaning was not asked for, or there is no embedder, or there are no vectors.
    Absent,
    /// Why the embedder failed.
    Failed(String),
}

impl Search<'_> {
    fn go_on(&self) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }

    fn failed(&self, error: tantivy::TantivyError) -> EngineError {
        self.snapshot.failed(error)
    }

    /// Runs both sides at once: the question is embedded while its words are looked up. The list found by words is
    /// shown without waiting for the vectors.
    fn recall(&self, show: &mut dyn FnMut(&Answer)) -> Result<Recalled, EngineError> {
        let terms = query_terms(self.question.text);
        let text = terms.asked.clone();
        let depth = recall::depth(self.question.candidates);
        let reach = depth * if terms.narrows() { NARROWED_DEPTH } else { 1 };
        std::thread::scope(|scope| {
            // `guarded` makes a panic in the thread an error here.
            let nearest = || guarded(self.snapshot.folder(), || self.nearest(&text, reach));
            let nearest = (self.question.stage != Stage::Lexical).then(|| scope.spawn(nearest));
            let mut recalled = self.look_up(terms, &text, depth)?;
            let Some(nearest) = nearest else { return Ok(recalled) };
            if self.question.stage != Stage::Vector {
                show(&self.by_words(&recalled)?);
            }
            let (by_meaning, took_ms) = nearest.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            recalled.took_ms.vector = took_ms;
            recalled.by_meaning = match by_meaning {
                Meaning::Found(vector, mut candidates) => {
                    candidates.retain(|candidate| recalled.words.allows(candidate.address));
                    candidates.truncate(depth);
                    Meaning::Found(vector, candidates)
                }
                silent => silent,
            };
            Ok(recalled)
        })
    }

    /// Finds passages by the words of the question, and files that it asks for by name.
    fn look_up(&self, terms: QueryTerms, text: &str, depth: usize) -> Result<Recalled, EngineError> {
        let find = || -> tantivy::Result<Recalled> {
            let words = LexicalQuery::of_terms(terms, self.snapshot)?;
            let mut named = named(text, self.snapshot)?;
            named.retain(|named| named.unread().is_some() || words.allows(named.address));
            let mut ranked = Ranked { candidates: Vec::new(), took_ms: 0.0 };
            if self.question.stage != Stage::Vector {
                ranked = recall::lexical(self.snapshot, &words, depth)?;
                recall::add_named(&words, &named, &mut ranked.candidates)?;
            }
            let terms = Arc::new(words.terms().clone());
            let took_ms = TookMs { lexical: ranked.took_ms, ..TookMs::default() };
            let (by_words, by_meaning) = (ranked.candidates, Meaning::Absent);
            Ok(Recalled { words, terms, named, by_words, by_meaning, took_ms })
        };
        find().map_err(|e| self.failed(e))
    }

    /// The passages nearest to the question, and the milliseconds that took.
    fn nearest(&self, text: &str, depth: usize) -> Result<(Meaning, f64), EngineError> {
        let vectors = self.snapshot.vectors();
        let Some(embedder) = self.models.embedder.as_ref().filter(|_| vectors.n_vectors() > 0) else {
            return Ok((Meaning::Absent, 0.0));
        };
        let start = Instant::now();
        let vector = match model::embed_query(embedder.as_ref(), text) {
            Ok(vector) => vector,
            Err(ModelError::Cancelled) => return Err(ModelError::Cancelled.into()),
            Err(error) => return Ok((Meaning::Failed(error.to_string()), 0.0)),
        };
        let ranked = recall::vector(self.snapshot, &vector, depth).map_err(|e| self.failed(e))?;
        Ok((Meaning::Found(vector, ranked.candidates), ms(start)))
    }

    /// The first stage's list: fused, or by one side alone if only that side was asked for or is available.
    fn fuse(&self, mut recalled: Recalled) -> Result<Answer, EngineError> {
        let (vector, by_meaning) = match &recalled.by_meaning {
            Meaning::Found(vector, candidates) => (vector, candidates),
            Meaning::Absent => return self.by_words(&recalled),
            Meaning::Failed(reason) => {
                let failures = Failures { embedder: Some(reason.clone()), reranker: None };
                return Ok(Answer { failures, ..self.by_words(&recalled)? });
            }
        };
        if self.question.stage == Stage::Vector {
            let mut candidates = self.folded(&recalled, by_meaning.clone())?;
            candidates.truncate(self.question.candidates);
            return Ok(self.list(Stage::Vector, candidates, &recalled));
        }
        let fitted = self.models.embedder.as_deref().and_then(Embedder::first_stage);
        let n = recalled.by_words.len() + by_meaning.len();
        let Recalled { words, by_words, .. } = &recalled;
        let fused = recall::fused(self.snapshot, words, Some(vector), by_words, by_meaning, fitted, n);
        let Ranked { candidates, took_ms } = fused.map_err(|e| self.failed(e))?;
        recalled.took_ms.fuse = took_ms;
        let candidates = self.best(&recalled, candidates)?;
        Ok(self.list(Stage::Hybrid, candidates, &recalled))
    }

    fn by_words(&self, recalled: &Recalled) -> Result<Answer, EngineError> {
        let candidates = self.best(recalled, recalled.by_words.clone())?;
        Ok(self.list(Stage::Lexical, candidates, recalled))
    }

    /// The cross-encoder's list; without a cross-encoder, or where an earlier stage was asked for, `answer` is final.
    fn rerank(&self, answer: Answer, show: &mut dyn FnMut(&Answer)) -> Result<Answer, EngineError> {
        let Some(reranker) = self.models.reranker.as_deref().filter(|_| self.question.stage == Stage::Rerank) else {
            return Ok(answer);
        };
        // A list found by words alone has been shown already.
        if answer.stage != Stage::Lexical {
            show(&answer);
        }
        let terms = answer.terms.clone();
        let reading = Reading {
            snapshot: self.snapshot,
            query: &terms.asked,
            reranker,
            blend: reranker.blend(self.models.embedder.as_deref().map(Embedder::id)),
            scores: self.models.scores.as_deref(),
            budget: self.question.budget,
            start: self.start,
        };
        reading.rerank(answer, self.cancel, show)
    }

    /// As many candidates as were asked for, one for all that say the same, including files asked for by name.
    fn best(&self, recalled: &Recalled, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, EngineError> {
        Ok(recall::best(self.question.candidates, &recalled.named, self.folded(recalled, candidates)?))
    }

    fn folded(&self, recalled: &Recalled, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, EngineError> {
        // A note with the same passage may be ruled out by what it says elsewhere, so no passage can stand for another.
        if !self.question.folds_twins || recalled.terms.narrows() {
            return Ok(candidates);
        }
        recall::folded(self.snapshot, &recalled.named, candidates).map_err(|e| self.failed(e))
    }

    /// Candidates with the scores of the first stage, in their order.
    fn list(&self, stage: Stage, candidates: Vec<Candidate>, recalled: &Recalled) -> Answer {
        let fitted = self.models.embedder.as_deref().and_then(Embedder::first_stage);
        let counts = Counts { asked: self.question.candidates, recalled: candidates.len(), reranked: 0 };
        // No score exceeds that of a passage ranked above, so that a threshold cuts the list and leaves no holes in it.
        let mut ceiling = 1.0f32;
        let scored = candidates
            .into_iter()
            .enumerate()
            .map(|(i, candidate)| {
                let words = recalled.words.share(candidate.evidence.bm25);
                let features = Features { cross: None, cosine: candidate.evidence.cosine, words };
                ceiling = ceiling.min(blend::first_stage(stage, fitted, &features));
                Scored { candidate, recall_rank: i + 1, raw_score: candidate.score, cross: None, words, score: ceiling }
            })
            .collect();
        Answer {
            stage,
            scored,
            took_ms: TookMs { total: ms(self.start), ..recalled.took_ms },
            counts,
            named: recalled.named.clone(),
            terms: recalled.terms.clone(),
            failures: Failures::default(),
        }
    }
}
