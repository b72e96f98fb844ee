//! What the kernels written for AVX-512 have in common.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_abs_ps, _mm512_add_ps, _mm512_castps_si512, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_permutex2var_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sub_ps,
};
use std::sync::LazyLock;

use super::elementwise::ROUND;
use super::simd::{Level, level};

/// Numbers of a register.
pub const LANES: usize = 16;

/// A mask of the first `n` lanes.
pub fn first(n: usize) -> u16 {
    ((1u32 << n.min(LANES)) - 1) as u16
}

/// Whether this machine multiplies numbers of 8 significant bits (bf16).
pub fn has_bf16() -> bool {
    level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16")
}

/// Adds to each sum the products of two pairs of factors in bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub fn dot_bf16(sums: __m512, a: __m512i, b: __m512i) -> __m512 {
    // SAFETY: both are 64 bytes of plain numbers.
    unsafe {
        let [a, b] = [a, b].map(|factors| std::mem::transmute::<__m512i, __m512bh>(factors));
        _mm512_dpbf16_ps(sums, a, b)
    }
}

/// `x Phi(x)` is `max(x, 0) - g(|x|)` with `g(t) = t Phi(-t)`, which lies within 0 and .17 and is 0 beyond 5.8: a cubic
/// for each of 32 stretches of it, within 1e-6. As a table in registers it takes a third of the time of `erf`.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub fn gelu(x: __m512) -> __m512 {
    let table = &*G;
    let place = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(PER_UNIT));
    let place = _mm512_min_ps(_mm512_set1_ps((STRETCHES - 1) as f32), place);
    let rounded = _mm512_add_ps(place, _mm512_set1_ps(ROUND));
    let offset = _mm512_sub_ps(place, _mm512_sub_ps(rounded, _mm512_set1_ps(ROUND)));
    let stretch = _mm512_castps_si512(rounded);
    let coefficient = |power: usize| {
        let (low, high) = table[power].split_at(LANES);
        // SAFETY: 16 numbers each.
        unsafe { _mm512_permutex2var_ps(_mm512_loadu_ps(low.as_ptr()), stretch, _mm512_loadu_ps(high.as_ptr())) }
    };
    let mut g = coefficient(3);
    for power in [2, 1, 0] {
        g = _mm512_fmadd_ps(g, offset, coefficient(power));
    }
    // The second of two is what comes of NaN.
    _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), g)
}

/// Stretches of [`G`], and how many there are to a unit.
const STRETCHES: usize = 32;
const PER_UNIT: f32 = 16.0 / 3.0;

/// For powers 0 to 3 of the offset from the middle of a stretch, in stretches, the coefficient for each stretch.
static G: LazyLock<[[f32; STRETCHES]; 4]> = LazyLock::new(|| {
    let mut table = [[0.0; STRETCHES]; 4];
    for stretch in 0..STRETCHES {
        // Interpolated at Chebyshev's nodes, by Newton's divided differences.
        let nodes = [1.0, 3.0, 5.0, 7.0].map(|k| 0.5 * (k * std::f64::consts::PI / 8.0).cos());
        let mut differences = nodes.map(|offset| {
            let t = (stretch as f64 + offset) / f64::from(PER_UNIT);
            t * (0.5 - area(t))
        });
        for order in 1..4 {
            for i in (order..4).rev() {
                differences[i] = (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order]);
            }
        }
        let mut coefficients = [0.0; 4];
        for (difference, node) in differences.into_iter().zip(nodes).rev() {
            for power in (0..4).rev() {
                let shifted = if power == 0 { difference } else { coefficients[power - 1] };
                coefficients[power] = shifted - node * coefficients[power];
            }
        }
        for (power, coefficient) in table.iter_mut().zip(coefficients) {
            power[stretch] = coefficient as f32;
        }
    }
    table
});

/// The area under the normal density between 0 and `t`, for `t` within 6: a series of terms of one sign, so that nothing
/// cancels.
fn area(t: f64) -> f64 {
    let (mut term, mut sum, mut n) = (t, t, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 2.0;
        term *= t * t / n;
        sum += term;
    }
    sum * (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use std::arch::x86_64::_mm512_storeu_ps;

    use super::*;

    #[target_feature(enable = "avx512f,avx512bw")]
    fn gelu_of(mut x: [f32; LANES]) -> [f32; LANES] {
        // SAFETY: 16 numbers.
        unsafe { _mm512_storeu_ps(x.as_mut_ptr(), gelu(_mm512_loadu_ps(x.as_ptr()))) };
        x
    }

    #[test]
    fn gelu_is_within_a_millionth_everywhere() {
        if level() != Level::Avx512 {
            return;
        }
        for first in (-4000..4000).step_by(LANES) {
            let x: [f32; LANES] = std::array::from_fn(|i| (first + i as i32) as f32 * 0.0025);
            // SAFETY: asked for above.
            let ours = unsafe { gelu_of(x) };
            for (x, ours) in x.into_iter().map(f64::from).zip(ours) {
                let exact = x * (0.5 + if x.abs() < 6.0 { area(x) } else { 0.5 * x.signum() });
                assert!((f64::from(ours) - exact).abs() < 1.5e-6 * x.abs().max(1.0), "gelu({x}): {ours} for {exact}");
            }
        }
    }
}
