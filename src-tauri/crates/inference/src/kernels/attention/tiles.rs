//! Attention in the tiles of AMX, which multiply numbers of 8 significant bits (bf16) and add their products in f32.
//!
//! Queries, keys, values and shares are rounded by a thousandth of themselves on average, a tenth of what rounding weights to 8 bits does
//! to them. The exponential is in f32, and takes longest.

use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512,
    _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_load_ps, _mm512_mask_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_reduce_add_ps, _mm512_reduce_max_ps,
    _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_store_si512, _mm512_sub_ps, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::ops::Range;
use std::sync::OnceLock;

use super::vectors::Vectors;
use super::{Heads, Projected, Rows, Sight};
use crate::kernels::amx::{self, Held, ROW_BYTES, ROWS};

/// Numbers of a register of f32, and of a row of a tile of sums.
const LANES: usize = 16;

/// Numbers of a row of a tile of factors.
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
    /// Of two blocks of 16 rows, so that tiles and vectors need not wait for each other.
    scores: [Vec<Numbers>; 2],
    shares: [Vec<Line>; 2],
    /// For every 32 numbers.
    sums: Vec<Sums>,
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
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Sums([[Numbers; ROWS]; 2]);

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
            // SAFETY: tiles are held only where there is AVX-512 F, BW and BF16.
            unsafe { self.head(&held, parts, sight, &mut out[column..], heads.width()) };
        }
    }

    /// `out` gets a row for each query, `stride` apart. 16 rows at a time are scored, while those before go through the
    /// softmax and those before them are multiplied with the values: a few instructions for the tiles after each row.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn head(
        &mut self,
        held: &Held,
        [queries, keys, values]: [Head<'_>; 3],
        sight: Sight,
        out: &mut [f32],
        stride: usize,
    ) {
        let (groups, depth, asked) = (keys.groups(), keys.depth(), keys.rows.count);
        lay_out_keys(keys, &mut self.keys);
        lay_out_values(values, &mut self.values);
        self.scores.iter_mut().for_each(|scores| scores.resize(ROWS * 2 * groups, NO_NUMBERS));
        self.shares.iter_mut().for_each(|shares| shares.resize(ROWS * groups, NO_LINE));
        self.sums.resize(depth, Sums([[NO_NUMBERS; ROWS]; 2]));
        let [mut scored, mut scores] = self.scores.each_mut().map(|scores| &mut scores[..]);
        let [mut shared, mut shares] = self.shares.each_mut().map(|shares| &mut shares[..]);
        let [mut per_sum, mut next_per_sum] = [[0.0; ROWS]; 2];
        let n_rows = queries.rows.count;
        let blocks = n_rows.div_ceil(ROWS);
        let rows = |block: usize| ROWS.min(n_rows - block * ROWS);
        for block in 0..blocks + 2 {
            if block < blocks {
                lay_out_queries(queries, block * ROWS, &mut self.queries);
            }
            let (soft, soft_rows) = match block.checked_sub(1) {
                Some(soft) if soft < blocks => (soft, rows(soft)),
                _ => (0, 0),
            };
            let mut done = 0;
            for row in 0..ROWS {
                let end = (row + 1) * groups * depth / ROWS;
                for step in done..end {
                    if block < blocks {
                        score(held, &self.queries, &self.keys, step, scores, 2 * groups);
                    }
                    if block >= 2 {
                        weigh(held, shared, &self.values, step, &mut self.sums[step / groups], groups);
                    }
                }
                done = end;
                if row % SIDE_BY_SIDE == 0 && row < soft_rows {
                    let scores = &mut scored[row * 2 * groups..][..SIDE_BY_SIDE * 2 * groups];
                    for (i, scores) in scores.chunks_exact_mut(2 * groups).enumerate().filter(|_| !sight.is_all()) {
                        hide(scores, &sight.of(soft * ROWS + row + i, asked));
                    }
                    let shares = &mut shares[row * groups..][..SIDE_BY_SIDE * groups];
                    next_per_sum[row..][..SIDE_BY_SIDE].copy_from_slice(&softmax(scores, asked, shares));
                }
            }
            if let Some(block) = block.checked_sub(2) {
                let out = &mut out[block * ROWS * stride..];
                for (group, sums) in self.sums.iter().enumerate() {
                    let columns = DEPTH * group..queries.dim.min(DEPTH * (group + 1));
                    for (row, per_sum) in per_sum.iter().enumerate().take(rows(block)) {
                        finish(sums, row, *per_sum, &mut out[row * stride..][columns.clone()]);
                    }
                }
            }
            std::mem::swap(&mut scored, &mut scores);
            std::mem::swap(&mut shared, &mut shares);
            std::mem::swap(&mut per_sum, &mut next_per_sum);
        }
    }
}

