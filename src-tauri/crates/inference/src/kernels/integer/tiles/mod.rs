//! Integer products in the tiles of AMX: one instruction multiplies 16 rows of 64 bytes with 64 x 16 weights.
//!
//! Its factors are bytes, so activations are split into their upper byte, signed, and their lower one, unsigned, each is
//! multiplied, and the sums are put together again: twice the work of bytes, and still several times as fast as
//! AVX-512 VNNI, without its coarser activations.
//!
//! Linux lends the tiles to a process that asks. What the machine computes is held against [`Plain`] before it is
//! trusted.

mod ends;

use std::arch::asm;
use std::ops::Range;
use std::sync::OnceLock;

use super::{Pieces, Room, highest_level, round_weights};
use crate::kernels::Activation;
use crate::kernels::amx::{self, Held, ROW_BYTES, ROWS};
use crate::kernels::elementwise::{gelu, levels16};

/// Outputs of a tile of sums.
const COLUMNS: usize = ROWS;
/// Inputs that one instruction adds up.
pub const INPUTS: usize = ROW_BYTES;
/// Outputs that are worked out together: two tiles of weights for each of activations, which fills the eight tiles.
pub const PIECE: usize = 2 * COLUMNS;
/// Pieces that are worth a thread.
const LEAST_PIECES: usize = 12;

/// Rows that go through all weights before the next do: their outputs stay in the second-level cache, and weights are
/// fetched from there for 64 rows at a time.
const BLOCK: usize = 4 * ROWS;

/// Outputs that stay in a second-level cache of 2 MB, as processors with AMX have it, beside the weights.
const OUTPUT_BYTES: usize = 640 << 10;

/// Of 64 inputs the weights of 16 outputs, four inputs side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([[[i8; 4]; COLUMNS]; INPUTS / 4]);

/// One byte of each of 64 levels, in the [`place`] of their inputs.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([[u8; 4]; INPUTS / 4]);

/// Where four of 64 inputs stand that are `fours` fours from the first: as vectors narrow four registers of 32 bits to
/// one of bytes, lane by lane.
const fn place(fours: usize) -> usize {
    fours % 4 * 4 + fours / 4
}

/// The weights of a linear layer, laid out for [`Tiles::apply`].
pub struct Tiles {
    inputs: usize,
    outputs: usize,
    /// Greatest magnitude of an activation's level.
    highest: f32,
    /// For every 16 outputs all inputs.
    blocks: Vec<Block>,
    /// One a column of the last piece too: steps of the weights, and the bias.
    steps: Vec<f32>,
    bias: Vec<f32>,
}

/// For every 16 rows and in them every 64 inputs 16 lines of upper bytes, signed, and 16 of lower ones.
pub type Halves = Vec<Line>;

/// Sums of 16 rows: of upper bytes and of lower ones with the first 16 weights, then with the second.
#[repr(C, align(64))]
pub struct Sums(pub [[[i32; COLUMNS]; ROWS]; 4]);

/// What turns the sums of a piece into outputs.
#[derive(Clone, Copy)]
pub struct Scale<'a> {
    /// One for each row.
    pub row_steps: &'a [f32],
    pub steps: &'a [f32; PIECE],
    pub bias: &'a [f32; PIECE],
    pub activation: Activation,
}

/// What computes.
trait Machine {
    fn begin() -> Self;

    /// Rounds a row to levels of up to `highest`; returns the step. `lines` begin with its own line of upper bytes; the
    /// one of lower bytes is 16 on, that of the next inputs 32.
    fn round(x: &[f32], highest: f32, lines: &mut [Line]) -> f32;

    /// 16 rows of activations times the weights of twice 16 outputs. For every 64 inputs `meanwhile` is called, to give the
    /// vectors something to do.
    fn multiply(&self, lines: &[Line], weights: [&[Block]; 2], sums: &mut Sums, meanwhile: impl FnMut());

    /// Some rows of a piece to `out`, which begins with the first output of the first row of `sums`; rows are `stride`
    /// apart, and have `columns` outputs here.
    fn finish(sums: &Sums, rows: Range<usize>, scale: Scale<'_>, columns: usize, out: &mut [f32], stride: usize);
}

/// The tiles of this processor, and its vectors.
struct Amx(Held);

/// The same by hand.
struct Plain;

impl Tiles {
    /// Whether this machine has the tiles, lends them, and multiplies as it should.
    pub fn fit() -> bool {
        static FIT: OnceLock<bool> = OnceLock::new();
        *FIT.get_or_init(|| {
            if !amx::lent() {
                return false;
            }
            let agrees = agree(&Amx::begin(), &Plain::begin());
            if !agrees {
                tracing::warn!("the processor's AMX tiles do not multiply as they should: they are not used");
            }
            agrees
        })
    }

