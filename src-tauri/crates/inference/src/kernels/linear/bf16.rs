//! Linear layers in numbers of 8 significant bits (bf16), whose products are added in f32: `vpdpbf16ps` of AVX-512 multiplies
//! 32 pairs of factors and adds them by twos.
//!
//! They take twice the multiplications and twice the memory of 8-bit integers, and round half as coarsely.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512i, _mm256_storeu_si256, _mm512_add_ps, _mm512_cvtneps_pbh, _mm512_load_si512,
    _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
};
use std::ops::Range;

use half::bf16;

use super::Activation;
use crate::kernels::pieces::Pieces;
use crate::kernels::wide::{LANES, dot_bf16, first, gelu, has_bf16};

/// Outputs that are worked out together, and the registers that hold them.
const PIECE: usize = REGISTERS * LANES;
const REGISTERS: usize = 3;

/// Rows taken together: with three registers each, 24 sums of the 32 registers.
const ROWS: usize = 8;

/// Inputs that one instruction adds up.
const INPUTS: usize = 2;

/// Pieces that are worth a thread: handing one over takes some microseconds.
const LEAST_PIECES: usize = 2;

/// Outputs that stay in a second-level cache of 1 MB beside weights and factors.
const OUTPUT_BYTES: usize = 400 << 10;

/// Two inputs of the outputs of a piece.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([[u16; INPUTS]; PIECE]);

/// The weights of a linear layer, laid out for [`Bf16::apply`].
pub struct Bf16 {
    inputs: usize,
    outputs: usize,
    /// For every piece all inputs.
    lines: Vec<Line>,
    /// For every piece.
    bias: Vec<[f32; PIECE]>,
}

/// Rows of factors, one after the other, against a piece.
#[derive(Clone, Copy)]
struct Tile<'a> {
    factors: &'a [u16],
    lines: &'a [Line],
    bias: &'a [f32; PIECE],
    /// Outputs of the piece that there are.
    n_columns: usize,
    activation: Activation,
}

impl Bf16 {
    /// Whether this machine has the instructions.
    pub fn fits() -> bool {
        has_bf16()
    }

    /// `weights` is `outputs x inputs`, row by row.
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let (pieces, per_piece) = (outputs.div_ceil(PIECE), inputs.div_ceil(INPUTS));
        // Inputs beyond the last weigh nothing.
        let mut lines = vec![Line([[0; INPUTS]; PIECE]); pieces * per_piece];
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let (piece, column) = (output / PIECE, output % PIECE);
            for (input, weight) in weights.iter().enumerate() {
                lines[piece * per_piece + input / INPUTS].0[column][input % INPUTS] = bf16::from_f32(*weight).to_bits();
            }
        }
        let mut padded = vec![[0.0; PIECE]; pieces];
        padded.as_flattened_mut()[..outputs].copy_from_slice(bias);
        Self { inputs, outputs, lines, bias: padded }
    }

    /// `x` holds rows of `inputs` numbers; `out` gets as many rows of `outputs`, through `activation`. `room` is reused from
    /// call to call; the outputs are shared out among `threads` of the current pool.
    pub fn apply(&self, x: &[f32], activation: Activation, out: &mut [f32], room: &mut Vec<u16>, threads: usize) {
        let n_rows = x.len() / self.inputs;
        assert!(out.len() == n_rows * self.outputs, "one row of outputs for each of inputs");
        let stride = self.stride();
        room.resize(n_rows * stride, 0);
        for (x, factors) in x.chunks_exact(self.inputs).zip(room.chunks_exact_mut(stride)) {
            // SAFETY: made only where there are the instructions.
            unsafe { round(x, factors) };
        }
        let room = &room[..];
        let compute = |pieces: Range<usize>, out: &mut [f32]| self.block(pieces, room, activation, out);
        self.pieces().share(out, threads, LEAST_PIECES, compute);
    }

    /// See [`super::Linear::rows_at_once`].
    pub fn rows_at_once(&self) -> usize {
        (OUTPUT_BYTES / (self.outputs * size_of::<f32>()) / ROWS).max(1) * ROWS
    }

    fn pieces(&self) -> Pieces {
        Pieces { outputs: self.outputs, piece: PIECE }
    }

    /// Factors of a row, in whole registers.
    fn stride(&self) -> usize {
        self.inputs.next_multiple_of(LANES)
    }

    /// The rows that `room` holds; `out` has the columns of `pieces`.
    fn block(&self, pieces: Range<usize>, room: &[u16], activation: Activation, out: &mut [f32]) {
        let (stride, per_piece) = (self.stride(), self.inputs.div_ceil(INPUTS));
        let of_out = self.pieces().columns(&pieces);
        for piece in pieces {
            let columns = self.pieces().columns(&(piece..piece + 1));
            for (i, factors) in room.chunks(ROWS * stride).enumerate() {
                let tile = Tile {
                    factors,
                    lines: &self.lines[piece * per_piece..][..per_piece],
                    bias: &self.bias[piece],
                    n_columns: columns.len(),
                    activation,
                };
                let out = &mut out[i * ROWS * of_out.len() + columns.start - of_out.start..];
                // SAFETY: as above.
                unsafe { finish(tile, stride, out, of_out.len()) };
            }
        }
    }
}

