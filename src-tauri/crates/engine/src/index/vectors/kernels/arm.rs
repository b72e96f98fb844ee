//! The table look-ups of a scan with the vector instructions that every 64-bit ARM processor has.

use std::arch::aarch64::*;

use super::{Counts, STEPS_OF_A_BYTE, Step, Table};
use crate::index::vectors::sketch::BLOCK_ROWS;

#[target_feature(enable = "neon")]
pub(super) fn disagreement_neon(steps: &[Step], tables: &[Table]) -> Counts {
    let low_half = vdupq_n_u8(0x0f);
    let mut sums = [vdupq_n_u16(0); 4];
    let (steps, tables) = (steps.as_chunks::<STEPS_OF_A_BYTE>().0, tables.as_chunks::<STEPS_OF_A_BYTE>().0);
    for (steps, tables) in steps.iter().zip(tables) {
        let mut bytes = [vdupq_n_u8(0); 2];
        for (step, table) in steps.iter().zip(tables) {
            // SAFETY: a step and a table are 16 bytes long each, and the loads need no alignment.
            let (codes, table) = unsafe { (vld1q_u8(step.as_ptr()), vld1q_u8(table.as_ptr())) };
            bytes[0] = vaddq_u8(bytes[0], vqtbl1q_u8(table, vandq_u8(codes, low_half)));
            bytes[1] = vaddq_u8(bytes[1], vqtbl1q_u8(table, vshrq_n_u8::<4>(codes)));
        }
        for (sums, bytes) in sums.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            sums[0] = vaddw_u8(sums[0], vget_low_u8(bytes));
            sums[1] = vaddw_high_u8(sums[1], bytes);
        }
    }
    let mut counts = [0; BLOCK_ROWS];
    for (counts, sum) in counts.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        // SAFETY: `counts` is 16 bytes long, and the store needs no alignment.
        unsafe { vst1q_u16(counts.as_mut_ptr(), sum) };
    }
    counts
}
