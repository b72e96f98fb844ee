//! Keeps the cross-encoder's scores, so that asking again with another threshold or more candidates reads only new
//! pairs.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many pairs a generation has. Two generations are kept, so 32,768 pairs at most: about 1.5 MB, over 300 searches
/// of 100 candidates.
const GENERATION: usize = 16_384;

/// Raw scores by model, question and text of the passage, and how fast each model reads on this machine. Bounded: a
/// score that was not asked for among the last 16,384 to 32,768 pairs is forgotten.
#[derive(Default)]
pub(crate) struct Scores {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    young: HashMap<Key, f32>,
    old: HashMap<Key, f32>,
    /// Bytes a second.
    speeds: HashMap<String, f64>,
}

/// See [`keys`].
pub(super) type Key = [u8; 16];

impl Scores {
    pub(super) fn get(&self, key: Key) -> Option<f32> {
        let mut inner = self.lock();
        if let Some(score) = inner.young.get(&key) {
            return Some(*score);
        }
        let score = inner.old.remove(&key)?;
        inner.put(key, score);
        Some(score)
    }

    pub(super) fn put(&self, key: Key, score: f32) {
        self.lock().put(key, score);
    }

    /// Bytes a second, if the model has read anything before.
    pub(crate) fn speed(&self, model: &str) -> Option<f64> {
        self.lock().speeds.get(model).copied()
    }

    pub(crate) fn set_speed(&self, model: &str, bytes_per_second: f64) {
        self.lock().speeds.insert(model.to_owned(), bytes_per_second);
    }

    /// Ignores poisoning: no entry depends on another, so a panic elsewhere makes none wrong.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, key: Key, score: f32) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, score);
    }
}

/// For one model and question, maps the text of a passage to the key that the score is kept under.
pub(super) fn keys(model: &str, query: &str) -> impl Fn(&str) -> Key {
    // Lengths keep "ab", "c" and "a", "bc" apart.
    fn add(hasher: &mut blake3::Hasher, part: &str) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut begun = blake3::Hasher::new();
    add(&mut begun, model);
    add(&mut begun, query);
    move |text| {
        let mut hasher = begun.clone();
        add(&mut hasher, text);
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(model: &str, query: &str, text: &str) -> Key {
        keys(model, query)(text)
    }

    #[test]
    fn what_was_asked_for_lately_is_kept() {
        let scores = Scores::default();
        scores.put(key("m", "q", "kept"), 0.5);
        for i in 0..4 * GENERATION {
            scores.put(key("m", "q", &i.to_string()), i as f32);
            if i % 1000 == 0 {
                assert_eq!(scores.get(key("m", "q", "kept")), Some(0.5), "{i}");
            }
        }
        assert_eq!(scores.get(key("m", "q", "0")), None);
        let inner = scores.lock();
        assert!(inner.young.len() + inner.old.len() <= 2 * GENERATION);
    }

    #[test]
    fn models_questions_and_texts_are_told_apart() {
        let scores = Scores::default();
        scores.put(key("m", "ab", "c"), 1.0);
        for (model, query, text) in [("m", "a", "bc"), ("n", "ab", "c"), ("m", "ab", "d")] {
            assert_eq!(scores.get(key(model, query, text)), None);
        }
        assert_eq!(scores.get(key("m", "ab", "c")), Some(1.0));
    }
}
