//! Texts of many lengths, cut into batches and laid end to end without padding.

use crate::kernels::Rows;
use crate::tokenize::Tokens;

/// Several texts, their tokens laid end to end.
#[derive(Debug, Default)]
pub struct Batch {
    pub ids: Vec<u32>,
    pub types: Vec<u32>,
    /// Which tokens belong to each text.
    pub rows: Vec<Rows>,
    /// For each text of the batch, its index in the caller's list.
    pub places: Vec<usize>,
}

impl Batch {
    /// Number of tokens in the longest text.
    pub fn longest(&self) -> usize {
        self.rows.iter().map(|r| r.count).max().unwrap_or(0)
    }

    fn push(&mut self, place: usize, tokens: &Tokens) {
        self.rows.push(Rows { first: self.ids.len(), count: tokens.ids.len() });
        self.places.push(place);
        self.ids.extend(&tokens.ids);
        self.types.extend(&tokens.types);
    }
}

/// Puts texts into batches of at most `budget` tokens; a longer text gets a batch of its own. Texts are sorted longest
/// first, so that texts of similar length share a batch and the batches that threads take last hold the shortest texts.
/// Texts without tokens are left out.
pub fn cut(texts: &[Tokens], budget: usize) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..texts.len()).filter(|i| !texts[*i].ids.is_empty()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(texts[*i].ids.len()));
    let mut batches: Vec<Batch> = Vec::new();
    for place in order {
        let tokens = &texts[place];
        match batches.last_mut() {
            Some(batch) if batch.ids.len() + tokens.ids.len() <= budget => batch.push(place, tokens),
            _ => {
                let mut batch = Batch::default();
                batch.push(place, tokens);
                batches.push(batch);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_one_batch_and_no_batch_is_over_budget() {
        let lengths = [5, 1, 40, 7, 7, 100, 3, 12, 0];
        let texts: Vec<Tokens> =
            lengths.iter().map(|n| Tokens { ids: vec![*n; *n as usize], types: vec![0; *n as usize] }).collect();
        let batches = cut(&texts, 32);
        let mut places: Vec<usize> = batches.iter().flat_map(|b| b.places.clone()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..lengths.len() - 1).collect::<Vec<_>>());
        for batch in &batches {
            assert!(batch.ids.len() <= 32 || batch.rows.len() == 1);
            for (rows, place) in batch.rows.iter().zip(&batch.places) {
                assert_eq!(batch.ids[rows.first..rows.first + rows.count], texts[*place].ids);
            }
        }
    }
}
