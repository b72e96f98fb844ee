//! Attention in the tiles of AMX, which multiply numbers of 8 significant bits (bf16) and add their products in f32.
//!
//! Queries, keys, values and shares are rounded by a thousandth of themselves on average, a tenth of what rounding weights to 8 bits does
//! to them. The exponential is in f32, and takes longest.

use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_fmadd_ps,
    _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_or_si512,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_srli_epi32,
    _mm512_store_si512, _mm512_sub_ps, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};
use std::ops::Range;
use std::sync::OnceLock;

use super::vectors::Vectors;
use super::{Heads, Projected, Rows, Sight};
use crate::kernels::amx::{self, Held, ROW_BYTES, ROWS};

/// Numbers of a register of f32, and of a row of a tile of sums.
const LANES: usize = 16;

/// Numbers of a row of a tile of factors. Number `i` stands beside number `i + 16`.
const DEPTH: usize = 2 * LANES;

/// 32 factors.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; LANES]);

/// 16 numbers in f32.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Numbers([f32; LANES]);

const NO_LINE: Line = Line([0; LANES]);
const NO_NUMBERS: Numbers = Numbers([0.0; LANES]);

/// A head laid out in tiles of 16 lines, and what 16 rows make of it.
#[derive(Default)]
pub struct Tiles {
    /// 16 rows: a tile for every 32 numbers.
    queries: Vec<Line>,
    /// For every 32 keys and in them 32 numbers two tiles of 16 keys each.
    keys: Vec<Line>,
    /// For every 32 numbers and in them 32 rows two tiles of 16 numbers each.
    values: Vec<Line>,
    /// 16 rows.
    scores: Vec<Numbers>,
    shares: Vec<Line>,
    sums: Sums,
}

/// The rows of one head.
#[derive(Clone, Copy)]
struct Head<'a> {
    part: Projected<'a>,
    rows: Rows,
    column: usize,
    dim: usize,
}

impl<'a> Head<'a> {
    /// The 32 numbers of a row, or fewer, from `32 * group` on; none of a row that does not exist.
    fn numbers(self, row: usize, group: usize) -> &'a [f32] {
        if row >= self.rows.count {
            return &[];
        }
        let first = (self.rows.first + row) * self.part.stride + self.part.first + self.column;
        &self.part.rows[first + DEPTH * group..first + self.dim.min(DEPTH * (group + 1))]
    }

    /// Groups of 32 numbers of a row, and of 32 rows.
    fn depth(self) -> usize {
        self.dim.div_ceil(DEPTH)
    }

    fn groups(self) -> usize {
        self.rows.count.div_ceil(DEPTH)
    }
}

/// 16 rows of 16 numbers, and the next 16 of each.
#[repr(C, align(64))]
struct Sums([[Numbers; ROWS]; 2]);

impl Default for Sums {
    fn default() -> Self {
        Self([[NO_NUMBERS; ROWS]; 2])
    }
}

impl Tiles {
    /// Whether this machine has the tiles, lends them, and attends with them as it should.
    pub fn fit() -> bool {
        static FIT: OnceLock<bool> = OnceLock::new();
        *FIT.get_or_init(|| {
            if !amx::lent() {
                return false;
            }
            let agrees = agrees();
            if !agrees {
                tracing::warn!("the processor's AMX tiles do not attend as they should: they are not used");
            }
            agrees
        })
    }

    /// See [`super::Attention::attend_seen`]. Only where the tiles are lent.
    pub fn attend(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        sight: Sight,
        out: &mut [f32],
    ) {
        let held = Held::new();
        for column in heads.columns() {
            let head = |part, rows| Head { part, rows, column, dim: heads.dim };
            let parts = [head(q, asking), head(k, asked), head(v, asked)];
            // SAFETY: tiles are held only where there is AVX-512 F and BW.
            unsafe { self.head(&held, parts, sight, &mut out[column..], heads.width()) };
        }
    }

