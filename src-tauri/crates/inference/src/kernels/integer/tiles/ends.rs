//! What goes before and after the tiles, in AVX-512: machines with tiles have it, and beside them the vectors would otherwise
//! take longest.

use std::arch::x86_64::{
    __m512, _mm512_abs_ps, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_cvtepi32_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_max_epu32, _mm512_mul_ps, _mm512_packs_epi16, _mm512_packs_epi32, _mm512_packus_epi16,
    _mm512_reduce_max_epu32, _mm512_set1_epi16, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_slli_epi32, _mm512_srai_epi16, _mm512_store_si512, _mm512_sub_epi32,
};
use std::ops::Range;

use super::{INPUTS, Line, PIECE, Scale, Sums};
use crate::kernels::amx::ROWS;
use crate::kernels::elementwise::{ROUND, at_least_tiny, finite};
use crate::kernels::wide::{LANES, first, gelu};

/// Rounds a row to steps of 1/`highest` of its greatest magnitude, as [`crate::kernels::elementwise::levels16`] does. `lines` begin
/// with the line for the upper bytes of its first 64 levels; the one for their lower bytes is 16 on, that of the next 64
/// levels 32. Returns the step; NaN for a row that is not all finite numbers.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn round(row: &[f32], highest: f32, lines: &mut [Line]) -> f32 {
    let (whole, rest) = row.as_chunks::<INPUTS>();
    let rest = if rest.is_empty() { None } else { Some(load_rest(rest)) };
    // As integers magnitudes are in the order of what they stand for, infinity and NaN above all else.
    let mut greatest = [_mm512_setzero_si512(); 4];
    for numbers in whole.iter().map(|numbers| load(numbers)).chain(rest) {
        for (greatest, x) in greatest.iter_mut().zip(numbers) {
            *greatest = _mm512_max_epu32(_mm512_castps_si512(_mm512_abs_ps(x)), *greatest);
        }
    }
    let [a, b, c, d] = greatest;
    let greatest = _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_max_epu32(a, b), _mm512_max_epu32(c, d)));
    let step = at_least_tiny(finite(f32::from_bits(greatest)) / highest);
    let (per_step, shift) = (_mm512_set1_ps(1.0 / step), _mm512_set1_ps(ROUND));
    let none = _mm512_castps_si512(shift);
    let low_byte = _mm512_set1_epi16(0xff);
    let numbers = whole.iter().map(|numbers| load(numbers)).chain(rest);
    for (numbers, lines) in numbers.zip(lines.chunks_mut(2 * ROWS)) {
        // The row's own range bounds every level, so that nothing is cut where it is narrowed.
        let levels = numbers.map(|x| _mm512_sub_epi32(_mm512_castps_si512(_mm512_fmadd_ps(x, per_step, shift)), none));
        let [a, b, c, d] = levels;
        let (ab, cd) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let upper = _mm512_packs_epi16(_mm512_srai_epi16::<8>(ab), _mm512_srai_epi16::<8>(cd));
        let lower = _mm512_packus_epi16(_mm512_and_si512(ab, low_byte), _mm512_and_si512(cd, low_byte));
        // SAFETY: a line is as long and as aligned as a register.
        unsafe {
            _mm512_store_si512(std::ptr::from_mut(&mut lines[0]).cast(), upper);
            _mm512_store_si512(std::ptr::from_mut(&mut lines[ROWS]).cast(), lower);
        }
    }
    step
}

/// 64 numbers in four registers.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load(numbers: &[f32; INPUTS]) -> [__m512; 4] {
    // SAFETY: four times 16 numbers.
    [0, 1, 2, 3].map(|i| unsafe { _mm512_loadu_ps(numbers.as_ptr().add(i * LANES)) })
}

/// Fewer than that, zeros behind them.
#[target_feature(enable = "avx512f,avx512bw")]
fn load_rest(numbers: &[f32]) -> [__m512; 4] {
    let mut registers = [_mm512_setzero_ps(); 4];
    for (register, numbers) in registers.iter_mut().zip(numbers.chunks(LANES)) {
        // SAFETY: what the mask leaves out is not read.
        *register = unsafe { _mm512_maskz_loadu_ps(first(numbers.len()), numbers.as_ptr()) };
    }
    registers
}

/// Sums of upper and of lower bytes to outputs: `(256 upper + lower) * row_step * step + bias`, through GELU if `GELU`.
/// `out` begins with the first output of the first row of `sums`; rows are `stride` apart, and have `columns` outputs here.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn finish<const GELU: bool>(
    sums: &Sums,
    rows: Range<usize>,
    scale: Scale<'_>,
    columns: usize,
    out: &mut [f32],
    stride: usize,
) {
    if rows.is_empty() {
        return;
    }
    assert!(rows.end <= ROWS && columns <= PIECE, "no more than there are sums");
    assert!(out.len() >= (rows.end - 1) * stride + columns, "a row of outputs for each of sums");
    let row_steps = &scale.row_steps[rows.clone()];
    let mask = [first(columns), first(columns.saturating_sub(LANES))];
    // SAFETY: twice 16 numbers each.
    let (steps, bias) = unsafe {
        let both = |numbers: &[f32; PIECE]| [0, LANES].map(|at| _mm512_loadu_ps(numbers.as_ptr().add(at)));
        (both(scale.steps), both(scale.bias))
    };
    for (row, row_step) in rows.zip(row_steps) {
        for half in 0..2 {
            // SAFETY: 16 numbers; a row's outputs were counted above, and the mask lets through no more.
            unsafe {
                let upper = _mm512_loadu_si512(sums.0[2 * half][row].as_ptr().cast());
                let lower = _mm512_loadu_si512(sums.0[2 * half + 1][row].as_ptr().cast());
                // What the levels allow fits 32 bits, though its upper part alone may not.
                let sum = _mm512_add_epi32(_mm512_slli_epi32::<8>(upper), lower);
                let step = _mm512_mul_ps(_mm512_set1_ps(*row_step), steps[half]);
                let value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), step, bias[half]);
                let value = if GELU { gelu(value) } else { value };
                _mm512_mask_storeu_ps(out.as_mut_ptr().wrapping_add(row * stride + half * LANES), mask[half], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Activation;
    use crate::kernels::simd::{Level, level};

    #[test]
    fn bytes_are_put_together_with_their_signs() {
        if level() != Level::Avx512 {
            return;
        }
        let x: [i32; 2 * PIECE] = std::array::from_fn(|i| (i as i32 - PIECE as i32) * 1_000_003);
        let mut sums = Sums([[[0; LANES]; ROWS]; 4]);
        for (i, x) in x.iter().enumerate() {
            let (row, column) = (i / PIECE, i % PIECE);
            let [upper, lower] = [x >> 8, x & 0xff];
            sums.0[column / LANES * 2][row][column % LANES] = upper;
            sums.0[column / LANES * 2 + 1][row][column % LANES] = lower;
        }
        let mut out = [f32::NAN; 2 * PIECE];
        let activation = Activation::None;
        let scale = Scale { row_steps: &[1.0; 2], steps: &[1.0; PIECE], bias: &[0.0; PIECE], activation };
        // SAFETY: asked for above.
        unsafe { finish::<false>(&sums, 0..2, scale, PIECE, &mut out, PIECE) };
        assert!(x.iter().zip(out).all(|(x, out)| *x as f32 == out), "{x:?} became {out:?}");
    }
}
