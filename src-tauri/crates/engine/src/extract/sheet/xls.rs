//! Reads XLS: cells with calamine, their formats and notes from records that calamine skips (\[MS-XLS\]).

use std::collections::HashMap;
use std::io::{Cursor, Read};

use calamine::{Reader, Xls};

use super::biff::{u16_at, u32_at, wide, xls_records};
use super::lay::{Beside, Note, lay};
use super::{Formats, NumberFormat, damaged, names, open};
use crate::extract::Unreadable;
use crate::extract::block::Rendition;

// Kinds of records (\[MS-XLS\] 2.3).
const FORMULA: u16 = 0x0006;
const END: u16 = 0x000A;
const NOTE: u16 = 0x001C;
const CONTINUE: u16 = 0x003C;
const OBJECT: u16 = 0x005D;
const SHEET: u16 = 0x0085;
const SEVERAL_NUMBERS: u16 = 0x00BD;
const STYLE: u16 = 0x00E0;
const OBJECT_TEXT: u16 = 0x01B6;
const NUMBER: u16 = 0x0203;
const SHORT_NUMBER: u16 = 0x027E;
const FORMAT: u16 = 0x041E;
const BEGIN: u16 = 0x0809;

pub(super) fn read(bytes: &[u8], rendition: &mut Rendition) -> Result<(), Unreadable> {
    let mut book = open::<Xls<_>>(bytes)?;
    // Workbooks older than Excel 97 have another stream. They are read without their formats.
    let stream = stream(bytes, "Workbook").unwrap_or_default();
    let formats = Formats { of_style: number_formats(&stream), is_1904: book.has_1904_epoch() };
    let offsets = sheet_offsets(&stream);
    for name in names(&book) {
        let range = book.worksheet_range(&name).map_err(damaged)?;
        let offset = offsets.get(&name).copied().unwrap_or(stream.len());
        let extras = Extras::of(stream.get(offset..).unwrap_or_default());
        let (row_0, column_0) = range.start().unwrap_or_default();
        let far = |start: u32, at: usize| start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let cells = range.used_cells().map(|(row, column, data)| {
            let at = (far(row_0, row), far(column_0, column));
            Ok(formats.cell(at, data, extras.styles.get(&at).map(|style| usize::from(*style))))
        });
        lay(rendition, &name, cells, Beside { notes: extras.notes, ..Beside::default() })?;
    }
    Ok(())
}

fn stream(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).ok()?;
    let mut stream = Vec::new();
    file.open_stream(name).ok()?.read_to_end(&mut stream).ok()?;
    Some(stream)
}

/// Reads a text of `n_chars` characters after a byte of flags. The lowest flag means two bytes for each character.
fn text(bytes: &[u8], n_chars: usize) -> Option<String> {
    let (flags, rest) = bytes.split_first()?;
    if flags & 1 != 0 {
        return wide(rest, n_chars);
    }
    Some(rest.get(..n_chars)?.iter().map(|byte| char::from(*byte)).collect())
}

fn number_formats(stream: &[u8]) -> Vec<Option<NumberFormat>> {
    let mut own: HashMap<u16, Option<NumberFormat>> = HashMap::new();
    let mut styles = Vec::new();
    for (kind, body) in xls_records(stream) {
        match kind {
            FORMAT => {
                let code = u16_at(body, 2).and_then(|n_chars| text(body.get(4..)?, n_chars.into()));
                if let (Some(id), Some(code)) = (u16_at(body, 0), code) {
                    own.insert(id, NumberFormat::new(&code));
                }
            }
            STYLE => styles.push(u16_at(body, 2).unwrap_or(0)),
            END => break,
            _ => {}
        }
    }
    // Excel writes out formats of money, in the currency of its country, and other formats that are not built in.
    let format = |id: u16| match own.get(&id) {
        Some(format) => format.clone(),
        None => NumberFormat::built_in(id.into()),
    };
    styles.into_iter().map(format).collect()
}

/// Where in the stream each sheet begins.
fn sheet_offsets(stream: &[u8]) -> HashMap<String, usize> {
    let globals = xls_records(stream).take_while(|(kind, _)| *kind != END);
    let sheet = |body: &[u8]| {
        let mut name = text(body.get(7..)?, usize::from(*body.get(6)?))?;
        name.retain(|c| c != '\0');
        Some((name, usize::try_from(u32_at(body, 0)?).ok()?))
    };
    globals.filter(|(kind, _)| *kind == SHEET).filter_map(|(_, body)| sheet(body)).collect()
}

/// Parts of a sheet that calamine does not read.
#[derive(Default)]
struct Extras {
    /// Styles of cells that hold numbers, by row and column.
    styles: HashMap<(u32, u32), u16>,
    notes: Vec<Note>,
}

impl Extras {
    fn of(sheet: &[u8]) -> Self {
        let mut extras = Self::default();
        let mut texts: HashMap<u16, String> = HashMap::new();
        let (mut object, mut awaited) = (None, 0);
        let mut depth = 0;
        for (kind, body) in xls_records(sheet) {
            match kind {
                BEGIN => depth += 1,
                END => depth -= 1,
                _ => {}
            }
            match depth {
                0 => break,
                1 => {}
                // Charts have cells of their own.
                _ => continue,
            }
            match kind {
                NUMBER | SHORT_NUMBER | FORMULA => extras.style(body, 0),
                SEVERAL_NUMBERS => {
                    let n_cells = body.len().saturating_sub(6) / 6;
                    (0..n_cells).for_each(|cell| extras.style(body, cell));
                }
                // The first part of an object gives its number. The object's text, if any, follows the object.
                OBJECT => object = u16_at(body, 6),
                OBJECT_TEXT => awaited = u16_at(body, 10).unwrap_or(0),
                CONTINUE if awaited > 0 => {
                    // A long text continues in the next record. Its formatting comes after it.
                    let width = if body.first().is_some_and(|flags| flags & 1 != 0) { 2 } else { 1 };
                    let n_chars = usize::from(awaited).min(body.len().saturating_sub(1) / width);
                    awaited -= u16::try_from(n_chars).unwrap_or(awaited);
                    if let (Some(object), Some(text)) = (object, text(body, n_chars)) {
                        texts.entry(object).or_default().push_str(&text);
                    }
                    if n_chars == 0 {
                        awaited = 0;
                    }
                }
                NOTE => {
                    let text = u16_at(body, 6).and_then(|object| texts.remove(&object));
                    if let (Some(row), Some(column), Some(text)) = (u16_at(body, 0), u16_at(body, 2), text) {
                        extras.notes.push(Note { row: row.into(), column: column.into(), text });
                    }
                }
                _ => {}
            }
        }
        // Text boxes belong to no cell, so they go to the first one.
        let mut boxes: Vec<(u16, String)> = texts.into_iter().collect();
        boxes.sort_unstable();
        extras.notes.extend(boxes.into_iter().map(|(_, text)| Note { row: 0, column: 0, text }));
        extras
    }

    /// Adds the style of one of the numbers in a record. `cell` is the number's index in the record.
    fn style(&mut self, body: &[u8], cell: usize) {
        let style = u16_at(body, 4 + 6 * cell);
        let (Some(row), Some(column), Some(style)) = (u16_at(body, 0), u16_at(body, 2), style) else { return };
        let column = u32::from(column) + u32::try_from(cell).unwrap_or(0);
        self.styles.insert((row.into(), column), style);
    }
}
