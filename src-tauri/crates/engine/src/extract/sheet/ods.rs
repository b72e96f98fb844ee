//! Reads OpenDocument spreadsheets. Each cell holds its value and the text that it shows; the text is read.

use super::format::general;
use super::lay::{Beside, Cell, Note, lay};
use crate::extract::archive::{Archive, ENCRYPTED, broken};
use crate::extract::block::Rendition;
use crate::extract::docx::one_line;
use crate::extract::office::{MAX_TEXT_BYTES, Properties};
use crate::extract::targets::target;
use crate::extract::xml::{self, Element, Unread, Xml};
use crate::extract::{Reading, Unreadable};

/// How often a repeated cell or row is written out at most: the thousandth time says nothing new.
const MAX_REPEATS: u32 = 100;

/// From this size on, a whole number is shown with all its digits, whatever its cell has room for.
const MANY_DIGITS: f64 = 1e11;

pub(super) fn read(parts: &mut Archive<'_>, mut rendition: Rendition) -> Result<Reading, Unreadable> {
    if parts.text("META-INF/manifest.xml")?.is_some_and(|manifest| manifest.contains("encryption-data")) {
        return Err(broken(ENCRYPTED));
    }
    let source = parts.required("content.xml")?;
    let mut book = Book::default();
    xml::read(&source, |xml| {
        match xml {
            Xml::Start(element) => book.start(&element),
            Xml::Text(text) => book.text(&text),
            Xml::End(name) => {
                if let Some(sheet) = book.end(&name)? {
                    lay(&mut rendition, &sheet.name, sheet.cells.into_iter().map(Ok), sheet.beside)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(Properties::of_open_document(parts)?.complete(rendition))
}

#[derive(Default)]
struct Sheet {
    name: String,
    cells: Vec<Cell>,
    beside: Beside,
    /// Row of the next cell, and its column.
    row: u32,
    column: u32,
    /// Index in `cells` where this row begins.
    row_start: usize,
    row_repeats: u32,
}

/// The cell that is being read.
#[derive(Default)]
struct Open {
    repeats: u32,
    shown: String,
    /// The cell's value as text, which is used if the cell shows none.
    value: String,
    number: Option<f64>,
    notes: Vec<String>,
}

#[derive(Default)]
struct Book {
    sheet: Option<Sheet>,
    cell: Option<Open>,
    /// Open tables inside the sheet's own table, in a cell or a drawing.
    n_inner: usize,
    /// The kind and text of an open note, description of a picture or text box.
    aside: Option<(String, String)>,
    in_paragraph: usize,
    unread: Unread,
    n_bytes: usize,
}

/// Elements whose text is not part of the sheet: deleted text, forms, authors and dates of notes, readings.
const UNREAD: [&str; 6] = ["tracked-changes", "forms", "creator", "date", "creator-initials", "ruby-text"];

impl Book {
    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.unread.starts(name, &UNREAD) {
            return;
        }
        let count = |name: &str| element.get(name).and_then(|n| n.parse::<u32>().ok()).unwrap_or(1);
        match name {
            "table" if self.sheet.is_some() => self.n_inner += 1,
            "table" => {
                let name = element.get("name").unwrap_or_default();
                self.sheet = Some(Sheet { name, ..Sheet::default() });
            }
            "table-row" if self.n_inner == 0 => {
                if let Some(sheet) = &mut self.sheet {
                    (sheet.column, sheet.row_start) = (0, sheet.cells.len());
                    sheet.row_repeats = count("number-rows-repeated");
                }
            }
            "table-cell" | "covered-table-cell" if self.n_inner == 0 => {
                let value = |name: &str| element.get(name);
                let number = value("value").and_then(|number| number.parse::<f64>().ok());
                let is_percent = element.get("value-type").as_deref() == Some("percentage");
                let said = match number {
                    Some(number) if is_percent => Some(format!("{}%", general(number * 100.0))),
                    Some(number) => Some(general(number)),
                    None => None,
                };
                let kinds = ["string-value", "date-value", "time-value", "boolean-value"];
                let moment = value("date-value").or(value("time-value")).map(|_| 0.0);
                self.cell = Some(Open {
                    repeats: count("number-columns-repeated"),
                    value: said.or(kinds.into_iter().find_map(value)).unwrap_or_default(),
                    number: number.or(moment),
                    ..Open::default()
                });
            }
            "a" => {
                let leads_to = element.get("href").and_then(|href| target(&href));
                if let Some(sheet) = &mut self.sheet {
                    sheet.beside.links.extend(leads_to.map(|leads_to| (sheet.row, leads_to)));
                }
            }
            "annotation" | "desc" | "title" => self.aside = Some((name.to_owned(), String::new())),
            "p" | "h" => {
                self.in_paragraph += 1;
                if let Some(text) = self.open_text()
                    && !text.is_empty()
                {
                    text.push('\n');
                }
            }
            "s" | "tab" | "line-break" => self.text(if name == "line-break" { "\n" } else { " " }),
            _ => {}
        }
    }

    /// The text that is being read: that of the open note, else that of the open cell. `None` outside both.
    fn open_text(&mut self) -> Option<&mut String> {
        match (&mut self.aside, &mut self.cell) {
            (Some((_, text)), _) => Some(text),
            (None, Some(cell)) => Some(&mut cell.shown),
            _ => None,
        }
    }

    fn text(&mut self, said: &str) {
        let is_said = self.in_paragraph > 0 || self.aside.as_ref().is_some_and(|(kind, _)| kind != "annotation");
        if !is_said || self.unread.is_open() || self.sheet.is_none() {
            return;
        }
        match self.open_text() {
            Some(text) => text.push_str(said),
            // A text box on the sheet, beside its cells.
            None => self.aside = Some(("shape".to_owned(), said.to_owned())),
        }
    }

    /// Called when an element ends. Returns the sheet if that completes it.
    fn end(&mut self, name: &str) -> Result<Option<Sheet>, Unreadable> {
        if self.unread.ends(name) {
            return Ok(None);
        }
        if self.aside.as_ref().is_some_and(|(kind, _)| kind == name || kind == "shape" && name == "p") {
            let (_, text) = self.aside.take().unwrap_or_default();
            self.note(text);
        }
        match name {
            "p" | "h" => self.in_paragraph = self.in_paragraph.saturating_sub(1),
            "table" if self.n_inner > 0 => self.n_inner -= 1,
            "table" => return Ok(self.sheet.take()),
            "table-cell" | "covered-table-cell" if self.n_inner == 0 => self.close_cell(),
            "table-row" if self.n_inner == 0 => self.close_row(),
            _ => {}
        }
        if self.n_bytes > MAX_TEXT_BYTES { Err(broken("it holds more than 20 MB of text")) } else { Ok(None) }
    }

    fn note(&mut self, text: String) {
        self.n_bytes += text.len();
        match (&mut self.cell, &mut self.sheet) {
            (Some(cell), _) => cell.notes.push(text),
            (None, Some(sheet)) => sheet.beside.notes.push(Note { row: sheet.row, column: sheet.column, text }),
            _ => {}
        }
    }

    fn close_cell(&mut self) {
        let (Some(cell), Some(sheet)) = (self.cell.take(), &mut self.sheet) else { return };
        let shown = one_line(&cell.shown);
        let is_cut = |number: &f64| number.abs() >= MANY_DIGITS && number.fract() == 0.0 && shown.contains(['E', 'e']);
        let text = match cell.number.filter(is_cut) {
            Some(number) => general(number),
            None if shown.is_empty() => cell.value,
            None => shown,
        };
        let (row, column) = (sheet.row, sheet.column);
        sheet.beside.notes.extend(cell.notes.into_iter().map(|text| Note { row, column, text }));
        sheet.column = column.saturating_add(cell.repeats);
        if text.is_empty() {
            return;
        }
        let is_number = cell.number.is_some();
        for column in column..column.saturating_add(cell.repeats.min(MAX_REPEATS)) {
            self.n_bytes += text.len();
            sheet.cells.push(Cell { row, column, text: text.clone(), is_number });
        }
    }

    fn close_row(&mut self) {
        let Some(sheet) = &mut self.sheet else { return };
        let (row, end) = (sheet.row, sheet.cells.len());
        sheet.row = row.saturating_add(sheet.row_repeats);
        for row in (row..sheet.row).skip(1).take(MAX_REPEATS as usize - 1) {
            if sheet.row_start == end || self.n_bytes > MAX_TEXT_BYTES {
                return;
            }
            for at in sheet.row_start..end {
                let Cell { column, text, is_number, .. } = &sheet.cells[at];
                self.n_bytes += text.len();
                let again = Cell { row, column: *column, text: text.clone(), is_number: *is_number };
                sheet.cells.push(again);
            }
        }
    }
}
