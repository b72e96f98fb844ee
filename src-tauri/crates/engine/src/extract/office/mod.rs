//! Code that the readers of Office and OpenDocument files share.

mod properties;

use std::collections::HashMap;

use super::archive::{Archive, broken, resolve};
use super::block::Rendition;
use super::docx::one_line;
use super::targets::target;
use super::xml::{self, Element, Xml};
use super::{BlockKind, Place, Reading, Unreadable};
pub(super) use properties::{OF_BOOK, Properties};

/// Most text that is read of one file. Text files have the same limit.
pub(super) const MAX_TEXT_BYTES: usize = 20 << 20;

/// Most characters of a heading, which is repeated above every block under it. A longer text is a paragraph that only
/// looks like a heading.
const MAX_HEADING_CHARS: usize = 300;

/// Fails if more than [`MAX_TEXT_BYTES`] were written.
pub(super) fn check_room(rendition: &Rendition) -> Result<(), Unreadable> {
    if rendition.len() > MAX_TEXT_BYTES { Err(broken("it holds more than 20 MB of text")) } else { Ok(()) }
}

/// Lays paragraphs, list items and table cells out as blocks.
#[derive(Default)]
pub(super) struct Layout {
    rendition: Rendition,
    /// The lines of the open list.
    list: String,
    /// Open tables, the outermost first.
    tables: Vec<Table>,
    /// Text that is found but not shown, of the block that is being collected.
    unseen: Vec<String>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Layout {
    /// Adds a heading, a paragraph ..., or a part of the open cell inside a table.
    pub(super) fn push(&mut self, kind: BlockKind, text: &str) -> Result<(), Unreadable> {
        if text.trim().is_empty() {
            return Ok(());
        }
        if let Some(table) = self.tables.last_mut() {
            table.add(text);
            return Ok(());
        }
        self.end_list();
        let is_long = text.len() > MAX_HEADING_CHARS && text.chars().count() > MAX_HEADING_CHARS;
        let kind = if is_long && matches!(kind, BlockKind::Heading { .. }) { BlockKind::Paragraph } else { kind };
        self.rendition.push(kind, text);
        self.settle();
        check_room(&self.rendition)
    }

    /// Adds text that is found but not shown, such as a link's target, to the block that comes next.
    pub(super) fn unseen(&mut self, words: String) {
        self.unseen.push(words);
    }

    fn settle(&mut self) {
        for words in std::mem::take(&mut self.unseen) {
            self.rendition.unseen(&words);
        }
    }

    /// Adds an item of a list; `depth` counts from 0.
    pub(super) fn item(&mut self, depth: usize, marker: &str, text: &str) -> Result<(), Unreadable> {
        if text.trim().is_empty() {
            return Ok(());
        }
        if let Some(table) = self.tables.last_mut() {
            table.add(&format!("{marker}{text}"));
            return Ok(());
        }
        if !self.list.is_empty() {
            self.list.push('\n');
        }
        self.list.push_str(&"  ".repeat(depth.min(8)));
        self.list.push_str(marker);
        self.list.push_str(text.trim());
        if self.list.len() > MAX_TEXT_BYTES { Err(broken("it holds more than 20 MB of text")) } else { Ok(()) }
    }

    pub(super) fn open_table(&mut self) {
        self.tables.push(Table::default());
    }

    pub(super) fn open_row(&mut self) {
        if let Some(table) = self.tables.last_mut() {
            table.rows.push(Vec::new());
        }
    }

    pub(super) fn open_cell(&mut self) {
        if let Some(row) = self.tables.last_mut().and_then(|table| table.rows.last_mut()) {
            row.push(String::new());
        }
    }

    pub(super) fn close_table(&mut self) -> Result<(), Unreadable> {
        let Some(table) = self.tables.pop() else { return Ok(()) };
        if let Some(outer) = self.tables.last_mut() {
            outer.add(&table.lines().join("; "));
            return Ok(());
        }
        // A table of one column only frames its text.
        let kind = if table.rows.iter().all(|row| row.len() < 2) { BlockKind::Paragraph } else { BlockKind::Table };
        self.push(kind, &table.lines().join("\n"))
    }

    /// Text added from here on stands at `place`. Ends an open list; has no effect inside a table.
    pub(super) fn place(&mut self, place: Place) {
        if self.tables.is_empty() {
            self.end_list();
            self.rendition.place(place);
        }
    }

    pub(super) fn end_list(&mut self) {
        if !self.list.is_empty() {
            self.rendition.push(BlockKind::List, &std::mem::take(&mut self.list));
            self.settle();
        }
    }

    pub(super) fn finish(mut self, properties: Properties) -> Reading {
        while !self.tables.is_empty() {
            // The file has ended inside a table.
            if self.close_table().is_err() {
                break;
            }
        }
        self.end_list();
        self.settle();
        properties.complete(self.rendition)
    }
}

impl Table {
    fn add(&mut self, text: &str) {
        let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) else { return };
        for word in text.split_whitespace() {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(word);
        }
    }