    /// `out` gets a row for each query, `stride` apart.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn head(
        &mut self,
        held: &Held,
        [queries, keys, values]: [Head<'_>; 3],
        sight: Sight,
        out: &mut [f32],
        stride: usize,
    ) {
        let groups = keys.groups();
        lay_out_keys(keys, &mut self.keys);
        lay_out_values(values, &mut self.values);
        self.scores.resize(ROWS * 2 * groups, NO_NUMBERS);
        self.shares.resize(ROWS * groups, NO_LINE);
        for (block, out) in out.chunks_mut(ROWS * stride).enumerate() {
            let first = block * ROWS;
            let rows = ROWS.min(queries.rows.count - first);
            lay_out_queries(queries, first, &mut self.queries);
            for (group, keys) in self.keys.chunks_exact(2 * ROWS * keys.depth()).enumerate() {
                score(held, &self.queries, keys, &mut self.scores, 2 * groups, 2 * group);
            }
            let mut per_sum = [0.0; ROWS];
            for (row, per_sum) in per_sum.iter_mut().enumerate().take(rows) {
                let scores = &mut self.scores[row * 2 * groups..][..2 * groups];
                hide(scores, &sight.of(first + row, keys.rows.count));
                *per_sum = softmax(scores, &mut self.shares[row * groups..][..groups]);
            }
            for (group, values) in self.values.chunks_exact(2 * ROWS * groups).enumerate() {
                weigh(held, &self.shares, values, &mut self.sums);
                let columns = DEPTH * group..queries.dim.min(DEPTH * (group + 1));
                for (row, per_sum) in per_sum.iter().enumerate().take(rows) {
                    finish(&self.sums, row, *per_sum, &mut out[row * stride..][columns.clone()]);
                }
            }
        }
    }
}

/// Up to 32 numbers in two registers, zeros behind them.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load(numbers: &[f32]) -> [__m512; 2] {
    let mask = (1u64 << numbers.len().min(DEPTH)) - 1;
    // SAFETY: what the masks leave out is not read.
    unsafe {
        let first = _mm512_maskz_loadu_ps(mask as u16, numbers.as_ptr());
        [first, _mm512_maskz_loadu_ps((mask >> LANES) as u16, numbers.as_ptr().wrapping_add(LANES))]
    }
}

/// Factors: number `i` of `a` beside number `i` of `b`, each rounded to the nearest.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn pair(a: __m512, b: __m512) -> __m512i {
    let half = _mm512_set1_epi32(0x8000);
    let upper_half = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    let [a, b] = [a, b].map(|x| _mm512_add_epi32(_mm512_castps_si512(x), half));
    _mm512_or_si512(_mm512_srli_epi32::<16>(a), _mm512_and_si512(b, upper_half))
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn store(line: &mut Line, factors: __m512i) {
    // SAFETY: a line is as long and as aligned as a register.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), factors) };
}

/// 16 rows from `first` on, scaled so that a score is the exponent of a power of 2.
#[target_feature(enable = "avx512f,avx512bw")]
fn lay_out_queries(queries: Head<'_>, first: usize, tiles: &mut Vec<Line>) {
    tiles.resize(queries.depth() * ROWS, NO_LINE);
    let scale = _mm512_set1_ps(std::f32::consts::LOG2_E / (queries.dim as f32).sqrt());
    for (group, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
        for (row, line) in tile.iter_mut().enumerate() {
            let [a, b] = load(queries.numbers(first + row, group));
            store(line, pair(_mm512_mul_ps(a, scale), _mm512_mul_ps(b, scale)));
        }
    }
}

/// Each key becomes a column.
#[target_feature(enable = "avx512f,avx512bw")]
fn lay_out_keys(keys: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(keys.groups() * keys.depth() * 2 * ROWS, NO_LINE);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (first, group) = (i / keys.depth() * DEPTH, i % keys.depth());
        for (half, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
            let mut rows = [_mm512_setzero_si512(); LANES];
            for (i, row) in rows.iter_mut().enumerate() {
                let [a, b] = load(keys.numbers(first + half * ROWS + i, group));
                *row = pair(a, b);
            }
            tile.iter_mut().zip(transposed(rows)).for_each(|(line, factors)| store(line, factors));
        }
    }
}

/// A row stands beside the one 16 rows on.
#[target_feature(enable = "avx512f,avx512bw")]
fn lay_out_values(values: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(values.groups() * values.depth() * 2 * ROWS, NO_LINE);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (group, first) = (i / values.groups(), i % values.groups() * DEPTH);
        for row in 0..ROWS {
            let one = load(values.numbers(first + row, group));
            let other = load(values.numbers(first + ROWS + row, group));
            for half in 0..2 {
                store(&mut tiles[half * ROWS + row], pair(one[half], other[half]));
            }
        }
    }
}

