//! Writes out a sheet's cells: tables in bands of rows, then the notes of cells.

use std::collections::{BTreeMap, VecDeque};

use crate::chunk::estimate_tokens;
use crate::extract::block::{Rendition, short_name};
use crate::extract::office::check_room;
use crate::extract::{BlockKind, Place, Unreadable};

/// A band of rows ends once it holds this many tokens: with a heading and the header above it, it fits a passage.
const BAND_TOKENS: usize = 150;

/// Headers longer than this are not repeated.
const MAX_HEADER_TOKENS: usize = 60;

/// Most empty cells in a row that are shown; a wider gap would say no more.
const MAX_GAP: u32 = 16;

/// A cell that shows something. Rows and columns count from 0.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) row: u32,
    pub(super) column: u32,
    /// As the cell shows it, on one line.
    pub(super) text: String,
    /// Whether the cell holds a number, a date or a time, whatever it looks like.
    pub(super) is_number: bool,
}

/// Text that belongs to a cell and is not shown in it: a note, a comment, the description of a picture.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) text: String,
}

/// The notes and links of a sheet's cells, in any order.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) notes: Vec<Note>,
    /// Targets of links, with their rows: found, but not shown.
    pub(super) links: Vec<(u32, String)>,
}

/// Writes out one sheet.
pub(super) fn lay(
    rendition: &mut Rendition,
    name: &str,
    cells: impl Iterator<Item = Result<Cell, Unreadable>>,
    beside: Beside,
) -> Result<(), Unreadable> {
    let Beside { notes, mut links } = beside;
    links.sort_unstable();
    let mut noted: BTreeMap<(u32, u32), (String, Vec<String>)> = BTreeMap::new();
    for note in notes {
        noted.entry((note.row, note.column)).or_default().1.push(note.text);
    }
    let mut sheet = Sheet { rendition, name: short_name(name), table: None, has_heading: false, links: links.into() };
    let mut row: Vec<Cell> = Vec::new();
    for cell in cells {
        let cell = cell?;
        if cell.text.is_empty() {
            continue;
        }
        if row.first().is_some_and(|first| first.row != cell.row) {
            sheet.row(&std::mem::take(&mut row))?;
        }
        if let Some((shown, _)) = noted.get_mut(&(cell.row, cell.column)) {
            shown.clone_from(&cell.text);
        }
        row.push(cell);
    }
    sheet.row(&row)?;
    sheet.end_band()?;
    for ((row, column), (shown, notes)) in noted {
        sheet.note((row, column), &shown, &notes)?;
    }
    Ok(())
}

struct Sheet<'r> {
    rendition: &'r mut Rendition,
    name: &'r str,
    table: Option<Table>,
    has_heading: bool,
    /// Sorted by row.
    links: VecDeque<(u32, String)>,
}

/// Rows without an empty row between them.
struct Table {
    header: Option<String>,
    /// First column.
    left: u32,
    last_row: u32,
    band: Band,
}

#[derive(Default)]
struct Band {
    lines: Vec<String>,
    tokens: usize,
    /// First and last row and column, from 0.
    rows: Option<(u32, u32)>,
    columns: Option<(u32, u32)>,
}

