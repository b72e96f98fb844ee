//! Integer products for x86 with VNNI: `vpdpbusd` multiplies unsigned bytes with signed ones and adds them by fours, exactly,
//! in 32 bits.
//!
//! Activations get a zero beside the step of their row, so that all 8 bits are used whatever its range. Sixteen bits would
//! take twice the multiplications here, and those are most of the time.

mod avx512;
mod avx_vnni;

use std::ops::Range;
use std::sync::OnceLock;

use super::{Pieces, Room, round_weights};
use crate::kernels::Activation;
use crate::kernels::elementwise::quantise;

/// Outputs that are worked out together: three registers of AVX-512, which divides the widths of most models.
const PIECE: usize = 48;

/// Rows of `PIECE` outputs that are, at most.
const MOST_ROWS: usize = 8;

/// Inputs that one instruction adds up.
const INPUTS: usize = 4;

/// Pieces that are worth a thread: handing one over takes some microseconds.
const LEAST_PIECES: usize = 3;

/// Outputs that stay in a second-level cache of 1 MB beside weights and levels.
const OUTPUT_BYTES: usize = 400 << 10;

/// Four inputs of the outputs of a piece.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([[i8; INPUTS]; PIECE]);

/// The instructions that multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    Avx512,
    AvxVnni,
    /// What AVX-VNNI does, as AVX-512 encodes it.
    #[cfg(test)]
    Evex,
}

/// The weights of a linear layer, laid out for [`Bytes::apply`].
pub struct Bytes {
    registers: Registers,
    inputs: usize,
    outputs: usize,
    /// For every piece all inputs.
    lines: Vec<Line>,
    /// For every piece.
    columns: Vec<Columns>,
}

/// What the sums of a piece are scaled by: steps of the weights, minus the sum of their levels, and the bias.
#[derive(Clone)]
struct Columns {
    steps: [f32; PIECE],
    minus_sums: [i32; PIECE],
    bias: [f32; PIECE],
}

/// Rows of levels, one after the other, against a piece.
#[derive(Clone, Copy)]
struct Tile<'a> {
    levels: &'a [u8],
    /// One for each row, as are `zeros`.
    row_steps: &'a [f32],
    zeros: &'a [i32],
    lines: &'a [Line],
    columns: &'a Columns,
    /// Outputs of the piece that there are.
    n_columns: usize,
    activation: Activation,
}

impl Tile<'_> {
    /// Makes sure that kernels may read and write what the tile says there is.
    fn check<const R: usize>(&self, out: &[f32], width: usize) {
        assert!(self.levels.len() == R * INPUTS * self.lines.len(), "four levels for each line");
        assert!(self.row_steps.len() == R && self.zeros.len() == R, "a step and a zero for each row");
        assert!(self.n_columns <= PIECE, "no more than there are sums");
        assert!(out.len() >= (R - 1) * width + self.n_columns, "a row of outputs for each of sums");
    }
}

