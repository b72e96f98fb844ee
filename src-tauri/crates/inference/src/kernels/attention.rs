//! Softmax attention within each text, head by head, exact.

use rten_gemm::{GemmError, GemmInputB, GemmOptions};
use rten_tensor::{Matrix, NdTensorView};

use super::elementwise::softmax;
use super::gemm;

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
            shares.extend(scores.chunks_exact_mut(asked.count).map(|row| softmax(row, scale)));
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
