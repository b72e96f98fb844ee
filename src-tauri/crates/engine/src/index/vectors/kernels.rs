//! The two loops that a search spends its time in, each for several instruction sets, chosen at run time.
//!
//! They count and multiply integers, so every variant gives the same result to the last bit. The sums are wrapping
//! ones because overflow checks, which the dev profile has, would keep the loops from being vectorised; by the widths
//! allowed (`format.rs`) none of them can overflow.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::sketch::{BLOCK_ROWS, FACTOR_BYTES, QuerySketch, STEP_BYTES, Step, Table, block_bytes};

/// So many looked up values, of at most 60 each, fit a byte.
const STEPS_OF_A_BYTE: usize = 4;

/// For each row of a block, how much it disagrees with the query.
type Counts = [u16; BLOCK_ROWS];

/// Takes a block's number, counted from the first one scanned, and its rows' estimates; returns the new floor.
pub(super) type Found<'a> = dyn FnMut(usize, &[f32; BLOCK_ROWS]) -> f32 + 'a;

/// Estimates a query's cosine with every row of whole `blocks` of `dims` dimensions, and calls `found` for each block
/// in which an estimate reaches the floor: `floor`, and then what `found` returned last.
pub(super) fn scan(blocks: &[u8], dims: usize, query: &QuerySketch, floor: f32, found: &mut Found) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2; the function needs nothing else.
        return unsafe { scan_avx2(blocks, dims, query, floor, found) };
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has NEON; the function needs nothing else.
        return unsafe { scan_neon(blocks, dims, query, floor, found) };
    }
    scan_with(disagreement, blocks, dims, query, floor, found);
}

/// The inner product of a query in i16 with a row of int8 codes, and the squared length of the row.
///
/// The caller keeps the product within i32; the squared length is at most 2²⁶ for 4096 dimensions.
pub(super) fn product_and_squared_length(query: &[i16], codes: &[u8]) -> (i32, i32) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2; the function needs nothing else.
        return unsafe { x86::product_avx2(query, codes) };
    }
    product_any(query, codes)
}

/// The squared length of a row of int8 codes.
pub(super) fn squared_length(codes: &[u8]) -> i32 {
    codes.iter().map(|&code| i32::from(code as i8)).fold(0, |sum, code| sum.wrapping_add(code.wrapping_mul(code)))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2(blocks: &[u8], dims: usize, query: &QuerySketch, floor: f32, found: &mut Found) {
    scan_with(|steps, tables| x86::disagreement_avx2(steps, tables), blocks, dims, query, floor, found);
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn scan_neon(blocks: &[u8], dims: usize, query: &QuerySketch, floor: f32, found: &mut Found) {
    scan_with(|steps, tables| arm::disagreement_neon(steps, tables), blocks, dims, query, floor, found);
}

/// The scan around a way to count. Inlined into each variant, so that it is compiled with the variant's instructions.
#[inline(always)]
fn scan_with(
    disagreement: impl Fn(&[Step], &[Table]) -> Counts,
    blocks: &[u8],
    dims: usize,
    query: &QuerySketch,
    mut floor: f32,
    found: &mut Found,
) {
    for (number, block) in blocks.chunks_exact(block_bytes(dims)).enumerate() {
        let (factors, bits) = block.split_at(FACTOR_BYTES);
        let (factors, _) = factors.as_chunks::<4>();
        let (steps, _) = bits.as_chunks::<STEP_BYTES>();

        let counts = disagreement(steps, &query.tables);
        let mut estimates = [0.0_f32; BLOCK_ROWS];
        for (lane, estimate) in estimates.iter_mut().enumerate() {
            let gain = f32::from_le_bytes(factors[lane]);
            let offset = f32::from_le_bytes(factors[BLOCK_ROWS + lane]);
            *estimate = query.estimate(gain, offset, u32::from(counts[lane]));
        }
        if estimates.iter().fold(false, |any, &estimate| any | (estimate >= floor)) {
            floor = found(number, &estimates);
        }
    }
}

fn disagreement(steps: &[Step], tables: &[Table]) -> Counts {
    let mut counts = [0; BLOCK_ROWS];
    let (low, high) = counts.split_at_mut(STEP_BYTES);
    for (step, table) in steps.iter().zip(tables) {
        for ((low, high), codes) in low.iter_mut().zip(&mut *high).zip(step) {
            *low = u16::wrapping_add(*low, u16::from(table[usize::from(codes & 0xf)]));
            *high = u16::wrapping_add(*high, u16::from(table[usize::from(codes >> 4)]));
        }
    }
    counts
}

#[inline(always)]
fn product_any(query: &[i16], codes: &[u8]) -> (i32, i32) {
    let (mut product, mut squares) = (0_i32, 0_i32);
    for (&q, &code) in query.iter().zip(codes) {
        let code = i32::from(code as i8);
        product = product.wrapping_add(i32::from(q).wrapping_mul(code));
        squares = squares.wrapping_add(code.wrapping_mul(code));
    }
    (product, squares)
}

#[cfg(test)]
mod tests {
    use super::super::{Quantized, sketch};
    use super::*;

    type Scan = fn(&[u8], usize, &QuerySketch, f32, &mut Found);

    fn rows(n: usize, dims: usize) -> Vec<Quantized> {
        (0..n)
            .map(|seed| (0..dims).map(|i| ((i * 31 + seed * 57) as f32 * 1.3).sin() + 0.5).collect::<Vec<f32>>())
            .map(|row| Quantized::from_f32(&row))
            .collect()
    }

    #[test]
    fn every_variant_agrees_with_the_portable_loop() {
        for dims in [1, 31, 32, 33, 384, 1000, 4096] {
            let rows = rows(3 * BLOCK_ROWS, dims);
            let centre = sketch::centre(dims, rows.iter().map(Quantized::as_bytes));
            let mut blocks = Vec::new();
            for some in rows.chunks(BLOCK_ROWS) {
                let some: Vec<&[u8]> = some.iter().map(Quantized::as_bytes).collect();
                sketch::append_block(&centre, &some, &mut blocks);
            }
            let query = QuerySketch::new(&rows[5].to_f32(), &centre);
            let collect = |scan: Scan| {
                let mut all = Vec::new();
                scan(&blocks, dims, &query, f32::NEG_INFINITY, &mut |block, estimates| {
                    assert_eq!(block, all.len() / BLOCK_ROWS);
                    all.extend(estimates.map(f32::to_bits));
                    f32::NEG_INFINITY
                });
                all
            };
            let portable = collect(|b, d, q, f, found| scan_with(disagreement, b, d, q, f, found));
            assert_eq!(portable.len(), rows.len());
            assert_eq!(collect(scan), portable, "{dims} dimensions");
        }
    }

    #[test]
    fn inner_products_agree() {
        let query: Vec<i16> = (0..1000).map(|i| (i * 37 % 8191 - 4095) as i16).collect();
        let codes: Vec<u8> = (0..1000).map(|i| (i * 73 % 256) as u8).collect();
        for n in [0, 1, 15, 16, 17, 384, 1000] {
            let (product, squares) = product_and_squared_length(&query[..n], &codes[..n]);
            assert_eq!((product, squares), product_any(&query[..n], &codes[..n]));
            assert_eq!(squares, squared_length(&codes[..n]));
            let exact = query.iter().zip(&codes[..n]).map(|(&q, &code)| i64::from(q) * i64::from(code as i8));
            assert_eq!(i64::from(product), exact.sum::<i64>());
            let squared: i64 = codes[..n].iter().map(|&code| i64::from(code as i8).pow(2)).sum();
            assert_eq!(i64::from(squares), squared);
        }
    }
}