    fn lines(&self) -> Vec<String> {
        let full = self.rows.iter().filter(|row| row.iter().any(|cell| !cell.is_empty()));
        full.map(|row| row.join(" | ")).collect()
    }
}

/// Texts that programs add to the descriptions of pictures that they generate.
const MADE_BY_A_PROGRAM: [&str; 3] =
    ["Description automatically generated", "AI-generated content may be incorrect.", "描述已自动生成"];

/// The description of a picture or a shape for people who cannot see it.
pub(super) fn description(element: &Element<'_>) -> Option<String> {
    let said = |name: &str| element.get(name).filter(|text| !text.trim().is_empty());
    let mut text = said("descr").or_else(|| said("title"))?;
    for added in MADE_BY_A_PROGRAM {
        text = text.replace(added, "");
    }
    Some(one_line(&text)).filter(|text| !text.is_empty())
}

/// The name of a picture's file, if the program that added the picture has kept it.
pub(super) fn file_name(element: &Element<'_>) -> Option<String> {
    let name = element.get("name")?;
    let (stem, extension) = name.rsplit_once('.')?;
    let is_file = matches!(extension.len(), 3 | 4) && extension.chars().all(|c| c.is_ascii_alphanumeric());
    (is_file && !stem.trim().is_empty()).then(|| one_line(&name))
}

/// The parts and addresses that a part refers to.
#[derive(Debug, Default)]
pub(super) struct Relations {
    parts: HashMap<String, Relation>,
    /// Addresses outside the file, by their ids.
    external: HashMap<String, String>,
}

#[derive(Debug)]
struct Relation {
    /// The last step of its type's address: `styles`, `slide`.
    kind: String,
    part: String,
}

impl Relations {
    pub(super) fn of(archive: &mut Archive<'_>, part: &str) -> Result<Self, Unreadable> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let rels = format!("{folder}{}_rels/{name}.rels", if folder.is_empty() { "" } else { "/" });
        let Some(source) = archive.text(&rels)? else { return Ok(Self::default()) };
        let mut found = Self::default();
        xml::read(&source, |xml| {
            if let Xml::Start(element) = xml
                && element.name() == "Relationship"
                && let (Some(id), Some(kind), Some(target)) =
                    (element.get("Id"), element.get("Type"), element.get("Target"))
            {
                if element.get("TargetMode").as_deref() == Some("External") {
                    found.external.insert(id, target);
                } else {
                    let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                    found.parts.insert(id, Relation { kind, part: resolve(part, &target) });
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&str> {
        self.parts.get(id).map(|relation| relation.part.as_str())
    }

    /// Whether the part has links out of the file.
    pub(super) fn lead_out(&self) -> bool {
        !self.external.is_empty()
    }

    /// The part worth finding of the address that a link's element refers to.
    pub(super) fn link(&self, element: &Element<'_>) -> Option<String> {
        target(self.external.get(&element.get_exactly("r:id")?)?)
    }

    /// The parts of a kind, in the order of their names.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<&str> {
        let mut parts: Vec<&str> = self
            .parts
            .values()
            .filter(|relation| relation.kind == kind)
            .map(|relation| relation.part.as_str())
            .collect();
        parts.sort_unstable();
        parts
    }

    pub(super) fn first_of_kind(&self, kind: &str) -> Option<&str> {
        self.of_kind(kind).first().copied()
    }
}

/// The name of an Office file's main part, such as `word/document.xml`.
pub(super) fn main_part(archive: &mut Archive<'_>) -> Result<String, Unreadable> {
    let relations = Relations::of(archive, "")?;
    let main = relations.first_of_kind("officeDocument").map(str::to_owned);
    main.ok_or_else(|| broken("it is damaged or not what its name says (no Office document)"))
}
