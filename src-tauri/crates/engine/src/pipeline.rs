//! One question through all stages over one snapshot: recall by words and by meaning at once, fuse, rerank, score.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blend::{self, Known};
use crate::bm25::Words;
use crate::index::Snapshot;
use crate::names::{Named, named};
use crate::recall::{self, Candidate, Ranked, ms};
use crate::rerank::{Reading, Scores};
use crate::search::{Counts, Stage, TookMs};
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
    /// How near it lies to the best ones, as [`Known::near`]; 0 before the cross-encoder.
    pub near: f32,
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

/// Runs every stage up to `question.stage` that the models allow. `landed` gets each list but the last;
/// reranking lands one after each batch.
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
    let (text, depth) = (question.text, recall::depth(question.candidates));
    std::thread::scope(|scope| {
        let by_meaning =
            (question.stage != Stage::Lexical).then(|| scope.spawn(move || by_meaning(snapshot, models, text, depth)));
        let words = Words::of(text, snapshot).map_err(|e| snapshot.failed(e))?;
        let named = named(text, snapshot).map_err(|e| snapshot.failed(e))?;
        let by_words = |depth: usize| {
            let mut ranked = recall::lexical(snapshot, &words, depth)?;
            recall::add_named(&words, &named, &mut ranked.candidates)?;
            Ok(ranked)
        };
        let first_stage = |stage, candidates, took_ms| {
            let answer = first_stage(stage, candidates, &words, question, took_ms, start);
            Answer { named: named.clone(), ..answer }
        };
        // Without a cross-encoder, or for an earlier stage, the first stage's answer is final.
        let rerank = |answer: Answer, landed: &mut dyn FnMut(&Answer)| {
            let Some(reranker) = models.reranker.as_deref().filter(|_| question.stage == Stage::Rerank) else {
                return Ok(answer);
            };
            landed(&answer);
            let (query, scores, budget) = (question.text, models.scores.as_deref(), question.budget);
            Reading { snapshot, query, reranker, scores, budget, start }.rerank(answer, cancel, landed)
        };
        let folded = |candidates: Vec<Candidate>| match question.folds_twins {
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
        let vector = by_meaning.join();
        let vector =
            vector.map_err(|_| ModelError::Failed { message: "the embedder stopped unexpectedly".into() })??;
        let Some((meaning, by_meaning)) = vector else {
            // The cross-encoder reads what the words found.
            let answer = first_stage(Stage::Lexical, best(lexical.candidates)?, took_ms);
            return rerank(answer, &mut |_| {});
        };
        took_ms.vector = by_meaning.took_ms;
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
            lexical.candidates.len() + by_meaning.candidates.len(),
        )
        .map_err(|e| snapshot.failed(e))?;
        took_ms.fuse = fused.took_ms;
        let hybrid = first_stage(Stage::Hybrid, best(fused.candidates)?, took_ms);
        go_on()?;
        rerank(hybrid, landed)
    })
}

/// The question's vector and its nearest passages; `None` without an embedder or without vectors.
fn by_meaning(
    snapshot: &Snapshot,
    models: &Models,
    question: &str,
    depth: usize,
) -> Result<Option<(Vec<f32>, Ranked)>, EngineError> {
    let Some(embedder) = models.embedder.as_ref().filter(|_| snapshot.vectors().n_vectors() > 0) else {
        return Ok(None);
    };
    let start = Instant::now();
    let vector = embedder.embed_query(question)?;
    let mut ranked = recall::vector(snapshot, &vector, depth).map_err(|e| snapshot.failed(e))?;
    ranked.took_ms = ms(start);
    Ok(Some((vector, ranked)))
}

fn first_stage(
    stage: Stage,
    candidates: Vec<Candidate>,
    words: &Words,
    question: &Question<'_>,
    mut took_ms: TookMs,
    start: Instant,
) -> Answer {
    let blend = match stage {
        Stage::Lexical => blend::LEXICAL,
        Stage::Vector => blend::VECTOR,
        Stage::Hybrid | Stage::Rerank => blend::HYBRID,
    };
    let counts = Counts { asked: question.candidates, recalled: candidates.len(), reranked: 0 };
    // No score exceeds that of a passage ranked above, so that a threshold cuts the list and leaves no holes in it.
    let mut ceiling = 1.0f32;
    let scored = candidates
        .into_iter()
        .enumerate()
        .map(|(i, candidate)| {
            let words = words.share(candidate.evidence.bm25);
            let known = Known {
                cross: None,
                cosine: candidate.evidence.cosine,
                words,
                recall_rank: i + 1,
                first: 0.0,
                near: 0.0,
            };
            ceiling = ceiling.min(blend.score(&known));
            Scored {
                candidate,
                recall_rank: i + 1,
                raw_score: candidate.score,
                cross: None,
                words,
                near: 0.0,
                score: ceiling,
            }
        })
        .collect();
    took_ms.total = ms(start);
    Answer { stage, scored, took_ms, counts, named: Vec::new() }
}