/// Numbers to factors, each rounded to the nearest; zeros behind them.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(x: &[f32], factors: &mut [u16]) {
    for (x, factors) in x.chunks(LANES).zip(factors.as_chunks_mut::<LANES>().0) {
        // SAFETY: what the mask leaves out is not read, and 16 factors are as long as the register.
        unsafe {
            let x = _mm512_maskz_loadu_ps(first(x.len()), x.as_ptr());
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
            _mm256_storeu_si256(factors.as_mut_ptr().cast(), rounded);
        }
    }
}

/// Outputs of up to [`ROWS`] rows of `stride` factors. `out` begins with the first of the first row; rows are `width` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn finish(tile: Tile<'_>, stride: usize, out: &mut [f32], width: usize) {
    if tile.factors.len() == ROWS * stride {
        return rows::<ROWS>(tile, stride, out, width);
    }
    // The last of a batch, and short questions.
    for (row, factors) in tile.factors.chunks_exact(stride).enumerate() {
        rows::<1>(Tile { factors, ..tile }, stride, &mut out[row * width..], width);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn rows<const R: usize>(tile: Tile<'_>, stride: usize, out: &mut [f32], width: usize) {
    assert!(tile.factors.len() == R * stride && stride >= INPUTS * tile.lines.len(), "two factors for each line");
    assert!(tile.n_columns <= PIECE && out.len() >= (R - 1) * width + tile.n_columns, "room for the sums of each row");
    let sums = multiply::<R>(tile, stride);
    for register in 0..tile.n_columns.div_ceil(LANES) {
        let at = register * LANES;
        let mask = first(tile.n_columns - at);
        // SAFETY: 16 numbers.
        let bias = unsafe { _mm512_loadu_ps(tile.bias[at..].as_ptr()) };
        for (row, sums) in sums.iter().enumerate() {
            let value = _mm512_add_ps(sums[register], bias);
            let value = if tile.activation == Activation::Gelu { gelu(value) } else { value };
            // SAFETY: the outputs of a row were checked above, and the mask lets through no more.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr().add(row * width + at), mask, value) };
        }
    }
}

/// Sums of `R` rows of factors against the columns of a piece.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn multiply<const R: usize>(tile: Tile<'_>, stride: usize) -> [[__m512; REGISTERS]; R] {
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; R];
    for (two, line) in tile.lines.iter().enumerate() {
        let line: *const __m512i = std::ptr::from_ref(line).cast();
        // SAFETY: a line is as long as so many registers, and as aligned.
        let line: [__m512i; REGISTERS] = [0, 1, 2].map(|i| unsafe { _mm512_load_si512(line.add(i)) });
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row < R` and `two < stride / 2`: those were checked to lie in `factors`.
            let factors =
                unsafe { tile.factors.as_ptr().add(row * stride + INPUTS * two).cast::<i32>().read_unaligned() };
            let factors = _mm512_set1_epi32(factors);
            for (sum, line) in sums.iter_mut().zip(line) {
                *sum = dot_bf16(*sum, factors, line);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::elementwise;
    use crate::kernels::numbers;

    /// Against the formula over factors that are rounded by hand, for sizes that fill no piece, no line and no tile; threads
    /// change nothing.
    #[test]
    fn layers_agree_with_the_formula() {
        if !Bf16::fits() {
            return;
        }
        for (rows, inputs, outputs) in
            [(1, 1, 1), (3, 63, 17), (9, 64, 49), (17, 65, 96), (40, 384, 100), (5, 1536, 200)]
        {
            let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 5), numbers(rows * inputs, 3));
            let layer = Bf16::new(&weights, &bias);
            for activation in [Activation::None, Activation::Gelu] {
                let run = |threads| {
                    let mut out = vec![f32::NAN; rows * outputs];
                    layer.apply(&x, activation, &mut out, &mut Vec::new(), threads);
                    out
                };
                let out = run(1);
                assert_eq!(out, run(3));
                let rounded = |x: &f32| bf16::from_f32(*x).to_f32();
                for (i, out) in out.iter().enumerate() {
                    let row = x[i / outputs * inputs..][..inputs].iter().map(rounded);
                    let weights = weights[i % outputs * inputs..][..inputs].iter().map(rounded);
                    let exact = row.zip(weights).map(|(x, w)| x * w).sum::<f32>() + bias[i % outputs];
                    let exact = match activation {
                        Activation::None => exact,
                        Activation::Gelu => elementwise::gelu::<false>(exact),
                    };
                    assert!((out - exact).abs() < 1e-4, "{rows} x {inputs} x {outputs}: {out} for {exact}");
                }
            }
        }
    }
}