impl Registers {
    /// Those of this machine that multiply as they should.
    pub fn of_this_machine() -> Option<Self> {
        static FOUND: OnceLock<Option<Registers>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            [Self::Avx512, Self::AvxVnni].into_iter().filter(|registers| registers.fit()).find(|registers| {
                let agrees = registers.agree();
                if !agrees {
                    tracing::warn!("{registers:?} does not multiply bytes as it should: it is not used");
                }
                agrees
            })
        })
    }

    fn fit(self) -> bool {
        match self {
            Self::Avx512 => avx512::fit(),
            Self::AvxVnni => avx_vnni::fit(),
            #[cfg(test)]
            Self::Evex => avx_vnni::evex::fit(),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512-vnni",
            Self::AvxVnni => "avx-vnni",
            #[cfg(test)]
            Self::Evex => "avx512vl-vnni",
        }
    }

    /// Rows taken together.
    fn rows(self) -> usize {
        match self {
            Self::Avx512 => avx512::ROWS,
            Self::AvxVnni => avx_vnni::ROWS,
            #[cfg(test)]
            Self::Evex => avx_vnni::ROWS,
        }
    }

    /// Outputs of some rows, at most as many as [`rows`](Self::rows). `out` begins with the first of the first row; rows are
    /// `width` apart.
    fn finish(self, tile: Tile<'_>, out: &mut [f32], width: usize) {
        // SAFETY: asked for only where `fit` has seen the instructions.
        unsafe {
            match self {
                Self::Avx512 => avx512::tile(tile, out, width),
                Self::AvxVnni => avx_vnni::tile(tile, out, width),
                #[cfg(test)]
                Self::Evex => avx_vnni::evex::tile(tile, out, width),
            }
        }
    }

    /// Whether sums are what they are by hand, for bytes of every value.
    fn agree(self) -> bool {
        const LINES: usize = 5;
        let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 11) as u8;
        let lines: [Line; LINES] = std::array::from_fn(|i| {
            Line(std::array::from_fn(|j| std::array::from_fn(|k| byte(i * 311 + j * 4 + k) as i8)))
        });
        let columns = Columns { steps: [1.0; PIECE], minus_sums: [3; PIECE], bias: [0.0; PIECE] };
        (1..=self.rows()).all(|rows| {
            let levels: Vec<u8> = (0..rows * INPUTS * LINES).map(|i| byte(i + 7)).collect();
            let (row_steps, zeros) = ([1.0; MOST_ROWS], [5; MOST_ROWS]);
            let tile = Tile {
                levels: &levels,
                row_steps: &row_steps[..rows],
                zeros: &zeros[..rows],
                lines: &lines,
                columns: &columns,
                n_columns: PIECE,
                activation: Activation::None,
            };
            let mut out = vec![f32::NAN; rows * PIECE];
            self.finish(tile, &mut out, PIECE);
            out.iter().enumerate().all(|(i, out)| {
                let (row, column) = (i / PIECE, i % PIECE);
                let levels = levels[row * INPUTS * LINES..].as_chunks::<INPUTS>().0;
                let products = levels.iter().zip(&lines).flat_map(|(levels, line)| levels.iter().zip(&line.0[column]));
                let sum: i32 = products.map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
                *out == (sum + 15) as f32
            })
        })
    }
}

