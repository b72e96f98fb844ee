//! Kernels that touch each number once: GELU, softmax, layer normalisation, quantisation.
//!
//! What is no number stays none: NaN and what overflows come out as NaN, never as a number that looks like any other, so
//! that looking at the end of the model is enough.

use super::simd::{dispatched, mul_add};

/// Partial sums held side by side: floating-point sums are not reordered by the compiler, so the lanes are ours.
const LANES: usize = 16;

/// 1.5 x 2^23: added to a float of magnitude below 2^22, it leaves the nearest integer in the low bits.
pub const ROUND: f32 = 12_582_912.0;

/// `e^x` for `x <= 88`, within 2 units in the last place; below -87 it is as good as 0. Cephes' polynomial.
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    // `f32::max` would make a number of NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -0.693_359_4, x);
    let r = mul_add::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_2e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = mul_add::<FMA>(p, r, c);
    }
    let fraction = mul_add::<FMA>(p * r, r, r) + 1.0;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127);
    fraction * f32::from_bits((exponent as u32) << 23)
}

/// `x/2 (1 + erf(x/sqrt 2))`. erf after Abramowitz and Stegun 7.1.26, absolute error below 2e-7.
#[inline(always)]
pub fn gelu<const FMA: bool>(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / mul_add::<FMA>(0.327_591_1, z, 1.0);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = mul_add::<FMA>(p, t, c);
    }
    let erf = 1.0 - p * t * exp::<FMA>(-(z * z));
    0.5 * mul_add::<FMA>(x.abs(), erf, x)
}

#[inline(always)]
fn sum_of(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += term(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| term(*x)).sum::<f32>()
}

/// The bits of a magnitude: as integers they are in the order of what they stand for, infinity and NaN above all else.
#[inline(always)]
fn magnitude(x: f32) -> u32 {
    x.to_bits() & 0x7fff_ffff
}

/// The least and the greatest of a row, with 0 counted in, and whether all of it are finite numbers.
#[inline(always)]
fn range_of(row: &[f32]) -> (f32, f32, bool) {
    // Plain comparisons: `f32::min` must mind NaN, which takes three instructions for one.
    let lesser = |a: f32, b: f32| if b < a { b } else { a };
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let (mut low, mut high, mut top) = ([0f32; LANES], [0f32; LANES], [0u32; LANES]);
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            low[i] = lesser(low[i], chunk[i]);
            high[i] = greater(high[i], chunk[i]);
            top[i] = top[i].max(magnitude(chunk[i]));
        }
    }
    let low = low.iter().chain(rest).fold(0.0, |a, b| lesser(a, *b));
    let high = high.iter().chain(rest).fold(0.0, |a, b| greater(a, *b));
    let top = rest.iter().map(|x| magnitude(*x)).chain(top).fold(0, u32::max);
    (low, high, f32::from_bits(top).is_finite())
}

/// The greatest magnitude of a row; NaN where any of it is no finite number.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn greatest_of(row: &[f32]) -> f32 {
    let mut top = [0u32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (top, x) in top.iter_mut().zip(chunk) {
            *top = (*top).max(magnitude(*x));
        }
    }
    finite(f32::from_bits(rest.iter().map(|x| magnitude(*x)).chain(top).fold(0, u32::max)))
}

/// Infinity becomes NaN too, which nothing takes for a number later on.
#[inline(always)]
pub fn finite(x: f32) -> f32 {
    if x.is_finite() { x } else { f32::NAN }
}

/// Steps are no finer: a row of zeros has one as well. NaN stays.
#[inline(always)]
pub fn at_least_tiny(step: f32) -> f32 {
    let least = f32::MIN_POSITIVE * 1024.0;
    if step < least { least } else { step }
}

#[inline(always)]
fn normalise<const FMA: bool>(row: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let n = row.len() as f32;
    let mean = sum_of(row, |x| x) / n;
    let variance = sum_of(row, |x| (x - mean) * (x - mean)) / n;
    // One that overflows would make 0 of every difference.
    let scale = 1.0 / (finite(variance) + epsilon).sqrt();
    for ((x, w), b) in row.iter_mut().zip(weight).zip(bias) {
        *x = mul_add::<FMA>((*x - mean) * scale, *w, *b);
    }
}

#[inline(always)]
fn layer_norm_body<const FMA: bool>(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    for row in rows.chunks_exact_mut(weight.len()) {
        normalise::<FMA>(row, weight, bias, epsilon);
    }
}

#[inline(always)]
fn add_layer_norm_body<const FMA: bool>(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let width = weight.len();
    for (row, more) in rows.chunks_exact_mut(width).zip(more.chunks_exact(width)) {
        row.iter_mut().zip(more).for_each(|(x, y)| *x += y);
        normalise::<FMA>(row, weight, bias, epsilon);
    }
}

#[inline(always)]
fn gelu_rows_body<const FMA: bool>(values: &mut [f32]) {
    for x in values {
        *x = gelu::<FMA>(*x);
    }
}

