//! Integer products in the tiles of AMX: one instruction multiplies 16 rows of 64 bytes with 64 x 16 weights.
//!
//! Its factors are bytes, so activations are split into their upper byte, signed, and their lower one, unsigned, each is
//! multiplied, and the sums are put together again: twice the work of bytes, and still several times as fast as
//! AVX-512 VNNI, without its coarser activations.
//!
//! Linux lends the tiles to a process that asks. What the machine computes is held against [`Plain`] before it is
//! trusted.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::ops::Range;
use std::sync::OnceLock;

use super::{BLOCK_BYTES, Pieces, Room, highest_level, round_weights};
use crate::kernels::Activation;
use crate::kernels::elementwise::{gelu, levels16};

/// Rows, and outputs, of a tile of sums.
const ROWS: usize = 16;
const COLUMNS: usize = 16;
/// Inputs that one instruction adds up.
const INPUTS: usize = 64;
/// Outputs that are worked out together: two tiles of weights for each of activations, which fills the eight tiles.
const PIECE: usize = 2 * COLUMNS;
/// Pieces that are worth a thread.
const LEAST_PIECES: usize = 12;

/// Of 64 inputs the weights of 16 outputs, four inputs side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([[[i8; 4]; COLUMNS]; INPUTS / 4]);

/// The weights of a linear layer, laid out for [`Tiles::apply`].
pub struct Tiles {
    inputs: usize,
    outputs: usize,
    /// Greatest magnitude of an activation's level.
    highest: f32,
    /// For every 16 outputs all inputs.
    blocks: Vec<Block>,
    /// One a column of the last tile too: steps of the weights, and the bias.
    steps: Vec<f32>,
    bias: Vec<f32>,
}

/// The upper and the lower bytes of levels, rows of a whole number of [`INPUTS`], a whole number of [`ROWS`].
#[derive(Default)]
pub struct Bytes {
    upper: Vec<i8>,
    lower: Vec<u8>,
}

/// 16 rows of activations and the weights of twice 16 outputs.
struct Factors<'a> {
    /// Where the first row begins, and the rest of the buffer.
    upper: &'a [i8],
    lower: &'a [u8],
    /// Bytes from row to row.
    stride: usize,
    first: &'a [Block],
    second: &'a [Block],
}

/// Sums of upper bytes and of lower ones with the first weights, then with the second.
#[repr(C, align(64))]
struct Sums([[[i32; COLUMNS]; ROWS]; 4]);

