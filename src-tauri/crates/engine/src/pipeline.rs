//! One question through all stages over one snapshot: recall by words and by meaning at once, fuse, rerank, score.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blend::{self, FirstStage, Known};
use crate::bm25::Words;
use crate::index::{Snapshot, guarded};
use crate::model;
use crate::names::{Named, named};
use crate::recall::{self, Candidate, Ranked, ms};
use crate::rerank::{Reading, Scores};
use crate::search::{Counts, Stage, TookMs};
use crate::text::{QueryTerms, query_terms};
use crate::{Cancel, Embedder, EngineError, ModelError, Reranker};

/// The models a question may use; what is absent, it does without.
#[derive(Clone, Default)]
pub(crate) struct Models {
    pub embedder: Option<Arc<dyn Embedder>>,
    pub reranker: Option<Arc<dyn Reranker>>,
    /// What the cross-encoder said before; without, it reads everything again.
    pub scores: Option<Arc<Scores>>,
}

/// A candidate with its final score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub candidate: Candidate,
    /// 1-based rank among the candidates.
    pub recall_rank: usize,
    pub raw_score: f32,
    /// What the cross-encoder said, calibrated, if it read the passage.
    pub cross: Option<f32>,
    /// See [`Words::share`].
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

/// Why models that were asked gave no answer: it is found without them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Failures {
    pub embedder: Option<String>,
    pub reranker: Option<String>,
}

impl Failures {
    /// The first of them, for whoever needs every model.
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
    /// Whether one passage stands for all that say the same: [`crate::hits`] brings the others back.
    pub folds_twins: bool,
}

/// Where some notes are no answers, so many times as many vectors are looked at.
const NARROWED_DEPTH: usize = 5;

/// Runs every stage up to `question.stage` that the models allow; one that fails is done without. `landed` gets each
/// list but the last; reranking lands one after each batch.
pub(crate) fn run(
    snapshot: &Snapshot,
    models: &Models,
    question: &Question<'_>,
    cancel: &Cancel,
    landed: &mut dyn FnMut(&Answer),
) -> Result<Answer, EngineError> {
    let start = Instant::now();
    let go_on = || if cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) };
    // The longest way first: the question is embedded while its words are looked up.
    let terms = query_terms(question.text);
    let asked = terms.asked.clone();
    let narrowing = if terms.narrows() { NARROWED_DEPTH } else { 1 };
    let (text, depth) = (asked.as_str(), recall::depth(question.candidates));
    let reach = depth * narrowing;
    let fitted = models.embedder.as_deref().and_then(Embedder::first_stage);
    std::thread::scope(|scope| {
        // A panic there is an error here.
        let by_meaning = move || guarded(snapshot.folder(), || by_meaning(snapshot, models, text, reach));
        let by_meaning = (question.stage != Stage::Lexical).then(|| scope.spawn(by_meaning));
        let words = Words::of_terms(terms, snapshot).map_err(|e| snapshot.failed(e))?;
        let mut named = named(text, snapshot).map_err(|e| snapshot.failed(e))?;
        named.retain(|named| named.unread().is_some() || words.allows(named.address));
        let terms = Arc::new(words.terms().clone());
        let by_words = |depth: usize| {
            let mut ranked = recall::lexical(snapshot, &words, depth)?;
            recall::add_named(&words, &named, &mut ranked.candidates)?;
            Ok(ranked)
        };
        let first_stage = |stage, candidates, took_ms| {
            let answer = first_stage(stage, candidates, &words, fitted, question, took_ms, start);
            Answer { named: named.clone(), terms: terms.clone(), ..answer }
        };
        // Without a cross-encoder, or for an earlier stage, the first stage's answer is final.
        let rerank = |answer: Answer, landed: &mut dyn FnMut(&Answer)| {
            let Some(reranker) = models.reranker.as_deref().filter(|_| question.stage == Stage::Rerank) else {
                return Ok(answer);
            };
            landed(&answer);
            let (query, scores, budget) = (text, models.scores.as_deref(), question.budget);
            let blend = reranker.blend(models.embedder.as_deref().map(Embedder::id));
            Reading { snapshot, query, reranker, blend, scores, budget, start }.rerank(answer, cancel, landed)
        };
        // A note that says the same here may say elsewhere what leaves it out.
        let folds_twins = question.folds_twins && !terms.narrows();
        let folded = |candidates: Vec<Candidate>| match folds_twins {
            true => recall::folded(snapshot, &named, candidates).map_err(|e| snapshot.failed(e)),
            false => Ok(candidates),
        };
        let best = |candidates| -> Result<Vec<Candidate>, EngineError> {
            Ok(recall::best(question.candidates, &named, folded(candidates)?))
        };
        let mut took_ms = TookMs::default();

        let Some(by_meaning) = by_meaning else {
            let ranked: Ranked = by_words(depth).map_err(|e| snapshot.failed(e))?;
            took_ms.lexical = ranked.took_ms;
            return Ok(first_stage(Stage::Lexical, best(ranked.candidates)?, took_ms));
        };
        let lexical = if question.stage == Stage::Vector {
            Ranked { candidates: Vec::new(), took_ms: 0.0 }
        } else {
            let ranked = by_words(depth).map_err(|e| snapshot.failed(e))?;
            took_ms.lexical = ranked.took_ms;
            landed(&first_stage(Stage::Lexical, best(ranked.candidates.clone())?, took_ms));
            ranked
        };
        let (meaning, mut by_meaning) = match by_meaning.join().unwrap_or_else(|panic| resume_unwind(panic))? {
            Meaning::Found(vector, ranked) => (vector, ranked),
            silent => {
                // The cross-encoder reads what the words found.
                let mut answer = first_stage(Stage::Lexical, best(lexical.candidates)?, took_ms);
                if let Meaning::Failed(reason) = silent {
                    answer.failures.embedder = Some(reason);
                }
                return rerank(answer, &mut |_| {});
            }
        };
        took_ms.vector = by_meaning.took_ms;
        by_meaning.candidates.retain(|candidate| words.allows(candidate.address));
        by_meaning.candidates.truncate(depth);
        go_on()?;
        if question.stage == Stage::Vector {
            let mut candidates = folded(by_meaning.candidates)?;
            candidates.truncate(question.candidates);
            return Ok(first_stage(Stage::Vector, candidates, took_ms));
        }

        let fused = recall::fused(
            snapshot,
            &words,
            Some(&meaning),
            &lexical.candidates,
            &by_meaning.candidates,
            fitted,
            lexical.candidates.len() + by_meaning.candidates.len(),
        )
        .map_err(|e| snapshot.failed(e))?;
        took_ms.fuse = fused.took_ms;
        let hybrid = first_stage(Stage::Hybrid, best(fused.candidates)?, took_ms);
        go_on()?;
        rerank(hybrid, landed)
    })
}

