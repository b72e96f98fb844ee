//! Segments Chinese text into words with jieba's dictionary.

use std::ops::Range;
use std::sync::LazyLock;

use jieba_rs::{Jieba, Token};

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Loads the dictionary.
pub(super) fn warm_up() {
    LazyLock::force(&JIEBA);
}

/// Segments a run of simplified Chinese characters. Returns words that cover the run end to end, and for each also the
/// shorter words it is made of.
///
/// jieba's statistical model is off, because it makes the same characters a word in one context and not in another. The
/// names that only the model would find are found by the pairs of the helper field anyway.
pub(super) fn cut(run: &str) -> Vec<Token<'_>> {
    let found = JIEBA.cut_for_search(run, false);
    let mut words = Vec::with_capacity(found.len());
    // jieba lists the parts of a word before the word itself. So from the end backwards, each word precedes its parts.
    let mut end = found.len();
    while let Some(whole) = end.checked_sub(1).map(|last| &found[last]) {
        let parts = found[..end - 1].iter().rposition(|word| word.end <= whole.start).map_or(0, |at| at + 1)..end - 1;
        end = parts.start;
        words.push(whole.clone());
        words.extend(proper_parts(&found[parts], whole.start..whole.end));
    }
    words
}

/// Drops parts that straddle a boundary inside the word: the dictionary finds 索引 (index) inside 搜索引擎 (search
/// engine), across its two words. Keeps parts that begin or end the word, or that are in a sequence of parts covering
/// it end to end.
fn proper_parts<'a>(parts: &[Token<'a>], whole: Range<usize>) -> Vec<Token<'a>> {
    let n_chars = whole.len();
    let mut from_start = vec![false; n_chars + 1];
    let mut from_end = from_start.clone();
    (from_start[0], from_end[n_chars]) = (true, true);
    for at in 0..n_chars {
        for part in parts.iter().filter(|part| part.start - whole.start == at) {
            from_start[part.end - whole.start] |= from_start[at];
        }
    }
    for at in (0..=n_chars).rev() {
        for part in parts.iter().filter(|part| part.end - whole.start == at) {
            from_end[part.start - whole.start] |= from_end[at];
        }
    }
    let is_proper = move |part: &&Token| {
        let (start, end) = (part.start - whole.start, part.end - whole.start);
        start == 0 || end == n_chars || from_start[start] && from_end[end]
    };
    parts.iter().filter(is_proper).cloned().collect()
}
