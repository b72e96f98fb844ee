//! Plain text: blank lines separate paragraphs.

use super::block::{Draft, Outline, add};
use super::{Block, BlockKind, Extractor, Reading, Unreadable};

pub(super) struct Plain;

impl Extractor for Plain {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        reading.blocks = blocks(&reading.text);
        Ok(reading)
    }
}

pub(super) fn blocks(source: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut outline = Outline::default();
    let mut draft: Option<Draft> = None;
    let mut offset = bom_len(source);
    for line in source[offset..].split_inclusive('\n') {
        let end = offset + line.len();
        if line.trim().is_empty() {
            add(&mut blocks, draft.take().and_then(|draft| draft.finish(source, &mut outline)));
        } else {
            let draft = draft.get_or_insert_with(|| Draft::new(BlockKind::Paragraph, offset..end));
            draft.span.end = end;
            draft.push(line, offset);
        }
        offset = end;
    }
    add(&mut blocks, draft.and_then(|draft| draft.finish(source, &mut outline)));
    blocks
}

/// Length of the byte order mark at the start of a text, in bytes.
pub(super) fn bom_len(source: &str) -> usize {
    if source.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 }
}
