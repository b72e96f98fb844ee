//! XLSX: cells as calamine reads them, with the format of each; notes, threads and drawings from their own parts.

use calamine::{Data, Xlsx};

use super::lay::{Beside, Note, lay, position};
use super::{Formats, NumberFormat, damaged, names, open};
use crate::extract::Unreadable;
use crate::extract::archive::Archive;
use crate::extract::block::Rendition;
use crate::extract::office::{Relations, description, main_part};
use crate::extract::targets::target;
use crate::extract::xml::{self, Unread, Xml};

pub(super) fn read(bytes: &[u8], parts: &mut Archive<'_>, rendition: &mut Rendition) -> Result<(), Unreadable> {
    let mut book = open::<Xlsx<_>>(bytes)?;
    let sheets = sheet_parts(parts)?;
    let mut formats = Formats { of_style: Vec::new(), is_1904: book.has_1904_epoch() };
    for name in names(&book) {
        let part = sheets.iter().find(|(of, _)| *of == name).map(|(_, part)| part.as_str());
        let relations = part.map(|part| Relations::of(parts, part)).transpose()?.unwrap_or_default();
        let mut beside = beside(parts, &relations)?;
        // Finding links reads the sheet once more. Even if links are damaged, the cells are worth reading.
        let links = if relations.lead_out() { book.hyperlinks_by_sheet_name(&name).ok() } else { None };
        for link in links.unwrap_or_default() {
            let leads_to = link.target.as_deref().and_then(target);
            beside.links.extend(leads_to.map(|leads_to| (link.range.start.0, leads_to)));
        }
        // Reads cell after cell, so that a cell far out does not make a table of all empty cells before it.
        let mut reader = book.worksheet_cells_reader(&name).map_err(damaged)?;
        if formats.of_style.is_empty() {
            formats.of_style = reader.styles().iter().map(number_format).collect();
        }
        let cells = std::iter::from_fn(|| {
            let next = reader.next_cell_with_style_id().map_err(damaged).transpose()?;
            Some(next.map(|(cell, style)| {
                let data: Data = cell.get_value().clone().into();
                formats.cell(cell.get_position(), &data, Some(style))
            }))
        });
        lay(rendition, &name, cells, beside)?;
    }
    Ok(())
}

fn number_format(style: &calamine::Style) -> Option<NumberFormat> {
    let format = style.number_format.as_ref()?;
    // Formats that depend on the country have no code of their own in the file.
    match (format.format_id, format.format_code.as_str()) {
        (Some(id), "mm-dd-yy" | "m/d/yy h:mm" | "General") if id > 0 => NumberFormat::built_in(id),
        (_, code) => NumberFormat::new(code),
    }
}

/// Names of the sheets and their parts. No notes are read of a sheet that is missing here.
fn sheet_parts(parts: &mut Archive<'_>) -> Result<Vec<(String, String)>, Unreadable> {
    let mut sheets = Vec::new();
    let Ok(main) = main_part(parts) else { return Ok(sheets) };
    let relations = Relations::of(parts, &main)?;
    let Some(source) = parts.text(&main)? else { return Ok(sheets) };
    let read = xml::read(&source, |xml| {
        if let Xml::Start(element) = xml
            && element.name() == "sheet"
            && let (Some(name), Some(id)) = (element.get("name"), element.get_exactly("r:id"))
            && let Some(part) = relations.by_id(&id)
        {
            sheets.push((name, part.to_owned()));
        }
        Ok(())
    });
    if let Err(error) = read {
        tracing::debug!("the list of sheets is damaged: {error:?}");
    }
    Ok(sheets)
}

