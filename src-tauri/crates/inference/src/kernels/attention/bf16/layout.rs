//! Rows in f32 laid out as factors for what multiplies them.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_cvtne2ps_pbh,
    _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_store_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{DEPTH, Line, NO_LINE, Projected, ROWS, Rows};
use crate::kernels::wide::LANES;

/// The rows of one head.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub part: Projected<'a>,
    pub rows: Rows,
    pub column: usize,
    pub dim: usize,
}

impl<'a> Head<'a> {
    /// The 32 numbers of a row, or fewer, from `32 * group` on; none of a row that does not exist.
    pub fn numbers(self, row: usize, group: usize) -> &'a [f32] {
        if row >= self.rows.count {
            return &[];
        }
        let first = (self.rows.first + row) * self.part.stride + self.part.first + self.column;
        &self.part.rows[first + DEPTH * group..first + self.dim.min(DEPTH * (group + 1))]
    }

    /// Groups of 32 numbers of a row, and of 32 rows.
    pub fn depth(self) -> usize {
        self.dim.div_ceil(DEPTH)
    }

    pub fn groups(self) -> usize {
        self.rows.count.div_ceil(DEPTH)
    }
}

/// Up to 32 numbers in two registers, zeros behind them.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn load(numbers: &[f32]) -> [__m512; 2] {
    let mask = (1u64 << numbers.len().min(DEPTH)) - 1;
    // SAFETY: what the masks leave out is not read.
    unsafe {
        let first = _mm512_maskz_loadu_ps(mask as u16, numbers.as_ptr());
        [first, _mm512_maskz_loadu_ps((mask >> LANES) as u16, numbers.as_ptr().wrapping_add(LANES))]
    }
}

/// Factors: `a`, then `b`, each rounded to the nearest.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub fn factors([a, b]: [__m512; 2]) -> __m512i {
    // SAFETY: both are 64 bytes of plain numbers.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub fn store(line: &mut Line, factors: __m512i) {
    // SAFETY: a line is as long and as aligned as a register.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), factors) };
}

/// 16 rows from `first` on, scaled so that a score is the exponent of a power of 2.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn lay_out_queries(queries: Head<'_>, first: usize, tiles: &mut Vec<Line>) {
    tiles.resize(queries.depth() * ROWS, NO_LINE);
    let scale = _mm512_set1_ps(std::f32::consts::LOG2_E / (queries.dim as f32).sqrt());
    for (group, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
        for (row, line) in tile.iter_mut().enumerate() {
            let numbers = load(queries.numbers(first + row, group));
            store(line, factors(numbers.map(|x| _mm512_mul_ps(x, scale))));
        }
    }
}

/// Each key becomes a column.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn lay_out_keys(keys: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(keys.groups() * keys.depth() * 2 * ROWS, NO_LINE);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (first, group) = (i / keys.depth() * DEPTH, i % keys.depth());
        for (half, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
            let mut rows = [_mm512_setzero_si512(); LANES];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = factors(load(keys.numbers(first + half * ROWS + i, group)));
            }
            tile.iter_mut().zip(transposed(rows)).for_each(|(line, factors)| store(line, factors));
        }
    }
}

/// Each number stands beside that of the next row.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn lay_out_values(values: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(values.groups() * values.depth() * 2 * ROWS, NO_LINE);
    let upper_half = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (group, first) = (i / values.groups(), i % values.groups() * DEPTH);
        for row in 0..ROWS {
            let one = load(values.numbers(first + 2 * row, group));
            let other = load(values.numbers(first + 2 * row + 1, group));
            for half in 0..2 {
                // Half of the last digit that is kept, so that cutting rounds.
                let [a, b] = [one[half], other[half]]
                    .map(|x| _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)));
                let pair = _mm512_or_si512(_mm512_srli_epi32::<16>(a), _mm512_and_si512(b, upper_half));
                store(&mut tiles[half * ROWS + row], pair);
            }
        }
    }
}

/// Rows to columns, of 32 bits each.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn transposed(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // `fours[4 i + j]` holds of the rows from `4 i` on column `j`, `4 + j`, `8 + j` and `12 + j`.
    let mut fours = rows;
    for i in 0..4 {
        for j in 0..2 {
            let (one, other) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
            fours[4 * i + 2 * j] = _mm512_unpacklo_epi64(one, other);
            fours[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(one, other);
        }
    }
    let mut columns = rows;
    for j in 0..4 {
        let evens = |i: usize| _mm512_shuffle_i32x4::<0x88>(fours[i + j], fours[i + 4 + j]);
        let odds = |i: usize| _mm512_shuffle_i32x4::<0xdd>(fours[i + j], fours[i + 4 + j]);
        columns[j] = _mm512_shuffle_i32x4::<0x88>(evens(0), evens(8));
        columns[4 + j] = _mm512_shuffle_i32x4::<0x88>(odds(0), odds(8));
        columns[8 + j] = _mm512_shuffle_i32x4::<0xdd>(evens(0), evens(8));
        columns[12 + j] = _mm512_shuffle_i32x4::<0xdd>(odds(0), odds(8));
    }
    columns
}
