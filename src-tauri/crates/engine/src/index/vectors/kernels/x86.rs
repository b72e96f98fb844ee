//! Counting disagreeing bits with x86-64's vector instructions.
//!
//! By hand, because the compiler vectorises the portable loop over the words of a row, with gathers, and not over
//! the rows of a block, which lie side by side for this.

use std::arch::x86_64::*;

use super::{Counts, QUERY_PLANES, Word};

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
pub(super) fn disagreement_avx512(words: &[Word], planes: &[[u64; QUERY_PLANES]]) -> Counts {
    let mut sum = _mm512_setzero_si512();
    for (word, planes) in words.iter().zip(planes) {
        // SAFETY: a `Word` is 64 bytes long, and the load needs no alignment.
        let rows = unsafe { _mm512_loadu_si512(word.as_ptr().cast()) };
        let count = |power: usize| _mm512_popcnt_epi64(_mm512_xor_si512(rows, _mm512_set1_epi64(planes[power] as i64)));
        sum = _mm512_add_epi64(sum, count(0));
        sum = _mm512_add_epi64(sum, _mm512_slli_epi64::<1>(count(1)));
        sum = _mm512_add_epi64(sum, _mm512_slli_epi64::<2>(count(2)));
        sum = _mm512_add_epi64(sum, _mm512_slli_epi64::<3>(count(3)));
    }
    let mut counts = [0; 8];
    // SAFETY: `counts` is 64 bytes long, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(counts.as_mut_ptr().cast(), sum) };
    counts
}

/// AVX2 has no popcount: half bytes are looked up in a table that holds their count times the plane's weight. A
/// byte's weighted count over all planes is at most 8 · 15 and fits a byte, so one horizontal sum serves four planes.
#[target_feature(enable = "avx2")]
pub(super) fn disagreement_avx2(words: &[Word], planes: &[[u64; QUERY_PLANES]]) -> Counts {
    let low_half = _mm256_set1_epi8(0x0f);
    let ones = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let twos = _mm256_add_epi8(ones, ones);
    let fours = _mm256_add_epi8(twos, twos);
    let eights = _mm256_add_epi8(fours, fours);
    let tables = [ones, twos, fours, eights];

    let mut sums = [_mm256_setzero_si256(); 2];
    for (word, planes) in words.iter().zip(planes) {
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: a `Word` is 64 bytes long, two halves of 32, and the load needs no alignment.
            let rows = unsafe { _mm256_loadu_si256(word[half * 4..].as_ptr().cast()) };
            let mut bytes = _mm256_setzero_si256();
            for (plane, table) in planes.iter().zip(tables) {
                let bits = _mm256_xor_si256(rows, _mm256_set1_epi64x(*plane as i64));
                let low = _mm256_and_si256(bits, low_half);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bits), low_half);
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, low));
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, high));
            }
            *sum = _mm256_add_epi64(*sum, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
        }
    }
    let mut counts = [0; 8];
    for (half, sum) in counts.chunks_exact_mut(4).zip(sums) {
        // SAFETY: `half` is 32 bytes long, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), sum) };
    }
    counts
}
