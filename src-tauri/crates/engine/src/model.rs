//! The interface between the engine and the models: batches of text in, numbers out.

use crate::guard::caught;
use crate::{Blend, Calibration, Cancel, FirstStage, ModelError};

/// The name in a model's id, which is a name, `@` and the sum of the content. A name may hold an `@` itself.
pub fn name_of(id: &str) -> &str {
    id.rsplit_once('@').map_or(id, |(name, _)| name)
}

/// A bi-encoder: turns a text into a unit vector. Questions and passages are embedded separately.
pub trait Embedder: Send + Sync {
    /// Name and content of the model, e.g. `multilingual-e5-small-enzh@5f3c…`. Vectors of different ids never mix.
    fn id(&self) -> &str;

    /// Length of every vector, a multiple of 8.
    fn dimensions(&self) -> usize;

    /// One unit vector; text beyond the model's window is cut off.
    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError>;

    /// One unit vector for each passage, in order. Returns [`ModelError::Cancelled`] at most one batch after `cancel`
    /// was raised. Called on a thread of a Rayon pool, it must use only that pool's threads: the pool is as large as
    /// the settings allow for indexing.
    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError>;

    /// How its cosines become the chance that a passage is relevant; `None` where nobody has fitted it.
    fn first_stage(&self) -> Option<FirstStage> {
        None
    }
}

/// A cross-encoder: reads question and passage together and says how well they fit.
pub trait Reranker: Send + Sync {
    fn id(&self) -> &str;

    /// One raw score for each passage, in order, in the model's own range (`[-10, 10]` logits or `[0, 1]`; see
    /// [`Reranker::calibration`]). If both do not fit the model's window, the passage is cut, never the query.
    /// Returns [`ModelError::Cancelled`] at most one batch after `cancel` was raised.
    fn score(&self, query: &str, passages: &[&str], cancel: &Cancel) -> Result<Vec<f32>, ModelError>;

    /// How a raw score of this model becomes a probability.
    fn calibration(&self) -> Calibration;

    /// How this model's score is joined with the cosines of the embedder of that id. `None` where nobody has fitted it;
    /// the calibrated score is then shown as it is.
    fn blend(&self, _embedder: Option<&str>) -> Option<Blend> {
        None
    }
}

/// Embeds a question and checks the vector: it must have the promised length and only finite numbers. A panic in the
/// model is a failure like any other.
pub(crate) fn embed_query(embedder: &dyn Embedder, query: &str) -> Result<Vec<f32>, ModelError> {
    let vector = answer(embedder.id(), || embedder.embed_query(query))?;
    check_vector(embedder, &vector)?;
    Ok(vector)
}

/// Embeds passages and checks that there is one vector for each, which is checked as a question's vector is.
pub(crate) fn embed_passages(
    embedder: &dyn Embedder,
    passages: &[&str],
    cancel: &Cancel,
) -> Result<Vec<Vec<f32>>, ModelError> {
    let vectors = answer(embedder.id(), || embedder.embed_passages(passages, cancel))?;
    check_count(embedder.id(), vectors.len(), passages.len())?;
    vectors.iter().try_for_each(|vector| check_vector(embedder, vector))?;
    Ok(vectors)
}

/// Scores passages and checks that there is one score for each, finite before and after calibration.
pub(crate) fn score(
    reranker: &dyn Reranker,
    query: &str,
    passages: &[&str],
    cancel: &Cancel,
) -> Result<Vec<f32>, ModelError> {
    let scores = answer(reranker.id(), || reranker.score(query, passages, cancel))?;
    check_count(reranker.id(), scores.len(), passages.len())?;
    let Calibration { slope, offset } = reranker.calibration();
    match scores.iter().find(|score| !score.is_finite() || !(slope * **score + offset).is_finite()) {
        Some(bad) => {
            Err(failed(reranker.id(), &format!("it scored {bad}, and {slope} x + {offset} of that is no score")))
        }
        None => Ok(scores),
    }
}

fn answer<T>(id: &str, ask: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    caught(ask).unwrap_or_else(|message| Err(failed(id, &message)))
}

fn check_count(id: &str, found: usize, asked: usize) -> Result<(), ModelError> {
    if found == asked { Ok(()) } else { Err(failed(id, &format!("{found} answers to {asked} questions"))) }
}

fn check_vector(embedder: &dyn Embedder, vector: &[f32]) -> Result<(), ModelError> {
    if vector.len() != embedder.dimensions() {
        let (found, promised) = (vector.len(), embedder.dimensions());
        return Err(failed(embedder.id(), &format!("a vector of {found} numbers instead of {promised}")));
    }
    match vector.iter().find(|x| !x.is_finite()) {
        Some(bad) => Err(failed(embedder.id(), &format!("a vector with {bad} in it"))),
        None => Ok(()),
    }
}

fn failed(id: &str, reason: &str) -> ModelError {
    ModelError::Failed { message: format!("the model {id} failed ({reason}): choose another model") }
}
