//! Spreadsheets: each sheet's tables in bands of rows, every band under its table's header, so that a passage makes sense
//! by itself.

use std::fmt::Display;
use std::io::Cursor;

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, SheetType, Xls, Xlsb, Xlsx};

use super::archive::{self, Archive, ENCRYPTED, broken};
use super::block::{Rendition, short_name};
use super::docx::one_line;
use super::office::{Properties, check_room};
use super::{BlockKind, Extractor, Place, Reading, Unreadable};
use crate::chunk::estimate_tokens;

pub(super) struct Spreadsheet;

/// A band of rows ends once it holds this many tokens: with a heading and the header above it, it fits a passage.
const BAND_TOKENS: usize = 150;

/// Headers longer than this are not repeated.
const MAX_HEADER_TOKENS: usize = 60;

/// Empty cells in a row that are shown as such; a wider gap is as good as that.
const MAX_GAP: u32 = 16;

type Bytes<'a> = Cursor<&'a [u8]>;

/// Row and column, from 0, and what stands there.
type Cell = ((u32, u32), String);

impl Extractor for Spreadsheet {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut rendition = Rendition::default();
        if bytes.starts_with(archive::COMPOUND_FILE) {
            if archive::is_encrypted_office(bytes) {
                return Err(broken(ENCRYPTED));
            }
            by_range(&mut open::<Xls<_>>(bytes)?, &mut rendition)?;
            return Ok(rendition.finish(None));
        }
        archive::check(bytes)?;
        let mut parts = Archive::open(bytes)?;
        if parts.holds("content.xml") {
            if parts.text("META-INF/manifest.xml")?.is_some_and(|manifest| manifest.contains("encryption-data")) {
                return Err(broken(ENCRYPTED));
            }
            by_range(&mut open::<Ods<_>>(bytes)?, &mut rendition)?;
            return Ok(rendition.finish(None));
        }
        // Cell after cell: one far out must not make a table of everything between.
        if parts.holds("xl/workbook.bin") {
            let mut book = open::<Xlsb<_>>(bytes)?;
            for name in names(&book) {
                let mut reader = book.worksheet_cells_reader(&name).map_err(damaged)?;
                lay(&mut rendition, &name, streamed(|| reader.next_cell().map_err(damaged)))?;
            }
        } else {
            let mut book = open::<Xlsx<_>>(bytes)?;
            for name in names(&book) {
                let mut reader = book.worksheet_cells_reader(&name).map_err(damaged)?;
                lay(&mut rendition, &name, streamed(|| reader.next_cell().map_err(damaged)))?;
            }
        }
        let properties = Properties::of_office(&mut parts)?;
        let mut reading = rendition.finish(properties.title);
        reading.tags = properties.keywords;
        Ok(reading)
    }
}

fn open<'a, R: Reader<Bytes<'a>>>(bytes: &'a [u8]) -> Result<R, Unreadable>
where
    R::Error: Display,
{
    R::new(Cursor::new(bytes)).map_err(damaged)
}

fn damaged(error: impl Display) -> Unreadable {
    Unreadable::Broken(format!("it is damaged or not what its name says ({error})"))
}

fn names<'a, R: Reader<Bytes<'a>>>(book: &R) -> Vec<String> {
    let sheets = book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    sheets.map(|sheet| sheet.name.clone()).collect()
}

/// Cells as they come; both kinds of book have a reader of their own that gives them alike.
fn streamed<'a>(
    mut next: impl FnMut() -> Result<Option<calamine::Cell<DataRef<'a>>>, Unreadable>,
) -> impl Iterator<Item = Result<Cell, Unreadable>> {
    let cells = std::iter::from_fn(move || next().transpose());
    cells.map(|cell| cell.map(|cell| (cell.get_position(), text(&cell.get_value().clone().into()))))
}

fn by_range<'a, R: Reader<Bytes<'a>>>(book: &mut R, rendition: &mut Rendition) -> Result<(), Unreadable>
where
    R::Error: Display,
{
    for name in names(book) {
        let range = book.worksheet_range(&name).map_err(damaged)?;
        let (row_0, column_0) = range.start().unwrap_or_default();
        let far = |start: u32, at: usize| start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let cells = range.used_cells();
        let cells = cells.map(|(row, column, data)| Ok(((far(row_0, row), far(column_0, column)), text(data))));
        lay(rendition, &name, cells)?;
    }
    Ok(())
}