/// What multiplies.
trait Machine {
    fn begin() -> Self;
    fn multiply(&self, factors: &Factors<'_>, sums: &mut Sums);
}

/// The tiles of this processor, held by this thread while it lives. Made only where [`Tiles::fit`] may be asked.
struct Amx;

/// The same by hand.
struct Plain;

impl Tiles {
    /// Whether this machine has the tiles, lends them, and multiplies as it should.
    pub fn fit() -> bool {
        static FIT: OnceLock<bool> = OnceLock::new();
        *FIT.get_or_init(|| {
            let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && has_tiles();
            if !(has && lends_tiles()) {
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
        let groups = outputs.div_ceil(COLUMNS);
        let per_group = inputs.div_ceil(INPUTS);
        let mut blocks = vec![Block([[[0; 4]; COLUMNS]; INPUTS / 4]); groups * per_group];
        let mut steps = vec![1.0; groups * COLUMNS];
        // Inputs beyond the last weigh nothing.
        let mut row = vec![0; per_group * INPUTS];
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            steps[output] = round_weights(weights, &mut row);
            let group = &mut blocks[output / COLUMNS * per_group..][..per_group];
            let (fours, _) = row.as_chunks::<4>();
            for (block, fours) in group.iter_mut().zip(fours.as_chunks::<{ INPUTS / 4 }>().0) {
                for (line, four) in block.0.iter_mut().zip(fours) {
                    line[output % COLUMNS] = *four;
                }
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(groups * COLUMNS, 0.0);
        Self { inputs, outputs, highest: highest_level(inputs), blocks, steps, bias }
    }

    /// See [`super::Int16::apply`].
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
        let n_rows = x.len() / self.inputs;
        let stride = self.stride();
        let Room { levels, bytes: Bytes { upper, lower }, steps } = room;
        levels.resize(self.inputs, 0);
        // Rows that fill the last tile may hold anything: what comes of them is left out.
        upper.resize(n_rows.next_multiple_of(ROWS) * stride, 0);
        lower.resize(n_rows.next_multiple_of(ROWS) * stride, 0);
        steps.clear();
        let rows = upper.chunks_exact_mut(stride).zip(lower.chunks_exact_mut(stride));
        for (x, (upper, lower)) in x.chunks_exact(self.inputs).zip(rows) {
            steps.push(levels16(x, self.highest, levels));
            for ((level, upper), lower) in levels.iter().zip(upper).zip(lower) {
                [*lower, _] = level.to_le_bytes();
                *upper = (level >> 8) as i8;
            }
        }
        assert!(out.len() == n_rows * self.outputs, "one row of outputs for each of inputs");
        let room = &*room;
        let compute = |pieces: Range<usize>, out: &mut [f32]| {
            let machine = M::begin();
            let block = (BLOCK_BYTES / (2 * stride) / ROWS).max(1) * ROWS;
            for first in (0..n_rows).step_by(block) {
                let rows = first..n_rows.min(first + block);
                for piece in pieces.clone() {
                    self.piece(&machine, piece, rows.clone(), room, activation, &pieces, out);
                }
            }
        };
        self.pieces().share(out, threads, LEAST_PIECES, compute);
    }

    /// Some rows of one piece; `out` has the columns of `pieces`.
    #[allow(clippy::too_many_arguments, reason = "one piece of a product and all that describes it")]
    fn piece<M: Machine>(
        &self,
        machine: &M,
        piece: usize,
        rows: Range<usize>,
        room: &Room,
        activation: Activation,
        pieces: &Range<usize>,
        out: &mut [f32],
    ) {
        let stride = self.stride();
        let per_group = stride / INPUTS;
        let group = |group: usize| self.blocks.get(group * per_group..(group + 1) * per_group);
        let Some(first_blocks) = group(2 * piece) else { return };
        // Of the last, the second half may not exist: then the first is multiplied twice.
        let second_blocks = group(2 * piece + 1).unwrap_or(first_blocks);
        let of_out = self.pieces().columns(pieces);
        let mut sums = Sums([[[0; COLUMNS]; ROWS]; 4]);
        for first in rows.clone().step_by(ROWS) {
            let (upper, lower) = (&room.bytes.upper[first * stride..], &room.bytes.lower[first * stride..]);
            machine.multiply(&Factors { upper, lower, stride, first: first_blocks, second: second_blocks }, &mut sums);
            for half in 0..2 {
                let column = piece * PIECE + half * COLUMNS;
                if column >= self.outputs {
                    break;
                }
                let columns = COLUMNS.min(self.outputs - column);
                let (steps, bias) = (&self.steps[column..][..COLUMNS], &self.bias[column..][..COLUMNS]);
                for row in first..rows.end.min(first + ROWS) {
                    let (upper, lower) = (&sums.0[2 * half][row - first], &sums.0[2 * half + 1][row - first]);
                    let mut values = [0.0; COLUMNS];
                    // SAFETY: `fit` has seen AVX2 and FMA; so has the one test that does without AMX.
                    unsafe { finish(upper, lower, room.steps[row], steps, bias, activation, &mut values) };
                    let at = row * of_out.len() + column - of_out.start;
                    // A whole tile in two moves; a copy of any length is a call.
                    match <&mut [f32; COLUMNS]>::try_from(&mut out[at..at + columns]) {
                        Ok(whole) => *whole = values,
                        Err(_) => out[at..at + columns].copy_from_slice(&values[..columns]),
                    }
                }
            }
        }
    }

    fn pieces(&self) -> Pieces {
        Pieces { outputs: self.outputs, piece: PIECE }
    }

    /// Bytes of a row of one plane.
    fn stride(&self) -> usize {
        self.inputs.next_multiple_of(INPUTS)
    }
}

/// Two sums of each column to its output.
///
/// # Safety
/// The machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(
    upper: &[i32; COLUMNS],
    lower: &[i32; COLUMNS],
    row_step: f32,
    steps: &[f32],
    bias: &[f32],
    activation: Activation,
    values: &mut [f32; COLUMNS],
) {
    let columns = upper.iter().zip(lower).zip(steps.iter().zip(bias));
    for (value, ((upper, lower), (step, bias))) in values.iter_mut().zip(columns) {
        // What the levels allow fits 32 bits, though its upper part alone may not.
        let sum = upper.wrapping_mul(256).wrapping_add(*lower);
        *value = (sum as f32).mul_add(row_step * step, *bias);
    }
    if activation == Activation::Gelu {
        for value in values {
            *value = gelu::<true>(*value);
        }
    }
}

/// Eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = {
    let mut config = [0; 64];
    config[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        config[16 + 2 * tile] = INPUTS as u8;
        config[48 + tile] = ROWS as u8;
        tile += 1;
    }
    Config(config)
};

impl Machine for Amx {
    fn begin() -> Self {
        // SAFETY: made only after `has_tiles` and `lends_tiles`; the configuration is that of palette 1, which was seen
        // to allow eight tiles of that size.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
        Self
    }

