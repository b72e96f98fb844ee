//! Softmax attention within each text, head by head, exact.
//!
//! A head's keys and values are laid out once in panels of 16 columns; then six rows at a time are multiplied with the keys,
//! sent through the softmax and multiplied with the values while their scores are still in the first-level cache.

use super::elementwise::softmax_body;
use super::simd::{dispatched, mul_add};

/// Tokens that ask together where each sees only its surroundings, at least: enough rows to pay for laying out the keys.
const LEAST_BLOCK: usize = 16;

/// Columns of a panel: two AVX2 registers, or one of AVX-512.
const COLUMNS: usize = 16;

/// Rows multiplied at once: with two registers of columns that makes 12 sums, which leaves 4 of 16 registers for factors.
const ROWS: usize = 6;

/// One row of a panel: a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; COLUMNS]);

/// Queries, keys or values of all heads as a linear layer left them: rows of `stride` numbers, of which those from
/// `first` on are meant, head after head.
#[derive(Clone, Copy)]
pub struct Projected<'a> {
    pub rows: &'a [f32],
    pub stride: usize,
    pub first: usize,
}

impl<'a> Projected<'a> {
    /// The numbers of a head in each of `rows`; `column` is where the head begins.
    fn head(self, rows: Rows, column: usize, dim: usize) -> impl Iterator<Item = &'a [f32]> {
        let first = rows.first * self.stride + self.first + column;
        (0..rows.count).map(move |row| &self.rows[first + row * self.stride..][..dim])
    }
}

/// The room that attention reuses.
#[derive(Default)]
pub struct Attention {
    keys: Vec<Line>,
    values: Vec<Line>,
    scores: Vec<f32>,
}

/// How the width of a row is cut into heads.
#[derive(Clone, Copy)]
pub struct Heads {
    pub count: usize,
    pub dim: usize,
}

/// Rows of one text within a batch.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub first: usize,
    pub count: usize,
}

/// Which of the asked rows each asking row sees: those at most `reach` away from `ahead` plus its own number.
#[derive(Clone, Copy)]
struct Sight {
    ahead: usize,
    reach: usize,
}

impl Sight {
    const ALL: Self = Self { ahead: 0, reach: usize::MAX };

    fn of(self, row: usize, asked: usize) -> std::ops::Range<usize> {
        let place = self.ahead + row;
        place.saturating_sub(self.reach).min(asked)..place.saturating_add(self.reach).saturating_add(1).min(asked)
    }
}

