//! The second stage: the cross-encoder reads the candidates in the first stage's order, batch after batch, as far as
//! the time allows. The list is updated after each batch, so that the top is shown before the last candidate is read.

mod pace;
mod scores;

use std::time::{Duration, Instant};

use pace::Pace;
pub(crate) use pace::TOP;
use scores::Key;
pub(crate) use scores::Scores;

use crate::blend::{self, Blend, Features};
use crate::index::{Passage, Snapshot};
use crate::pipeline::{Answer, Scored};
use crate::recall::ms;
use crate::search::Stage;
use crate::{Cancel, EngineError, ModelError, Reranker, model};

/// Everything that reranking needs besides the candidates.
pub(crate) struct Reading<'a> {
    pub snapshot: &'a Snapshot,
    pub query: &'a str,
    pub reranker: &'a dyn Reranker,
    /// How its scores are joined with the embedder's cosines; see [`Reranker::blend`].
    pub blend: Option<Blend>,
    /// Scores of earlier searches, and the speed of reading. Without them, every candidate is read.
    pub scores: Option<&'a Scores>,
    /// How long it may take; `None` reads every candidate.
    pub budget: Option<Duration>,
    /// When the question was asked.
    pub start: Instant,
}

impl Reading<'_> {
    /// Puts the candidates of `answer` in their final order. `show` gets the list after each batch but the last.
    ///
    /// If time runs out or the cross-encoder fails (see [`Answer::failures`]), some candidates stay unread. They follow
    /// those that were read, in the first stage's order, and score no higher than any of them. If the cross-encoder
    /// fails before any candidate has a score, the order and scores of `answer` stay as they are.
    pub(crate) fn rerank(
        &self,
        answer: Answer,
        cancel: &Cancel,
        show: &mut dyn FnMut(&Answer),
    ) -> Result<Answer, EngineError> {
        let begun = Instant::now();
        let passages: Vec<Passage> = answer
            .scored
            .iter()
            .map(|s| self.snapshot.passage(s.candidate.address))
            .collect::<tantivy::Result<_>>()
            .map_err(|e| self.snapshot.failed(e))?;
        let texts: Vec<String> = passages.iter().map(Passage::model_text).collect();
        let id = self.reranker.id();
        let key = scores::keys(id, self.query);
        let keys: Vec<Key> = self.scores.map_or_else(Vec::new, |_| texts.iter().map(|text| key(text)).collect());
        let known = |i: usize| self.scores.and_then(|scores| scores.get(keys[i]));
        let mut raw: Vec<Option<f32>> = (0..texts.len()).map(known).collect();
        let unread: Vec<usize> = (0..texts.len()).filter(|&i| raw[i].is_none()).collect();
        let cost = |i: usize| pace::cost(self.query, &texts[i]);

        let mut pace = Pace::new(self.budget, self.scores.and_then(|scores| scores.speed(id)));
        let mut rest = &unread[..];
        let mut answer = answer;
        while !rest.is_empty() {
            let n = pace.take(rest.iter().map(|&i| cost(i)), begun.elapsed());
            let (batch, later) = rest.split_at(n);
            if batch.is_empty() {
                break;
            }
            let reading = Instant::now();
            let batch_texts: Vec<&str> = batch.iter().map(|&i| texts[i].as_str()).collect();
            let scores = match model::score(self.reranker, self.query, &batch_texts, cancel) {
                Ok(scores) => scores,
                Err(ModelError::Cancelled) => return Err(ModelError::Cancelled.into()),
                Err(error) => {
                    answer.failures.reranker = Some(error.to_string());
                    break;
                }
            };
            pace.has_read(batch.iter().map(|&i| cost(i)).sum(), reading.elapsed());
            for (&i, score) in batch.iter().zip(scores) {
                raw[i] = Some(score);
                if let Some(kept) = self.scores {
                    kept.put(keys[i], score);
                }
            }
            rest = later;
            if !rest.is_empty() {
                show(&self.list(&answer, &passages, &raw, begun));
            }
        }
        if let (Some(scores), Some(speed)) = (self.scores, pace.speed()) {
            scores.set_speed(id, speed);
        }
        if answer.failures.reranker.is_some() && raw.iter().all(Option::is_none) {
            return Ok(answer);
        }
        Ok(self.list(&answer, &passages, &raw, begun))
    }

    /// The list with the scores read so far: `raw` is `None` for unread candidates.
    fn list(&self, first_stage: &Answer, passages: &[Passage], raw: &[Option<f32>], begun: Instant) -> Answer {
        let calibration = self.reranker.calibration();
        let (mut read, mut unread): (Vec<(usize, Scored)>, Vec<Scored>) = (Vec::new(), Vec::new());
        for (i, scored) in first_stage.scored.iter().enumerate() {
            let Some(raw) = raw[i] else {
                unread.push(*scored);
                continue;
            };
            let cross = Some(calibration.probability(raw));
            let features = Features { cross, cosine: scored.candidate.evidence.cosine, words: scored.words };
            let score = blend::reranked(self.blend, &features);
            read.push((i, Scored { raw_score: raw, cross, score, ..*scored }));
        }
        // Equal scores are ordered by file and passage, because merging segments does not change that order.
        let place = |i: usize| (&passages[i].path, passages[i].chunk.ordinal);
        read.sort_by(|(a, of_a), (b, of_b)| of_b.score.total_cmp(&of_a.score).then_with(|| place(*a).cmp(&place(*b))));
        let mut answer = Answer { stage: Stage::Rerank, ..first_stage.clone() };
        answer.counts.reranked = read.len();
        let lowest = read.last().map_or(1.0, |(_, scored)| scored.score);
        answer.scored = read.into_iter().map(|(_, scored)| scored).collect();
        answer.scored.extend(unread.into_iter().map(|scored| Scored { score: scored.score.min(lowest), ..scored }));
        answer.took_ms.rerank = ms(begun);
        answer.took_ms.total = ms(self.start);
        answer
    }
}
