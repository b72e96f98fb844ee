//! Asks every question of a test set at one stage.

use std::collections::HashMap;

use nuthatch_engine::Stage;
use nuthatch_engine::eval::{Collection, RankedDoc};

use crate::eval::evidence::Evidence;
use crate::eval::reliability::Judged;
use crate::eval::run::{DEPTH, Outcome, Run};
use crate::eval::test_set::TestSet;
use crate::failure::Failure;
use crate::progress;
use crate::session::Session;

/// Which questions to ask, of which collection, at which stage.
pub(crate) struct Asking<'a> {
    pub(crate) collection: &'a Collection,
    pub(crate) set: &'a TestSet,
    pub(crate) stage: Stage,
    pub(crate) candidates: usize,
    /// Name of the cross-encoder for the results of [`Stage::Rerank`], if there is one.
    pub(crate) model: Option<&'a str>,
    /// Shown beside the progress bar.
    pub(crate) label: String,
}

/// The answers of an [`Asking`].
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) run: Run,
    /// The same candidates in the order of the cross-encoder alone, after [`Stage::Rerank`].
    pub(crate) cross: Option<Run>,
    /// Every reranked candidate of every question.
    pub(crate) judged: Vec<Judged>,
    /// One entry for each question.
    pub(crate) cross_scores: Vec<CrossScores>,
}

/// The cross-encoder's calibrated score of each candidate of a question, by document id.
pub(crate) type CrossScores = HashMap<String, f32>;

pub(crate) fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Lexical => "lexical",
        Stage::Vector => "vector",
        Stage::Hybrid => "hybrid",
        Stage::Rerank => "rerank",
    }
}

impl Asking<'_> {
    /// Asks every question; `None` if the engine could not go as far as the stage.
    pub(crate) fn ask(
        &self,
        mut evidence: Option<&mut Evidence>,
        session: &mut Session<'_, '_>,
    ) -> Result<Option<Asked>, Failure> {
        let Self { collection, set, stage, candidates, .. } = *self;
        let cancel = session.cancel();
        // Asked once before the clock runs: loading dictionaries and opening files is not part of the stage's time.
        if let Some((question, _)) = set.questions.first() {
            let reached = collection.rank(&question.text, stage, candidates.min(1), 1, &cancel)?.stage;
            if reached != stage {
                let (name, reached) = (name(stage), name(reached));
                session.note(&format!("{name} is not measured: the search went no further than {reached}"))?;
                return Ok(None);
            }
        }
        let bar = progress::bar(session.shows_progress(), name(stage), set.questions.len() as u64);
        bar.set_message(self.label.clone());
        let model = self.model.filter(|_| stage == Stage::Rerank).map(str::to_owned);
        let mut run = Run { stage: name(stage), model: model.clone(), outcomes: Vec::new() };
        let mut cross = Run { stage: "cross", model, outcomes: Vec::new() };
        let (mut judged, mut cross_scores) = (Vec::new(), Vec::new());
        for (question, judgements) in &set.questions {
            // One more than is measured, because the question itself may be among the documents.
            let depth = candidates.max(DEPTH) + 1;
            let depth = if stage == Stage::Rerank || evidence.is_some() { depth } else { DEPTH + 1 };
            let ranking = collection.rank(&question.text, stage, candidates, depth, &cancel)?;
            if let Some(evidence) = &mut evidence {
                evidence.add(&question.id, &ranking.docs, |doc| judgements.get(doc).copied().unwrap_or_default())?;
            }
            let took_ms = ranking.took_ms.total;
            let others = |doc: &&RankedDoc| !set.is_itself(question, &doc.id);
            let docs: Vec<&RankedDoc> = ranking.docs.iter().filter(others).collect();
            run.outcomes.push(Outcome::new(&docs, |doc| doc.score, judgements, took_ms));
            let by_cross: Vec<&RankedDoc> = ranking.by_cross.iter().filter(others).collect();
            cross.outcomes.push(Outcome::new(&by_cross, |doc| doc.cross.unwrap_or(0.0), judgements, took_ms));
            judged.extend(docs.iter().filter_map(|doc| {
                let relevant = judgements.get(&doc.id).is_some_and(|grade| *grade > 0.0);
                Some(Judged { shown: doc.score, cross: doc.cross?, relevant })
            }));
            let scored = ranking.by_cross.iter().filter_map(|doc| Some((doc.id.clone(), doc.cross?)));
            cross_scores.push(scored.collect());
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Some(Asked { run, cross: (stage == Stage::Rerank).then_some(cross), judged, cross_scores }))
    }

    /// The best score that each of `questions` gets, 0 if nothing is found for it.
    pub(crate) fn best_scores(&self, questions: &[String], session: &mut Session<'_, '_>) -> Result<Vec<f32>, Failure> {
        let cancel = session.cancel();
        let bar = progress::bar(session.shows_progress(), name(self.stage), questions.len() as u64);
        bar.set_message(self.label.clone());
        let mut scores = Vec::with_capacity(questions.len());
        for question in questions {
            let ranking = self.collection.rank(question, self.stage, self.candidates, 1, &cancel)?;
            scores.push(ranking.docs.first().map_or(0.0, |doc| doc.score));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(scores)
    }
}
