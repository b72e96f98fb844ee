//! Finds runs that no one reads (encoded pictures, keys, dumps) and replaces them in blocks by a sign.

use std::ops::Range;

use super::Block;
use super::block::Anchor;

/// The sign that replaces a run that was left out.
const LEFT_OUT: &str = "…";

/// Bytes from which on a word may be encoded. Dictionaries have no such words, and encoded text is wrapped at 64 or 76.
const MIN_WORD: usize = 40;

/// Bytes from which on a run is left out. Shorter ones are checksums, keys and file names, which people do look for.
const MIN_RUN: usize = 160;

/// Most bytes between two words of a run: line ends, quotes, signs that join or mark lines.
const MAX_GAP: usize = 8;

/// Share of neighbouring characters that differ in kind (capital, small letter, digit) from which on a word is encoded.
/// Encoded text has .48, hexadecimal checksums .47, `camelCase` and addresses up to .2.
const MIN_CHANGES: f64 = 0.22;

/// Letters and digits in a row from which on a word is unreadable, whatever it looks like.
const MAX_STRETCH: usize = 60;

/// The runs of `text` that are left out, in order.
pub(super) fn runs(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut at = 0;
    let mut close = |open: &mut Option<Range<usize>>| {
        runs.extend(open.take().filter(|run| run.len() >= MIN_RUN));
    };
    while at < bytes.len() {
        if !is_encoded(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while bytes.get(at).is_some_and(|byte| is_encoded(*byte)) {
            at += 1;
        }
        let word = &bytes[start..at];
        if !word.iter().any(u8::is_ascii_alphanumeric) {
            continue;
        }
        let follows = open.as_ref().is_some_and(|run| is_gap(&bytes[run.end..start]));
        // A run also takes in the short last line of an encoded text, and a line that looks like words by chance.
        let least = if word.len() >= MIN_WORD { MIN_CHANGES / 3.0 } else { MIN_CHANGES };
        let is_tail = follows && (word.ends_with(b"=") || word.len() >= 8) && changes(word) >= least;
        match &mut open {
            Some(run) if follows && (is_unreadable(word) || is_tail) => run.end = at,
            _ if is_unreadable(word) => {
                close(&mut open);
                open = Some(start..at);
            }
            _ => close(&mut open),
        }
    }
    close(&mut open);
    let data = data_uris(text);
    if data.is_empty() {
        return runs;
    }
    runs.extend(data);
    runs.sort_by_key(|run| (run.start, run.end));
    runs.dedup_by(|next, last| {
        let overlaps = next.start <= last.end;
        if overlaps {
            last.end = last.end.max(next.end);
        }
        overlaps
    });
    runs
}

/// `text` without its unreadable runs.
pub(super) fn without(text: &str) -> String {
    let mut readable = String::with_capacity(text.len());
    let mut at = 0;
    for run in runs(text) {
        readable.push_str(&text[at..run.start]);
        readable.push_str(LEFT_OUT);
        at = run.end;
    }
    readable.push_str(&text[at..]);
    readable
}

/// Leaves unreadable runs out of blocks, and removes blocks that hold nothing else. `source` is the text that the
/// blocks were read from.
pub(super) fn leave_out(blocks: &mut Vec<Block>, source: &str) {
    blocks.retain_mut(|block| {
        let runs = runs(&block.text);
        if runs.is_empty() {
            return true;
        }
        let old = std::mem::take(&mut block.text);
        let mut anchors = Vec::with_capacity(block.anchors.len() + runs.len());
        let mut kept = block.anchors.iter().peekable();
        let mut at = 0;
        for run in &runs {
            block.text.push_str(&old[at..run.start]);
            // How many bytes shorter the text has become so far.
            let lost = run.start - block.text.len();
            while let Some(anchor) = kept.next_if(|anchor| anchor.text() <= run.start) {
                anchors.push(Anchor::new(anchor.text() - lost, anchor.source()));
            }
            block.text.push_str(LEFT_OUT);
            let last = block.anchors.partition_point(|anchor| anchor.text() <= run.end).checked_sub(1);
            let from = last.map_or(Anchor::new(0, block.span.start), |last| block.anchors[last]);
            let next = block.anchors.get(last.map_or(0, |last| last + 1)).map_or(block.span.end, |next| next.source());
            let end = source.floor_char_boundary((from.source() + run.end - from.text()).min(next));
            while kept.next_if(|anchor| anchor.text() <= run.end).is_some() {}
            anchors.push(Anchor::new(block.text.len(), end));
            at = run.end;
        }
        let lost = at - block.text.len();
        block.text.push_str(&old[at..]);
        anchors.extend(kept.map(|anchor| Anchor::new(anchor.text() - lost, anchor.source())));
        block.anchors = anchors;
        block.text.chars().any(char::is_alphanumeric)
    });
}

fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'%')
}