/// Rows to columns, of 32 bits each.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transposed(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // `fours[4 i + j]` holds of the rows from `4 i` on column `j`, `4 + j`, `8 + j` and `12 + j`.
    let mut fours = rows;
    for i in 0..4 {
        for j in 0..2 {
            let (one, other) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
            fours[4 * i + 2 * j] = _mm512_unpacklo_epi64(one, other);
            fours[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(one, other);
        }
    }
    let mut columns = rows;
    for j in 0..4 {
        let evens = |i: usize| _mm512_shuffle_i32x4::<0x88>(fours[i + j], fours[i + 4 + j]);
        let odds = |i: usize| _mm512_shuffle_i32x4::<0xdd>(fours[i + j], fours[i + 4 + j]);
        columns[j] = _mm512_shuffle_i32x4::<0x88>(evens(0), evens(8));
        columns[4 + j] = _mm512_shuffle_i32x4::<0x88>(odds(0), odds(8));
        columns[8 + j] = _mm512_shuffle_i32x4::<0xdd>(evens(0), evens(8));
        columns[12 + j] = _mm512_shuffle_i32x4::<0xdd>(odds(0), odds(8));
    }
    columns
}

/// 16 queries times 32 keys. Their scores go to `scores`, rows of `stride`, at place `at`.
fn score(_held: &Held, queries: &[Line], keys: &[Line], scores: &mut [Numbers], stride: usize, at: usize) {
    let depth = queries.len() / ROWS;
    assert!(depth > 0 && keys.len() == depth * 2 * ROWS, "a tile of queries for two of keys");
    assert!(at + 2 <= stride && scores.len() >= ROWS * stride, "16 rows of scores");
    // SAFETY: the tiles are held, and nothing but this thread's code, which the compiler keeps free of tiles, runs between.
    // Reads whole tiles, `depth` times one and two of them, and writes 16 rows of two registers each: checked above.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm2, [{queries} + {line}*1]",
            "tileloadd tmm3, [{keys} + {line}*1]",
            "tileloadd tmm4, [{keys} + {line}*1 + 1024]",
            "tdpbf16ps tmm0, tmm2, tmm3",
            "tdpbf16ps tmm1, tmm2, tmm4",
            "add {queries}, 1024",
            "add {keys}, 2048",
            "dec {n}",
            "jnz 2b",
            "tilestored [{scores} + {stride}*1], tmm0",
            "tilestored [{scores} + {stride}*1 + 64], tmm1",
            queries = inout(reg) queries.as_ptr() => _,
            keys = inout(reg) keys.as_ptr() => _,
            n = inout(reg) depth => _,
            line = in(reg) ROW_BYTES,
            scores = in(reg) scores.as_mut_ptr().add(at),
            stride = in(reg) stride * ROW_BYTES,
            options(nostack),
        );
    }
}

/// Makes sure that nothing but `seen` gets a share.
fn hide(scores: &mut [Numbers], seen: &Range<usize>) {
    // SAFETY: `Numbers` are f32 end to end.
    let scores = unsafe { std::slice::from_raw_parts_mut(scores.as_mut_ptr().cast::<f32>(), scores.len() * LANES) };
    scores[..seen.start].fill(f32::NEG_INFINITY);
    scores[seen.end..].fill(f32::NEG_INFINITY);
}

/// `2^x` for `x <= 0`, within 4 millionths of itself; below -100 it is as good as 0. Interpolated at Chebyshev's nodes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn exp2(x: __m512) -> __m512 {
    let x = _mm512_max_ps(_mm512_set1_ps(-100.0), x);
    let n = _mm512_roundscale_ps::<0>(x);
    let r = _mm512_sub_ps(x, n);
    let mut p = _mm512_set1_ps(9.666_368e-3);
    for c in [5.592_197_7e-2, 0.240_223_5, 0.693_121, 1.0] {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    }
    _mm512_scalef_ps(p, n)
}

