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
//! so only the small `p` is estimated. It is rounded to 16 odd levels, `p_i ≈ step * (2 l_i - 15)` with `l_i` in
//! `0..=15`. A set bit disagrees with its level by `15 - l_i`, a clear bit by `l_i`. In levels, `<p, s>` is the value
//! for full agreement less twice the sum of disagreements. A table gives the disagreement of four bits of a row at a
//! time (as in "FastScan", André, Kermarrec and Le Scouarnec, VLDB 2015): one instruction looks up 16 or 32 rows.

use super::quantized;

/// Rows in a block: as many as one 256-bit register, or two of 128, look up at once.
pub(super) const BLOCK_ROWS: usize = 32;
/// Bytes of a block before its bits: a gain and then an offset (f32) for each row.
pub(super) const FACTOR_BYTES: usize = 2 * BLOCK_ROWS * 4;

/// The bits of a block's rows for four dimensions: row `i` in the low half of byte `i`, row `16 + i` in its high half.
pub(super) type Step = [u8; STEP_BYTES];
pub(super) const STEP_BYTES: usize = BLOCK_ROWS / 2;
const STEP_DIMS: usize = 4;
/// For each value that four bits of a row can have, how much they disagree with the query.
pub(super) type Table = [u8; 1 << STEP_DIMS];

/// The number of steps, a multiple of eight because steps are added up eight at a time. Steps beyond the last dimension
/// are 0, and so are their tables.
fn steps(dims: usize) -> usize {
    dims.div_ceil(STEP_DIMS).next_multiple_of(8)
}

/// Bytes of a block of [`BLOCK_ROWS`] sketches; a multiple of 64, and so a whole number of cache lines.
pub(super) fn block_bytes(dims: usize) -> usize {
    FACTOR_BYTES + steps(dims) * STEP_BYTES
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
/// Layout, little-endian: 32 gains, 32 offsets, then a [`Step`] for every four dimensions.
pub(super) fn append_block(centre: &[f32], rows: &[&[u8]], out: &mut Vec<u8>) {
    let mut gains = [0.0_f32; BLOCK_ROWS];
    let mut offsets = [0.0_f32; BLOCK_ROWS];
    let mut bits = vec![[0_u8; STEP_BYTES]; steps(centre.len())];
    for (lane, row) in rows.iter().enumerate() {
        let (mut squares, mut magnitudes, mut offset) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (i, (x, c)) in quantized::unit(row).zip(centre).enumerate() {
            let residual = x - c;
            squares += residual * residual;
            magnitudes += residual.abs();
            offset += residual * c;
            let half = lane / STEP_BYTES * STEP_DIMS;
            bits[i / STEP_DIMS][lane % STEP_BYTES] |= u8::from(residual > 0.0) << (half + i % STEP_DIMS);
        }
        gains[lane] = if magnitudes > 0.0 { squares / magnitudes } else { 0.0 };
        offsets[lane] = offset;
    }
    out.extend(gains.iter().chain(&offsets).flat_map(|x| x.to_le_bytes()));
    out.extend(bits.as_flattened());
}

/// A query prepared for the sketches of one segment.
#[derive(Debug)]
pub(super) struct QuerySketch {
    /// One table for each step of four dimensions.
    pub tables: Vec<Table>,
    /// `<q, c>`.
    pub base: f32,
    /// `a`, the factor of a row's offset.
    pub along: f32,
    /// The factor from `<p, s>` in levels to `<p, s>`.
    pub step: f32,
    /// `<p, s>` in levels if every bit agrees: 15 for each dimension.
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
        // 16 odd levels from -15 to 15 span the components. The outermost level is half a level's width (`step`) inside
        // the largest component.
        let step = largest / 16.0;
        let mut tables = vec![Table::default(); steps(query.len())];
        for (i, x) in part.iter().enumerate() {
            // In 0..=15. A `step` of 0 gives NaN, which becomes level 0; times that `step` it adds nothing.
            let level = ((x / step + 16.0) / 2.0).floor().clamp(0.0, 15.0) as u8;
            for (bits, disagreement) in tables[i / STEP_DIMS].iter_mut().enumerate() {
                *disagreement += if bits >> (i % STEP_DIMS) & 1 == 1 { 15 - level } else { level };
            }
        }
        Self { tables, base, along, step, agreement: 15.0 * query.len() as f32 }
    }

    /// The estimated cosine, from a row's factors and its disagreement with the query in levels.
    #[inline(always)]
    pub fn estimate(&self, gain: f32, offset: f32, disagreement: u32) -> f32 {
        let levels = self.agreement - 2.0 * disagreement as f32;
        self.base + self.along * offset + gain * self.step * levels
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