    /// `weights` is `outputs x inputs`, row by row.
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let columns = outputs.next_multiple_of(PIECE);
        let per_group = inputs.div_ceil(INPUTS);
        let mut blocks = vec![Block([[[0; 4]; COLUMNS]; INPUTS / 4]); columns / COLUMNS * per_group];
        let mut steps = vec![1.0; columns];
        // Inputs beyond the last weigh nothing.
        let mut row = vec![0; per_group * INPUTS];
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            steps[output] = round_weights(weights, &mut row);
            let group = &mut blocks[output / COLUMNS * per_group..][..per_group];
            let (fours, _) = row.as_chunks::<4>();
            for (block, fours) in group.iter_mut().zip(fours.as_chunks::<{ INPUTS / 4 }>().0) {
                for (i, four) in fours.iter().enumerate() {
                    block.0[place(i)][output % COLUMNS] = *four;
                }
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(columns, 0.0);
        Self { inputs, outputs, highest: highest_level(inputs), blocks, steps, bias }
    }

    /// See [`super::Integer::apply`].
    pub fn apply(&self, x: &[f32], activation: Activation, out: &mut [f32], room: &mut Room, threads: usize) {
        self.apply_on::<Amx>(x, activation, out, room, threads);
    }

    fn apply_on<M: Machine>(
        &self,
        x: &[f32],
        activation: Activation,
        out: &mut [f32],
        room: &mut Room,
        threads: usize,
    ) {
        assert!(out.len() / self.outputs == x.len() / self.inputs, "one row of outputs for each of inputs");
        let per_tile = self.lines_of_tile();
        for (x, out) in x.chunks(BLOCK * self.inputs).zip(out.chunks_mut(BLOCK * self.outputs)) {
            let Room { halves, steps, .. } = room;
            // Lines of rows that only fill the last tile may hold anything: what comes of them is left out.
            halves.resize(BLOCK / ROWS * per_tile, Line([[0; 4]; INPUTS / 4]));
            steps.clear();
            for (x, lines) in x.chunks(ROWS * self.inputs).zip(halves.chunks_exact_mut(per_tile)) {
                let rows = x.chunks_exact(self.inputs).enumerate();
                steps.extend(rows.map(|(row, x)| M::round(x, self.highest, &mut lines[row..])));
            }
            let room = &*room;
            let compute = |pieces: Range<usize>, out: &mut [f32]| self.block::<M>(pieces, room, activation, out);
            self.pieces().share(out, threads, LEAST_PIECES, compute);
        }
    }

    /// The rows that `room` holds; `out` has the columns of `pieces`.
    fn block<M: Machine>(&self, pieces: Range<usize>, room: &Room, activation: Activation, out: &mut [f32]) {
        let machine = M::begin();
        let (per_tile, steps) = (self.lines_of_tile(), self.inputs.div_ceil(INPUTS));
        let of_out = self.pieces().columns(&pieces);
        let mut sums = [Sums([[[0; COLUMNS]; ROWS]; 4]), Sums([[[0; COLUMNS]; ROWS]; 4])];
        let [ready, next] = &mut sums;
        let (mut ready, mut next) = (ready, next);
        // The sums before are made outputs while the tiles are busy with the next.
        let mut waiting: Option<(Scale<'_>, usize, usize)> = None;
        let mut finish = |(scale, columns, at): (Scale<'_>, usize, usize), sums: &Sums, rows: Range<usize>| {
            let n = scale.row_steps.len();
            M::finish(sums, rows.start.min(n)..rows.end.min(n), scale, columns, &mut out[at..], of_out.len());
        };
        for piece in pieces {
            let columns = self.pieces().columns(&(piece..piece + 1));
            let (Some(column_steps), Some(bias)) =
                (self.steps[columns.start..].first_chunk(), self.bias[columns.start..].first_chunk())
            else {
                return;
            };
            let (first, second) = self.blocks[piece * 2 * steps..][..2 * steps].split_at(steps);
            let tiles = room.steps.chunks(ROWS).zip(room.halves.chunks_exact(per_tile));
            for (tile, (row_steps, lines)) in tiles.enumerate() {
                let (mut step, mut row) = (0, 0);
                machine.multiply(lines, [first, second], next, || {
                    step += 1;
                    let end = step * ROWS / steps;
                    if let Some(waiting) = waiting
                        && end > row
                    {
                        finish(waiting, ready, row..end);
                        row = end;
                    }
                });
                std::mem::swap(&mut ready, &mut next);
                let at = tile * ROWS * of_out.len() + columns.start - of_out.start;
                waiting = Some((Scale { row_steps, steps: column_steps, bias, activation }, columns.len(), at));
            }
        }
        if let Some(waiting) = waiting {
            finish(waiting, ready, 0..ROWS);
        }
    }

    /// See [`crate::kernels::Linear::rows_at_once`].
    pub fn rows_at_once(&self) -> usize {
        (OUTPUT_BYTES / (self.outputs * size_of::<f32>()) / BLOCK).max(1) * BLOCK
    }

    fn pieces(&self) -> Pieces {
        Pieces { outputs: self.outputs, piece: PIECE }
    }

    /// Lines of 16 rows.
    fn lines_of_tile(&self) -> usize {
        2 * ROWS * self.inputs.div_ceil(INPUTS)
    }
}

impl Machine for Amx {
    fn begin() -> Self {
        Self(Held::new())
    }

