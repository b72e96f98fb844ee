//! Cuts a text that is too dense to be parsed at once.
//!
//! The parser makes a tree of the whole text before it reports the first paragraph: 560 MB for 20 MB of three-byte
//! paragraphs. Such a text is parsed in pieces, each of whole blocks. A text that a person wrote is one piece. In
//! others, a link whose target is defined in another piece reads as it is written.

use pulldown_cmark::Event;

use super::events;

/// Most nodes of the tree at once, of 56 bytes each. 20 MB of dense notes (lists, links, a line break every 60 bytes)
/// have half as many.
pub(super) const MAX_NODES: usize = 2_000_000;

/// Length of the first piece of `source`, in bytes. It reaches to the end of the text or to the start of a block; if
/// one block is too large, to the end of a line or of any character.
pub(super) fn first(source: &str, max_nodes: usize) -> usize {
    let Some(most) = dense_part(source, max_nodes) else { return source.len() };
    let line_start = |at: usize| source[..at].rfind('\n').map_or(0, |end| end + 1);
    let most = Some(line_start(most)).filter(|start| *start > 0).unwrap_or(most);
    // The last block may be cut off, so it begins the next piece.
    let mut depth = 0_usize;
    let mut last = 0;
    for (event, range) in events(&source[..most]) {
        match event {
            Event::Start(_) => {
                if depth == 0 {
                    // The range of indented code begins after its indentation.
                    last = line_start(range.start);
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if last > 0 { last } else { most }
}

/// The offset at which `source` exceeds `max_nodes`, if it does.
fn dense_part(source: &str, max_nodes: usize) -> Option<usize> {
    let mut n_nodes = 0;
    let mut before = b'\n';
    source.bytes().position(|byte| {
        n_nodes += nodes(before, byte);
        before = byte;
        n_nodes > max_nodes
    })
}

/// Most nodes that a byte makes, for itself and for the text after it.
fn nodes(before: u8, byte: u8) -> usize {
    match byte {
        b'\n' if before == b'\r' => 0,
        b'\n' | b'\r' | b'*' | b'_' | b'~' | b'[' | b']' | b'!' | b'<' | b'&' | b'`' | b'\\' | b'|' => 2,
        // A heading's attributes.
        b'{' => 4,
        // A list or a quote may begin here, also inside another.
        b'-' | b'+' | b'>' if matches!(before, b'\n' | b' ' | b'\t' | b'>') => 2,
        b'.' | b')' if before.is_ascii_digit() => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse, parse_in_pieces};
    use super::*;
    use crate::chunk::{ChunkRules, chunks};
    use crate::extract::extract;

    /// Blocks that fit a piece read as they do in the whole text, wherever the pieces end.
    #[test]
    fn pieces_end_between_blocks() {
        let sample = "# Tea *time*\n\nBrew [it](x) at **80**\nor `less`.\n\n- one\n  - 二\n\n  more\n\n    code\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nls\n\n# no heading\n```\n<p>in *HTML*\n\n> quoted\n\n1. c\r\n2. d\r\n\r\nTitle\n-----\n\n";
        let source = sample.repeat(40);
        let whole = parse(&source, 0);
        assert!(whole.blocks.len() > 300);
        for max_nodes in [60, 61, 64, 70, 77, 100, 250, 1000] {
            assert!(first(&source, max_nodes) < source.len() / 4, "{max_nodes}");
            let parsed = parse_in_pieces(&source, 0, max_nodes);
            assert_eq!(parsed.blocks, whole.blocks, "{max_nodes}");
            assert_eq!(parsed.first_h1, whole.first_h1);
        }
    }

    #[test]
    fn a_block_that_fits_no_piece_is_cut_and_not_lost() {
        for (source, max_nodes) in
            [("*茶".repeat(500), 7), ("a\n".repeat(500), 7), ("- a\n".repeat(500), 9), ("> ".repeat(500) + "b", 9)]
        {
            let parsed = parse_in_pieces(&source, 0, max_nodes);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            let n_read: usize = parsed.blocks.iter().map(|block| letters(&block.text)).sum();
            assert_eq!(n_read, letters(&source), "{}", &source[..8]);
        }
    }

    /// A tree of the whole text at once would take more memory than the rest of indexing.
    #[test]
    fn dense_text_is_not_parsed_at_once() {
        let prose =
            "A sentence of [some](x) length, with *two* or three signs in it.\nAnd another one, as people write.\n\n";
        assert_eq!(first(&prose.repeat(100_000), MAX_NODES), prose.len() * 100_000, "10 MB of prose");
        for dense in ["ab\n\n", "a\n", "*a", "- a\n", "[a](b) ", "|a", "# a {.b}\n"] {
            let source = dense.repeat(3 * MAX_NODES / 2 + 8);
            let n_bytes = first(&source, MAX_NODES);
            assert!(n_bytes <= MAX_NODES * dense.len(), "{dense:?}: {n_bytes} bytes");
        }
        let source = "ab\n\n".repeat(MAX_NODES);
        let document = extract(Path::new("a.md"), source.as_bytes()).expect("readable");
        assert!(document.blocks.len() < 130_000, "{} blocks", document.blocks.len());
        let last = chunks(&document, &ChunkRules::default()).pop().expect("a passage");
        assert_eq!(last.span.end, source.len() - 2, "to the end");
    }
}
