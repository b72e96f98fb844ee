//! Attention in numbers of 8 significant bits (bf16), whose products are added in f32: in the tiles of AMX, or with the
//! instructions of AVX-512 for it.
//!
//! Queries, keys, values and shares are rounded by a thousandth of themselves on average, a tenth of what rounding weights to 8 bits does
//! to them. The exponential is in f32.

mod dots;
mod layout;
#[cfg(target_os = "linux")]
mod tiles;

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_mask_loadu_ps, _mm512_mask_storeu_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sub_ps,
};
use std::ops::Range;
use std::sync::OnceLock;

use super::vectors::Vectors;
use super::{Heads, Projected, Rows, Sight};
use crate::kernels::wide::LANES;
use dots::Dots;
use layout::{Head, factors, lay_out_keys, lay_out_queries, lay_out_values, store};
#[cfg(target_os = "linux")]
use tiles::Tiles;

/// Rows that are scored together.
const ROWS: usize = 16;

/// Factors of a line.
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

/// What multiplies.
trait Products {
    /// 16 queries times 32 keys, 32 numbers a step: step after step of the same keys, then the next. Scores go to 16 rows of
    /// `stride` registers.
    fn score(&self, queries: &[Line], keys: &[Line], step: usize, scores: &mut [Numbers], stride: usize);

    /// 16 rows of shares, `groups` lines each, times the values, 32 rows a step: step after step of the same 32 numbers,
    /// then the next. After the last of them `sums` holds what they come to; before, it is left to whoever multiplies.
    fn weigh(&self, shares: &[Line], values: &[Line], step: usize, sums: &mut Sums, groups: usize);
}

/// What multiplies on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    Dots,
    #[cfg(target_os = "linux")]
    Tiles,
}

/// A head laid out in tiles of 16 lines, and what 16 rows make of it.
pub struct Bf16 {
    kernel: Kernel,
    room: Room,
}

#[derive(Default)]
struct Room {
    /// 16 rows: a tile for every 32 numbers.
    queries: Vec<Line>,
    /// For every 32 keys and in them 32 numbers two tiles of 16 keys each.
    keys: Vec<Line>,
    /// For every 32 numbers and in them 32 rows two tiles of 16 numbers each.
    values: Vec<Line>,
    /// Of two blocks of 16 rows, so that products and softmax need not wait for each other.
    scores: [Vec<Numbers>; 2],
    shares: [Vec<Line>; 2],
    /// For every 32 numbers.
    sums: Vec<Sums>,
}

/// 16 rows of 16 numbers, and the next 16 of each.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Sums([[Numbers; ROWS]; 2]);

impl Kernel {
    /// What this machine has, and attends with as it should.
    fn of_this_machine() -> Option<Self> {
        static FOUND: OnceLock<Option<Kernel>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let kernels = [
                #[cfg(target_os = "linux")]
                Tiles::fit().then_some(Self::Tiles),
                Dots::fit().then_some(Self::Dots),
            ];
            kernels.into_iter().flatten().find(|kernel| {
                let agrees = agrees(*kernel);
                if !agrees {
                    tracing::warn!(
                        "the processor's {kernel:?} of bf16 do not attend as they should: they are not used"
                    );
                }
                agrees
            })
        })
    }
}

impl Bf16 {
    /// `None` where this machine has nothing for it.
    pub fn new() -> Option<Self> {
        Kernel::of_this_machine().map(|kernel| Self { kernel, room: Room::default() })
    }

    /// See [`super::Attention::attend_seen`].
    pub fn attend(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        sight: Sight,
        out: &mut [f32],
    ) {
        let parts = |column| {
            [(q, asking), (k, asked), (v, asked)].map(|(part, rows)| Head { part, rows, column, dim: heads.dim })
        };
        // SAFETY: a `Bf16` is made only where there is what its kernel needs, AVX-512 F, BW and BF16 among it.
        unsafe {
            match self.kernel {
                Kernel::Dots => self.room.heads(&Dots, heads, parts, sight, out),
                #[cfg(target_os = "linux")]
                Kernel::Tiles => self.room.heads(&Tiles::new(), heads, parts, sight, out),
            }
        }
    }
}

impl Room {
    /// `parts` gives the queries, keys and values of the head that begins at a column.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn heads<'a, P: Products>(
        &mut self,
        products: &P,
        heads: Heads,
        parts: impl Fn(usize) -> [Head<'a>; 3],
        sight: Sight,
        out: &mut [f32],
    ) {
        for column in heads.columns() {
            self.head(products, parts(column), sight, &mut out[column..], heads.width());
        }
    }

    /// `out` gets a row for each query, `stride` apart. 16 rows at a time are scored, while those before go through the
    /// softmax and those before them are multiplied with the values: some products between rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn head<P: Products>(
        &mut self,
        products: &P,
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
                        products.score(&self.queries, &self.keys, step, scores, 2 * groups);
                    }
                    if block >= 2 {
                        products.weigh(shared, &self.values, step, &mut self.sums[step / groups], groups);
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

/// Whether this and f32 give the same for a head that fills no tile.
fn agrees(kernel: Kernel) -> bool {
    let (heads, count) = (Heads { count: 1, dim: 40 }, 37);
    let rows: Vec<f32> = (0..count * 120).map(|i| ((i * 7919 % 1009) as f32 - 500.0) * 0.004).collect();
    let part = |first| Projected { rows: &rows, stride: 120, first };
    let all = Rows { first: 0, count };
    let (asking, asked) = ((part(0), all), (part(40), part(80), all));
    let (mut ours, mut exact) = (vec![0.0; count * 40], vec![0.0; count * 40]);
    Bf16 { kernel, room: Room::default() }.attend(heads, asking, asked, Sight::ALL, &mut ours);
    Vectors::default().attend(heads, asking, asked, Sight::ALL, &mut exact);
    ours.iter().zip(&exact).all(|(a, b)| (a - b).abs() < TOLERANCE)
}

/// What 8 bits of each factor may change of values within 2.
const TOLERANCE: f32 = 3e-2;