    fn round(x: &[f32], highest: f32, lines: &mut [Line]) -> f32 {
        // SAFETY: tiles are lent only where there is AVX-512 F and BW.
        unsafe { ends::round(x, highest, lines) }
    }

    fn multiply(&self, lines: &[Line], [first, second]: [&[Block]; 2], sums: &mut Sums, mut meanwhile: impl FnMut()) {
        let _: &Held = &self.0;
        // SAFETY: the tiles are held, and nothing but this thread's code, which the compiler keeps free of tiles, runs
        // between these blocks of assembly.
        unsafe { asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nomem, nostack)) };
        for (lines, (first, second)) in lines.as_chunks::<{ 2 * ROWS }>().0.iter().zip(first.iter().zip(second)) {
            // SAFETY: as above; reads two tiles of lines and one of each block.
            unsafe {
                asm!(
                    "tileloadd tmm4, [{lines} + {line}*1]",
                    "tileloadd tmm6, [{first} + {line}*1]",
                    "tileloadd tmm5, [{lines} + {line}*1 + 1024]",
                    "tileloadd tmm7, [{second} + {line}*1]",
                    "tdpbssd tmm0, tmm4, tmm6",
                    "tdpbusd tmm1, tmm5, tmm6",
                    "tdpbssd tmm2, tmm4, tmm7",
                    "tdpbusd tmm3, tmm5, tmm7",
                    lines = in(reg) lines,
                    first = in(reg) first,
                    second = in(reg) second,
                    line = in(reg) ROW_BYTES,
                    options(nostack, readonly),
                );
            }
            meanwhile();
        }
        // SAFETY: as above; writes four tiles, which are `sums`.
        unsafe {
            asm!(
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 1024], tmm1",
                "tilestored [{sums} + {line}*1 + 2048], tmm2",
                "tilestored [{sums} + {line}*1 + 3072], tmm3",
                sums = in(reg) std::ptr::from_mut(sums),
                line = in(reg) ROW_BYTES,
                options(nostack),
            );
        }
    }

    fn finish(sums: &Sums, rows: Range<usize>, scale: Scale<'_>, columns: usize, out: &mut [f32], stride: usize) {
        // SAFETY: as in `round`.
        unsafe {
            match scale.activation {
                Activation::None => ends::finish::<false>(sums, rows, scale, columns, out, stride),
                Activation::Gelu => ends::finish::<true>(sums, rows, scale, columns, out, stride),
            }
        }
    }
}

impl Machine for Plain {
    fn begin() -> Self {
        Self
    }

    fn round(x: &[f32], highest: f32, lines: &mut [Line]) -> f32 {
        let mut levels = vec![0; x.len().next_multiple_of(INPUTS)];
        let step = levels16(x, highest, &mut levels);
        for (lines, levels) in lines.chunks_mut(2 * ROWS).zip(levels.chunks_exact(INPUTS)) {
            for (i, level) in levels.iter().enumerate() {
                let [lower, upper] = level.to_le_bytes();
                lines[0].0[place(i / 4)][i % 4] = upper;
                lines[ROWS].0[place(i / 4)][i % 4] = lower;
            }
        }
        step
    }