impl Attention {
    /// For one text: the rows `asking` of `q` against the rows `asked` of `k` and `v`. `out` gets `asking.count` rows
    /// of `heads.count * heads.dim` numbers.
    pub fn attend(
        &mut self,
        heads: Heads,
        asking: (Projected<'_>, Rows),
        asked: (Projected<'_>, Projected<'_>, Rows),
        out: &mut [f32],
    ) {
        self.attend_seen(heads, asking, asked, Sight::ALL, out);
    }

    /// For all tokens of one text: each asks those at most `reach` places away. `parts` are queries, keys and values.
    /// Taken in blocks of tokens, so that the work grows with the text's length and not with its square.
    pub fn attend_near(&mut self, heads: Heads, parts: [Projected<'_>; 3], text: Rows, reach: usize, out: &mut [f32]) {
        let [q, k, v] = parts;
        if text.count <= reach.saturating_add(1) {
            return self.attend(heads, (q, text), (k, v, text), out);
        }
        let width = heads.count * heads.dim;
        let block = reach.max(LEAST_BLOCK);
        for (i, out) in out.chunks_mut(block * width).enumerate() {
            let (start, count) = (i * block, out.len() / width);
            let (from, to) = (start.saturating_sub(reach), (start + count + reach).min(text.count));
            let asking = Rows { first: text.first + start, count };
            let asked = Rows { first: text.first + from, count: to - from };
            self.attend_seen(heads, (q, asking), (k, v, asked), Sight { ahead: start - from, reach }, out);
        }
    }

    fn attend_seen(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        sight: Sight,
        out: &mut [f32],
    ) {
        let width = heads.count * heads.dim;
        self.scores.resize(ROWS * asked.count.next_multiple_of(COLUMNS), 0.0);
        for column in (0..width).step_by(heads.dim) {
            lay_out_columns(k.head(asked, column, heads.dim), heads.dim, &mut self.keys);
            lay_out_rows(v.head(asked, column, heads.dim), asked.count, heads.dim, &mut self.values);
            let queries = &q.rows[asking.first * q.stride + q.first + column..];
            let n = [asking.count, asked.count, heads.dim];
            head(queries, q.stride, n, &self.keys, &self.values, sight, &mut self.scores, &mut out[column..], width);
        }
    }
}

/// Each row becomes a column of the panels, which are `dim` lines each.
fn lay_out_columns<'a>(rows: impl Iterator<Item = &'a [f32]>, dim: usize, panels: &mut Vec<Line>) {
    panels.clear();
    for (i, row) in rows.enumerate() {
        if i % COLUMNS == 0 {
            panels.resize(panels.len() + dim, Line([0.0; COLUMNS]));
        }
        let panel = i / COLUMNS * dim;
        for (line, x) in panels[panel..].iter_mut().zip(row) {
            line.0[i % COLUMNS] = *x;
        }
    }
}

/// Each row becomes a line of the panels, which are `count` lines each; a row of more than 16 numbers goes on in the next
/// panel.
fn lay_out_rows<'a>(rows: impl Iterator<Item = &'a [f32]>, count: usize, dim: usize, panels: &mut Vec<Line>) {
    panels.resize(count * dim.div_ceil(COLUMNS), Line([0.0; COLUMNS]));
    for (i, row) in rows.enumerate() {
        for (panel, part) in row.chunks(COLUMNS).enumerate() {
            let line = &mut panels[panel * count + i].0;
            match <&[f32; COLUMNS]>::try_from(part) {
                Ok(whole) => *line = *whole,
                Err(_) => line[..part.len()].copy_from_slice(part),
            }
        }
    }
}

