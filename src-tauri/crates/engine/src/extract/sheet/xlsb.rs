//! Reads XLSB: cells with calamine, their formats and notes from records that calamine skips.

use std::collections::HashMap;

use calamine::{Data, Xlsb};

use super::biff::{u16_at, u32_at, wide, xlsb_records};
use super::lay::{Beside, Note, lay};
use super::{Formats, NumberFormat, damaged, excel, names, open};
use crate::extract::Unreadable;
use crate::extract::archive::Archive;
use crate::extract::block::Rendition;
use crate::extract::office::{Relations, main_part};

// Kinds of records (\[MS-XLSB\] 2.3).
const ROW: u32 = 0;
/// The first and the last of the kinds of cells.
const CELLS: std::ops::RangeInclusive<u32> = 2..=11;
const FORMAT: u32 = 44;
const STYLE: u32 = 47;
const SHEET: u32 = 156;
const BEGIN_CELL_STYLES: u32 = 617;
const END_CELL_STYLES: u32 = 618;
const BEGIN_COMMENT: u32 = 635;
const COMMENT_TEXT: u32 = 637;

pub(super) fn read(bytes: &[u8], parts: &mut Archive<'_>, rendition: &mut Rendition) -> Result<(), Unreadable> {
    let mut book = open::<Xlsb<_>>(bytes)?;
    let main = main_part(parts).unwrap_or_else(|_| "xl/workbook.bin".to_owned());
    let relations = Relations::of(parts, &main)?;
    let sheets = sheet_parts(&parts.bytes(&main)?.unwrap_or_default(), &relations);
    let styles = match relations.first_of_kind("styles") {
        Some(part) => parts.bytes(part)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let formats = Formats { of_style: number_formats(&styles), is_1904: book.has_1904_epoch() };
    for name in names(&book) {
        let part = sheets.get(&name);
        let source = part.map(|part| parts.bytes(part)).transpose()?.flatten().unwrap_or_default();
        let mut styles = cell_styles(&source);
        let beside = part.map(|part| beside(parts, part)).transpose()?.unwrap_or_default();
        let mut reader = book.worksheet_cells_reader(&name).map_err(damaged)?;
        let cells = std::iter::from_fn(|| {
            let next = reader.next_cell().map_err(damaged).transpose()?;
            Some(next.map(|cell| {
                let at = cell.get_position();
                let style = styles.find(|(of, _)| *of == at).map(|(_, style)| style);
                let data: Data = cell.get_value().clone().into();
                formats.cell(at, &data, style)
            }))
        });
        lay(rendition, &name, cells, beside)?;
    }
    Ok(())
}

/// Reads a text that follows the number of its UTF-16 units. Also returns the bytes after it.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let n_units = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let text = wide(&bytes[4..], n_units)?;
    Some((text, &bytes[4 + 2 * n_units..]))
}

/// The part of each sheet.
fn sheet_parts(workbook: &[u8], relations: &Relations) -> HashMap<String, String> {
    let part = |body: &[u8]| {
        let (id, rest) = text(body.get(8..)?)?;
        let (name, _) = text(rest)?;
        Some((name, relations.by_id(&id)?.to_owned()))
    };
    xlsb_records(workbook).filter(|(kind, _)| *kind == SHEET).filter_map(|(_, body)| part(body)).collect()
}

fn number_formats(styles: &[u8]) -> Vec<Option<NumberFormat>> {
    let mut own: HashMap<u16, Option<NumberFormat>> = HashMap::new();
    let mut of_style = Vec::new();
    let mut are_of_cells = false;
    for (kind, body) in xlsb_records(styles) {
        match kind {
            FORMAT => {
                if let (Some(id), Some((code, _))) = (u16_at(body, 0), body.get(2..).and_then(text)) {
                    own.insert(id, NumberFormat::new(&code));
                }
            }
            BEGIN_CELL_STYLES => are_of_cells = true,
            END_CELL_STYLES => break,
            STYLE if are_of_cells => of_style.push(u16_at(body, 2).and_then(|id| match own.get(&id) {
                Some(format) => format.clone(),
                None => NumberFormat::built_in(id.into()),
            })),
            _ => {}
        }
    }
    of_style
}

/// Rows and columns of cells, and their styles, in the order of the file.
fn cell_styles(sheet: &[u8]) -> impl Iterator<Item = ((u32, u32), usize)> {
    let mut row = 0;
    xlsb_records(sheet).filter_map(move |(kind, body)| {
        if kind == ROW {
            row = u32_at(body, 0)?;
        }
        let style = CELLS.contains(&kind).then(|| u32_at(body, 4)).flatten()? & 0x00FF_FFFF;
        Some(((row, u32_at(body, 0)?), usize::try_from(style).ok()?))
    })
}

fn beside(parts: &mut Archive<'_>, sheet: &str) -> Result<Beside, Unreadable> {
    let relations = Relations::of(parts, sheet)?;
    let mut beside = excel::beside(parts, &relations)?;
    for part in relations.of_kind("comments") {
        let source = parts.bytes(part)?.unwrap_or_default();
        let mut at = None;
        for (kind, body) in xlsb_records(&source) {
            match kind {
                // The record holds the author, then the first and the last row, then the columns.
                BEGIN_COMMENT => at = u32_at(body, 4).zip(u32_at(body, 12)),
                COMMENT_TEXT => {
                    let said = body.get(1..).and_then(text);
                    if let (Some((row, column)), Some((text, _))) = (at.take(), said) {
                        beside.notes.push(Note { row, column, text });
                    }
                }
                _ => {}
            }
        }
    }
    beside.notes.retain(|note| !note.text.starts_with(excel::STANDS_FOR_A_THREAD));
    Ok(beside)
}
