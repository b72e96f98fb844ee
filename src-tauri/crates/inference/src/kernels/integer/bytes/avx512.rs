//! With AVX-512: 16 outputs a register, 8 rows of three.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_load_si512,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_si512,
};

use super::{INPUTS, PIECE, Tile};
use crate::kernels::Activation;
use crate::kernels::simd::{Level, level};
use crate::kernels::wide::{LANES, first, gelu};

const REGISTERS: usize = PIECE / LANES;

/// With three registers each, 24 sums of the 32 registers: enough to hide how long a product takes, and room for factors.
pub const ROWS: usize = 8;

pub fn fit() -> bool {
    level() == Level::Avx512 && is_x86_feature_detected!("avx512vnni")
}

/// See [`super::Registers::finish`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn tile(tile: Tile<'_>, out: &mut [f32], width: usize) {
    match tile.row_steps.len() {
        ROWS => rows::<ROWS>(tile, out, width),
        7 => rows::<7>(tile, out, width),
        6 => rows::<6>(tile, out, width),
        5 => rows::<5>(tile, out, width),
        4 => rows::<4>(tile, out, width),
        3 => rows::<3>(tile, out, width),
        2 => rows::<2>(tile, out, width),
        _ => rows::<1>(tile, out, width),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn rows<const R: usize>(tile: Tile<'_>, out: &mut [f32], width: usize) {
    tile.check::<R>(out, width);
    let sums = multiply::<R>(tile);
    let columns = tile.columns;
    for register in 0..REGISTERS.min(tile.n_columns.div_ceil(LANES)) {
        let at = register * LANES;
        // SAFETY: 16 numbers each.
        let (steps, minus_sums, bias) = unsafe {
            let steps = _mm512_loadu_ps(columns.steps[at..].as_ptr());
            let minus_sums = _mm512_loadu_si512(columns.minus_sums[at..].as_ptr().cast());
            (steps, minus_sums, _mm512_loadu_ps(columns.bias[at..].as_ptr()))
        };
        let mask = first(tile.n_columns - at);
        for (row, sums) in sums.iter().enumerate() {
            let beyond = _mm512_mullo_epi32(_mm512_set1_epi32(tile.zeros[row]), minus_sums);
            let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[register], beyond));
            let step = _mm512_mul_ps(_mm512_set1_ps(tile.row_steps[row]), steps);
            let value = _mm512_fmadd_ps(sum, step, bias);
            let value = if tile.activation == Activation::Gelu { gelu(value) } else { value };
            // SAFETY: the outputs of a row were checked above, and the mask lets through no more.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr().add(row * width + at), mask, value) };
        }
    }
}

/// Sums of `R` rows of levels against the columns of a piece.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn multiply<const R: usize>(tile: Tile<'_>) -> [[__m512i; REGISTERS]; R] {
    let stride = INPUTS * tile.lines.len();
    let mut sums = [[_mm512_setzero_si512(); REGISTERS]; R];
    for (four, line) in tile.lines.iter().enumerate() {
        let line: *const __m512i = std::ptr::from_ref(line).cast();
        // SAFETY: a line is as long as so many registers, and as aligned.
        let line: [__m512i; REGISTERS] = [0, 1, 2].map(|i| unsafe { _mm512_load_si512(line.add(i)) });
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row < R` and `four < stride / 4`: those were checked to lie in `levels`.
            let levels =
                unsafe { tile.levels.as_ptr().add(row * stride + INPUTS * four).cast::<i32>().read_unaligned() };
            let levels = _mm512_set1_epi32(levels);
            for (sum, line) in sums.iter_mut().zip(line) {
                *sum = _mm512_dpbusd_epi32(*sum, levels, line);
            }
        }
    }
    sums
}
