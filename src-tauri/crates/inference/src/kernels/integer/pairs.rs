//! Integer products for x86 without VNNI: `vpmaddwd` multiplies 16-bit numbers and adds them in pairs, exactly, in 32 bits.
//!
//! The 8-bit instruction of these machines (`vpmaddubsw`) adds its pairs in 16 bits, so weights would have to do with 7
//! bits. Sixteen cost no more: both ways take two multiplications for 32 products. Weights are kept in 8 bits and widened
//! as they are loaded, because a single question is no more work than fetching them; activations are as fine as a 32-bit
//! sum allows (15 bits for 384 inputs, 13 for 1536).

use std::arch::x86_64::{
    __m128i, __m256i, _mm_load_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256,
    _mm256_storeu_ps,
};
use std::ops::Range;

use super::{BLOCK_BYTES, Pieces, Room, highest_level, round_weights};
use crate::kernels::Activation;
use crate::kernels::elementwise::{gelu, levels16};

/// Outputs of a tile: two registers of eight sums.
const COLUMNS: usize = 16;

/// Rows of a tile. With two columns of registers that makes 12 sums, which leaves 4 of the 16 registers for factors.
const ROWS: usize = 6;

/// Tiles that are worth a thread: handing one over takes some microseconds.
const LEAST_TILES: usize = 6;

/// Two inputs of 16 outputs.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Line([[i8; 2]; COLUMNS]);

/// The weights of a linear layer, laid out for [`Pairs::apply`].
pub struct Pairs {
    inputs: usize,
    outputs: usize,
    /// Greatest magnitude of an activation's level.
    highest: f32,
    /// For every 16 outputs all pairs of inputs.
    lines: Vec<Line>,
    /// One a column of the last tile too: steps of the weights, and the bias.
    steps: Vec<f32>,
    bias: Vec<f32>,
}

impl Pairs {
    /// Whether this machine has the instructions.
    pub fn fit() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// `weights` is `outputs x inputs`, row by row.
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let highest = highest_level(inputs);
        let tiles = outputs.div_ceil(COLUMNS);
        let pairs = inputs.div_ceil(2);
        let mut lines = vec![Line([[0; 2]; COLUMNS]); tiles * pairs];
        let mut steps = vec![1.0; tiles * COLUMNS];
        // The last of an odd number of inputs is paired with 0.
        let mut row = vec![0; inputs.next_multiple_of(2)];
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            steps[output] = round_weights(weights, &mut row);
            let tile = &mut lines[output / COLUMNS * pairs..][..pairs];
            let (row_pairs, _) = row.as_chunks::<2>();
            for (line, pair) in tile.iter_mut().zip(row_pairs) {
                line.0[output % COLUMNS] = *pair;
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(tiles * COLUMNS, 0.0);
        Self { inputs, outputs, highest, lines, steps, bias }
    }

    /// See [`super::Integer::apply`].
    pub fn apply(&self, x: &[f32], activation: Activation, out: &mut [f32], room: &mut Room, threads: usize) {
        let n_rows = x.len() / self.inputs;
        let stride = self.inputs.next_multiple_of(2);
        room.levels.resize(n_rows * stride, 0);
        room.steps.clear();
        let rows = x.chunks_exact(self.inputs).zip(room.levels.chunks_exact_mut(stride));
        room.steps.extend(rows.map(|(x, levels)| levels16(x, self.highest, levels)));
        assert!(out.len() == n_rows * self.outputs, "one row of outputs for each of inputs");
        let room = &*room;
        self.pieces().share(out, threads, LEAST_TILES, |tiles, out| self.tiles(tiles, n_rows, room, activation, out));
    }

    fn pieces(&self) -> Pieces {
        Pieces { outputs: self.outputs, piece: COLUMNS }
    }

