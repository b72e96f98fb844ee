//! The bi-encoder: a text becomes a unit vector.

use nuthatch_engine::{Cancel, Embedder, ModelError};

use crate::device::Placed;
use crate::kernels::unit_length;
use crate::model::Model;
use crate::store::Entry;
use crate::{Kind, LoadError, LoadOptions};

/// See [`crate::load_embedder`].
pub struct BiEncoder {
    model: Model,
    id: String,
    question_window: Option<usize>,
    query_prefix: String,
    passage_prefix: String,
}

impl BiEncoder {
    /// Loads the model in `folder`, which `entry` describes.
    pub fn load(folder: &std::path::Path, entry: &Entry, options: &LoadOptions) -> Result<Self, LoadError> {
        let model = Model::load(folder, Kind::BiEncoder, entry.pooling, entry.window, options)?;
        Ok(Self {
            id: format!("{}@{}", entry.name, model.content),
            model,
            question_window: entry.question_window,
            query_prefix: entry.query_prefix.clone(),
            passage_prefix: entry.passage_prefix.clone(),
        })
    }

    pub fn placed(&self) -> &Placed {
        &self.model.placed
    }

    /// Token ids of a text as it stands, without a prefix: what the window's end would cut off is gone.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self.model.tokenizer.text(text, None).map_err(|e| self.model.failed(&e))?.ids)
    }

    /// Of each text as many tokens as fit, and no more than `most` with the prefix.
    fn embed(
        &self,
        texts: &[&str],
        prefix: &str,
        most: Option<usize>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let tokens = self.model.tokenize(texts, |text| self.model.tokenizer.text(&format!("{prefix}{text}"), most))?;
        let mut rows = self.model.pooled(&tokens, cancel)?;
        rows.chunks_exact_mut(self.dimensions()).for_each(unit_length);
        if rows.iter().any(|x| !x.is_finite()) {
            return Err(self.model.failed(&"a vector is too long for its numbers"));
        }
        Ok(rows.chunks_exact(self.dimensions()).map(<[f32]>::to_vec).collect())
    }
}

impl Embedder for BiEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> usize {
        self.model.hidden_size
    }

    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        let mut vectors = self.embed(&[query], &self.query_prefix, self.question_window, &Cancel::new())?;
        vectors.pop().ok_or_else(|| self.model.failed(&"no vector came back"))
    }

    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.embed(passages, &self.passage_prefix, None, cancel)
    }
}