/// Each score `s` becomes a share `2^(s - max)`. Returns 1 over their sum.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn softmax(scores: &[Numbers], shares: &mut [Line]) -> f32 {
    // SAFETY: 16 numbers are as long and as aligned as a register.
    let load = |numbers: &Numbers| unsafe { _mm512_load_ps(numbers.0.as_ptr()) };
    let (twos, _) = scores.as_chunks::<2>();
    let mut highest = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
    for [a, b] in twos {
        highest = [_mm512_max_ps(highest[0], load(a)), _mm512_max_ps(highest[1], load(b))];
    }
    let highest = _mm512_set1_ps(_mm512_reduce_max_ps(_mm512_max_ps(highest[0], highest[1])));
    let mut sums = [_mm512_setzero_ps(); 2];
    for ([a, b], shares) in twos.iter().zip(shares) {
        let (a, b) = (exp2(_mm512_sub_ps(load(a), highest)), exp2(_mm512_sub_ps(load(b), highest)));
        sums = [_mm512_add_ps(sums[0], a), _mm512_add_ps(sums[1], b)];
        store(shares, pair(a, b));
    }
    1.0 / _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]))
}

/// 16 rows of shares times all rows of 32 numbers of the values.
fn weigh(_held: &Held, shares: &[Line], values: &[Line], sums: &mut Sums) {
    let groups = values.len() / (2 * ROWS);
    assert!(groups > 0 && shares.len() == groups * ROWS, "a row of shares for two tiles of values");
    // SAFETY: as in `score`. Reads 16 rows of `groups` lines of shares and as many times two tiles of values; writes two
    // tiles, which are `sums`.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm2, [{shares} + {stride}*1]",
            "tileloadd tmm3, [{values} + {line}*1]",
            "tileloadd tmm4, [{values} + {line}*1 + 1024]",
            "tdpbf16ps tmm0, tmm2, tmm3",
            "tdpbf16ps tmm1, tmm2, tmm4",
            "add {shares}, 64",
            "add {values}, 2048",
            "dec {n}",
            "jnz 2b",
            "tilestored [{sums} + {line}*1], tmm0",
            "tilestored [{sums} + {line}*1 + 1024], tmm1",
            shares = inout(reg) shares.as_ptr() => _,
            values = inout(reg) values.as_ptr() => _,
            n = inout(reg) groups => _,
            stride = in(reg) groups * ROW_BYTES,
            line = in(reg) ROW_BYTES,
            sums = in(reg) std::ptr::from_mut(sums),
            options(nostack),
        );
    }
}

/// One row of up to 32 numbers, divided by the sum of its shares.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn finish(sums: &Sums, row: usize, per_sum: f32, out: &mut [f32]) {
    let mask = (1u64 << out.len().min(DEPTH)) - 1;
    let per_sum = _mm512_set1_ps(per_sum);
    for half in 0..2 {
        // SAFETY: 16 numbers are as long and as aligned as a register; the mask lets no more through than `out` takes.
        unsafe {
            let number = _mm512_mul_ps(_mm512_load_ps(sums.0[half][row].0.as_ptr()), per_sum);
            let to = out.as_mut_ptr().wrapping_add(half * LANES);
            _mm512_mask_storeu_ps(to, (mask >> (half * LANES)) as u16, number);
        }
    }
}

/// Whether tiles and vectors give the same for a head that fills no tile.
fn agrees() -> bool {
    let (heads, count) = (Heads { count: 1, dim: 40 }, 37);
    let rows: Vec<f32> = (0..count * 120).map(|i| ((i * 7919 % 1009) as f32 - 500.0) * 0.004).collect();
    let part = |first| Projected { rows: &rows, stride: 120, first };
    let all = Rows { first: 0, count };
    let (asking, asked) = ((part(0), all), (part(40), part(80), all));
    let (mut ours, mut exact) = (vec![0.0; count * 40], vec![0.0; count * 40]);
    Tiles::default().attend(heads, asking, asked, Sight::ALL, &mut ours);
    Vectors::default().attend(heads, asking, asked, Sight::ALL, &mut exact);
    ours.iter().zip(&exact).all(|(a, b)| (a - b).abs() < TOLERANCE)
}

/// What 8 bits of each factor may change of values within 2.
const TOLERANCE: f32 = 3e-2;
