//! Softmax attention within each text, head by head.
//!
//! A head's keys and values are laid out once for what multiplies them; then some rows at a time are multiplied with the
//! keys, sent through the softmax, which is exact, and multiplied with the values.

#[cfg(target_arch = "x86_64")]
mod bf16;
mod vectors;

#[cfg(target_arch = "x86_64")]
use bf16::Bf16;
use vectors::Vectors;

use crate::Precision;

/// Tokens that ask together where each sees only its surroundings, at least: enough rows to pay for laying out the keys.
const LEAST_BLOCK: usize = 16;

/// Rows that are worth laying a head out for bf16, which takes 16 at a time.
#[cfg(target_arch = "x86_64")]
const LEAST_ROWS: usize = 2;

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

/// What multiplies, and the room that it reuses.
pub struct Attention {
    vectors: Vectors,
    /// Where there is something for it, and 8 significant bits of each number will do.
    #[cfg(target_arch = "x86_64")]
    bf16: Option<Bf16>,
}

/// How the width of a row is cut into heads.
#[derive(Clone, Copy)]
pub struct Heads {
    pub count: usize,
    pub dim: usize,
}

impl Heads {
    pub fn width(self) -> usize {
        self.count * self.dim
    }

    /// Where each head begins.
    fn columns(self) -> impl Iterator<Item = usize> {
        (0..self.width()).step_by(self.dim)
    }
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

    #[cfg(target_arch = "x86_64")]
    fn is_all(self) -> bool {
        self.reach == usize::MAX
    }

    fn of(self, row: usize, asked: usize) -> std::ops::Range<usize> {
        let place = self.ahead + row;
        place.saturating_sub(self.reach).min(asked)..place.saturating_add(self.reach).saturating_add(1).min(asked)
    }
}

