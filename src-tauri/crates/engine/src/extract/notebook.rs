//! Reads Jupyter notebooks (nbformat 3 and 4, <https://nbformat.readthedocs.io>): Markdown with its structure, code as
//! code, and the first lines of its output. Each cell is a place.

use super::block::Rendition;
use super::json::{self, Json};
use super::{BlockKind, Extractor, Place, Reading, Unreadable, add_names, markdown};

pub(super) struct Notebook;

/// Keys of the JSON whose values are read.
const KEYS: [&str; 16] = [
    "cell_type",
    "cells",
    "data",
    "ename",
    "evalue",
    "input",
    "level",
    "metadata",
    "name",
    "nbformat",
    "outputs",
    "source",
    "text",
    "text/plain",
    "title",
    "worksheets",
];

/// Most lines and bytes of a cell's output: a table's head, a short answer. The rest is data.
const MAX_OUTPUT_LINES: usize = 12;
const MAX_OUTPUT_BYTES: usize = 1200;

impl Extractor for Notebook {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let broken = || Unreadable::Broken("it is not a Jupyter notebook inside".to_owned());
        if decoded.text.trim_start_matches('\u{FEFF}').trim().is_empty() {
            return Ok(Rendition::default().finish(None));
        }
        let notebook = json::parse(decoded.text.trim_start_matches('\u{FEFF}'), &KEYS).ok_or_else(broken)?;
        // Version 3 has its cells in worksheets.
        let sheets =
            notebook.get("worksheets").map_or(&[][..], Json::list).iter().filter_map(|sheet| sheet.get("cells"));
        let lists: Vec<&Json> = notebook.get("cells").into_iter().chain(sheets).collect();
        if lists.is_empty() && notebook.get("nbformat").is_none() {
            return Err(broken());
        }
        let mut written = Rendition::default();
        let mut tags = Vec::new();
        for (at, cell) in lists.into_iter().flat_map(Json::list).enumerate() {
            written.place(Place::NotebookCell { number: u32::try_from(at + 1).unwrap_or(u32::MAX) });
            read_cell(cell, &mut written, &mut tags);
        }
        let title = notebook.get("metadata").and_then(|about| about.get("title").or(about.get("name")));
        let mut reading = written.finish(title.and_then(Json::text));
        reading.tags = tags;
        Ok(reading)
    }
}

fn read_cell(cell: &Json, written: &mut Rendition, tags: &mut Vec<String>) {
    let text = |key: &str| cell.get(key).and_then(Json::text);
    let source = text("source").or_else(|| text("input")).unwrap_or_default();
    match text("cell_type").as_deref() {
        Some("markdown") => {
            let parsed = markdown::read(&source);
            add_names(tags, parsed.hashtags.iter().map(String::as_str));
            written.push_all(parsed.blocks, parsed.unseen);
        }
        Some("heading") => {
            let level = cell.get("level").and_then(Json::word).and_then(|level| level.parse().ok()).unwrap_or(1u8);
            written.push(BlockKind::Heading { level: level.clamp(1, 6) }, &source);
        }
        Some("code") => {
            written.push(BlockKind::Code, &source);
            for output in cell.get("outputs").map_or(&[][..], Json::list) {
                if let Some(text) = output_text(output) {
                    written.push(BlockKind::Code, &shortened(&text));
                }
            }
        }
        _ => written.push(BlockKind::Paragraph, &source),
    }
}

/// The text of an output; `None` for pictures and pages, which have none.
fn output_text(output: &Json) -> Option<String> {
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::text);
    if let Some(error) = text(output, "ename") {
        return Some(format!("{error}: {}", text(output, "evalue").unwrap_or_default()));
    }
    let data = output.get("data").unwrap_or(output);
    let found = text(output, "text").or_else(|| text(data, "text/plain"))?;
    // `<Figure size 640x480 with 1 Axes>` only says that there is a picture.
    let trimmed = found.trim();
    let is_name = trimmed.starts_with('<') && trimmed.ends_with('>') && !trimmed.contains('\n');
    (!is_name && !trimmed.is_empty()).then_some(found)
}

fn shortened(text: &str) -> String {
    let end = text.match_indices('\n').nth(MAX_OUTPUT_LINES - 1).map_or(text.len(), |(at, _)| at);
    let text = &text[..text.floor_char_boundary(end.min(MAX_OUTPUT_BYTES))];
    // Removes a terminal's codes for colours.
    let mut plain = String::new();
    for (at, part) in text.split("\u{1b}[").enumerate() {
        let start = if at == 0 { 0 } else { part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1) };
        plain.push_str(&part[start..]);
    }
    plain
}