    /// `out` has the columns of these tiles only.
    fn tiles(&self, tiles: Range<usize>, n_rows: usize, room: &Room, activation: Activation, out: &mut [f32]) {
        let stride = self.inputs.next_multiple_of(2);
        let block = (BLOCK_BYTES / (2 * stride) / ROWS).max(1) * ROWS;
        for first in (0..n_rows).step_by(block) {
            let rows = first..n_rows.min(first + block);
            // SAFETY: a `Pairs` is only made where `fit` has seen the instructions.
            unsafe { self.block(tiles.clone(), rows, room, activation, out) };
        }
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn block(
        &self,
        tiles: Range<usize>,
        rows: Range<usize>,
        room: &Room,
        activation: Activation,
        out: &mut [f32],
    ) {
        let stride = self.inputs.next_multiple_of(2);
        let pairs = stride / 2;
        let of_out = self.pieces().columns(&tiles);
        for tile in tiles {
            let lines = &self.lines[tile * pairs..][..pairs];
            let column = tile * COLUMNS;
            let columns = COLUMNS.min(self.outputs - column);
            let (steps, bias) = (&self.steps[column..][..COLUMNS], &self.bias[column..][..COLUMNS]);
            let mut first = rows.start;
            while first < rows.end {
                let n = ROWS.min(rows.end - first);
                let levels = &room.levels[first * stride..(first + n) * stride];
                let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
                match n {
                    ROWS => multiply::<ROWS>(levels, lines, &mut sums),
                    5 => multiply::<5>(levels, lines, &mut sums),
                    4 => multiply::<4>(levels, lines, &mut sums),
                    3 => multiply::<3>(levels, lines, &mut sums),
                    2 => multiply::<2>(levels, lines, &mut sums),
                    _ => multiply::<1>(levels, lines, &mut sums),
                }
                for (sums, row) in sums.iter().zip(first..first + n) {
                    let mut values = [0.0; COLUMNS];
                    let row_step = _mm256_set1_ps(room.steps[row]);
                    for (half, sum) in sums.iter().enumerate() {
                        let at = half * 8;
                        // SAFETY: `steps`, `bias` and `values` hold 16 numbers each.
                        unsafe {
                            let step = _mm256_mul_ps(row_step, _mm256_loadu_ps(steps.as_ptr().add(at)));
                            let bias = _mm256_loadu_ps(bias.as_ptr().add(at));
                            let value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(*sum), step, bias);
                            _mm256_storeu_ps(values.as_mut_ptr().add(at), value);
                        }
                    }
                    if activation == Activation::Gelu {
                        for value in &mut values {
                            *value = gelu::<true>(*value);
                        }
                    }
                    let at = row * of_out.len() + column - of_out.start;
                    // A whole tile in two moves; a copy of any length is a call.
                    match <&mut [f32; COLUMNS]>::try_from(&mut out[at..at + columns]) {
                        Ok(whole) => *whole = values,
                        Err(_) => out[at..at + columns].copy_from_slice(&values[..columns]),
                    }
                }
                first += n;
            }
        }
    }
}

/// Sums of `R` rows of levels against 16 columns.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn multiply<const R: usize>(levels: &[i16], lines: &[Line], out: &mut [[__m256i; 2]; ROWS]) {
    let stride = levels.len() / R;
    assert!(stride == 2 * lines.len(), "a pair of levels for each line");
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for (pair, line) in lines.iter().enumerate() {
        let line: *const __m128i = std::ptr::from_ref(line).cast();
        // SAFETY: a line is 32 bytes, aligned to 32.
        let (low, high) = unsafe { (_mm_load_si128(line), _mm_load_si128(line.add(1))) };
        let (low, high) = (_mm256_cvtepi8_epi16(low), _mm256_cvtepi8_epi16(high));
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row < R` and `pair < stride / 2`, so both numbers lie in `levels`.
            let factors = unsafe { levels.as_ptr().add(row * stride + 2 * pair).cast::<i32>().read_unaligned() };
            let factors = _mm256_set1_epi32(factors);
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(factors, low));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(factors, high));
        }
    }
    out[..R].copy_from_slice(&sums);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums in `i64`, at the greatest magnitudes that the layout allows: nothing overflows.
    #[test]
    fn sums_are_exact_up_to_the_greatest_levels() {
        if !Pairs::fit() {
            return;
        }
        for inputs in [1, 2, 31, 384, 1536, 4096] {
            let ends: Vec<f32> = (0..inputs).map(|i| if i % 7 == 3 { -1.0 } else { 1.0 }).collect();
            let layer = Pairs::new(&ends, &[0.5]);
            for rows in 1..=13 {
                let x: Vec<f32> = ends.iter().cycle().take(rows * inputs).map(|e| e * 3.0).collect();
                let mut out = vec![0.0; rows];
                layer.apply(&x, Activation::None, &mut out, &mut Room::default(), 1);
                for y in out {
                    let exact = 3.0 * inputs as f32 + 0.5;
                    assert!((y - exact).abs() <= exact * 1e-5, "{inputs} inputs, {rows} rows: {y} against {exact}");
                }
            }
        }
    }

    #[test]
    fn threads_share_the_outputs() {
        if !Pairs::fit() {
            return;
        }
        let (inputs, outputs) = (37, 16 * 13 + 5);
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) * 0.004;
        let weights: Vec<f32> = (0..inputs * outputs).map(number).collect();
        let layer = Pairs::new(&weights, &weights[..outputs]);
        let x: Vec<f32> = (0..inputs * 9).map(|i| number(i + 3)).collect();
        let run = |threads| {
            let mut out = vec![f32::NAN; outputs * 9];
            layer.apply(&x, Activation::Gelu, &mut out, &mut Room::default(), threads);
            out
        };
        for threads in [2, 3, 64] {
            assert_eq!(run(threads), run(1));
        }
    }
}
