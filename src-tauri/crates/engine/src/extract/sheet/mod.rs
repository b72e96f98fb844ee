//! Reads spreadsheets. Writes each sheet's tables in bands of rows, every band under its table's header, so that a
//! passage makes sense by itself. Numbers and dates are written as their cells show them. Notes, comments and
//! descriptions of pictures come after their sheet's cells.

mod biff;
mod excel;
mod format;
mod lay;
mod ods;
mod xls;
mod xlsb;
mod xml2003;

use std::fmt::Display;
use std::io::Cursor;

use calamine::{Data, ExcelDateTime, Reader, SheetType};

use super::archive::{self, Archive, ENCRYPTED, broken};
use super::block::Rendition;
use super::docx::one_line;
use super::encoding::decode;
use super::office::Properties;
use super::{Extractor, Reading, Unreadable};
use format::{NumberFormat, general};
use lay::Cell;

pub(super) struct Spreadsheet;

type Bytes<'a> = Cursor<&'a [u8]>;

impl Extractor for Spreadsheet {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut rendition = Rendition::default();
        if bytes.starts_with(archive::COMPOUND_FILE) {
            if archive::is_encrypted_office(bytes) {
                return Err(broken(ENCRYPTED));
            }
            xls::read(bytes, &mut rendition)?;
            return Ok(rendition.finish(None));
        }
        if let Some(source) = xml_workbook(bytes) {
            return xml2003::read(&source);
        }
        archive::check(bytes)?;
        let mut parts = Archive::open(bytes)?;
        if parts.holds("content.xml") {
            return ods::read(&mut parts, rendition);
        }
        if parts.holds("xl/workbook.bin") {
            xlsb::read(bytes, &mut parts, &mut rendition)?;
        } else {
            excel::read(bytes, &mut parts, &mut rendition)?;
        }
        Ok(Properties::of_office(&mut parts)?.complete(rendition))
    }
}

/// Whether text begins a workbook that is one XML file.
pub(super) fn is_xml_workbook(head: &str) -> bool {
    xml2003::is_workbook(head)
}

/// A workbook that is one XML file, decoded; `None` for other files.
fn xml_workbook(bytes: &[u8]) -> Option<String> {
    let may_be = !bytes.starts_with(b"PK") && !bytes.starts_with(archive::COMPOUND_FILE);
    let source = decode(Some(bytes).filter(|_| may_be)?, true).ok()?.text;
    xml2003::is_workbook(&source).then_some(source)
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

/// How one workbook shows numbers: its formats, by the number of a cell's style, and whether its days count from 1904.
#[derive(Debug, Default)]
struct Formats {
    of_style: Vec<Option<NumberFormat>>,
    is_1904: bool,
}

impl Formats {
    /// A cell with the text that it shows in this style. The text is empty if the cell shows nothing.
    fn cell(&self, (row, column): (u32, u32), data: &Data, style: Option<usize>) -> Cell {
        let format = style.and_then(|style| self.of_style.get(style)).and_then(Option::as_ref);
        let number = match data {
            Data::Int(number) => Some(*number as f64),
            Data::Float(number) => Some(*number),
            Data::DateTime(time) => Some(time.as_f64()),
            _ => None,
        };
        let text = match (data, number, format) {
            (_, Some(number), Some(format)) => format.show(number, self.is_1904),
            (Data::Int(number), ..) => number.to_string(),
            (Data::Float(number), ..) => general(*number),
            (Data::DateTime(time), ..) => moment(time),
            (Data::String(text), ..) => one_line(text),
            (Data::Bool(value), ..) => value.to_string().to_uppercase(),
            (Data::DateTimeIso(text) | Data::DurationIso(text), ..) => text.clone(),
            // Formulas that failed say nothing.
            (Data::Error(_) | Data::Empty, ..) => String::new(),
        };
        Cell { row, column, text, is_number: number.is_some() }
    }
}

/// Writes a moment whose format is not known.
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