/// `R` rows of `panel.len()` numbers, `stride` apart, times a panel.
#[inline(always)]
fn multiply<const FMA: bool, const R: usize>(rows: &[f32], stride: usize, panel: &[Line]) -> [[f32; COLUMNS]; R] {
    let mut sums = [[0.0; COLUMNS]; R];
    assert!(rows.len() >= (R - 1) * stride + panel.len(), "R rows of factors");
    for (i, line) in panel.iter().enumerate() {
        // Once for all rows: they would each fetch it again.
        let line = line.0;
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row < R` and `i < panel.len()`, so it lies within what was asserted above.
            let x = unsafe { *rows.get_unchecked(row * stride + i) };
            for (sum, y) in sums.iter_mut().zip(&line) {
                *sum = mul_add::<FMA>(x, *y, *sum);
            }
        }
    }
    sums
}

/// `R` rows through the whole of a head. `place` is the number of the first.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "see `head`")]
fn rows_body<const FMA: bool, const R: usize>(
    queries: &[f32],
    stride: usize,
    [place, asked, dim]: [usize; 3],
    keys: &[Line],
    values: &[Line],
    sight: Sight,
    scores: &mut [f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let scale = 1.0 / (dim as f32).sqrt();
    let padded = asked.next_multiple_of(COLUMNS);
    for (panel, keys) in keys.chunks_exact(dim).enumerate() {
        let sums = multiply::<FMA, R>(queries, stride, keys);
        for (row, sums) in sums.iter().enumerate() {
            scores[row * padded + panel * COLUMNS..][..COLUMNS].copy_from_slice(sums);
        }
    }
    let mut shares = [0.0; R];
    for (row, share) in shares.iter_mut().enumerate() {
        let scores = &mut scores[row * padded..][..asked];
        let seen = sight.of(place + row, asked);
        scores[..seen.start].fill(0.0);
        scores[seen.end..].fill(0.0);
        *share = softmax_body::<FMA>(&mut scores[seen], scale);
    }
    for (panel, values) in values.chunks_exact(asked).enumerate() {
        let sums = multiply::<FMA, R>(scores, padded, values);
        let columns = COLUMNS.min(dim - panel * COLUMNS);
        for (row, (sums, share)) in sums.iter().zip(shares).enumerate() {
            let out = &mut out[row * out_stride + panel * COLUMNS..][..columns];
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * share);
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "see `head`")]
fn head_body<const FMA: bool>(
    queries: &[f32],
    stride: usize,
    [asking, asked, dim]: [usize; 3],
    keys: &[Line],
    values: &[Line],
    sight: Sight,
    scores: &mut [f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let mut place = 0;
    while place < asking {
        let (queries, out) = (&queries[place * stride..], &mut out[place * out_stride..]);
        macro_rules! take {
            ($rows:literal) => {{
                let n = [place, asked, dim];
                rows_body::<FMA, $rows>(queries, stride, n, keys, values, sight, scores, out, out_stride);
                place += $rows;
            }};
        }
        match asking - place {
            1 => take!(1),
            2 | 3 => take!(2),
            4 | 5 => take!(4),
            _ => take!(6),
        }
    }
}

dispatched! {
    /// One head of one text: rows of `queries`, `stride` apart, against laid out keys and values. The three numbers are
    /// rows asking, rows asked, and numbers of a row. `out` gets as many rows, `out_stride` apart.
    #[allow(clippy::too_many_arguments, reason = "two matrices, two laid out ones, and room")]
    fn head(
        queries: &[f32], stride: usize, n: [usize; 3], keys: &[Line], values: &[Line], sight: Sight, scores: &mut [f32],
        out: &mut [f32], out_stride: usize,
    ) => head_body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the blocks, a token gets what attending to its surroundings alone would give it.
    #[test]
    fn attending_near_is_attending_to_the_surroundings() {
        let (heads, count) = (Heads { count: 2, dim: 4 }, 61);
        let rows: Vec<f32> = (0..count * 24).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.03).collect();
        let part = |first| Projected { rows: &rows, stride: 24, first };
        let parts = [part(0), part(8), part(16)];
        for reach in [1, 5, 16, 20, 59, 60, 200] {
            let mut near = vec![0.0; count * 8];
            let text = Rows { first: 0, count };
            Attention::default().attend_near(heads, parts, text, reach, &mut near);
            for place in 0..count {
                let (from, to) = (place.saturating_sub(reach), (place + reach + 1).min(count));
                let mut alone = vec![0.0; 8];
                let (asking, asked) = (Rows { first: place, count: 1 }, Rows { first: from, count: to - from });
                let keys_values = (parts[1], parts[2], asked);
                Attention::default().attend(heads, (parts[0], asking), keys_values, &mut alone);
                for (a, b) in near[place * 8..(place + 1) * 8].iter().zip(&alone) {
                    assert!((a - b).abs() < 1e-5, "reach {reach}, place {place}: {a} against {b}");
                }
            }
        }
    }

    /// Against sums as they stand in the textbook, for numbers of rows and of heads' numbers that fill no panel and no
    /// block of rows.
    #[test]
    fn heads_agree_with_the_formula() {
        for (dim, count) in [(4, 1), (32, 2), (32, 7), (12, 16), (64, 17), (40, 33), (32, 95)] {
            let heads = Heads { count: 3, dim };
            let width = heads.count * dim;
            let number = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) * 0.004;
            let rows: Vec<f32> = (0..(count + 2) * 3 * width).map(number).collect();
            let part = |first| Projected { rows: &rows, stride: 3 * width, first };
            let text = Rows { first: 2, count };
            let mut out = vec![f32::NAN; count * width];
            let (q, k, v) = (part(0), part(width), part(2 * width));
            Attention::default().attend(heads, (q, text), (k, v, text), &mut out);
            for column in (0..width).step_by(dim) {
                for (i, q) in q.head(text, column, dim).enumerate() {
                    let dot = |k: &[f32]| q.iter().zip(k).map(|(q, k)| f64::from(q * k)).sum::<f64>();
                    let weights: Vec<f64> =
                        k.head(text, column, dim).map(|k| (dot(k) / (dim as f64).sqrt()).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for j in 0..dim {
                        let values = v.head(text, column, dim).map(|v| f64::from(v[j]));
                        let exact = weights.iter().zip(values).map(|(w, v)| w * v).sum::<f64>() / sum;
                        let ours = f64::from(out[i * width + column + j]);
                        assert!((ours - exact).abs() < 1e-5, "{dim} numbers, {count} rows: {ours} for {exact}");
                    }
                }
            }
        }
    }
}