#[inline(always)]
fn gelu_gate_body<const FMA: bool>(rows: &[f32], columns: usize, out: &mut [f32]) {
    for (row, out) in rows.chunks_exact(2 * columns).zip(out.chunks_exact_mut(columns)) {
        let (values, gates) = row.split_at(columns);
        for ((out, x), gate) in out.iter_mut().zip(values).zip(gates) {
            *out = gelu::<FMA>(*x) * gate;
        }
    }
}

/// Replaces each `x` by `exp(scale (x - max))` and returns 1 over their sum: what a softmax divides by.
#[inline(always)]
pub fn softmax_body<const FMA: bool>(row: &mut [f32], scale: f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut high = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (h, x) in high.iter_mut().zip(chunk) {
            *h = h.max(*x);
        }
    }
    let highest = high.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    for x in row.iter_mut() {
        *x = exp::<FMA>((*x - highest) * scale);
    }
    1.0 / sum_of(row, |x| x)
}

#[inline(always)]
fn quantise_body<const FMA: bool>(row: &[f32], out: &mut [u8]) -> (f32, i32) {
    let (low, high, is_sound) = range_of(row);
    // 254, and the zero rounded up: whatever the range, its ends come to lie in 0..=255.
    let step = at_least_tiny((high - low) / 254.0);
    // Levels are always numbers, and so is the step that alone can say that the row is none.
    let step = if is_sound { finite(step) } else { f32::NAN };
    let zero = (-low / step).ceil();
    let per_step = 1.0 / step;
    let shift = zero + ROUND;
    let (chunks, rest) = row.as_chunks::<LANES>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<LANES>();
    // No clamp: the row's own range bounds every level.
    let level = |x: f32| mul_add::<FMA>(x, per_step, shift).to_bits() as u8;
    for (out, chunk) in out_chunks.iter_mut().zip(chunks) {
        for (q, x) in out.iter_mut().zip(chunk) {
            *q = level(*x);
        }
    }
    for (q, x) in out_rest.iter_mut().zip(rest) {
        *q = level(*x);
    }
    (step, zero as i32)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn levels16_body<const FMA: bool>(row: &[f32], highest: f32, out: &mut [i16]) -> f32 {
    let step = at_least_tiny(greatest_of(row) / highest);
    let per_step = 1.0 / step;
    // No clamp: the row's own range bounds every level.
    let level = |x: f32| mul_add::<FMA>(x, per_step, ROUND).to_bits() as i16;
    for (q, x) in out.iter_mut().zip(row) {
        *q = level(*x);
    }
    step
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "one row of a product and all that describes it")]
fn dequantise_body<const FMA: bool>(
    products: &[i32],
    step: f32,
    zero: i32,
    column_sums: &[i32],
    column_steps: &[f32],
    bias: &[f32],
    activate: bool,
    out: &mut [f32],
) {
    let columns = column_sums.iter().zip(column_steps).zip(bias);
    for ((x, product), ((sum, column_step), b)) in out.iter_mut().zip(products).zip(columns) {
        let exact = product.wrapping_sub(zero.wrapping_mul(*sum));
        let value = mul_add::<FMA>(exact as f32 * step, *column_step, *b);
        *x = if activate { gelu::<FMA>(value) } else { value };
    }
}

dispatched! {
    /// Normalises each row to mean 0 and variance 1, then scales and shifts it. Rows are as long as `weight`.
    pub fn layer_norm(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) => layer_norm_body
}
dispatched! {
    /// [`layer_norm`] of `rows + more`, in place.
    pub fn add_layer_norm(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32], epsilon: f32)
        => add_layer_norm_body
}
dispatched! {
    /// GELU with the exact error function, in place.
    pub fn gelu_rows(values: &mut [f32]) => gelu_rows_body
}
dispatched! {
    /// From rows of `2 columns` numbers to rows of `columns`: GELU of the first half times the second (GeGLU, Shazeer
    /// 2020, arXiv:2002.05202).
    pub fn gelu_gate(rows: &[f32], columns: usize, out: &mut [f32]) => gelu_gate_body
}
dispatched! {
    /// Rounds a row to 256 steps between its least and its greatest; 0 falls on a step exactly, because
    /// `x = (q - zero) * step`. Returns `(step, zero)`; a row that is not all finite numbers has the step NaN.
    pub fn quantise(row: &[f32], out: &mut [u8]) -> (f32, i32) => quantise_body
}
dispatched! {
    /// Rounds a row to steps of 1/`highest` of its greatest magnitude: `x = level * step`. `highest` is at most 32767;
    /// `out` may be longer than the row. Returns the step; NaN for a row that is not all finite numbers.
    #[cfg(target_arch = "x86_64")]
    pub fn levels16(row: &[f32], highest: f32, out: &mut [i16]) -> f32 => levels16_body
}
dispatched! {
    /// One row of an integer product back to numbers: `(product - zero * column_sum) * step * column_step + bias`,
    /// through GELU if `activate`.
    #[allow(clippy::too_many_arguments, reason = "one row of a product and all that describes it")]
    pub fn dequantise(
        products: &[i32], step: f32, zero: i32, column_sums: &[i32], column_steps: &[f32], bias: &[f32],
        activate: bool, out: &mut [f32],
    ) => dequantise_body
}