/// Notes, threads of comments, and the texts of pictures and shapes. Damaged parts are skipped, since the cells are
/// still worth reading.
pub(super) fn beside(parts: &mut Archive<'_>, relations: &Relations) -> Result<Beside, Unreadable> {
    let mut notes = Vec::new();
    let mut add = |read: Result<Vec<Note>, Unreadable>| match read {
        Ok(read) => notes.extend(read),
        Err(error) => tracing::debug!("notes of a sheet are damaged: {error:?}"),
    };
    for kind in ["comments", "threadedComment"] {
        for part in relations.of_kind(kind) {
            // In the binary format (`.bin`) these parts are not XML.
            if let Some(source) = parts.text(part)?.filter(|_| !part.ends_with(".bin")) {
                add(comments(&source));
            }
        }
    }
    for part in relations.of_kind("drawing") {
        if let Some(source) = parts.text(part)? {
            add(drawing(&source));
        }
    }
    Ok(Beside { notes, links: Vec::new() })
}

/// Beginning of the note that old programs show in place of a thread, which has a part of its own.
pub(super) const STANDS_FOR_A_THREAD: &str = "[Threaded comment]";

fn comments(source: &str) -> Result<Vec<Note>, Unreadable> {
    let mut notes = Vec::new();
    let mut open: Option<Note> = None;
    let mut in_text = false;
    let mut unread = Unread::default();
    xml::read(source, |xml| {
        match xml {
            // Readings of Chinese characters (`rPh`, `phoneticPr`) and data for programs are skipped.
            Xml::Start(element) if unread.starts(element.name(), &["rPh", "phoneticPr", "mentions", "extLst"]) => {}
            Xml::Start(element) => match element.name() {
                "comment" | "threadedComment" => {
                    let at = element.get("ref").and_then(|at| position(&at));
                    open = at.map(|(row, column)| Note { row, column, text: String::new() });
                }
                "t" | "text" => in_text = true,
                _ => {}
            },
            Xml::Text(text) if in_text && !unread.is_open() => {
                // White space between the runs of a note only lays out the file.
                if let Some(note) = open.as_mut().filter(|_| !text.trim().is_empty() || text == " ") {
                    note.text.push_str(&text);
                }
            }
            Xml::Text(_) => {}
            Xml::End(name) if unread.ends(&name) => {}
            Xml::End(name) => match name.as_str() {
                "comment" | "threadedComment" => {
                    notes.extend(open.take().filter(|note| !note.text.starts_with(STANDS_FOR_A_THREAD)));
                }
                "t" | "text" => in_text = false,
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(notes)
}

/// Text boxes and descriptions of pictures, at the cell where each begins.
fn drawing(source: &str) -> Result<Vec<Note>, Unreadable> {
    let mut notes: Vec<Note> = Vec::new();
    let (mut row, mut column) = (0, 0);
    let (mut number, mut text) = (String::new(), String::new());
    let (mut in_number, mut in_text) = (false, false);
    let mut unread = Unread::default();
    xml::read(source, |xml| {
        match xml {
            // `to` is the cell where a drawing ends; a fallback repeats the drawing.
            Xml::Start(element) if unread.starts(element.name(), &["to", "Fallback"]) => {}
            Xml::Start(element) => match element.name() {
                "row" | "col" => (in_number, number) = (true, String::new()),
                "t" => in_text = true,
                "br" => text.push('\n'),
                "cNvPr" => {
                    let described = description(&element);
                    notes.extend(described.map(|text| Note { row, column, text }));
                }
                _ => {}
            },
            Xml::Text(_) if unread.is_open() => {}
            Xml::Text(said) if in_number => number.push_str(&said),
            Xml::Text(said) if in_text => text.push_str(&said),
            Xml::Text(_) => {}
            Xml::End(name) if unread.ends(&name) => {}
            Xml::End(name) => match name.as_str() {
                "row" | "col" => {
                    in_number = false;
                    let number = number.trim().parse().unwrap_or(0);
                    if name == "row" { row = number } else { column = number }
                }
                "t" => in_text = false,
                "p" => text.push('\n'),
                "txBody" => {
                    let text = std::mem::take(&mut text);
                    notes.push(Note { row, column, text });
                }
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(notes)
}
