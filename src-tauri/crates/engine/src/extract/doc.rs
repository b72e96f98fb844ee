//! Reads Word before 2007 (\[MS-DOC\]): its text, piece after piece, then its notes, headers, comments and text boxes,
//! which the file keeps one after the other. Formatting is not read, so that headings are paragraphs.

use std::io::{Cursor, Read};

use super::archive::{ENCRYPTED, broken};
use super::block::Rendition;
use super::docx::one_line;
use super::office::check_room;
use super::{BlockKind, Reading, Unreadable};

const DAMAGED: &str = "it is damaged or older than Word 97: save it as .docx if it should be searched";

// The file's first two bytes, and offsets in its header (\[MS-DOC\] 2.5).
const IDENTITY: u16 = 0xA5EC;
const FLAGS: usize = 0x0A;
const PIECES: usize = 0x01A2;

/// Bits of the flags: the text is encrypted; the second of two streams lists the text's pieces.
const IS_ENCRYPTED: u16 = 0x0100;
const USES_SECOND_TABLE: u16 = 0x0200;

/// Bit of a piece's place: the piece has one byte for each character, in a Latin encoding.
const IS_NARROW: u32 = 1 << 30;

pub(super) fn read(bytes: &[u8]) -> Result<Reading, Unreadable> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|_| broken(DAMAGED))?;
    let mut stream = |name: &str| {
        let mut content = Vec::new();
        file.open_stream(name).and_then(|mut stream| stream.read_to_end(&mut content)).map_err(|_| broken(DAMAGED))?;
        Ok::<_, Unreadable>(content)
    };
    let document = stream("WordDocument")?;
    let flags = u16_at(&document, FLAGS).filter(|_| u16_at(&document, 0) == Some(IDENTITY));
    let flags = flags.ok_or_else(|| broken(DAMAGED))?;
    if flags & IS_ENCRYPTED != 0 {
        return Err(broken(ENCRYPTED));
    }
    let table = stream(if flags & USES_SECOND_TABLE != 0 { "1Table" } else { "0Table" })?;
    let text = text(&document, &table).ok_or_else(|| broken(DAMAGED))?;
    lay(&text)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// All text, its control characters included; `None` if the list of its pieces is damaged.
fn text(document: &[u8], table: &[u8]) -> Option<String> {
    let (start, len) = (u32_at(document, PIECES)? as usize, u32_at(document, PIECES + 4)? as usize);
    let mut rest = table.get(start..start.checked_add(len)?)?;
    // The formatting of pieces comes first.
    while rest.first() == Some(&1) {
        rest = rest.get(3 + usize::from(u16_at(rest, 1)?)..)?;
    }
    let list = rest.strip_prefix(&[2])?;
    let list = list.get(4..4 + u32_at(list, 0)? as usize)?;
    // The list gives where each piece begins in the text and where the last one ends, then eight bytes for each piece.
    let n_pieces = list.len().checked_sub(4)? / 12;
    let mut text = String::new();
    for piece in 0..n_pieces {
        let n_chars = u32_at(list, 4 * piece + 4)?.checked_sub(u32_at(list, 4 * piece)?)? as usize;
        let place = u32_at(list, 4 * (n_pieces + 1) + 8 * piece + 2)?;
        let (at, is_narrow) = ((place & !IS_NARROW) as usize, place & IS_NARROW != 0);
        // A piece that is cut off is read as far as it goes.
        let bytes = |at: usize, n: usize| document.get(at..).map(|rest| &rest[..n.min(rest.len())]);
        let decoded = match is_narrow {
            true => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes(at / 2, n_chars)?).0,
            false => encoding_rs::UTF_16LE.decode_without_bom_handling(bytes(at, n_chars.checked_mul(2)?)?).0,
        };
        text.push_str(&decoded);
        // In a hostile file pieces may overlap, so that the text would grow far larger than the file.
        if text.len() > 2 * super::office::MAX_TEXT_BYTES {
            return Some(text);
        }
    }
    Some(text)
}

/// Divides the text into paragraphs and rows of tables (\[MS-DOC\] 2.4.1 names the characters between them).
fn lay(text: &str) -> Result<Reading, Unreadable> {
    let mut rendition = Rendition::default();
    let (mut rows, mut cells, mut open) = (Vec::<String>::new(), Vec::<String>::new(), String::new());
    // For each open field, whether the text that it shows has begun. The field's instruction comes before that text.
    let mut fields: Vec<bool> = Vec::new();
    for c in text.chars() {
        match c {
            '\u{13}' => fields.push(false),
            '\u{14}' => fields.iter_mut().last().into_iter().for_each(|shows| *shows = true),
            '\u{15}' => drop(fields.pop()),
            _ if fields.contains(&false) => {}
            // This character ends a cell. Without text before it, it ends the row.
            '\u{7}' if open.trim().is_empty() && !cells.is_empty() => rows.push(std::mem::take(&mut cells).join(" | ")),
            '\u{7}' => cells.push(one_line(&std::mem::take(&mut open))),
            '\r' if !cells.is_empty() => open.push(' '),
            '\r' | '\u{c}' | '\u{e}' => {
                rendition.push(BlockKind::Table, &std::mem::take(&mut rows).join("\n"));
                rendition.push(BlockKind::Paragraph, &std::mem::take(&mut open));
                check_room(&rendition)?;
            }
            '\u{b}' => open.push('\n'),
            '\u{1e}' => open.push('-'),
            '\u{a0}' | '\t' => open.push(' '),
            // Other control characters stand for pictures, marks of notes, and places where a word may be divided.
            c if c.is_control() => {}
            c => open.push(c),
        }
    }
    if !cells.is_empty() {
        rows.push(cells.join(" | "));
    }
    rendition.push(BlockKind::Table, &rows.join("\n"));
    rendition.push(BlockKind::Paragraph, &open);
    check_room(&rendition)?;
    Ok(rendition.finish(None))
}
