//! Workbooks in one XML file (XML Spreadsheet 2003), which programs and banks export and call `.xls`.

use std::collections::HashMap;

use calamine::Data;

use super::Formats;
use super::format::{NumberFormat, serial};
use super::lay::{Beside, Cell, Note, lay};
use crate::extract::archive::broken;
use crate::extract::block::Rendition;
use crate::extract::office::{MAX_TEXT_BYTES, Properties};
use crate::extract::targets::target;
use crate::extract::xml::{self, Element, Xml};
use crate::extract::{Reading, Unreadable};

/// Whether a text is such a workbook.
pub(super) fn is_workbook(source: &str) -> bool {
    let head = &source[..source.floor_char_boundary(4000)];
    head.contains("urn:schemas-microsoft-com:office:spreadsheet") || head.contains("progid=\"Excel.Sheet\"")
}

pub(super) fn read(source: &str) -> Result<Reading, Unreadable> {
    let mut rendition = Rendition::default();
    let mut book = Book::default();
    let source = source.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    xml::read(source, |xml| {
        match xml {
            Xml::Start(element) => book.start(&element),
            Xml::Text(text) => book.text(&text),
            Xml::End(name) if name == "Worksheet" => {
                let sheet = std::mem::take(&mut book.sheet);
                lay(&mut rendition, &sheet.name, sheet.cells.into_iter().map(Ok), sheet.beside)?;
            }
            Xml::End(name) => book.end(&name),
        }
        if book.n_bytes > MAX_TEXT_BYTES { Err(broken("it holds more than 20 MB of text")) } else { Ok(()) }
    })?;
    let unseen = ["Author", "Subject", "Description", "Category", "Company", "Manager", "LastAuthor"];
    Ok(Properties::of_xml(source, "Title", &["Keywords"], &unseen).complete(rendition))
}

#[derive(Default)]
struct Sheet {
    name: String,
    cells: Vec<Cell>,
    beside: Beside,
    /// Row of the open or the next cell, and its column.
    row: u32,
    column: u32,
}

#[derive(Default)]
struct Book {
    formats: Formats,
    styles: HashMap<String, usize>,
    sheet: Sheet,
    row_style: Option<usize>,
    style: Option<usize>,
    /// Columns that the open cell takes.
    width: u32,
    kind: String,
    text: Option<String>,
    note: Option<String>,
    n_bytes: usize,
}

impl Book {
    fn start(&mut self, element: &Element<'_>) {
        let number = |name: &str| element.get(name).and_then(|n| n.parse::<u32>().ok());
        let styled = |styles: &HashMap<String, usize>| element.get("StyleID").and_then(|id| styles.get(&id).copied());
        match element.name() {
            "Style" => {
                let id = element.get("ID").unwrap_or_default();
                self.styles.insert(id, self.formats.of_style.len());
                self.formats.of_style.push(None);
            }
            "NumberFormat" => {
                let format = element.get("Format").and_then(|code| named(&code));
                self.formats.of_style.last_mut().into_iter().for_each(|of| of.clone_from(&format));
            }
            "Worksheet" => self.sheet = Sheet { name: element.get("Name").unwrap_or_default(), ..Sheet::default() },
            "Row" => {
                self.sheet.row = number("Index").map_or(self.sheet.row, |index| index.saturating_sub(1));
                self.sheet.column = 0;
                self.row_style = styled(&self.styles);
            }
            "Cell" => {
                self.sheet.column = number("Index").map_or(self.sheet.column, |index| index.saturating_sub(1));
                self.style = styled(&self.styles).or(self.row_style);
                self.width = number("MergeAcross").unwrap_or(0).saturating_add(1);
                let leads_to = element.get("HRef").and_then(|href| target(&href));
                self.sheet.beside.links.extend(leads_to.map(|leads_to| (self.sheet.row, leads_to)));
            }
            "Comment" => self.note = Some(String::new()),
            "Data" => {
                self.kind = element.get("Type").unwrap_or_default();
                self.text = Some(String::new());
            }
            _ => {}
        }
    }

    fn text(&mut self, said: &str) {
        if let Some(text) = &mut self.text {
            self.n_bytes += said.len();
            self.note.as_mut().unwrap_or(text).push_str(said);
        }
    }

    fn end(&mut self, name: &str) {
        let (row, column) = (self.sheet.row, self.sheet.column);
        match name {
            "Row" => self.sheet.row = row.saturating_add(1),
            "Cell" => self.sheet.column = column.saturating_add(self.width),
            "Comment" => {
                self.sheet.beside.notes.extend(self.note.take().map(|text| Note { row, column, text }));
            }
            "Data" => {
                let text = self.text.take().unwrap_or_default();
                if self.note.is_some() {
                    return;
                }
                let data = match (self.kind.as_str(), text.trim().parse::<f64>()) {
                    ("Number", Ok(number)) => Data::Float(number),
                    ("Boolean", Ok(number)) => Data::Bool(number != 0.0),
                    ("DateTime", _) => serial(text.trim()).map_or_else(|| Data::String(text), Data::Float),
                    ("Error", _) => Data::Empty,
                    _ => Data::String(text),
                };
                self.sheet.cells.push(self.formats.cell((row, column), &data, self.style));
            }
            _ => {}
        }
    }
}

/// A format by its code, or by the name that this file format has for it.
fn named(code: &str) -> Option<NumberFormat> {
    let code = match code {
        "General Number" | "Yes/No" | "True/False" | "On/Off" => "General",
        "General Date" => "yyyy-mm-dd h:mm",
        "Long Date" | "Medium Date" | "Short Date" => "yyyy-mm-dd",
        "Long Time" => "h:mm:ss",
        "Medium Time" => "h:mm AM/PM",
        "Short Time" => "h:mm",
        "Currency" => "$#,##0.00",
        "Euro Currency" => "€#,##0.00",
        "Fixed" => "0.00",
        "Standard" => "#,##0.00",
        "Percent" => "0.00%",
        "Scientific" => "0.00E+00",
        code => code,
    };
    NumberFormat::new(code)
}
