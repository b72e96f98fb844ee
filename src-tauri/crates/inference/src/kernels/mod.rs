//! What the CPU computes: each kernel works on rows of `f32` in a plain slice.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod attention;
mod elementwise;
mod gemm;
#[cfg(target_arch = "x86_64")]
mod integer;
mod linear;
#[cfg(target_arch = "x86_64")]
mod pieces;
mod rotary;
mod simd;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use attention::{Attention, Heads, Projected, Rows};
pub use elementwise::{add_layer_norm, gelu_gate, layer_norm, tanh, unit_length};
pub use linear::{Activation, Linear, Scratch, is_there, path};
pub use rotary::Rotation;

/// For tests: numbers within 1/2 and like no others, so that what rounding loses does not add up.
#[cfg(test)]
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}
