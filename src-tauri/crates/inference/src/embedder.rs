//! The bi-encoder: a text becomes a unit vector.

use nuthatch_engine::{Cancel, Embedder, FirstStage, ModelError};

use crate::device::Placed;
use crate::kernels::unit_length;
use crate::model::Model;
use crate::store::Entry;
use crate::{Kind, LoadError, LoadOptions};

/// See [`crate::load_embedder`].
pub struct BiEncoder {
    model: Model,
    id: String,
    first_stage: Option<FirstStage>,
    question_window: Option<usize>,
    query_prefix: String,
    passage_prefix: String,
    chinese: Option<Beside>,
}

/// A second bi-encoder, which reads Chinese passages in place of the first.
struct Beside {
    encoder: Box<BiEncoder>,
    /// Weight of its cosines relative to those of the first.
    weight: f32,
}

impl BiEncoder {
    /// Loads the model in `folder`, which `entry` describes.
    pub fn load(folder: &std::path::Path, entry: &Entry, options: &LoadOptions) -> Result<Self, LoadError> {
        let model = Model::load(folder, Kind::BiEncoder, entry, options)?;
        Ok(Self {
            id: format!("{}@{}", entry.name, model.content),
            model,
            first_stage: entry.first_stage,
            question_window: entry.question_window,
            query_prefix: entry.query_prefix.clone(),
            passage_prefix: entry.passage_prefix.clone(),
            chinese: None,
        })
    }

    /// Adds a second bi-encoder for Chinese passages. Vectors then have one part for each model. A passage is read by
    /// one model only and fills that model's part. A question is read by both and fills both parts, so that it is
    /// compared with each passage in the space of the model that read the passage.
    pub fn with_chinese(self, encoder: BiEncoder, weight: f32) -> Self {
        let content = encoder.id.rsplit_once('@').map_or(encoder.id.as_str(), |(_, content)| content);
        let id = format!("{}+{content}", self.id);
        Self { id, chinese: Some(Beside { encoder: Box::new(encoder), weight }), ..self }
    }

    pub fn placed(&self) -> &Placed {
        &self.model.placed
    }

    /// Token ids of a text without a prefix, cut to the window.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self.model.tokenizer.text(text, None).map_err(|e| self.model.failed(&e))?.ids)
    }

    /// Embeds each text with `prefix` before it, cut to the window, and to `most` tokens if that is given.
    fn embed(
        &self,
        texts: &[&str],
        prefix: &str,
        most: Option<usize>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let tokens = self.model.tokenize(texts, |text| self.model.tokenizer.text(&format!("{prefix}{text}"), most))?;
        let mut rows = self.model.pooled(&tokens, cancel)?;
        let width = self.model.hidden_size;
        for row in rows.chunks_exact_mut(width) {
            unit_length(row);
            if let Some(centre) = &self.model.centre {
                row.iter_mut().zip(centre).for_each(|(x, centre)| *x -= centre);
                unit_length(row);
            }
        }
        if rows.iter().any(|x| !x.is_finite()) {
            return Err(self.model.failed(&"a vector is too long for its numbers"));
        }
        Ok(rows.chunks_exact(width).map(<[f32]>::to_vec).collect())
    }

    fn question(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        let mut vectors = self.embed(&[query], &self.query_prefix, self.question_window, &Cancel::new())?;
        vectors.pop().ok_or_else(|| self.model.failed(&"no vector came back"))
    }
}

/// Whether a passage is mostly Chinese (or Japanese): it has at least as many Han characters and kana as words of other
/// letters.
fn is_chinese(text: &str) -> bool {
    let (mut characters, mut words, mut in_word) = (0, 0, false);
    for c in text.chars() {
        let is_han = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
        characters += usize::from(is_han);
        let is_letter = c.is_alphabetic() && !is_han;
        words += usize::from(is_letter && !in_word);
        in_word = is_letter;
    }
    characters > 0 && characters >= words
}

impl Embedder for BiEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> usize {
        self.model.hidden_size + self.chinese.as_ref().map_or(0, |beside| beside.encoder.dimensions())
    }

    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        let mut vector = self.question(query)?;
        if let Some(Beside { encoder, weight }) = &self.chinese {
            vector.extend(encoder.question(query)?.into_iter().map(|x| weight * x));
            unit_length(&mut vector);
        }
        Ok(vector)
    }

    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        let Some(Beside { encoder, .. }) = &self.chinese else {
            return self.embed(passages, &self.passage_prefix, None, cancel);
        };
        let (theirs, ours): (Vec<usize>, Vec<usize>) = (0..passages.len()).partition(|&i| is_chinese(passages[i]));
        let own_width = self.model.hidden_size;
        let mut vectors = vec![vec![0.0; self.dimensions()]; passages.len()];
        for (model, chosen, start) in [(self, ours, 0), (&**encoder, theirs, own_width)] {
            let texts: Vec<&str> = chosen.iter().map(|&i| passages[i]).collect();
            for (i, part) in chosen.into_iter().zip(model.embed(&texts, &model.passage_prefix, None, cancel)?) {
                vectors[i][start..start + part.len()].copy_from_slice(&part);
            }
        }
        Ok(vectors)
    }

    fn first_stage(&self) -> Option<FirstStage> {
        self.first_stage
    }
}

#[cfg(test)]
mod tests {
    use super::is_chinese;

    #[test]
    fn a_passage_is_read_by_the_model_of_most_of_it() {
        for text in ["番茄炒蛋", "在 Vue 中使用 defineAsyncComponent", "JSON 文件读取", "ひらがな"] {
            assert!(is_chinese(text), "{text}");
        }
        for text in ["", "42", "how to undo a commit", "The word 搜索 means to look for something", "Größe und Maß"]
        {
            assert!(!is_chinese(text), "{text}");
        }
    }
}
