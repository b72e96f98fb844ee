//! How threads share a layer of many outputs.

use std::ops::Range;

use rayon::prelude::*;

/// The outputs of a layer in pieces of `piece` columns.
#[derive(Clone, Copy)]
pub struct Pieces {
    pub outputs: usize,
    pub piece: usize,
}

impl Pieces {
    /// The outputs of some pieces.
    pub fn columns(self, pieces: &Range<usize>) -> Range<usize> {
        pieces.start * self.piece..self.outputs.min(pieces.end * self.piece)
    }

    /// Has `compute` fill `out`, rows of all outputs, on up to `threads` threads of the current pool: it gets a range of
    /// pieces and room for rows of their columns only. No thread is woken for fewer than `least` pieces.
    pub fn share(
        self,
        out: &mut [f32],
        threads: usize,
        least: usize,
        compute: impl Fn(Range<usize>, &mut [f32]) + Sync,
    ) {
        let Self { outputs, piece } = self;
        let (n_rows, pieces) = (out.len() / outputs, outputs.div_ceil(piece));
        let share = pieces.div_ceil(threads).max(least);
        if share >= pieces {
            return compute(0..pieces, out);
        }
        let parts = (0..pieces.div_ceil(share)).into_par_iter().map(|i| {
            let pieces = i * share..pieces.min((i + 1) * share);
            let columns = self.columns(&pieces);
            let mut part = vec![0.0; n_rows * columns.len()];
            compute(pieces, &mut part);
            (columns, part)
        });
        for (columns, part) in parts.collect::<Vec<_>>() {
            for (out, part) in out.chunks_exact_mut(outputs).zip(part.chunks_exact(columns.len())) {
                out[columns.clone()].copy_from_slice(part);
            }
        }
    }
}
