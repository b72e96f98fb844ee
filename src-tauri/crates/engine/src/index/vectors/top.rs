//! The best `limit` of many scored rows, without sorting the many.

use std::cmp::Ordering;

/// A row of one segment with its score. Rows of a segment are numbered in document order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    pub score: f32,
    pub segment: u32,
    pub row: u32,
}

impl Scored {
    /// Best first; equal scores in document order, so that the order is total and threads cannot change it.
    pub fn best_first(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.segment.cmp(&other.segment)).then(self.row.cmp(&other.row))
    }
}

/// Keeps the best `limit` rows offered, by [`Scored::best_first`].
///
/// Rows gather in a buffer of twice the limit. When it is full, the worse half is cut off. The score at the cut becomes
/// the `floor`: later rows below it are turned away with one comparison.
#[derive(Debug)]
pub(crate) struct Top {
    limit: usize,
    floor: f32,
    kept: Vec<Scored>,
}

impl Top {
    /// Keeps the best `limit` (at least 1) of the rows that score at least `floor`.
    pub fn above(floor: f32, limit: usize) -> Self {
        Self { limit: limit.max(1), floor, kept: Vec::new() }
    }

    pub fn new(limit: usize) -> Self {
        Self::above(f32::NEG_INFINITY, limit)
    }

    /// A row that scores less than this cannot be among the best.
    pub fn floor(&self) -> f32 {
        self.floor
    }

    pub fn push(&mut self, row: Scored) {
        if row.score >= self.floor {
            self.kept.push(row);
            if self.kept.len() >= self.limit.saturating_mul(2) {
                self.cut();
            }
        }
    }

    pub fn merge(mut self, other: Self) -> Self {
        self.kept.extend(other.kept);
        self.floor = self.floor.max(other.floor);
        self.cut();
        self
    }

    /// The best rows, in any order.
    pub fn into_vec(mut self) -> Vec<Scored> {
        self.cut();
        self.kept
    }

    fn cut(&mut self) {
        if self.kept.len() > self.limit {
            let (_, worst_kept, _) = self.kept.select_nth_unstable_by(self.limit - 1, Scored::best_first);
            self.floor = self.floor.max(worst_kept.score);
            self.kept.truncate(self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_sorting_everything_would_keep() {
        for limit in [1, 2, 7, 100, 5000] {
            // Few distinct scores, so that ties decide most places.
            let rows: Vec<Scored> = (0..3000_u32)
                .map(|i| Scored { score: (i.wrapping_mul(2_654_435_761) >> 28) as f32, segment: i % 3, row: i })
                .collect();
            let mut expected = rows.clone();
            expected.sort_by(Scored::best_first);
            expected.truncate(limit);

            let mut halves = [Top::new(limit), Top::new(limit)];
            for (i, row) in rows.into_iter().enumerate() {
                halves[usize::from(i % 5 == 0)].push(row);
            }
            let [left, right] = halves;
            let mut best = left.merge(right).into_vec();
            best.sort_by(Scored::best_first);
            assert_eq!(best, expected, "limit {limit}");
        }
    }
}
