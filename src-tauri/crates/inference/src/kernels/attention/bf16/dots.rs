//! Products with AVX-512 BF16: `vdpbf16ps` multiplies 32 pairs of factors and adds them by twos.

use std::arch::x86_64::{_mm512_load_ps, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_store_ps};

use super::{Line, Numbers, Products, ROWS, Sums};
use crate::kernels::wide::{LANES, dot_bf16, has_bf16};

/// Rows taken at once: with two registers of sums each, enough of them to hide how long a product takes.
const AT_ONCE: usize = 8;

pub struct Dots;

impl Dots {
    /// Whether this machine has the instructions.
    pub fn fit() -> bool {
        has_bf16()
    }
}

impl Products for Dots {
    fn score(&self, queries: &[Line], keys: &[Line], step: usize, scores: &mut [Numbers], stride: usize) {
        let depth = queries.len() / ROWS;
        let (group, part) = (step / depth, step % depth);
        let queries = &queries[part * ROWS..][..ROWS];
        let Some(keys) = keys[step * 2 * ROWS..].first_chunk() else { return };
        for first in (0..ROWS).step_by(AT_ONCE) {
            let scores = &mut scores[first * stride + 2 * group..];
            // SAFETY: only where `fit` has seen the instructions.
            unsafe { multiply(&queries[first..], 1, keys, part > 0, |row, half| row * stride + half, scores) };
        }
    }

    fn weigh(&self, shares: &[Line], values: &[Line], step: usize, sums: &mut Sums, groups: usize) {
        let group = step % groups;
        let Some(values) = values[step * 2 * ROWS..].first_chunk() else { return };
        let sums = sums.0.as_flattened_mut();
        for first in (0..ROWS).step_by(AT_ONCE) {
            let shares = &shares[first * groups + group..];
            let sums = &mut sums[first..];
            // SAFETY: as above.
            unsafe { multiply(shares, groups, values, group > 0, |row, half| half * ROWS + row, sums) };
        }
    }
}

/// Eight lines of factors, `stride` apart, times two tiles. A register of sums goes to where `place` says, by row and tile,
/// to those that are there if `add`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn multiply(
    lines: &[Line],
    stride: usize,
    tiles: &[Line; 2 * ROWS],
    add: bool,
    place: impl Fn(usize, usize) -> usize,
    out: &mut [Numbers],
) {
    let lines = &lines[..(AT_ONCE - 1) * stride + 1];
    let mut sums = [[_mm512_setzero_ps(); 2]; AT_ONCE];
    if add {
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: 16 numbers, aligned.
            *sums = [0, 1].map(|half| unsafe { _mm512_load_ps(out[place(row, half)].0.as_ptr()) });
        }
    }
    for pair in 0..LANES {
        // SAFETY: a line is as long and as aligned as a register.
        let [one, other] =
            [0, ROWS].map(|tile| unsafe { _mm512_load_si512(std::ptr::from_ref(&tiles[tile + pair]).cast()) });
        for (row, sums) in sums.iter_mut().enumerate() {
            let factors = _mm512_set1_epi32(lines[row * stride].0[pair].cast_signed());
            *sums = [dot_bf16(sums[0], factors, one), dot_bf16(sums[1], factors, other)];
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (half, sums) in sums.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_store_ps(out[place(row, half)].0.as_mut_ptr(), sums) };
        }
    }
}
