//! Fake models that only do arithmetic: they always give the same answer, and a test can predict it.

use std::sync::atomic::{AtomicUsize, Ordering};

use nuthatch_engine::{Blend, Calibration, Cancel, Embedder, ModelError, Reranker};

/// Counts words into 64 buckets: texts that share words are near each other.
pub struct BagOfWords {
    pub id: &'static str,
    pub n_embedded: AtomicUsize,
    /// Whether it fails instead of embedding passages, like a model that ran out of memory.
    pub broken: bool,
}

impl BagOfWords {
    pub const DIMENSIONS: usize = 64;

    pub fn new(id: &'static str) -> Self {
        Self { id, n_embedded: AtomicUsize::new(0), broken: false }
    }

    fn vector(text: &str) -> Vec<f32> {
        let mut vector = vec![0.0_f32; Self::DIMENSIONS];
        // This keeps the vector from being null.
        vector[0] = 0.1;
        for word in words(text) {
            // FNV-1a
            let hash = word
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            vector[hash as usize % Self::DIMENSIONS] += 1.0;
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / norm).collect()
    }
}

impl Embedder for BagOfWords {
    fn id(&self) -> &str {
        self.id
    }

    fn dimensions(&self) -> usize {
        Self::DIMENSIONS
    }

    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        Ok(Self::vector(query))
    }

    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        if cancel.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        if self.broken {
            return Err(ModelError::Failed { message: "the model ran out of memory".into() });
        }
        self.n_embedded.fetch_add(passages.len(), Ordering::Relaxed);
        Ok(passages.iter().map(|text| Self::vector(text)).collect())
    }
}

/// The share of the question's words that a passage holds, as a logit from -4 to 4.
#[derive(Default)]
pub struct WordShare {
    pub n_calls: AtomicUsize,
    /// Passages scored, over all calls.
    pub n_read: AtomicUsize,
}

impl Reranker for WordShare {
    fn id(&self) -> &str {
        "word-share"
    }

    fn score(&self, query: &str, passages: &[&str], cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        if cancel.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        self.n_calls.fetch_add(1, Ordering::Relaxed);
        self.n_read.fetch_add(passages.len(), Ordering::Relaxed);
        let asked: Vec<String> = words(query).collect();
        let share = |passage: &str| {
            let held: Vec<String> = words(passage).collect();
            asked.iter().filter(|word| held.contains(word)).count() as f32 / asked.len().max(1) as f32
        };
        Ok(passages.iter().map(|passage| 8.0 * share(passage) - 4.0).collect())
    }

    fn calibration(&self) -> Calibration {
        Calibration::default()
    }

    /// A blend like that of a calibrated pair of models.
    fn blend(&self, embedder: Option<&str>) -> Option<Blend> {
        embedder.map(|_| Blend { offset: -1.0, cross: 1.0, cosine: 1.0, words: 0.5 })
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
