//! What the readers of Office and OpenDocument files share.

use std::collections::HashMap;

use super::archive::{Archive, broken, resolve};
use super::block::Rendition;
use super::xml::{self, Xml};
use super::{BlockKind, Place, Reading, Unreadable};

/// The most text that is read of one file, as of text files.
pub(super) const MAX_TEXT_BYTES: usize = 20 << 20;

/// Headings repeat above every block under them; longer ones are paragraphs that only look like one.
const MAX_HEADING_CHARS: usize = 300;

/// Titles that programs give to documents nobody has named.
const UNTELLING: [&str; 7] =
    ["powerpoint presentation", "word document", "untitled", "(anonymous)", "slide 1", "演示文稿1", "无标题"];

/// An error once more was written than is read of any file.
pub(super) fn check_room(rendition: &Rendition) -> Result<(), Unreadable> {
    if rendition.len() > MAX_TEXT_BYTES { Err(broken("it holds more than 20 MB of text")) } else { Ok(()) }
}

/// Lays paragraphs, list items and table cells out as blocks.
#[derive(Default)]
pub(super) struct Layout {
    rendition: Rendition,
    /// The lines of a list that goes on.
    list: String,
    /// Open tables, the outermost first.
    tables: Vec<Table>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Layout {
    /// A heading, a paragraph ...; inside a table a part of its cell.
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
        check_room(&self.rendition)
    }

    /// An item of a list; `depth` counts from 0.
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
        // A table of one column is there for its frame.
        let kind = if table.rows.iter().all(|row| row.len() < 2) { BlockKind::Paragraph } else { BlockKind::Table };
        self.push(kind, &table.lines().join("\n"))
    }

    /// From here on text stands at `place`; inside a list or a table after it.
    pub(super) fn place(&mut self, place: Place) {
        if self.tables.is_empty() {
            self.end_list();
            self.rendition.place(place);
        }
    }

    pub(super) fn end_list(&mut self) {
        self.rendition.push(BlockKind::List, &std::mem::take(&mut self.list));
    }

    pub(super) fn finish(mut self, properties: Properties) -> Reading {
        while !self.tables.is_empty() {
            // What is left of a file that ends in a table.
            if self.close_table().is_err() {
                break;
            }
        }
        self.end_list();
        let mut reading = self.rendition.finish(properties.title);
        reading.tags = properties.keywords;
        reading
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

/// What a document says of itself.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) title: Option<String>,
    pub(super) keywords: Vec<String>,
}

impl Properties {
    pub(super) fn new(title: Option<String>, keywords: Option<String>) -> Self {
        let words = keywords.unwrap_or_default();
        let words = words.split([',', ';', '，', '；', '、']).map(|word| word.trim().to_owned());
        Self { title: title.filter(|title| is_telling(title)), keywords: words.filter(|w| !w.is_empty()).collect() }
    }

    /// Of an Office file; none where the part is missing or damaged.
    pub(super) fn of_office(archive: &mut Archive<'_>) -> Result<Self, Unreadable> {
        let core = archive.text("docProps/core.xml")?.unwrap_or_default();
        let [title, keywords] = xml::texts(&core, ["title", "keywords"]).unwrap_or_default();
        Ok(Self::new(title, keywords))
    }
}

/// Whether a title names its document.
pub(super) fn is_telling(title: &str) -> bool {
    let title = title.trim().to_lowercase();
    title.chars().any(char::is_alphanumeric)
        && !UNTELLING.contains(&title.as_str())
        && !title.starts_with("microsoft word - ")
        && !title.starts_with("microsoft powerpoint - ")
}

/// What a part refers to.
#[derive(Debug, Default)]
pub(super) struct Relations(HashMap<String, Relation>);

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
        let mut found = HashMap::new();
        xml::read(&source, |xml| {
            if let Xml::Start(element) = xml
                && element.name() == "Relationship"
                && element.get("TargetMode").as_deref() != Some("External")
                && let (Some(id), Some(kind), Some(target)) =
                    (element.get("Id"), element.get("Type"), element.get("Target"))
            {
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                found.insert(id, Relation { kind, part: resolve(part, &target) });
            }
            Ok(())
        })?;
        Ok(Self(found))
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|relation| relation.part.as_str())
    }

    /// The parts of a kind, in the order of their names.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<&str> {
        let mut parts: Vec<&str> =
            self.0.values().filter(|relation| relation.kind == kind).map(|relation| relation.part.as_str()).collect();
        parts.sort_unstable();
        parts
    }

    pub(super) fn first_of_kind(&self, kind: &str) -> Option<&str> {
        self.of_kind(kind).first().copied()
    }
}

/// Where an Office file's content begins: `word/document.xml`, as a rule.
pub(super) fn main_part(archive: &mut Archive<'_>) -> Result<String, Unreadable> {
    let relations = Relations::of(archive, "")?;
    let main = relations.first_of_kind("officeDocument").map(str::to_owned);
    main.ok_or_else(|| broken("it is damaged or not what its name says (no Office document)"))
}