    fn multiply(&self, factors: &Factors<'_>, sums: &mut Sums) {
        let Factors { upper, lower, stride, first, second } = factors;
        let last = (ROWS - 1) * stride + first.len() * INPUTS;
        assert!(upper.len() >= last && lower.len() >= last && second.len() == first.len(), "whole tiles");
        if first.is_empty() {
            return;
        }
        // SAFETY: the tiles are configured (`begin`), and nothing but this thread's code, which the compiler keeps free of
        // tiles, runs between. Reads 16 rows of as many bytes as there are blocks, and the blocks, checked above; writes
        // four tiles of 1024 bytes, which are `sums`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{upper} + {stride}*1]",
                "tileloadd tmm5, [{lower} + {stride}*1]",
                "tileloadd tmm6, [{first} + {line}*1]",
                "tileloadd tmm7, [{second} + {line}*1]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tdpbusd tmm1, tmm5, tmm6",
                "tdpbssd tmm2, tmm4, tmm7",
                "tdpbusd tmm3, tmm5, tmm7",
                "add {upper}, 64",
                "add {lower}, 64",
                "add {first}, 1024",
                "add {second}, 1024",
                "dec {n}",
                "jnz 2b",
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 1024], tmm1",
                "tilestored [{sums} + {line}*1 + 2048], tmm2",
                "tilestored [{sums} + {line}*1 + 3072], tmm3",
                upper = inout(reg) upper.as_ptr() => _,
                lower = inout(reg) lower.as_ptr() => _,
                first = inout(reg) first.as_ptr() => _,
                second = inout(reg) second.as_ptr() => _,
                n = inout(reg) first.len() => _,
                stride = in(reg) *stride,
                line = in(reg) 64usize,
                sums = in(reg) std::ptr::from_mut(sums),
                options(nostack),
            );
        }
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the tiles are there, and this thread's to give back.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

impl Machine for Plain {
    fn begin() -> Self {
        Self
    }

