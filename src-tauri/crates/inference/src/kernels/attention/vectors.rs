//! Attention in f32: six rows at a time are multiplied with the keys, sent through the softmax and multiplied with the
//! values while their scores are still in the first-level cache.

use super::{Heads, Projected, Rows, Sight};
use crate::kernels::elementwise::softmax_body;
use crate::kernels::simd::{dispatched, mul_add};

/// Columns of a panel: two AVX2 registers, or one of AVX-512.
const COLUMNS: usize = 16;

/// Rows multiplied at once: with two registers of columns that makes 12 sums, which leaves 4 of 16 registers for factors.
const ROWS: usize = 6;

/// One row of a panel: a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; COLUMNS]);

/// Keys and values of a head, laid out in panels of 16 columns, and the scores of some rows.
#[derive(Default)]
pub struct Vectors {
    keys: Vec<Line>,
    values: Vec<Line>,
    scores: Vec<f32>,
}

/// One head of one text: rows of queries, `stride` apart, against laid out keys and values.
#[derive(Clone, Copy)]
struct Head<'a> {
    queries: &'a [f32],
    stride: usize,
    asking: usize,
    asked: usize,
    dim: usize,
    keys: &'a [Line],
    values: &'a [Line],
    sight: Sight,
}

impl Vectors {
    /// See [`super::Attention::attend_seen`].
    pub fn attend(
        &mut self,
        heads: Heads,
        (q, asking): (Projected<'_>, Rows),
        (k, v, asked): (Projected<'_>, Projected<'_>, Rows),
        sight: Sight,
        out: &mut [f32],
    ) {
        let Heads { dim, .. } = heads;
        self.scores.resize(ROWS * asked.count.next_multiple_of(COLUMNS), 0.0);
        for column in heads.columns() {
            lay_out_columns(k.head(asked, column, dim), dim, &mut self.keys);
            lay_out_rows(v.head(asked, column, dim), asked.count, dim, &mut self.values);
            let queries = &q.rows[asking.first * q.stride + q.first + column..];
            let (keys, values) = (&self.keys[..], &self.values[..]);
            let (asking, asked) = (asking.count, asked.count);
            let head_of_text = Head { queries, stride: q.stride, asking, asked, dim, keys, values, sight };
            head(head_of_text, &mut self.scores, &mut out[column..], heads.width());
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

/// `R` rows, the first of them `place`, through the whole of a head.
#[inline(always)]
fn rows_body<const FMA: bool, const R: usize>(
    head: Head<'_>,
    place: usize,
    scores: &mut [f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let Head { stride, asked, dim, .. } = head;
    let (queries, out) = (&head.queries[place * stride..], &mut out[place * out_stride..]);
    let scale = 1.0 / (dim as f32).sqrt();
    let padded = asked.next_multiple_of(COLUMNS);
    for (panel, keys) in head.keys.chunks_exact(dim).enumerate() {
        let sums = multiply::<FMA, R>(queries, stride, keys);
        for (row, sums) in sums.iter().enumerate() {
            scores[row * padded + panel * COLUMNS..][..COLUMNS].copy_from_slice(sums);
        }
    }
    let mut shares = [0.0; R];
    for (row, share) in shares.iter_mut().enumerate() {
        let scores = &mut scores[row * padded..][..asked];
        let seen = head.sight.of(place + row, asked);
        scores[..seen.start].fill(0.0);
        scores[seen.end..].fill(0.0);
        *share = softmax_body::<FMA>(&mut scores[seen], scale);
    }
    for (panel, values) in head.values.chunks_exact(asked).enumerate() {
        let sums = multiply::<FMA, R>(scores, padded, values);
        let columns = COLUMNS.min(dim - panel * COLUMNS);
        for (row, (sums, share)) in sums.iter().zip(shares).enumerate() {
            let out = &mut out[row * out_stride + panel * COLUMNS..][..columns];
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * share);
        }
    }
}

#[inline(always)]
fn head_body<const FMA: bool>(head: Head<'_>, scores: &mut [f32], out: &mut [f32], out_stride: usize) {
    let mut place = 0;
    while place < head.asking {
        macro_rules! take {
            ($rows:literal) => {{
                rows_body::<FMA, $rows>(head, place, scores, out, out_stride);
                place += $rows;
            }};
        }
        match head.asking - place {
            1 => take!(1),
            2 | 3 => take!(2),
            4 | 5 => take!(4),
            _ => take!(6),
        }
    }
}

dispatched! {
    /// `scores` has room for [`ROWS`] rows of scores; `out` gets a row for each that asks, `out_stride` apart.
    fn head(head: Head<'_>, scores: &mut [f32], out: &mut [f32], out_stride: usize) => head_body
}
