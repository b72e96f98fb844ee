//! A row's sketch: one bit a dimension and two factors, from which a query's cosine can be estimated.
//!
//! Embedding models crowd their vectors into a narrow cone (multilingual-e5: cosines of .7 to .95), where the signs
//! of the components hardly tell rows apart. So the bits are the signs of the *residual* `r = v - c` from the
//! segment's own mean `c`. The estimate is that of RaBitQ (Gao and Long, SIGMOD 2024, arXiv:2405.12497) without the
//! rotation: with `s = sign(r)`, `<q, r>` is about `gain * <q, s>`, where `gain = |r|² / Σ|r_i|` makes it exact for
//! `q = r`. The query is centred as well: of `q = a c + p`, with `p` orthogonal to `c`,
//!
//! ```text
//! <q, v> = <q, c> + a <c, r> + <p, r>
//!          query    row: offset  estimated as gain * <p, s>
//! ```
//!
//! so only the small `p` is estimated. It is rounded to 16 odd levels, `p_i ≈ step * (±1 ±2 ±4 ±8)`, one bit plane a
//! power, and `<p, s>` becomes popcounts of `bits ^ plane`.

use super::quantized;

/// Rows in a block: the scan counts the same word of 8 rows at once, in one 512-bit or two 256-bit registers.
pub(super) const BLOCK_ROWS: usize = 8;
/// Bits a component of the query. At 4 the rounding is far below the error of the 1-bit rows.
pub(super) const QUERY_PLANES: usize = 4;
/// Bytes of a block before its bits: a gain and then an offset (f32) for each row.
pub(super) const FACTOR_BYTES: usize = 2 * BLOCK_ROWS * 4;

/// 64-bit words that hold a bit a dimension.
pub(super) fn words(dims: usize) -> usize {
    dims.div_ceil(64)
}

/// Bytes of a block of [`BLOCK_ROWS`] sketches; a multiple of 64, and so a whole number of cache lines.
pub(super) fn block_bytes(dims: usize) -> usize {
    FACTOR_BYTES + words(dims) * BLOCK_ROWS * 8
}

/// The mean of the unit rows; zeros for no rows.
pub(super) fn centre<'a>(dims: usize, rows: impl Iterator<Item = &'a [u8]>) -> Vec<f32> {
    let mut sum = vec![0.0_f64; dims];
    let mut n_rows = 0_u32;
    for row in rows {
        n_rows += 1;
        for (sum, x) in sum.iter_mut().zip(quantized::unit(row)) {
            *sum += f64::from(x);
        }
    }
    sum.iter().map(|sum| (sum / f64::from(n_rows.max(1))) as f32).collect()
}

/// Appends the block of up to [`BLOCK_ROWS`] rows to `out`. Missing rows are left zero.
///
/// Layout, little-endian: 8 gains, 8 offsets, then for each word of the bits the 8 rows' words side by side.
pub(super) fn append_block(centre: &[f32], rows: &[&[u8]], out: &mut Vec<u8>) {
    let mut gains = [0.0_f32; BLOCK_ROWS];
    let mut offsets = [0.0_f32; BLOCK_ROWS];
    let mut bits = vec![[0_u64; BLOCK_ROWS]; words(centre.len())];
    for (lane, row) in rows.iter().enumerate() {
        let (mut squares, mut magnitudes, mut offset) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (i, (x, c)) in quantized::unit(row).zip(centre).enumerate() {
            let residual = x - c;
            squares += residual * residual;
            magnitudes += residual.abs();
            offset += residual * c;
            bits[i / 64][lane] |= u64::from(residual > 0.0) << (i % 64);
        }
        gains[lane] = if magnitudes > 0.0 { squares / magnitudes } else { 0.0 };
        offsets[lane] = offset;
    }
    out.extend(gains.iter().chain(&offsets).flat_map(|x| x.to_le_bytes()));
    out.extend(bits.iter().flatten().flat_map(|word| word.to_le_bytes()));
}

/// A query prepared for the sketches of one segment.
#[derive(Debug)]
pub(super) struct QuerySketch {
    /// For each 64 dimensions, the planes of weight 1, 2, 4, 8.
    pub planes: Vec<[u64; QUERY_PLANES]>,
    /// `<q, c>`.
    pub base: f32,
    /// `a`, the factor of a row's offset.
    pub along: f32,
    /// What one step of `<p, s>` in levels is worth.
    pub step: f32,
    /// `<p, s>` in levels when every bit agrees: 15 a dimension.
    pub agreement: f32,
}

impl QuerySketch {
    /// `query` and `centre` are of the same width; `query` is of unit length.
    pub fn new(query: &[f32], centre: &[f32]) -> Self {
        let base = dot(query, centre);
        let squared = dot(centre, centre);
        let along = if squared > 0.0 { base / squared } else { 0.0 };
        let part: Vec<f32> = query.iter().zip(centre).map(|(q, c)| q - along * c).collect();
        let largest = part.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        // 16 levels from -15 to 15 span the components; the outermost stand half a step inside the largest.
        let step = largest / 16.0;
        let mut planes = vec![[0; QUERY_PLANES]; words(query.len())];
        for (i, x) in part.iter().enumerate() {
            // In 0..=15; NaN, from a step of 0, becomes 0 and is worth nothing.
            let level = ((x / step + 16.0) / 2.0).floor().clamp(0.0, 15.0) as u64;
            for (power, plane) in planes[i / 64].iter_mut().enumerate() {
                *plane |= ((level >> power) & 1) << (i % 64);
            }
        }
        Self { planes, base, along, step, agreement: 15.0 * query.len() as f32 }
    }

    /// The cosine from a row's factors and its disagreement with the planes, weighted 1, 2, 4, 8.
    #[inline(always)]
    pub fn estimate(&self, gain: f32, offset: f32, disagreement: u32) -> f32 {
        let levels = self.agreement - 2.0 * disagreement as f32;
        self.base + self.along * offset + gain * self.step * levels
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