fn text(data: &Data) -> String {
    match data {
        Data::Int(number) => number.to_string(),
        Data::Float(number) => decimal(*number),
        Data::String(text) => one_line(text),
        Data::Bool(value) => value.to_string().to_uppercase(),
        Data::DateTime(time) => moment(time),
        Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        // Formulas that failed say nothing.
        Data::Error(_) | Data::Empty => String::new(),
    }
}

/// As people write it: 0.1 + 0.2 is 0.3.
fn decimal(number: f64) -> String {
    if number.abs() >= 1e15 || (number != 0.0 && number.abs() < 1e-6) {
        return format!("{number:e}");
    }
    let digits = format!("{number:.10}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn moment(time: &ExcelDateTime) -> String {
    if time.is_duration() {
        let minutes = (time.as_f64() * 24.0 * 60.0).round() as i64;
        return format!("{}:{:02}", minutes / 60, minutes % 60);
    }
    let (year, month, day, hour, minute, ..) = time.to_ymd_hms_milli();
    let date = format!("{year}-{month:02}-{day:02}");
    let clock = format!("{hour}:{minute:02}");
    match (time.as_f64() < 1.0, time.as_f64().fract() == 0.0) {
        (true, _) => clock,
        (_, true) => date,
        _ => format!("{date} {clock}"),
    }
}

/// Writes out one sheet.
fn lay(
    rendition: &mut Rendition,
    name: &str,
    cells: impl Iterator<Item = Result<Cell, Unreadable>>,
) -> Result<(), Unreadable> {
    let mut sheet = Sheet { rendition, name: short_name(name), table: None, has_heading: false };
    let mut row: Vec<Cell> = Vec::new();
    for cell in cells {
        let (position, text) = cell?;
        if text.is_empty() {
            continue;
        }
        if row.first().is_some_and(|((before, _), _)| *before != position.0) {
            sheet.row(&std::mem::take(&mut row))?;
        }
        row.push((position, text));
    }
    sheet.row(&row)?;
    sheet.end_band()
}

struct Sheet<'r> {
    rendition: &'r mut Rendition,
    name: &'r str,
    table: Option<Table>,
    has_heading: bool,
}

/// Rows without an empty one between them.
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
        let Some(((row, first), _)) = cells.first() else { return Ok(()) };
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
        let last = cells.last().map_or(*first, |((_, column), _)| *column);
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
        self.rendition.place(Place::Cells { sheet: self.name.to_owned(), cells });
        if !std::mem::replace(&mut self.has_heading, true) {
            // Not of the first level: a workbook is not called "Sheet1".
            self.rendition.push(BlockKind::Heading { level: 2 }, self.name);
        }
        self.rendition.push(BlockKind::Table, &band.lines.join("\n"));
        // The next band begins with it.
        if let Some(header) = table.header.as_ref().filter(|header| estimate_tokens(header) <= MAX_HEADER_TOKENS) {
            table.band.tokens = estimate_tokens(header);
            table.band.lines.push(header.clone());
        }
        check_room(self.rendition)
    }
}

/// Whether a table's first row names its columns: several cells, none a number.
fn is_header(cells: &[Cell]) -> bool {
    cells.len() > 1 && cells.iter().all(|(_, text)| text.parse::<f64>().is_err())
}

/// Cells from column `left` on, empty ones among them.
fn line(cells: &[Cell], left: u32) -> String {
    let mut line = String::new();
    let mut next = left;
    for (at, ((_, column), text)) in cells.iter().enumerate() {
        let gap = column.saturating_sub(next).min(MAX_GAP);
        (0..gap).for_each(|_| line.push_str(if line.is_empty() { "| " } else { " |" }));
        if at > 0 {
            line.push_str(" | ");
        }
        line.push_str(text);
        next = column.saturating_add(1);
    }
    line
}

/// `B7` for row 6 and column 1.
fn address(row: u32, column: u32) -> String {
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
