//! Products in the tiles of AMX.

use std::arch::asm;

use super::{Line, Numbers, Products, ROWS, Sums};
use crate::kernels::amx::{self, Held, ROW_BYTES};

const _: () = assert!(ROWS == amx::ROWS, "16 rows make a tile");

/// The tiles of this processor. Between steps of the same sums they hold those.
pub struct Tiles(Held);

impl Tiles {
    /// Whether this machine has them, lends them, and has the vectors that go with them.
    pub fn fit() -> bool {
        amx::lent()
    }

    /// Only where they [`fit`](Self::fit).
    pub fn new() -> Self {
        Self(Held::new())
    }
}

impl Products for Tiles {
    fn score(&self, queries: &[Line], keys: &[Line], step: usize, scores: &mut [Numbers], stride: usize) {
        let _: &Held = &self.0;
        let depth = queries.len() / ROWS;
        let (group, part) = (step / depth, step % depth);
        let queries = &queries[part * ROWS..][..ROWS];
        let keys = &keys[step * 2 * ROWS..][..2 * ROWS];
        // SAFETY: the tiles are held, and nothing but this thread's code, which the compiler keeps free of tiles, runs
        // between. Reads one tile and two; writes 16 rows of two registers, which is checked.
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

    fn weigh(&self, shares: &[Line], values: &[Line], step: usize, sums: &mut Sums, groups: usize) {
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
}