/// Up to 32 numbers in two registers, zeros behind them.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn load(numbers: &[f32]) -> [__m512; 2] {
    let mask = (1u64 << numbers.len().min(DEPTH)) - 1;
    // SAFETY: what the masks leave out is not read.
    unsafe {
        let first = _mm512_maskz_loadu_ps(mask as u16, numbers.as_ptr());
        [first, _mm512_maskz_loadu_ps((mask >> LANES) as u16, numbers.as_ptr().wrapping_add(LANES))]
    }
}

/// Factors: `a`, then `b`, each rounded to the nearest.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn factors([a, b]: [__m512; 2]) -> __m512i {
    // SAFETY: both are 64 bytes of plain numbers.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn store(line: &mut Line, factors: __m512i) {
    // SAFETY: a line is as long and as aligned as a register.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), factors) };
}

/// 16 rows from `first` on, scaled so that a score is the exponent of a power of 2.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn lay_out_queries(queries: Head<'_>, first: usize, tiles: &mut Vec<Line>) {
    tiles.resize(queries.depth() * ROWS, NO_LINE);
    let scale = _mm512_set1_ps(std::f32::consts::LOG2_E / (queries.dim as f32).sqrt());
    for (group, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
        for (row, line) in tile.iter_mut().enumerate() {
            let numbers = load(queries.numbers(first + row, group));
            store(line, factors(numbers.map(|x| _mm512_mul_ps(x, scale))));
        }
    }
}

/// Each key becomes a column.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn lay_out_keys(keys: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(keys.groups() * keys.depth() * 2 * ROWS, NO_LINE);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (first, group) = (i / keys.depth() * DEPTH, i % keys.depth());
        for (half, tile) in tiles.chunks_exact_mut(ROWS).enumerate() {
            let mut rows = [_mm512_setzero_si512(); LANES];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = factors(load(keys.numbers(first + half * ROWS + i, group)));
            }
            tile.iter_mut().zip(transposed(rows)).for_each(|(line, factors)| store(line, factors));
        }
    }
}

/// Each number stands beside that of the next row.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn lay_out_values(values: Head<'_>, tiles: &mut Vec<Line>) {
    tiles.resize(values.groups() * values.depth() * 2 * ROWS, NO_LINE);
    let upper_half = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    for (i, tiles) in tiles.chunks_exact_mut(2 * ROWS).enumerate() {
        let (group, first) = (i / values.groups(), i % values.groups() * DEPTH);
        for row in 0..ROWS {
            let one = load(values.numbers(first + 2 * row, group));
            let other = load(values.numbers(first + 2 * row + 1, group));
            for half in 0..2 {
                // Half of the last digit that is kept, so that cutting rounds.
                let [a, b] = [one[half], other[half]]
                    .map(|x| _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)));
                let pair = _mm512_or_si512(_mm512_srli_epi32::<16>(a), _mm512_and_si512(b, upper_half));
                store(&mut tiles[half * ROWS + row], pair);
            }
        }
    }
}

/// Rows to columns, of 32 bits each.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
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