impl Bytes {
    /// `weights` is `outputs x inputs`, row by row.
    pub fn new(weights: &[f32], bias: &[f32], registers: Registers) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let (pieces, per_piece) = (outputs.div_ceil(PIECE), inputs.div_ceil(INPUTS));
        let mut lines = vec![Line([[0; INPUTS]; PIECE]); pieces * per_piece];
        let none = Columns { steps: [1.0; PIECE], minus_sums: [0; PIECE], bias: [0.0; PIECE] };
        let mut columns = vec![none; pieces];
        // Inputs beyond the last weigh nothing.
        let mut row = vec![0; per_piece * INPUTS];
        for (output, (weights, bias)) in weights.chunks_exact(inputs).zip(bias).enumerate() {
            let (piece, column) = (output / PIECE, output % PIECE);
            columns[piece].steps[column] = round_weights(weights, &mut row);
            columns[piece].minus_sums[column] = -row.iter().map(|level| i32::from(*level)).sum::<i32>();
            columns[piece].bias[column] = *bias;
            let lines = &mut lines[piece * per_piece..][..per_piece];
            for (line, four) in lines.iter_mut().zip(row.as_chunks::<INPUTS>().0) {
                line.0[column] = *four;
            }
        }
        Self { registers, inputs, outputs, lines, columns }
    }

    /// See [`super::Integer::apply`].
    pub fn apply(&self, x: &[f32], activation: Activation, out: &mut [f32], room: &mut Room, threads: usize) {
        let n_rows = x.len() / self.inputs;
        assert!(out.len() == n_rows * self.outputs, "one row of outputs for each of inputs");
        let stride = self.stride();
        room.bytes.resize(n_rows * stride, 0);
        room.zeros.clear();
        room.steps.clear();
        for (x, levels) in x.chunks_exact(self.inputs).zip(room.bytes.chunks_exact_mut(stride)) {
            let (step, zero) = quantise(x, &mut levels[..self.inputs]);
            room.steps.push(step);
            room.zeros.push(zero);
        }
        let room = &*room;
        let compute = |pieces: Range<usize>, out: &mut [f32]| self.block(pieces, room, activation, out);
        self.pieces().share(out, threads, LEAST_PIECES, compute);
    }

    /// See [`crate::kernels::Linear::rows_at_once`].
    pub fn rows_at_once(&self) -> usize {
        (OUTPUT_BYTES / (self.outputs * size_of::<f32>()) / MOST_ROWS).max(1) * MOST_ROWS
    }

    fn pieces(&self) -> Pieces {
        Pieces { outputs: self.outputs, piece: PIECE }
    }

    /// Levels of a row. Those beyond its inputs may be anything: they weigh nothing.
    fn stride(&self) -> usize {
        self.inputs.next_multiple_of(INPUTS)
    }

    /// The rows that `room` holds; `out` has the columns of `pieces`.
    fn block(&self, pieces: Range<usize>, room: &Room, activation: Activation, out: &mut [f32]) {
        let (stride, at_once) = (self.stride(), self.registers.rows());
        let of_out = self.pieces().columns(&pieces);
        for piece in pieces {
            let columns = self.pieces().columns(&(piece..piece + 1));
            let rows =
                room.bytes.chunks(at_once * stride).zip(room.steps.chunks(at_once)).zip(room.zeros.chunks(at_once));
            for (i, ((levels, row_steps), zeros)) in rows.enumerate() {
                let tile = Tile {
                    levels,
                    row_steps,
                    zeros,
                    lines: &self.lines[piece * (stride / INPUTS)..][..stride / INPUTS],
                    columns: &self.columns[piece],
                    n_columns: columns.len(),
                    activation,
                };
                let at = i * at_once * of_out.len() + columns.start - of_out.start;
                self.registers.finish(tile, &mut out[at..], of_out.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    /// Within 2.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        kernels::numbers(n, seed).into_iter().map(|x| 4.0 * x).collect()
    }

    fn there() -> impl Iterator<Item = Registers> {
        [Registers::Avx512, Registers::AvxVnni, Registers::Evex].into_iter().filter(|registers| registers.fit())
    }

    #[test]
    fn sums_are_exact() {
        assert!(there().all(Registers::agree));
    }

    /// Whatever the registers, a layer gives the same, but for what GELU may differ by.
    #[test]
    fn registers_agree() {
        let (rows, inputs, outputs) = (23, 130, 111);
        let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 5), numbers(rows * inputs, 3));
        for activation in [Activation::None, Activation::Gelu] {
            let all: Vec<Vec<f32>> = there()
                .map(|registers| {
                    let mut out = vec![f32::NAN; rows * outputs];
                    let layer = Bytes::new(&weights, &bias, registers);
                    layer.apply(&x, activation, &mut out, &mut Room::default(), 1);
                    out
                })
                .collect();
            for (a, b) in all.windows(2).flat_map(|pair| pair[0].iter().zip(&pair[1])) {
                let within = if activation == Activation::Gelu { 2e-6 } else { 0.0 };
                assert!((a - b).abs() <= within * a.abs().max(1.0), "{activation:?}: {a} and {b}");
            }
        }
    }

    /// Against the layer in f32, for sizes that fill no piece, no line and no tile; threads change nothing.
    #[test]
    fn layers_agree_with_the_formula() {
        let sizes = [(1, 1, 1), (3, 63, 17), (9, 64, 49), (17, 65, 96), (40, 384, 100), (5, 1536, 200)];
        for (registers, (rows, inputs, outputs)) in there().flat_map(|r| sizes.map(|size| (r, size))) {
            let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 5), numbers(rows * inputs, 3));
            let layer = Bytes::new(&weights, &bias, registers);
            for activation in [Activation::None, Activation::Gelu] {
                let run = |threads| {
                    let mut out = vec![f32::NAN; rows * outputs];
                    layer.apply(&x, activation, &mut out, &mut Room::default(), threads);
                    out
                };
                let out = run(1);
                assert_eq!(out, run(3));
                for (i, out) in out.iter().enumerate() {
                    let (row, weights) =
                        (&x[i / outputs * inputs..][..inputs], &weights[i % outputs * inputs..][..inputs]);
                    let exact = row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() + bias[i % outputs];
                    let exact = match activation {
                        Activation::None => exact,
                        Activation::Gelu => crate::kernels::elementwise::gelu::<false>(exact),
                    };
                    // A product is off by .01 on average, and by .032 at most.
                    let within = 0.05 * (inputs as f32).sqrt();
                    assert!((out - exact).abs() < within, "{rows} x {inputs} x {outputs}: {out} for {exact}");
                }
            }
        }
    }
}
