//! With AVX-VNNI, which processors for laptops have that have no AVX-512: 8 outputs a register, 6 rows of two.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps, _mm256_load_si256,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_mul_ps, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_si256, _mm256_storeu_ps,
};

use super::{INPUTS, PIECE, Tile};
use crate::kernels::Activation;
use crate::kernels::elementwise::gelu;

/// Numbers of a register.
const LANES: usize = 8;

const REGISTERS: usize = 2;

/// Outputs that stay in registers while their inputs are gone through.
const COLUMNS: usize = REGISTERS * LANES;

/// With two registers each, 12 sums of the 16 registers.
pub const ROWS: usize = 6;

pub fn fit() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("avxvnni")
}

/// Defines `tile` for an encoding of the instruction, so that one machine can test what another uses.
macro_rules! kernel {
    ($features:literal, $dot:path) => {
        /// See [`super::Registers::finish`].
        #[target_feature(enable = $features)]
        pub fn tile(tile: Tile<'_>, out: &mut [f32], width: usize) {
            match tile.row_steps.len() {
                ROWS => rows::<ROWS>(tile, out, width),
                5 => rows::<5>(tile, out, width),
                4 => rows::<4>(tile, out, width),
                3 => rows::<3>(tile, out, width),
                2 => rows::<2>(tile, out, width),
                _ => rows::<1>(tile, out, width),
            }
        }

        #[target_feature(enable = $features)]
        fn rows<const R: usize>(tile: Tile<'_>, out: &mut [f32], width: usize) {
            tile.check::<R>(out, width);
            for part in 0..tile.n_columns.div_ceil(COLUMNS) {
                let sums = multiply::<R>(tile, part);
                for (row, sums) in sums.iter().enumerate() {
                    let mut values = [0.0; COLUMNS];
                    for (register, sum) in sums.iter().enumerate() {
                        scale(tile, row, part * COLUMNS + register * LANES, *sum, &mut values[register * LANES..]);
                    }
                    if tile.activation == Activation::Gelu {
                        values.iter_mut().for_each(|value| *value = gelu::<true>(*value));
                    }
                    let out = &mut out[row * width + part * COLUMNS..];
                    // A whole part in two moves; a copy of any length is a call.
                    match out.first_chunk_mut::<COLUMNS>() {
                        Some(whole) if tile.n_columns >= (part + 1) * COLUMNS => *whole = values,
                        _ => {
                            let columns = tile.n_columns - part * COLUMNS;
                            out[..columns].copy_from_slice(&values[..columns]);
                        }
                    }
                }
            }
        }

        /// Sums of `R` rows of levels against a third of a piece.
        #[target_feature(enable = $features)]
        #[inline]
        fn multiply<const R: usize>(tile: Tile<'_>, part: usize) -> [[__m256i; REGISTERS]; R] {
            assert!((part + 1) * COLUMNS <= PIECE, "no more than there are weights");
            let stride = INPUTS * tile.lines.len();
            let mut sums = [[_mm256_setzero_si256(); REGISTERS]; R];
            for (four, line) in tile.lines.iter().enumerate() {
                let line: *const __m256i = line.0[part * COLUMNS..].as_ptr().cast();
                // SAFETY: a third of a line is two registers, and as aligned.
                let line = [0, 1].map(|i| unsafe { _mm256_load_si256(line.add(i)) });
                for (row, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `row < R` and `four < stride / 4`: those were checked to lie in `levels`.
                    let levels = unsafe {
                        tile.levels.as_ptr().add(row * stride + INPUTS * four).cast::<i32>().read_unaligned()
                    };
                    let levels = _mm256_set1_epi32(levels);
                    for (sum, line) in sums.iter_mut().zip(line) {
                        *sum = $dot(*sum, levels, line);
                    }
                }
            }
            sums
        }
    };
}

kernel!("avx2,fma,avxvnni", _mm256_dpbusd_avx_epi32);

/// Eight sums of a row, from column `at` on, to outputs.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn scale(tile: Tile<'_>, row: usize, at: usize, sums: __m256i, values: &mut [f32]) {
    let (steps, minus_sums) = (&tile.columns.steps[at..][..LANES], &tile.columns.minus_sums[at..][..LANES]);
    let (bias, values) = (&tile.columns.bias[at..][..LANES], &mut values[..LANES]);
    // SAFETY: eight numbers each.
    unsafe {
        let minus_sums = _mm256_loadu_si256(minus_sums.as_ptr().cast());
        let beyond = _mm256_mullo_epi32(_mm256_set1_epi32(tile.zeros[row]), minus_sums);
        let sum = _mm256_cvtepi32_ps(_mm256_add_epi32(sums, beyond));
        let step = _mm256_mul_ps(_mm256_set1_ps(tile.row_steps[row]), _mm256_loadu_ps(steps.as_ptr()));
        let value = _mm256_fmadd_ps(sum, step, _mm256_loadu_ps(bias.as_ptr()));
        _mm256_storeu_ps(values.as_mut_ptr(), value);
    }
}

/// The same with the encoding of AVX-512, for machines that have no other.
#[cfg(test)]
pub mod evex {
    use std::arch::x86_64::{__m256i, _mm256_dpbusd_epi32, _mm256_load_si256, _mm256_set1_epi32, _mm256_setzero_si256};

    use super::{Activation, COLUMNS, INPUTS, LANES, PIECE, REGISTERS, ROWS, Tile, gelu, scale};

    pub fn fit() -> bool {
        is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512vnni")
    }

    kernel!("avx2,fma,avx512vl,avx512vnni", _mm256_dpbusd_epi32);
}