impl Attention {
    /// With [`Precision::F32`] all products are in f32.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "they are in f32 anyway"))]
    pub fn new(precision: Precision) -> Self {
        Self {
            vectors: Vectors::default(),
            #[cfg(target_arch = "x86_64")]
            bf16: if precision == Precision::F32 { None } else { Bf16::new() },
        }
    }

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
        let width = heads.width();
        let block = reach.max(LEAST_BLOCK);
        for (i, out) in out.chunks_mut(block * width).enumerate() {
            let (start, count) = (i * block, out.len() / width);
            let (from, to) = (start.saturating_sub(reach), (start + count + reach).min(text.count));
            let asking = Rows { first: text.first + start, count };
            let asked = Rows { first: text.first + from, count: to - from };
            self.attend_seen(heads, (q, asking), (k, v, asked), Sight { ahead: start - from, reach }, out);
        }
    }

    /// The rows `asking` of `q` against those of the rows `asked` of `k` and `v` that are in `sight`.
    fn attend_seen(
        &mut self,
        heads: Heads,
        asking: (Projected<'_>, Rows),
        asked: (Projected<'_>, Projected<'_>, Rows),
        sight: Sight,
        out: &mut [f32],
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(bf16) = &mut self.bf16
            && asking.1.count >= LEAST_ROWS
        {
            return bf16.attend(heads, asking, asked, sight, out);
        }
        self.vectors.attend(heads, asking, asked, sight, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What multiplies on this machine, and how far it may be from what is exact here.
    fn ways() -> [(Precision, f32); 2] {
        [(Precision::F32, 1e-5), (Precision::Int8, 2e-2)]
    }

    /// Whatever the blocks, a token gets what attending to its surroundings alone would give it.
    #[test]
    fn attending_near_is_attending_to_the_surroundings() {
        let (heads, count) = (Heads { count: 2, dim: 4 }, 61);
        let rows: Vec<f32> = (0..count * 24).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.03).collect();
        let part = |first| Projected { rows: &rows, stride: 24, first };
        let parts = [part(0), part(8), part(16)];
        for (reach, (precision, within)) in [1, 5, 16, 20, 59, 60, 200].into_iter().flat_map(|r| ways().map(|w| (r, w)))
        {
            let mut near = vec![0.0; count * 8];
            let text = Rows { first: 0, count };
            Attention::new(precision).attend_near(heads, parts, text, reach, &mut near);
            for place in 0..count {
                let (from, to) = (place.saturating_sub(reach), (place + reach + 1).min(count));
                let mut alone = vec![0.0; 8];
                let (asking, asked) = (Rows { first: place, count: 1 }, Rows { first: from, count: to - from });
                let keys_values = (parts[1], parts[2], asked);
                Attention::new(Precision::F32).attend(heads, (parts[0], asking), keys_values, &mut alone);
                for (a, b) in near[place * 8..(place + 1) * 8].iter().zip(&alone) {
                    assert!((a - b).abs() < within, "{precision:?}, reach {reach}, place {place}: {a} against {b}");
                }
            }
        }
    }

    /// What is no number, or makes none, in a query spoils that row; in a key or a value every row.
    #[test]
    fn what_is_no_number_stays_none() {
        let (heads, count, width) = (Heads { count: 2, dim: 32 }, 37, 64);
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) * 0.004;
        let sound: Vec<f32> = (0..count * 3 * width).map(number).collect();
        let text = Rows { first: 0, count };
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
            for (part, bad) in (0..3).flat_map(|part| [(part, f32::NAN), (part, f32::INFINITY)]) {
                for place in [0, 11, 36] {
                    let mut rows = sound.clone();
                    rows[place * 3 * width + part * width + 3] = bad;
                    let one = |first| Projected { rows: &rows, stride: 3 * width, first };
                    let mut out = vec![0.0; count * width];
                    Attention::new(precision).attend(
                        heads,
                        (one(0), text),
                        (one(width), one(2 * width), text),
                        &mut out,
                    );
                    for (row, out) in out.chunks_exact(width).enumerate() {
                        let is_none = !out[..heads.dim].iter().all(|x| x.is_finite());
                        let says = format!("{precision:?}: {bad} in part {part} of row {place}: row {row}");
                        // A key without end in the wrong direction is one that nobody looks at.
                        assert!(
                            is_none || part == 0 && row != place || part == 1 && bad.is_infinite(),
                            "{says}: {out:?}"
                        );
                    }
                }
            }
            // Scores that overflow.
            let rows: Vec<f32> = sound.iter().map(|x| x * 1e30).collect();
            let one = |first| Projected { rows: &rows, stride: 3 * width, first };
            let mut out = vec![0.0; count * width];
            Attention::new(precision).attend(heads, (one(0), text), (one(width), one(2 * width), text), &mut out);
            assert!(out.chunks_exact(width).all(|row| !row.iter().all(|x| x.is_finite())), "{precision:?}");
        }
    }

    /// Against sums as they stand in the textbook, for numbers of rows and of heads' numbers that fill no panel and no
    /// block of rows.
    #[test]
    fn heads_agree_with_the_formula() {
        let sizes = [(4, 1), (32, 2), (32, 7), (12, 16), (64, 17), (40, 33), (32, 95)];
        for ((dim, count), (precision, within)) in sizes.into_iter().flat_map(|size| ways().map(|way| (size, way))) {
            let heads = Heads { count: 3, dim };
            let width = heads.count * dim;
            let number = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) * 0.004;
            let rows: Vec<f32> = (0..(count + 2) * 3 * width).map(number).collect();
            let part = |first| Projected { rows: &rows, stride: 3 * width, first };
            let text = Rows { first: 2, count };
            let mut out = vec![f32::NAN; count * width];
            let (q, k, v) = (part(0), part(width), part(2 * width));
            Attention::new(precision).attend(heads, (q, text), (k, v, text), &mut out);
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
                        let off = (ours - exact).abs();
                        assert!(
                            off < f64::from(within),
                            "{precision:?}, {dim} numbers, {count} rows: {ours} for {exact}"
                        );
                    }
                }
            }
        }
    }
}