/// What was found by meaning.
enum Meaning {
    /// The question's vector and its nearest passages.
    Found(Vec<f32>, Ranked),
    /// There is no embedder, or there are no vectors.
    Absent,
    /// The embedder failed, and why.
    Failed(String),
}

fn by_meaning(snapshot: &Snapshot, models: &Models, question: &str, depth: usize) -> Result<Meaning, EngineError> {
    let Some(embedder) = models.embedder.as_ref().filter(|_| snapshot.vectors().n_vectors() > 0) else {
        return Ok(Meaning::Absent);
    };
    let start = Instant::now();
    let vector = match model::embed_query(embedder.as_ref(), question) {
        Ok(vector) => vector,
        Err(ModelError::Cancelled) => return Err(ModelError::Cancelled.into()),
        Err(error) => return Ok(Meaning::Failed(error.to_string())),
    };
    let mut ranked = recall::vector(snapshot, &vector, depth).map_err(|e| snapshot.failed(e))?;
    ranked.took_ms = ms(start);
    Ok(Meaning::Found(vector, ranked))
}

fn first_stage(
    stage: Stage,
    candidates: Vec<Candidate>,
    words: &Words,
    fitted: Option<FirstStage>,
    question: &Question<'_>,
    mut took_ms: TookMs,
    start: Instant,
) -> Answer {
    let counts = Counts { asked: question.candidates, recalled: candidates.len(), reranked: 0 };
    // No score exceeds that of a passage ranked above, so that a threshold cuts the list and leaves no holes in it.
    let mut ceiling = 1.0f32;
    let scored = candidates
        .into_iter()
        .enumerate()
        .map(|(i, candidate)| {
            let words = words.share(candidate.evidence.bm25);
            let known = Known { cross: None, cosine: candidate.evidence.cosine, words };
            ceiling = ceiling.min(blend::first_stage(stage, fitted, &known));
            Scored { candidate, recall_rank: i + 1, raw_score: candidate.score, cross: None, words, score: ceiling }
        })
        .collect();
    took_ms.total = ms(start);
    let (named, terms, failures) = (Vec::new(), Arc::default(), Failures::default());
    Answer { stage, scored, took_ms, counts, named, terms, failures }
}