impl Sheet<'_> {
    fn row(&mut self, cells: &[Cell]) -> Result<(), Unreadable> {
        let Some(Cell { row, column: first, .. }) = cells.first() else { return Ok(()) };
        if self.table.as_ref().is_some_and(|table| *row != table.last_row.saturating_add(1)) {
            self.end_band()?;
            self.table = None;
        }
        let table = self.table.get_or_insert_with(|| Table {
            header: is_header(cells).then(|| line(cells, *first)),
            left: *first,
            last_row: *row,
            band: Band::default(),
        });
        let line = line(cells, table.left);
        let tokens = estimate_tokens(&line);
        if table.band.tokens + tokens > BAND_TOKENS && table.band.rows.is_some() {
            self.end_band()?;
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        let band = &mut table.band;
        band.tokens += tokens;
        band.lines.push(line);
        let last = cells.last().map_or(*first, |cell| cell.column);
        band.rows = Some((band.rows.map_or(*row, |(start, _)| start), *row));
        band.columns = Some(band.columns.map_or((*first, last), |(a, b)| (a.min(*first), b.max(last))));
        table.last_row = *row;
        Ok(())
    }

    fn end_band(&mut self) -> Result<(), Unreadable> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let band = std::mem::take(&mut table.band);
        let (Some((top, bottom)), Some((left, right))) = (band.rows, band.columns) else { return Ok(()) };
        let (start, end) = (address(top, left), address(bottom, right));
        let cells = if start == end { start } else { format!("{start}:{end}") };
        self.begin(cells);
        let Some(table) = &mut self.table else { return Ok(()) };
        self.rendition.push(BlockKind::Table, &band.lines.join("\n"));
        while let Some((_, leads_to)) = self.links.pop_front_if(|(row, _)| *row <= bottom) {
            self.rendition.unseen(&leads_to);
        }
        // The next band begins with the header.
        if let Some(header) = table.header.as_ref().filter(|header| estimate_tokens(header) <= MAX_HEADER_TOKENS) {
            table.band.tokens = estimate_tokens(header);
            table.band.lines.push(header.clone());
        }
        check_room(self.rendition)
    }

    /// Text added from here on stands in these cells, and under a heading with the sheet's name.
    fn begin(&mut self, cells: String) {
        self.rendition.place(Place::Cells { sheet: self.name.to_owned(), cells });
        if !std::mem::replace(&mut self.has_heading, true) {
            // Not a heading of the first level, which would give the workbook the title "Sheet1".
            self.rendition.push(BlockKind::Heading { level: 2 }, self.name);
        }
    }

    /// Adds a cell's notes after the text that the cell shows: alone, a note seldom says what it is about.
    fn note(&mut self, (row, column): (u32, u32), shown: &str, notes: &[String]) -> Result<(), Unreadable> {
        let notes: Vec<&str> = notes.iter().map(|note| note.trim()).filter(|note| !note.is_empty()).collect();
        if notes.is_empty() {
            return Ok(());
        }
        self.begin(address(row, column));
        let about = if shown.is_empty() { String::new() } else { format!("{}: ", short_name(shown)) };
        self.rendition.push(BlockKind::Paragraph, &format!("{about}{}", notes.join("\n")));
        check_room(self.rendition)
    }
}

/// Whether a table's first row names its columns: several cells, none a number.
fn is_header(cells: &[Cell]) -> bool {
    cells.len() > 1 && cells.iter().all(|cell| !cell.is_number && cell.text.parse::<f64>().is_err())
}

/// Writes a row of cells as a line, from column `left` on, including empty cells.
fn line(cells: &[Cell], left: u32) -> String {
    let mut line = String::new();
    let mut next = left;
    for (at, cell) in cells.iter().enumerate() {
        let gap = cell.column.saturating_sub(next).min(MAX_GAP);
        (0..gap).for_each(|_| line.push_str(if line.is_empty() { "| " } else { " |" }));
        if at > 0 {
            line.push_str(" | ");
        }
        line.push_str(&cell.text);
        next = cell.column.saturating_add(1);
    }
    line
}

/// `B7` for row 6 and column 1.
pub(super) fn address(row: u32, column: u32) -> String {
    let mut letters = Vec::new();
    let mut left = u64::from(column) + 1;
    while left > 0 {
        left -= 1;
        letters.push(char::from(b'A' + (left % 26) as u8));
        left /= 26;
    }
    let letters: String = letters.into_iter().rev().collect();
    format!("{letters}{}", u64::from(row) + 1)
}

/// Row and column of an address such as `B7`. A range gives those of its first cell.
pub(super) fn position(address: &str) -> Option<(u32, u32)> {
    let first = address.split(':').next()?.trim().replace('$', "");
    let digits = first.find(|c: char| c.is_ascii_digit())?;
    let (letters, row) = first.split_at(digits);
    let letter = |c: char| c.is_ascii_alphabetic().then(|| u32::from(c.to_ascii_uppercase()) - u32::from('A') + 1);
    let column = letters.chars().try_fold(0_u32, |so_far, c| so_far.checked_mul(26)?.checked_add(letter(c)?))?;
    Some((row.parse::<u32>().ok()?.checked_sub(1)?, column.checked_sub(1)?))
}
