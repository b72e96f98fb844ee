//! Jupyter notebooks (nbformat 3 and 4, <https://nbformat.readthedocs.io>): Markdown with its structure, code as code,
//! the first lines of what it printed. Each cell is a place.

use serde::de::{MapAccess, SeqAccess};

use super::block::Rendition;
use super::json::{self, Of, Sink};
use super::{BlockKind, Extractor, Place, Reading, Unreadable, add_names, markdown};

pub(super) struct Notebook;

/// Of what a cell printed: a table's head, a short answer. The rest is data.
const MAX_OUTPUT_LINES: usize = 12;
const MAX_OUTPUT_BYTES: usize = 1200;

impl Extractor for Notebook {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let source = decoded.text.trim_start_matches('\u{FEFF}');
        if source.trim().is_empty() {
            return Ok(Rendition::default().finish(None));
        }
        let Whole { is_notebook, about, cells } = json::read(source);
        if !is_notebook {
            return Err(Unreadable::Broken("it is not a Jupyter notebook inside".to_owned()));
        }
        let mut reading = cells.written.finish(about.title.or(about.name));
        reading.tags = cells.tags;
        Ok(reading)
    }
}

#[derive(Default)]
struct Whole {
    is_notebook: bool,
    about: About,
    cells: Cells,
}

impl Sink for Whole {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        self.is_notebook |= matches!(name, "cells" | "worksheets" | "nbformat");
        match name {
            "cells" => map.next_value_seed(Of(&mut self.cells)),
            "metadata" => map.next_value_seed(Of(&mut self.about)),
            "worksheets" => map.next_value_seed(Of(&mut Sheets(&mut self.cells))),
            _ => json::pass(map),
        }
    }
}

/// What a notebook says of itself.
#[derive(Default)]
struct About {
    title: Option<String>,
    name: Option<String>,
}

impl Sink for About {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "title" => json::text(map, &mut self.title),
            "name" => json::text(map, &mut self.name),
            _ => json::pass(map),
        }
    }
}

/// Version 3 has its cells in worksheets.
struct Sheets<'a>(&'a mut Cells);

impl Sink for Sheets<'_> {
    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element_seed(Of(self))?.is_some())
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if name == "cells" { map.next_value_seed(Of(self.0)) } else { json::pass(map) }
    }
}

/// Cells, written out one by one.
#[derive(Default)]
struct Cells {
    written: Rendition,
    tags: Vec<String>,
    n_cells: u32,
}

impl Sink for Cells {
    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut cell = Cell::default();
        let read = list.next_element_seed(Of(&mut cell));
        // What there is of one that broke off counts as well.
        if cell.is_there {
            self.n_cells = self.n_cells.saturating_add(1);
            self.written.place(Place::NotebookCell { number: self.n_cells });
            cell.write(&mut self.written, &mut self.tags);
        }
        Ok(read?.is_some())
    }
}

#[derive(Default)]
struct Cell {
    is_there: bool,
    kind: Option<String>,
    level: Level,
    source: Option<String>,
    /// The same in version 3.
    input: Option<String>,
    outputs: Outputs,
}

impl Sink for Cell {
    fn object(&mut self) {
        self.is_there = true;
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "cell_type" => json::text(map, &mut self.kind),
            "input" => json::text(map, &mut self.input),
            "level" => map.next_value_seed(Of(&mut self.level)),
            "outputs" => map.next_value_seed(Of(&mut self.outputs)),
            "source" => json::text(map, &mut self.source),
            _ => json::pass(map),
        }
    }
}

impl Cell {
    fn write(self, written: &mut Rendition, tags: &mut Vec<String>) {
        let source = self.source.or(self.input).unwrap_or_default();
        match self.kind.as_deref() {
            Some("markdown") => {
                let parsed = markdown::read(&source);
                add_names(tags, parsed.hashtags.iter().map(String::as_str));
                written.push_all(parsed.blocks, parsed.unseen);
            }
            Some("heading") => written.push(BlockKind::Heading { level: self.level.0.unwrap_or(1) }, &source),
            Some("code") => {
                written.push(BlockKind::Code, &source);
                self.outputs.0.iter().for_each(|output| written.push(BlockKind::Code, output));
            }
            _ => written.push(BlockKind::Paragraph, &source),
        }
    }
}

#[derive(Default)]
struct Level(Option<u8>);

impl Sink for Level {
    fn number(&mut self, number: u64) {
        self.0 = Some(number.clamp(1, 6) as u8);
    }
}

/// What a cell printed, shortened.
#[derive(Default)]
struct Outputs(Vec<String>);

impl Sink for Outputs {
    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut output = Output::default();
        let read = list.next_element_seed(Of(&mut output));
        self.0.extend(output.words().map(|words| shortened(&words)));
        Ok(read?.is_some())
    }
}

#[derive(Default)]
struct Output {
    error: Option<String>,
    says: Option<String>,
    text: Option<String>,
    plain: Option<String>,
}

impl Sink for Output {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "data" => map.next_value_seed(Of(&mut Data(&mut self.plain))),
            "ename" => json::text(map, &mut self.error),
            "evalue" => json::text(map, &mut self.says),
            "text" => json::text(map, &mut self.text),
            "text/plain" => json::text(map, &mut self.plain),
            _ => json::pass(map),
        }
    }
}

/// An output in several forms, most of which are pictures and pages.
struct Data<'a>(&'a mut Option<String>);

impl Sink for Data<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if name == "text/plain" { json::text(map, self.0) } else { json::pass(map) }
    }
}

impl Output {
    /// What it says in words; pictures and pages have none.
    fn words(self) -> Option<String> {
        if let Some(error) = self.error {
            return Some(format!("{error}: {}", self.says.unwrap_or_default()));
        }
        let found = self.text.or(self.plain)?;
        // `<Figure size 640x480 with 1 Axes>` only says that there is a picture.
        let trimmed = found.trim();
        let is_name = trimmed.starts_with('<') && trimmed.ends_with('>') && !trimmed.contains('\n');
        (!is_name && !trimmed.is_empty()).then_some(found)
    }
}

fn shortened(text: &str) -> String {
    let end = text.match_indices('\n').nth(MAX_OUTPUT_LINES - 1).map_or(text.len(), |(at, _)| at);
    let text = &text[..text.floor_char_boundary(end.min(MAX_OUTPUT_BYTES))];
    // Colours of a terminal.
    let mut plain = String::new();
    for (at, part) in text.split("\u{1b}[").enumerate() {
        let start = if at == 0 { 0 } else { part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1) };
        plain.push_str(&part[start..]);
    }
    plain
}