    fn multiply(&self, lines: &[Line], weights: [&[Block]; 2], sums: &mut Sums, mut meanwhile: impl FnMut()) {
        weights[0].iter().for_each(|_| meanwhile());
        for (half, blocks) in weights.into_iter().enumerate() {
            for row in 0..ROWS {
                let mut of_row = [[0i32; COLUMNS]; 2];
                for (block, lines) in blocks.iter().zip(lines.chunks_exact(2 * ROWS)) {
                    let bytes = lines[row].0.as_flattened().iter().zip(lines[ROWS + row].0.as_flattened());
                    for (input, (upper, lower)) in bytes.enumerate() {
                        for (column, four) in block.0[input / 4].iter().enumerate() {
                            let weight = i32::from(four[input % 4]);
                            of_row[0][column] += i32::from(*upper as i8) * weight;
                            of_row[1][column] += i32::from(*lower) * weight;
                        }
                    }
                }
                let [upper_sums, lower_sums] = of_row;
                sums.0[2 * half][row] = upper_sums;
                sums.0[2 * half + 1][row] = lower_sums;
            }
        }
    }

    fn finish(sums: &Sums, rows: Range<usize>, scale: Scale<'_>, columns: usize, out: &mut [f32], stride: usize) {
        for (row, out) in out.chunks_mut(stride).enumerate().take(rows.end).skip(rows.start) {
            let row_step = scale.row_steps[row];
            for (column, out) in out[..columns].iter_mut().enumerate() {
                let part = |part: usize| sums.0[2 * (column / COLUMNS) + part][row][column % COLUMNS];
                // What the levels allow fits 32 bits, though its upper part alone may not.
                let sum = part(0).wrapping_mul(256).wrapping_add(part(1));
                let value = (sum as f32).mul_add(row_step * scale.steps[column], scale.bias[column]);
                *out = if scale.activation == Activation::Gelu { gelu::<true>(value) } else { value };
            }
        }
    }
}

/// Whether both give the same sums, for bytes of every value.
fn agree(one: &impl Machine, other: &impl Machine) -> bool {
    const BLOCKS: usize = 3;
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 11) as u8;
    let mut lines = [Line([[0; 4]; INPUTS / 4]); 2 * ROWS * BLOCKS];
    for (i, x) in lines.iter_mut().flat_map(|line| line.0.as_flattened_mut()).enumerate() {
        *x = byte(i);
    }
    let mut blocks = [Block([[[0; 4]; COLUMNS]; INPUTS / 4]); 2 * BLOCKS];
    let weights = blocks.iter_mut().flat_map(|block| block.0.as_flattened_mut().as_flattened_mut());
    for (i, weight) in weights.enumerate() {
        *weight = byte(i + 7) as i8;
    }
    let (first, second) = blocks.split_at(BLOCKS);
    let sums = |multiply: &dyn Fn(&mut Sums)| {
        let mut sums = Sums([[[0; COLUMNS]; ROWS]; 4]);
        multiply(&mut sums);
        sums.0
    };
    let weights = [first, second];
    sums(&|sums| one.multiply(&lines, weights, sums, || {}))
        == sums(&|sums| other.multiply(&lines, weights, sums, || {}))
}

#[cfg(test)]
mod tests {
    use super::super::pairs::Pairs;
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| (((i + seed) * 7919 % 1009) as f32 - 500.0) * 0.004).collect()
    }

    /// Holds what [`Pairs`] makes of a layer against what `M` does, to the last bit but for what GELU may differ by.
    fn agrees_with_pairs<M: Machine>(gelu_within: f32) {
        if !Pairs::fit() {
            return;
        }
        for (rows, inputs, outputs) in
            [(1, 1, 1), (3, 63, 17), (16, 64, 32), (17, 65, 33), (40, 384, 100), (5, 1536, 48)]
        {
            let (weights, bias) = (numbers(inputs * outputs, 1), numbers(outputs, 5));
            let x = numbers(rows * inputs, 3);
            let (pairs, tiles) = (Pairs::new(&weights, &bias), Tiles::new(&weights, &bias));
            for activation in [Activation::None, Activation::Gelu] {
                let mut expected = vec![f32::NAN; rows * outputs];
                pairs.apply(&x, activation, &mut expected, &mut Room::default(), 1);
                for threads in [1, 3] {
                    let mut out = vec![f32::NAN; rows * outputs];
                    tiles.apply_on::<M>(&x, activation, &mut out, &mut Room::default(), threads);
                    let within = if activation == Activation::Gelu { gelu_within } else { 0.0 };
                    for (a, b) in out.iter().zip(&expected) {
                        let far = (a - b).abs() > within * b.abs().max(1.0);
                        assert!(!far && a.is_finite(), "{rows} x {inputs} x {outputs}, {activation:?}: {a} for {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_by_hand_give_what_pairs_do() {
        agrees_with_pairs::<Plain>(0.0);
    }

    #[test]
    fn tiles_give_what_pairs_do() {
        if Tiles::fit() {
            agrees_with_pairs::<Amx>(1e-6);
        }
    }
}
