//! Both loops with x86-64's vector instructions.

use std::arch::x86_64::*;

use super::{Counts, STEPS_OF_A_BYTE, Step, Table};
use crate::index::vectors::sketch::BLOCK_ROWS;

/// Takes two steps at a time, one in either half of a register. The halves are added at the end.
#[target_feature(enable = "avx2")]
pub(super) fn disagreement_avx2(steps: &[Step], tables: &[Table]) -> Counts {
    const AT_ONCE: usize = 2 * STEPS_OF_A_BYTE;
    let low_half = _mm256_set1_epi8(0x0f);
    let low_byte = _mm256_set1_epi16(0x00ff);
    let zero = _mm256_setzero_si256();
    // Sums of the even and of the odd rows among the first sixteen rows, and among the others. They are separate
    // variables, and the inner loop has a fixed length: with iterators the compiler would keep the sums in memory.
    let (mut even, mut odd, mut other_even, mut other_odd) = (zero, zero, zero, zero);
    for (steps, tables) in steps.as_chunks::<AT_ONCE>().0.iter().zip(tables.as_chunks::<AT_ONCE>().0) {
        let (mut first, mut other) = (zero, zero);
        for i in 0..STEPS_OF_A_BYTE {
            // SAFETY: from index `2 * i` on, at least two steps and two tables of 16 bytes each are left, and the loads
            // need no alignment.
            let (codes, table) = unsafe {
                (
                    _mm256_loadu_si256(steps.as_ptr().add(2 * i).cast()),
                    _mm256_loadu_si256(tables.as_ptr().add(2 * i).cast()),
                )
            };
            let low = _mm256_and_si256(codes, low_half);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low_half);
            first = _mm256_add_epi8(first, _mm256_shuffle_epi8(table, low));
            other = _mm256_add_epi8(other, _mm256_shuffle_epi8(table, high));
        }
        even = _mm256_add_epi16(even, _mm256_and_si256(first, low_byte));
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16::<8>(first));
        other_even = _mm256_add_epi16(other_even, _mm256_and_si256(other, low_byte));
        other_odd = _mm256_add_epi16(other_odd, _mm256_srli_epi16::<8>(other));
    }
    let mut counts = [0; BLOCK_ROWS];
    for (counts, (even, odd)) in counts.as_chunks_mut::<16>().0.iter_mut().zip([(even, odd), (other_even, other_odd)]) {
        let both = |sum: __m256i| _mm_add_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let (even, odd) = (both(even), both(odd));
        // SAFETY: each half of `counts` is 16 bytes long, and the stores need no alignment.
        unsafe {
            _mm_storeu_si128(counts[..8].as_mut_ptr().cast(), _mm_unpacklo_epi16(even, odd));
            _mm_storeu_si128(counts[8..].as_mut_ptr().cast(), _mm_unpackhi_epi16(even, odd));
        }
    }
    counts
}

/// See `product_and_squared_length`.
#[target_feature(enable = "avx2")]
pub(super) fn product_avx2(query: &[i16], codes: &[u8]) -> (i32, i32) {
    let (mut products, mut squares) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let (query, query_rest) = query.as_chunks::<16>();
    let (codes, codes_rest) = codes.as_chunks::<16>();
    for (query, codes) in query.iter().zip(codes) {
        // SAFETY: `query` has 16 numbers of 16 bits, `codes` has 16 bytes, and the loads need no alignment.
        let (query, codes) =
            unsafe { (_mm256_loadu_si256(query.as_ptr().cast()), _mm_loadu_si128(codes.as_ptr().cast())) };
        let codes = _mm256_cvtepi8_epi16(codes);
        products = _mm256_add_epi32(products, _mm256_madd_epi16(query, codes));
        squares = _mm256_add_epi32(squares, _mm256_madd_epi16(codes, codes));
    }
    let rest = super::product_any(query_rest, codes_rest);
    (sum(products).wrapping_add(rest.0), sum(squares).wrapping_add(rest.1))
}

#[target_feature(enable = "avx2")]
fn sum(eight: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
}
