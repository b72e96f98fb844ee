//! Rotary positions (Su et al. 2021, arXiv:2104.09864), in the arrangement of Hugging Face's models: number `i` of a
//! head turns together with number `i + dim / 2`.

use std::ops::Range;

use super::attention::Rows;
use super::simd::{dispatched, mul_add};

/// How far each pair of numbers of a head is turned at each place.
pub struct Rotation {
    /// `places x dim / 2` each.
    cosines: Vec<f32>,
    sines: Vec<f32>,
    dim: usize,
}

impl Rotation {
    /// For heads of `dim` numbers, an even count, at the places `0..places`; pair `i` turns by `theta^(-2i / dim)` a
    /// place.
    pub fn new(theta: f64, dim: usize, places: usize) -> Self {
        let angle = |place: usize, i: usize| place as f64 * theta.powf(-2.0 * i as f64 / dim as f64);
        let angles = || (0..places).flat_map(|place| (0..dim / 2).map(move |i| angle(place, i)));
        Self {
            cosines: angles().map(|a| a.cos() as f32).collect(),
            sines: angles().map(|a| a.sin() as f32).collect(),
            dim,
        }
    }

    /// Turns the numbers `columns`, head after head, of each text's rows of `stride` numbers; a text starts at place 0.
    pub fn turn(&self, rows: &mut [f32], stride: usize, columns: Range<usize>, texts: &[Rows]) {
        let half = self.dim / 2;
        for text in texts {
            let rows = &mut rows[text.first * stride..(text.first + text.count) * stride];
            for (place, row) in rows.chunks_exact_mut(stride).enumerate() {
                let angles = place * half..(place + 1) * half;
                turn_row(&mut row[columns.clone()], &self.cosines[angles.clone()], &self.sines[angles]);
            }
        }
    }
}

#[inline(always)]
fn turn_row_body<const FMA: bool>(row: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let half = cosines.len();
    for head in row.chunks_exact_mut(2 * half) {
        let (left, right) = head.split_at_mut(half);
        for ((a, b), (cos, sin)) in left.iter_mut().zip(right).zip(cosines.iter().zip(sines)) {
            let (x, y) = (*a, *b);
            *a = mul_add::<FMA>(x, *cos, -y * sin);
            *b = mul_add::<FMA>(y, *cos, x * sin);
        }
    }
}

dispatched! {
    /// One row of whole heads, all at one place.
    fn turn_row(row: &mut [f32], cosines: &[f32], sines: &[f32]) => turn_row_body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_turned_heads_have_in_common_depends_on_their_distance_alone() {
        let rotation = Rotation::new(10_000.0, 8, 50);
        let (q, k) = ([0.3, -1.0, 0.7, 0.2, 1.5, -0.4, 0.1, 0.9], [1.1, 0.4, -0.6, 0.8, -0.2, 0.5, 1.3, -0.7]);
        let turned = |head: [f32; 8], place: usize| {
            let mut rows: Vec<f32> = (0..=place).flat_map(|_| head).collect();
            rotation.turn(&mut rows, 8, 0..8, &[Rows { first: 0, count: place + 1 }]);
            rows[place * 8..].to_vec()
        };
        let product = |a: usize, b: usize| turned(q, a).iter().zip(turned(k, b)).map(|(x, y)| x * y).sum::<f32>();
        assert_eq!(turned(q, 0), q, "the first place turns");
        for (near, far) in [((3, 5), (40, 42)), ((9, 2), (49, 42))] {
            let (near, far) = (product(near.0, near.1), product(far.0, far.1));
            assert!((near - far).abs() < 1e-4, "{near} against {far}");
        }
        assert!((product(3, 5) - product(5, 3)).abs() > 0.1, "the direction is lost");
    }

    #[test]
    fn only_the_columns_asked_for_turn() {
        let rotation = Rotation::new(10_000.0, 4, 3);
        let mut rows = vec![1.0; 3 * 12];
        rotation.turn(&mut rows, 12, 4..8, &[Rows { first: 0, count: 3 }]);
        for (place, row) in rows.chunks_exact(12).enumerate() {
            assert!(row[..4].iter().chain(&row[8..]).all(|x| *x == 1.0), "place {place}: {row:?}");
            assert_eq!(row[4..8].iter().all(|x| *x == 1.0), place == 0, "place {place}: {row:?}");
        }
    }
}
