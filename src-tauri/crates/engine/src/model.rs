//! The seam between the engine and whatever computes: batches of text in, numbers out.

use crate::{Calibration, Cancel, ModelError};

/// A bi-encoder: a text becomes a unit vector, questions and passages apart.
pub trait Embedder: Send + Sync {
    /// Name and content of the model, e.g. `multilingual-e5-small-enzh@5f3c…`. Vectors of different ids never mix.
    fn id(&self) -> &str;

    /// Length of every vector, a multiple of 8.
    fn dimensions(&self) -> usize;

    /// One unit vector; text beyond the model's window is cut off.
    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError>;

    /// One unit vector a passage, in order. Returns [`ModelError::Cancelled`] within one batch of the flag. Called on a
    /// thread of a Rayon pool, it works on that pool's threads alone: they are as many as indexing may use.
    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// A cross-encoder: reads question and passage together and says how well they fit.
pub trait Reranker: Send + Sync {
    fn id(&self) -> &str;

    /// One raw score a passage, in order, in the model's own range (`[-10, 10]` logits or `[0, 1]`; see
    /// [`Reranker::calibration`]). The query is never cut to make room for a passage, the passage is.
    /// Returns [`ModelError::Cancelled`] within one batch of the flag.
    fn score(&self, query: &str, passages: &[&str], cancel: &Cancel) -> Result<Vec<f32>, ModelError>;

    /// How a raw score of this model becomes a probability.
    fn calibration(&self) -> Calibration;
}
