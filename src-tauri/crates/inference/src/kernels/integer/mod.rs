//! Linear layers on x86 in integers: weights of 8 bits, activations of 8 or up to 15, sums exact in 32.
//!
//! Weights have a step of their own for each output, activations one for each row, found as they come. The two kernels for
//! finer activations round alike and add exactly, so that they give the same numbers.

mod bytes;
mod pairs;
#[cfg(target_os = "linux")]
mod tiles;

use super::Activation;
use super::pieces::Pieces;
use bytes::{Bytes, Registers};
use pairs::Pairs;
#[cfg(target_os = "linux")]
use tiles::Tiles;

/// Greatest magnitude of a weight's level.
const HIGHEST_WEIGHT: f32 = 127.0;

/// Bytes of activations that go through all weights before the next do: half of a small second-level cache.
const BLOCK_BYTES: usize = 256 << 10;

/// The kernel for this machine, by what it multiplies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    Bytes(Registers),
    Pairs,
    #[cfg(target_os = "linux")]
    Tiles,
}

impl Kernel {
    /// `None` where nothing here fits.
    pub fn of_this_machine() -> Option<Self> {
        #[cfg(target_os = "linux")]
        if Tiles::fit() {
            return Some(Self::Tiles);
        }
        let bytes = Registers::of_this_machine().map(Self::Bytes);
        bytes.or_else(|| Pairs::fit().then_some(Self::Pairs))
    }

    /// How activations are kept, and the instructions.
    pub fn name(self) -> String {
        match self {
            Self::Bytes(registers) => format!("int8 {}", registers.name()),
            Self::Pairs => "int16 avx2".to_owned(),
            #[cfg(target_os = "linux")]
            Self::Tiles => "int16 amx".to_owned(),
        }
    }
}

/// A layer's weights, packed.
pub enum Integer {
    Bytes(Bytes),
    Pairs(Pairs),
    #[cfg(target_os = "linux")]
    Tiles(Tiles),
}

/// Room reused from call to call: the activations' levels (in bytes, in two, or their upper and lower ones apart), and for
/// each row a step and where 0 is.
#[derive(Default)]
pub struct Room {
    bytes: Vec<u8>,
    levels: Vec<i16>,
    #[cfg(target_os = "linux")]
    halves: tiles::Halves,
    steps: Vec<f32>,
    zeros: Vec<i32>,
}

impl Integer {
    /// `weights` is `outputs x inputs`, row by row.
    pub fn new(weights: &[f32], bias: &[f32], kernel: Kernel) -> Self {
        match kernel {
            Kernel::Bytes(registers) => Self::Bytes(Bytes::new(weights, bias, registers)),
            Kernel::Pairs => Self::Pairs(Pairs::new(weights, bias)),
            #[cfg(target_os = "linux")]
            Kernel::Tiles => Self::Tiles(Tiles::new(weights, bias)),
        }
    }

    /// See [`super::Linear::rows_at_once`].
    pub fn rows_at_once(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.rows_at_once(),
            Self::Pairs(_) => usize::MAX,
            #[cfg(target_os = "linux")]
            Self::Tiles(tiles) => tiles.rows_at_once(),
        }
    }

    /// `x` holds rows of `inputs` numbers; `out` gets as many rows of `outputs`, through `activation`. The outputs are
    /// shared out among `threads` of the current pool.
    pub fn apply(&self, x: &[f32], activation: Activation, out: &mut [f32], room: &mut Room, threads: usize) {
        match self {
            Self::Bytes(bytes) => bytes.apply(x, activation, out, room, threads),
            Self::Pairs(pairs) => pairs.apply(x, activation, out, room, threads),
            #[cfg(target_os = "linux")]
            Self::Tiles(tiles) => tiles.apply(x, activation, out, room, threads),
        }
    }
}

/// The finest levels of activations whose products with weights cannot overflow a sum over `inputs`.
fn highest_level(inputs: usize) -> f32 {
    (i32::MAX as usize / (inputs * HIGHEST_WEIGHT as usize)).min(i16::MAX as usize) as f32
}

/// Rounds an output's weights to levels; returns their step.
fn round_weights(weights: &[f32], levels: &mut [i8]) -> f32 {
    let largest = weights.iter().fold(0f32, |m, w| m.max(w.abs()));
    let step = if largest > 0.0 { largest / HIGHEST_WEIGHT } else { 1.0 };
    for (level, w) in levels.iter_mut().zip(weights) {
        *level = (w / step).round() as i8;
    }
    step
}