/// 16 queries times 32 keys, 32 numbers a step: step after step of the same keys, then the next. Scores go to 16 rows of
/// `stride` registers. Between steps tiles 5 and 6 hold sums.
fn score(_held: &Held, queries: &[Line], keys: &[Line], step: usize, scores: &mut [Numbers], stride: usize) {
    let depth = queries.len() / ROWS;
    let (group, part) = (step / depth, step % depth);
    let queries = &queries[part * ROWS..][..ROWS];
    let keys = &keys[step * 2 * ROWS..][..2 * ROWS];
    // SAFETY: the tiles are held, and nothing but this thread's code, which the compiler keeps free of tiles, runs between.
    // Reads one tile and two; writes 16 rows of two registers, which is checked.
    unsafe {
        if part == 0 {
            asm!("tilezero tmm5", "tilezero tmm6", options(nomem, nostack));
        }
        asm!(
            "tileloadd tmm2, [{queries} + {line}*1]",
            "tileloadd tmm3, [{keys} + {line}*1]",
            "tileloadd tmm4, [{keys} + {line}*1 + 1024]",
            "tdpbf16ps tmm5, tmm2, tmm3",
            "tdpbf16ps tmm6, tmm2, tmm4",
            queries = in(reg) queries.as_ptr(),
            keys = in(reg) keys.as_ptr(),
            line = in(reg) ROW_BYTES,
            options(nostack, readonly),
        );
        if part == depth - 1 {
            let scores = &mut scores[2 * group..(ROWS - 1) * stride + 2 * group + 2];
            asm!(
                "tilestored [{scores} + {stride}*1], tmm5",
                "tilestored [{scores} + {stride}*1 + 64], tmm6",
                scores = in(reg) scores.as_mut_ptr(),
                stride = in(reg) stride * ROW_BYTES,
                options(nostack),
            );
        }
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
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
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

/// Rows that go through the softmax side by side: while one waits for its greatest score or its sum, another has work.
const SIDE_BY_SIDE: usize = 4;

/// Of some rows the first `asked` scores: each `s` becomes a share `2^(s - max)`. Returns 1 over a row's sum.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn softmax(scores: &[Numbers], asked: usize, shares: &mut [Line]) -> [f32; SIDE_BY_SIDE] {
    let groups = shares.len() / SIDE_BY_SIDE;
    assert!(scores.len() == 2 * shares.len() && asked.div_ceil(DEPTH) == groups, "32 scores to a line of shares");
    let least = _mm512_set1_ps(f32::NEG_INFINITY);
    // The last 32 may not be all there. Masked as they are loaded: what is stored in pieces is slow to load whole.
    let last = asked - (groups - 1) * DEPTH;
    let mask = (1u64 << last) - 1;
    let load = |row: usize, group: usize| {
        let numbers = &scores[(row * groups + group) * 2..][..2];
        // SAFETY: twice 16 numbers.
        unsafe {
            if group + 1 < groups {
                [_mm512_load_ps(numbers[0].0.as_ptr()), _mm512_load_ps(numbers[1].0.as_ptr())]
            } else {
                let part = |half: usize| {
                    _mm512_mask_loadu_ps(least, (mask >> (half * LANES)) as u16, numbers[half].0.as_ptr())
                };
                [part(0), part(1)]
            }
        }
    };
    let mut highest = [[least; 2]; SIDE_BY_SIDE];
    for group in 0..groups {
        for (row, highest) in highest.iter_mut().enumerate() {
            let [a, b] = load(row, group);
            *highest = [_mm512_max_ps(highest[0], a), _mm512_max_ps(highest[1], b)];
        }
    }
    let highest = highest.map(|[a, b]| _mm512_set1_ps(_mm512_reduce_max_ps(_mm512_max_ps(a, b))));
    let mut sums = [_mm512_setzero_ps(); SIDE_BY_SIDE];
    for group in 0..groups {
        for (row, sum) in sums.iter_mut().enumerate() {
            let [a, b] = load(row, group).map(|x| exp2(_mm512_sub_ps(x, highest[row])));
            *sum = _mm512_add_ps(*sum, _mm512_add_ps(a, b));
            store(&mut shares[row * groups + group], factors([a, b]));
        }
    }
    sums.map(|sum| 1.0 / _mm512_reduce_add_ps(sum))
}

/// 16 rows of shares, `groups` lines each, times the values, 32 rows a step: step after step of the same 32 numbers, then
/// the next. Between steps tiles 0 and 1 hold sums.
fn weigh(_held: &Held, shares: &[Line], values: &[Line], step: usize, sums: &mut Sums, groups: usize) {
    let group = step % groups;
    let shares = &shares[group..(ROWS - 1) * groups + group + 1];
    let values = &values[step * 2 * ROWS..][..2 * ROWS];
    // SAFETY: as in `score`. Reads 16 rows of one line, and two tiles; writes two tiles, which are `sums`.
    unsafe {
        if group == 0 {
            asm!("tilezero tmm0", "tilezero tmm1", options(nomem, nostack));
        }
        asm!(
            "tileloadd tmm2, [{shares} + {stride}*1]",
            "tileloadd tmm3, [{values} + {line}*1]",
            "tileloadd tmm4, [{values} + {line}*1 + 1024]",
            "tdpbf16ps tmm0, tmm2, tmm3",
            "tdpbf16ps tmm1, tmm2, tmm4",
            shares = in(reg) shares.as_ptr(),
            values = in(reg) values.as_ptr(),
            stride = in(reg) groups * ROW_BYTES,
            line = in(reg) ROW_BYTES,
            options(nostack, readonly),
        );
        if group == groups - 1 {
            asm!(
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 1024], tmm1",
                sums = in(reg) std::ptr::from_mut(sums),
                line = in(reg) ROW_BYTES,
                options(nostack),
            );
        }
    }
}

/// One row of up to 32 numbers, divided by the sum of its shares.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
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