fn is_gap(between: &[u8]) -> bool {
    between.len() <= MAX_GAP && between.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
}

fn is_unreadable(word: &[u8]) -> bool {
    if word.len() < MIN_WORD {
        return false;
    }
    let longest = word.split(|byte| !byte.is_ascii_alphanumeric()).map(<[u8]>::len).max().unwrap_or(0);
    // A row of dashes, which has no letters, is readable.
    longest >= MAX_STRETCH || longest > 0 && changes(word) >= MIN_CHANGES
}

/// Share of neighbouring characters that differ in kind. A capital before a small letter, as at the start of a word, is
/// no change.
fn changes(word: &[u8]) -> f64 {
    let kind = |byte: u8| match byte {
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let pairs = word.windows(2).map(|pair| (kind(pair[0]), kind(pair[1])));
    let n_changes = pairs.filter(|(a, b)| *a > 0 && *b > 0 && a != b && (*a, *b) != (1, 2)).count();
    n_changes as f64 / word.len().max(1) as f64
}

/// Finds data URIs (RFC 2397), which hold a file's content in place of its address: `data:image/png;base64,iVBORw0...`.
/// Each reaches to a character that ends an address.
fn data_uris(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, scheme) in text.match_indices("data:") {
        let rest = &text[start + scheme.len()..];
        let head = rest.bytes().take(100).take_while(|byte| byte.is_ascii_graphic() && *byte != b',').count();
        let is_typed = rest[..head].contains('/') || rest[..head].contains(";base64");
        if !is_typed || !rest[head..].starts_with(',') || found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b')' | b'<' | b'>' | b'`');
        let len = rest[head..].bytes().take_while(|byte| byte.is_ascii() && !ends(*byte)).count();
        if len >= MIN_WORD {
            found.push(start..start + scheme.len() + head + len);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random base64 text of `n` characters.
    fn encoded(n: usize) -> String {
        const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(SIGNS[(state >> 58) as usize])
        };
        (0..n).map(next).collect()
    }

    fn wrapped(text: &str, width: usize, end: &str) -> String {
        let lines: Vec<&str> = (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
        lines.join(end)
    }

    #[test]
    fn encoded_runs_are_left_out() {
        let long = encoded(4001);
        let hex: String = long.bytes().map(|byte| format!("{byte:02x}")).collect();
        for run in [
            long.clone(),
            wrapped(&long, 76, "\n"),
            wrapped(&long, 64, "\r\n> "),
            wrapped(&long, 60, "\" +\n  \""),
            wrapped(&long, 76, "\\n"),
            hex,
            "A".repeat(500),
            format!("data:image/png;base64,{}", &long[..80]),
            format!("data:image/svg+xml,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22{}", "%20width".repeat(8)),
            format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", &long[..120], &long[200..260]),
        ] {
            let readable = without(&format!("Before: {run}\nand 之后."));
            let is_left_out =
                readable.starts_with("Before: ") && readable.ends_with("\nand 之后.") && readable.len() < 60;
            assert!(is_left_out, "{readable}");
        }
    }

    #[test]
    fn what_people_write_and_look_for_stays() {
        let address = "https://news.example/2023/11/a-long-way-from-the-old-harbour-to-the-new-market-and-back-again-what-we-saw-on-the-road-and-whom-we-met-there/part-2-of-the-story-and-its-end-as-it-was-told-to-us/index.html?page=2";
        let sums: String =
            (0..40).map(|n| format!("{}  file-{n}.tar.gz\n", &encoded(4000)[n * 64..n * 64 + 64])).collect();
        for text in [
            address,
            &sums,
            &"getElementsByTagNameAndClassNameOrSelector ".repeat(20),
            &"the_longest_name_of_a_function_that_anyone_could_think_of_in_one_day\n".repeat(10),
            &"=".repeat(500),
            &"----------+".repeat(50),
            &"一段没有空格的中文".repeat(50),
            &"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft ".repeat(4),
            &"3.14159 2.71828 1.41421 1.73205 2.23606\n".repeat(40),
            "a deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef commit",
            "data: see the table, which has 1,000 rows and more of them than anyone would ever care to read",
        ] {
            assert_eq!(without(text), text);
        }
    }
}
