//! What the CPU computes: each kernel works on rows of `f32` in a plain slice.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod attention;
mod elementwise;
mod gemm;
#[cfg(target_arch = "x86_64")]
mod integer;
mod linear;
mod rotary;
mod simd;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use attention::{Attention, Heads, Projected, Rows};
pub use elementwise::{add_layer_norm, gelu_gate, layer_norm, tanh, unit_length};
pub use linear::{Activation, Linear, Scratch, path};
pub use rotary::Rotation;
