//! Times calls of a model, each several times.

use std::time::Instant;

use nuthatch_engine::{Cancel, Embedder, Reranker};
use nuthatch_inference::{BiEncoder, CrossEncoder};
use serde::Serialize;

use super::pairs::{self, Pairs};
use crate::eval::run::quantile;
use crate::failure::Failure;

/// Passages embedded in one call, as many as in indexing, and the words of each.
const PASSAGES: usize = 64;
const WORDS: usize = 90;

/// Calls that take a few milliseconds are repeated this many times for each run of a longer one.
const SHORT_RUNS: usize = 10;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rerank {
    pub(crate) pairs: usize,
    /// Tokens of all pairs as the model reads them: cut to its window, special tokens included.
    pub(crate) tokens: usize,
    pub(crate) seconds_median: f64,
    pub(crate) seconds_min: f64,
    pub(crate) tokens_per_second: f64,
    pub(crate) pairs_per_second: f64,
    pub(crate) device: String,
    /// Number format of the linear layers, and the instructions that multiply them.
    pub(crate) path: String,
    pub(crate) model: String,
    /// Raw scores in the order of the pairs, if the pairs were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scores: Vec<f32>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Embed {
    pub(crate) passages: usize,
    pub(crate) tokens: usize,
    pub(crate) seconds_median: f64,
    pub(crate) passages_per_second: f64,
    pub(crate) tokens_per_second: f64,
    /// One question to its vector.
    pub(crate) query_ms_median: f64,
    /// The same for a question as long as a passage.
    pub(crate) long_query_ms_median: f64,
    pub(crate) device: String,
    pub(crate) path: String,
    pub(crate) model: String,
}

/// Tokenizing question and passage together, on one thread.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tokenize {
    pub(crate) tokens: usize,
    pub(crate) seconds_median: f64,
    pub(crate) tokens_per_second: f64,
}

/// Seconds of each of `runs` runs, sorted, after a first run that does not count.
fn times(runs: usize, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Vec<f64>, Failure> {
    work()?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn n_tokens(model: &CrossEncoder, all: &[Pairs]) -> Result<usize, Failure> {
    let mut tokens = 0;
    for pairs in all {
        for passage in &pairs.passages {
            tokens += model.tokens(&pairs.question, passage)?.ids.len();
        }
    }
    Ok(tokens)
}

pub(crate) fn rerank(
    model: &CrossEncoder,
    all: &[Pairs],
    runs: usize,
    keep_scores: bool,
    cancel: &Cancel,
) -> Result<Rerank, Failure> {
    let texts: Vec<(&str, Vec<&str>)> =
        all.iter().map(|p| (p.question.as_str(), p.passages.iter().map(String::as_str).collect())).collect();
    let mut scores = Vec::new();
    let times = times(runs, || {
        scores.clear();
        for (question, passages) in &texts {
            scores.extend(model.score(question, passages, cancel)?);
        }
        Ok(())
    })?;
    let (pairs, tokens) = (scores.len(), n_tokens(model, all)?);
    let seconds_median = quantile(&times, 0.5);
    Ok(Rerank {
        pairs,
        tokens,
        seconds_median,
        seconds_min: quantile(&times, 0.0),
        tokens_per_second: tokens as f64 / seconds_median,
        pairs_per_second: pairs as f64 / seconds_median,
        device: model.placed().device.to_owned(),
        path: model.placed().path.clone(),
        model: model.id().to_owned(),
        scores: if keep_scores { scores } else { Vec::new() },
    })
}

pub(crate) fn embed(model: &BiEncoder, runs: usize, cancel: &Cancel) -> Result<Embed, Failure> {
    let passages = pairs::passages(PASSAGES, WORDS);
    let texts: Vec<&str> = passages.iter().map(String::as_str).collect();
    let seconds = times(runs, || Ok(model.embed_passages(&texts, cancel).map(drop)?))?;
    let seconds_median = quantile(&seconds, 0.5);
    let mut tokens = 0;
    for text in &texts {
        tokens += model.token_ids(text)?.len();
    }
    let query = |text: &str| times(runs * SHORT_RUNS, || Ok(model.embed_query(text).map(drop)?));
    let (short, long) = (query(pairs::QUESTION)?, query(texts[0])?);
    Ok(Embed {
        passages: texts.len(),
        tokens,
        seconds_median,
        passages_per_second: texts.len() as f64 / seconds_median,
        tokens_per_second: tokens as f64 / seconds_median,
        query_ms_median: quantile(&short, 0.5) * 1e3,
        long_query_ms_median: quantile(&long, 0.5) * 1e3,
        device: model.placed().device.to_owned(),
        path: model.placed().path.clone(),
        model: model.id().to_owned(),
    })
}

pub(crate) fn tokenize(model: &CrossEncoder, all: &[Pairs], runs: usize) -> Result<Tokenize, Failure> {
    let tokens = n_tokens(model, all)?;
    let seconds = times(runs, || n_tokens(model, all).map(drop))?;
    let seconds_median = quantile(&seconds, 0.5);
    Ok(Tokenize { tokens, seconds_median, tokens_per_second: tokens as f64 / seconds_median })
}
