//! Linear layers over rows, in f32, bf16 or 8-bit integers, weights packed once for the kernel of this machine.

#[cfg(target_arch = "x86_64")]
mod bf16;

use rten_gemm::{BiasVector, GemmError, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::elementwise::{dequantise, gelu_rows, quantise};
use super::gemm;
#[cfg(target_arch = "x86_64")]
use super::integer::{self, Integer};
use crate::Precision;
#[cfg(target_arch = "x86_64")]
use bf16::Bf16;

/// Weights greater than so many times the root mean square of their output's are kept out of the integers: one of them
/// would make the step of all others coarse. The built-in cross-encoder has 989 such among its 10.6 million (most of a
/// neuron that writes one outlying dimension), and without them rounding weights does half as much to its logits: .020
/// instead of .037 over 360 pairs of vaswani. With 5 it is as much, and with 8 for the widest layers alone.
const APART: f32 = 6.0;

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    Gelu,
}

/// `y = x W^T + b`, as `torch.nn.Linear`, and what follows it.
pub struct Linear {
    inputs: usize,
    bias: Box<[f32]>,
    activation: Activation,
    weights: Packed,
    /// Of a layer in integers, where no activation follows.
    apart: Box<[Apart]>,
}

/// A weight in f32 that stands in the packed ones as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Apart {
    output: usize,
    input: usize,
    weight: f32,
}

enum Packed {
    F32(PackedBMatrix<f32>),
    /// Weights have a step of their own for each output; activations a step and a zero for each row, found as
    /// they come. Sums are exact integers.
    Int8 {
        weights: PackedBMatrix<i8>,
        steps: Vec<f32>,
        sums: Vec<i32>,
    },
    /// By a kernel of our own: see [`integer::Kernel`].
    #[cfg(target_arch = "x86_64")]
    Integer(Integer),
    #[cfg(target_arch = "x86_64")]
    Bf16(Bf16),
}

/// Room that integer layers reuse from call to call.
#[derive(Default)]
pub struct Scratch {
    /// Threads of the current pool that a layer may share its work among; 0 and 1 are none but this.
    pub threads: usize,
    levels: Vec<u8>,
    rows: Vec<(f32, i32)>,
    products: Vec<i32>,
    #[cfg(target_arch = "x86_64")]
    integer: integer::Room,
    #[cfg(target_arch = "x86_64")]
    halves: Vec<u16>,
}

/// Whether layers can be had in `precision` on this machine.
pub fn is_there(precision: Precision) -> bool {
    match precision {
        Precision::F32 | Precision::Int8 => true,
        #[cfg(target_arch = "x86_64")]
        Precision::Bf16 => Bf16::fits(),
        #[cfg(not(target_arch = "x86_64"))]
        Precision::Bf16 => false,
    }
}

/// The numbers that layers asked for in `precision` multiply on this machine, and the instructions: `f32`, `int8`, or
/// `int16` where finer activations cost nothing.
pub fn path(precision: Precision) -> String {
    #[cfg(target_arch = "x86_64")]
    if let (Precision::Int8, Some(kernel)) = (precision, integer::Kernel::of_this_machine()) {
        return kernel.name();
    }
    match precision {
        Precision::F32 => format!("f32 {}", gemm::f32_kernel()),
        Precision::Bf16 => "bf16 avx512-bf16".to_owned(),
        Precision::Int8 => format!("int8 {}", gemm::int8_kernel()),
    }
}