    fn multiply(&self, factors: &Factors<'_>, sums: &mut Sums) {
        let Factors { upper, lower, stride, first, second } = factors;
        for (half, blocks) in [first, second].into_iter().enumerate() {
            for row in 0..ROWS {
                let mut of_row = [[0i32; COLUMNS]; 2];
                for (i, block) in blocks.iter().enumerate() {
                    for (line, fours) in block.0.iter().enumerate() {
                        for (input, at) in (row * stride + i * INPUTS + 4 * line..).take(4).enumerate() {
                            for (column, four) in fours.iter().enumerate() {
                                let weight = i32::from(four[input]);
                                of_row[0][column] += i32::from(upper[at]) * weight;
                                of_row[1][column] += i32::from(lower[at]) * weight;
                            }
                        }
                    }
                }
                let [upper_sums, lower_sums] = of_row;
                sums.0[2 * half][row] = upper_sums;
                sums.0[2 * half + 1][row] = lower_sums;
            }
        }
    }
}

/// Whether both give the same sums, for bytes of every value.
fn agree(one: &impl Machine, other: &impl Machine) -> bool {
    const BLOCKS: usize = 3;
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 11) as u8;
    let bytes: Vec<u8> = (0..ROWS * BLOCKS * INPUTS).map(byte).collect();
    let upper: Vec<i8> = bytes.iter().rev().map(|byte| *byte as i8).collect();
    let mut blocks = [Block([[[0; 4]; COLUMNS]; INPUTS / 4]); 2 * BLOCKS];
    let weights = blocks.iter_mut().flat_map(|block| block.0.as_flattened_mut().as_flattened_mut());
    for (i, weight) in weights.enumerate() {
        *weight = byte(i + 7) as i8;
    }
    let (first, second) = blocks.split_at(BLOCKS);
    let factors = Factors { upper: &upper, lower: &bytes, stride: BLOCKS * INPUTS, first, second };
    let sums = |machine: &dyn Fn(&mut Sums)| {
        let mut sums = Sums([[[0; COLUMNS]; ROWS]; 4]);
        machine(&mut sums);
        sums.0
    };
    sums(&|sums| one.multiply(&factors, sums)) == sums(&|sums| other.multiply(&factors, sums))
}

/// Whether the processor has tiles for bytes, of the usual size, and the system saves them.
fn has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILES_AND_BYTES: u32 = 0b11 << 24;
    const SAVED: u64 = 0b11 << 17;
    let (most, tiles) = (__cpuid(0).eax, 0x1d);
    if most < tiles || __cpuid(1).ecx & OSXSAVE == 0 || __cpuid_count(7, 0).edx & TILES_AND_BYTES != TILES_AND_BYTES {
        return false;
    }
    // Palette 1: bytes of a tile, bytes of a row, names, rows.
    let palette = __cpuid_count(tiles, 1);
    let usual =
        palette.eax >> 16 >= 1024 && palette.ebx & 0xffff >= 64 && palette.ebx >> 16 >= 8 && palette.ecx & 0xffff >= 16;
    // SAFETY: OSXSAVE says that the instruction is there.
    usual && unsafe { saved() } & SAVED == SAVED
}

/// What the system saves of a thread when another one runs.
///
/// # Safety
/// The processor has OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn saved() -> u64 {
    // SAFETY: as above.
    unsafe { _xgetbv(0) }
}

/// Asks Linux for the tiles, for all threads of the process. Older kernels and some sandboxes refuse.
fn lends_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and changes nothing but what this process may do.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::Pairs;
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| (((i + seed) * 7919 % 1009) as f32 - 500.0) * 0.004).collect()
    }

    /// Holds what [`Pairs`] makes of a layer against what `M` does, to the last bit.
    fn agrees_with_pairs<M: Machine>() {
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
                    assert_eq!(out, expected, "{rows} rows, {inputs} inputs, {outputs} outputs");
                }
            }
        }
    }

    #[test]
    fn tiles_by_hand_give_what_pairs_do() {
        agrees_with_pairs::<Plain>();
    }

    #[test]
    fn tiles_give_what_pairs_do() {
        if Tiles::fit() {
            agrees_with_pairs::<Amx>();
        }
    }
}