/// Hyperbolic tangent, in place. Only classification heads use it: a row a passage.
pub fn tanh(values: &mut [f32]) {
    values.iter_mut().for_each(|x| *x = x.tanh());
}

/// Scales a vector to length 1; the zero vector stays. One whose length overflows becomes NaN.
pub fn unit_length(vector: &mut [f32]) {
    let length = finite(sum_of(vector, |x| x * x).sqrt());
    if length != 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> impl Iterator<Item = f32> {
        (-4000..4000).map(|i| i as f32 * 0.002)
    }

    #[test]
    fn exp_is_within_a_few_units_in_the_last_place() {
        for x in ramp().map(|x| x * 10.0) {
            let (ours, exact) = (exp::<false>(x), f64::from(x).exp() as f32);
            assert!((ours - exact).abs() <= 4e-7 * exact, "exp({x}): {ours} against {exact}");
        }
        assert_eq!(exp::<false>(0.0), 1.0);
        assert!(exp::<false>(-1e30) < 1e-37);
    }

    #[test]
    fn gelu_agrees_with_values_computed_in_high_precision() {
        // x * Phi(x), from a table of the normal distribution.
        for (x, exact) in
            [(-3.0, -0.004_049_7), (-1.0, -0.158_655_26), (0.0, 0.0), (0.5, 0.345_731_2), (2.0, 1.954_499_7)]
        {
            let mut ours = [x];
            gelu_rows(&mut ours);
            assert!((ours[0] - exact).abs() < 1e-6, "gelu({x}): {} against {exact}", ours[0]);
        }
    }

    #[test]
    fn a_gate_lets_through_what_its_own_row_says() {
        let mut out = [0.0; 4];
        gelu_gate(&[2.0, 0.5, 3.0, -1.0, 0.0, -1.0, 7.0, 0.0], 2, &mut out);
        for (ours, exact) in out.iter().zip([3.0 * 1.954_499_7, -0.345_731_2, 0.0, 0.0]) {
            assert!((ours - exact).abs() < 1e-5, "{out:?}");
        }
    }

    #[test]
    fn softmax_sums_to_one_and_survives_large_scores() {
        let mut row: Vec<f32> = ramp().map(|x| x * 100.0).collect();
        let scale = softmax_body::<false>(&mut row, 0.5);
        let sum: f32 = row.iter().map(|x| x * scale).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }

    /// At every place of a row, in the lanes and behind them.
    #[test]
    fn what_is_no_number_stays_none() {
        for n in [1, 7, 16, 37, 64] {
            for (place, bad) in (0..n).flat_map(|place| [f32::NAN, -f32::NAN, f32::INFINITY].map(|bad| (place, bad))) {
                let mut row: Vec<f32> = (0..n).map(|i| i as f32 * 0.3 - 2.0).collect();
                row[place] = bad;
                assert!(quantise(&row, &mut vec![0; n]).0.is_nan(), "{bad} at {place} of {n}");
                #[cfg(target_arch = "x86_64")]
                assert!(levels16(&row, 1000.0, &mut vec![0; n]).is_nan(), "{bad} at {place} of {n}");
                assert!(softmax_body::<false>(&mut row.clone(), 0.5).is_nan(), "{bad} at {place} of {n}");
                let normed = |mut row: Vec<f32>| {
                    layer_norm(&mut row, &vec![1.0; n], &vec![0.5; n], 1e-5);
                    row
                };
                assert!(normed(row.clone()).iter().all(|x| x.is_nan()), "{bad} at {place} of {n}");
                row[place] = -1e30;
                assert!(n == 1 || normed(row.clone()).iter().all(|x| x.is_nan()), "a variance beyond all numbers");
                unit_length(&mut row);
                assert!(row.iter().all(|x| x.is_nan()), "a length beyond all numbers");
            }
        }
        let mut zero = [0.0; 5];
        unit_length(&mut zero);
        assert_eq!((zero, quantise(&[0.0; 5], &mut [0; 5])), ([0.0; 5], (f32::MIN_POSITIVE * 1024.0, 0)));
    }

    #[test]
    fn quantising_errs_by_half_a_step_at_most() {
        for shift in (-300..=300).map(|i| i as f32 * 0.01) {
            let row: Vec<f32> = ramp().step_by(37).map(|x| x * x * 0.1 + shift).collect();
            let mut levels = vec![0; row.len()];
            let (step, zero) = quantise(&row, &mut levels);
            for (x, q) in row.iter().zip(&levels) {
                let back = (i32::from(*q) - zero) as f32 * step;
                assert!((x - back).abs() <= 0.501 * step, "{x} came back as {back}, shift {shift}");
            }
        }
        assert_eq!(quantise(&[0.0; 8], &mut [1; 8]).1, 0);
    }
}