impl Linear {
    /// `weights` is `outputs x inputs`, row by row; `bias` has one number an output. `precision` [is there](is_there).
    pub fn new(mut weights: Vec<f32>, bias: Vec<f32>, activation: Activation, precision: Precision) -> Self {
        let inputs = weights.len() / bias.len();
        let mut apart = Vec::new();
        let weights = match precision {
            #[cfg(target_arch = "x86_64")]
            Precision::Bf16 => Packed::Bf16(Bf16::new(&weights, &bias)),
            Precision::Int8 => {
                if activation == Activation::None {
                    apart = take_apart(&mut weights, inputs);
                }
                pack_integers(&weights, &bias, inputs)
            }
            _ => Packed::F32(gemm::pack_f32(NdTensorView::from_data([bias.len(), inputs], &weights[..]).transposed())),
        };
        Self { inputs, bias: bias.into(), activation, weights, apart: apart.into() }
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Rows that are best taken through this layer and those after it before the next are: what tiles give is sooner
    /// computed than fetched again from beyond the second-level cache. No limit where products take longer than that.
    pub fn rows_at_once(&self) -> usize {
        match &self.weights {
            #[cfg(target_arch = "x86_64")]
            Packed::Integer(layer) => layer.rows_at_once(),
            #[cfg(target_arch = "x86_64")]
            Packed::Bf16(layer) => layer.rows_at_once(),
            _ => usize::MAX,
        }
    }

    /// `x` holds rows of `inputs` numbers; `out` becomes as many rows of `outputs`.
    pub fn apply(&self, x: &[f32], out: &mut Vec<f32>, scratch: &mut Scratch) -> Result<(), GemmError> {
        out.resize(x.len() / self.inputs * self.outputs(), 0.0);
        self.fill(x, out, scratch)
    }

    /// The same into `out`, which has as many rows.
    pub fn fill(&self, x: &[f32], out: &mut [f32], scratch: &mut Scratch) -> Result<(), GemmError> {
        let (rows, activation) = (x.len() / self.inputs, self.activation);
        match &self.weights {
            Packed::F32(weights) => {
                let options = GemmOptions { bias: Some(BiasVector::Row(&self.bias)), ..GemmOptions::default() };
                let x = NdTensorView::from_data([rows, self.inputs], x);
                gemm::f32(out, x, GemmInputB::Packed(weights), options)?;
                if activation == Activation::Gelu {
                    gelu_rows(out);
                }
            }
            Packed::Int8 { weights, steps, sums } => {
                let Scratch { levels, rows: row_steps, products, .. } = scratch;
                levels.resize(x.len(), 0);
                let row_levels = levels.chunks_exact_mut(self.inputs);
                row_steps.clear();
                row_steps.extend(x.chunks_exact(self.inputs).zip(row_levels).map(|(x, q)| quantise(x, q)));
                products.resize(out.len(), 0);
                gemm::int8(products, NdTensorView::from_data([rows, self.inputs], &levels[..]), weights)?;
                let gelu = activation == Activation::Gelu;
                let outputs = self.outputs();
                let rows = out.chunks_exact_mut(outputs).zip(products.chunks_exact(outputs)).zip(row_steps);
                for ((out, products), (step, zero)) in rows {
                    dequantise(products, *step, *zero, sums, steps, &self.bias, gelu, out);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Packed::Integer(layer) => layer.apply(x, activation, out, &mut scratch.integer, scratch.threads.max(1)),
            #[cfg(target_arch = "x86_64")]
            Packed::Bf16(layer) => layer.apply(x, activation, out, &mut scratch.halves, scratch.threads.max(1)),
        }
        if !self.apart.is_empty() {
            for (x, out) in x.chunks_exact(self.inputs).zip(out.chunks_exact_mut(self.outputs())) {
                self.apart.iter().for_each(|apart| out[apart.output] += apart.weight * x[apart.input]);
            }
        }
        Ok(())
    }
}

/// Puts 0 in the place of what is kept apart.
fn take_apart(weights: &mut [f32], inputs: usize) -> Vec<Apart> {
    let mut all = Vec::new();
    for (output, weights) in weights.chunks_exact_mut(inputs).enumerate() {
        let mean_square = weights.iter().map(|w| w * w).sum::<f32>() / inputs as f32;
        let most = APART * mean_square.sqrt();
        let beyond = weights.iter_mut().enumerate().filter(|(_, w)| w.abs() > most);
        all.extend(beyond.map(|(input, w)| Apart { output, input, weight: std::mem::take(w) }));
    }
    all
}

fn pack_integers(weights: &[f32], bias: &[f32], inputs: usize) -> Packed {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = integer::Kernel::of_this_machine() {
        return Packed::Integer(Integer::new(weights, bias, kernel));
    }
    let outputs = bias.len();
    // Without VNNI, x86 adds pairs of products in 16 bits: `2 x 255 x 64` still fits, `2 x 255 x 127` does not.
    let highest = if gemm::may_saturate() { 63.0 } else { 127.0 };
    let mut levels = Vec::with_capacity(weights.len());
    let mut steps = Vec::with_capacity(outputs);
    let mut sums = Vec::with_capacity(outputs);
    for row in weights.chunks_exact(inputs) {
        let largest = row.iter().fold(0f32, |m, w| m.max(w.abs()));
        let step = if largest > 0.0 { largest / highest } else { 1.0 };
        let first = levels.len();
        levels.extend(row.iter().map(|w| (w / step).round() as i8));
        steps.push(step);
        sums.push(levels[first..].iter().map(|q| i32::from(*q)).sum());
    }
    let weights = gemm::pack_i8(NdTensorView::from_data([outputs, inputs], &levels[..]).transposed());
    Packed::Int8 { weights, steps, sums }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::numbers;

    fn plain(x: &[f32], weights: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
        let row = |x: &[f32]| {
            let dot = |w: &[f32]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
            weights.chunks(inputs).zip(bias).map(|(w, b)| dot(w) + b).collect::<Vec<_>>()
        };
        x.chunks(inputs).flat_map(row).collect()
    }

    /// Largest error over several shapes, among them a single row and widths that fill no vector.
    fn largest_error(precision: Precision) -> f32 {
        let mut worst = 0f32;
        for (rows, inputs, outputs) in [(1, 32, 7), (5, 33, 64), (70, 384, 130), (3, 1536, 20)] {
            let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 2), numbers(rows * inputs, 3));
            let mut out = Vec::new();
            let linear = Linear::new(weights.clone(), bias.clone(), Activation::None, precision);
            linear.apply(&x, &mut out, &mut Scratch::default()).expect("fits");
            let exact = plain(&x, &weights, &bias, inputs);
            assert_eq!(out.len(), exact.len());
            worst = out.iter().zip(&exact).fold(worst, |m, (a, b)| m.max((a - b).abs()));
        }
        worst
    }

    #[test]
    fn f32_is_exact_but_for_the_order_of_sums() {
        assert!(largest_error(Precision::F32) < 1e-4);
    }

    /// Rounding noise of 1536 products of numbers within 1/2, each factor to 8 bits, stays near 0.03 x 3 deviations.
    #[test]
    fn int8_stays_within_its_rounding_noise() {
        let worst = largest_error(Precision::Int8);
        assert!(worst > 0.0 && worst < 0.15, "{worst}");
    }

    /// In every arithmetic, through what follows the layer: a row with something in it that is no number gives none, and the
    /// rows beside it what they give without it.
    #[test]
    fn what_is_no_number_stays_none() {
        let all = [Precision::F32, Precision::Bf16, Precision::Int8];
        for precision in all.into_iter().filter(|precision| is_there(*precision)) {
            for (activation, inputs) in
                [Activation::None, Activation::Gelu].into_iter().flat_map(|a| [(a, 33), (a, 128)])
            {
                let (rows, outputs) = (19, 50);
                let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 2), numbers(rows * inputs, 3));
                let linear = Linear::new(weights, bias, activation, precision);
                let apply = |x: &[f32]| {
                    let mut out = Vec::new();
                    linear.apply(x, &mut out, &mut Scratch::default()).expect("fits");
                    out
                };
                let sound = apply(&x);
                assert!(sound.iter().all(|y| y.is_finite()));
                for (place, bad) in [0, 5, inputs - 1].into_iter().flat_map(|p| [(p, f32::NAN), (p, f32::INFINITY)]) {
                    let mut x = x.clone();
                    x[7 * inputs + place] = bad;
                    let out = apply(&x);
                    let (before, rest) = out.split_at(7 * outputs);
                    let (spoilt, after) = rest.split_at(outputs);
                    let says = format!("{precision:?}, {activation:?}, {bad} at {place} of {inputs}");
                    // An infinite sum below 0 is 0 after GELU, as it should be.
                    let is_none = if bad.is_nan() {
                        spoilt.iter().all(|y| y.is_nan())
                    } else {
                        !spoilt.iter().all(|y| y.is_finite())
                    };
                    assert!(is_none, "{says}: {spoilt:?}");
                    assert!(before == &sound[..7 * outputs] && after == &sound[8 * outputs..], "{says}");
                }
            }
        }
    }

    /// A weight of thirty times all others' root mean square costs them nothing: without it apart, their step would be that much coarser.
    #[test]
    fn outlying_weights_are_as_exact_as_the_activations() {
        let (rows, inputs, outputs) = (9, 384, 20);
        let (mut weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 2), numbers(rows * inputs, 3));
        for output in 0..outputs {
            weights[output * inputs + 7 * output] = 9.0;
        }
        let apart = take_apart(&mut weights.clone(), inputs);
        let expected = |output| Apart { output, input: 7 * output, weight: 9.0 };
        assert_eq!(apart, (0..outputs).map(expected).collect::<Vec<_>>());
        let exact = plain(&x, &weights, &bias, inputs);
        let mut out = Vec::new();
        let linear = Linear::new(weights, bias, Activation::None, Precision::Int8);
        linear.apply(&x, &mut out, &mut Scratch::default()).expect("fits");
        let worst = out.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.08, "{worst}");
    }
}
