//! Softmax attention within each text, head by head, exact.

use rten_gemm::{GemmError, GemmInputB, GemmOptions};
use rten_tensor::{Matrix, NdTensorView};

use super::elementwise::softmax;
use super::gemm;

/// Tokens that ask together where each sees only its surroundings, at least: enough rows for the matrix kernels.
const LEAST_BLOCK: usize = 16;

/// Queries, keys or values of all heads as a linear layer left them: rows of `stride` numbers, of which those from
/// `first` on are meant, head after head.
#[derive(Clone, Copy)]
pub struct Projected<'a> {
    pub rows: &'a [f32],
    pub stride: usize,
    pub first: usize,
}

impl<'a> Projected<'a> {
    fn head(&self, rows: Rows, column: usize, columns: usize) -> Matrix<'a, f32> {
        let start = rows.first * self.stride + self.first + column;
        let end = start + (rows.count - 1) * self.stride + columns;
        let (shape, strides) = ([rows.count, columns], [self.stride, 1]);
        let Ok(view) = NdTensorView::from_slice_with_strides(shape, &self.rows[start..end], strides) else {
            unreachable!("the slice was cut to this very shape");
        };
        view
    }
}

/// The room that attention reuses.
#[derive(Default)]
pub struct Attention {
    scores: Vec<f32>,
    head: Vec<f32>,
    shares: Vec<f32>,
}

/// How the width of a row is cut into heads.
#[derive(Clone, Copy)]
pub struct Heads {
    pub count: usize,
    pub dim: usize,
}

/// Rows of one text within a batch.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub first: usize,
    pub count: usize,
}

impl Attention {
    /// For one text: the rows `asking` of `q` against the rows `asked` of `k` and `v`. `out` gets `asking.count` rows
    /// of `heads.count * heads.dim` numbers.
    pub fn attend(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        self.attend_seen(heads, (q, asking), (k, v, asked), |_, _| {}, out)
    }

    /// For all tokens of one text: each asks those at most `reach` places away. `parts` are queries, keys and values.
    /// Taken in blocks of tokens, so that the work grows with the text's length and not with its square.
    pub fn attend_near(
        &mut self,
        heads: Heads,
        parts: [Projected<'_>; 3],
        text: Rows,
        reach: usize,
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let [q, k, v] = parts;
        if text.count <= reach.saturating_add(1) {
            return self.attend(heads, (q, text), (k, v, text), out);
        }
        let width = heads.count * heads.dim;
        let block = reach.max(LEAST_BLOCK);
        for (i, out) in out.chunks_mut(block * width).enumerate() {
            let (start, count) = (i * block, out.len() / width);
            let (from, to) = (start.saturating_sub(reach), (start + count + reach).min(text.count));
            let asking = Rows { first: text.first + start, count };
            let asked = Rows { first: text.first + from, count: to - from };
            let hide = |row: usize, scores: &mut [f32]| {
                let place = start + row;
                let seen = place.saturating_sub(reach).max(from) - from..(place + reach + 1).min(to) - from;
                scores[..seen.start].fill(f32::NEG_INFINITY);
                scores[seen.end..].fill(f32::NEG_INFINITY);
            };
            self.attend_seen(heads, (q, asking), (k, v, asked), hide, out)?;
        }
        Ok(())
    }

    /// `hide` is given each asking row's number and scores, to strike out what it may not see.
    fn attend_seen(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        hide: impl Fn(usize, &mut [f32]),
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let Self { scores, head, shares } = self;
        let width = heads.count * heads.dim;
        let scale = 1.0 / (heads.dim as f32).sqrt();
        scores.resize(asking.count * asked.count, 0.0);
        head.resize(asking.count * heads.dim, 0.0);
        for column in (0..width).step_by(heads.dim) {
            let keys = k.head(asked, column, heads.dim).transposed();
            let queries = q.head(asking, column, heads.dim);
            gemm::f32(scores, queries, GemmInputB::Unpacked(keys), GemmOptions::default())?;
            shares.clear();
            shares.extend(scores.chunks_exact_mut(asked.count).enumerate().map(|(i, row)| {
                hide(i, row);
                softmax(row, scale)
            }));
            let weights = NdTensorView::from_data([asking.count, asked.count], &scores[..]);
            let values = GemmInputB::Unpacked(v.head(asked, column, heads.dim));
            gemm::f32(head, weights, values, GemmOptions::default())?;
            let rows = head.chunks_exact(heads.dim).zip(out.chunks_exact_mut(width));
            for ((row, out), share) in rows.zip(&*shares) {
                out[column..column + heads.dim].iter_mut().zip(row).for_each(|(o, x)| *o = x * share);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the blocks, a token gets what attending to its surroundings alone would give it.
    #[test]
    fn attending_near_is_attending_to_the_surroundings() {
        let (heads, count) = (Heads { count: 2, dim: 4 }, 61);
        let rows: Vec<f32> = (0..count * 24).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.03).collect();
        let part = |first| Projected { rows: &rows, stride: 24, first };
        let parts = [part(0), part(8), part(16)];
        for reach in [1, 5, 16, 20, 59, 60, 200] {
            let mut near = vec![0.0; count * 8];
            let text = Rows { first: 0, count };
            Attention::default().attend_near(heads, parts, text, reach, &mut near).expect("fits");
            for place in 0..count {
                let (from, to) = (place.saturating_sub(reach), (place + reach + 1).min(count));
                let mut alone = vec![0.0; 8];
                let (asking, asked) = (Rows { first: place, count: 1 }, Rows { first: from, count: to - from });
                let keys_values = (parts[1], parts[2], asked);
                Attention::default().attend(heads, (parts[0], asking), keys_values, &mut alone).expect("fits");
                for (a, b) in near[place * 8..(place + 1) * 8].iter().zip(&alone) {
                    assert!((a - b).abs() < 1e-5, "reach {reach}, place {place}: {a} against {b}");
                }
            }
        }
    }
}
