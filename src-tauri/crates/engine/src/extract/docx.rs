//! Word: the main part's paragraphs, lists and tables, then foot- and endnotes.
//!
//! Pages exist only where Word has noted down where they broke when it last laid the text out.

use std::collections::HashMap;

use super::archive::Archive;
use super::office::{Layout, Properties, Relations, main_part};
use super::xml::{self, Element, Unread, Xml};
use super::{BlockKind, Extractor, Place, Reading, Unreadable};

pub(super) struct Docx;

impl Extractor for Docx {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut archive = Archive::open(bytes)?;
        let main = main_part(&mut archive)?;
        let relations = Relations::of(&mut archive, &main)?;
        let mut part = |kind: &str| match relations.first_of_kind(kind) {
            Some(name) => archive.text(name),
            None => Ok(None),
        };
        let styles = styles(&part("styles")?.unwrap_or_default())?;
        let numbering = numbering(&part("numbering")?.unwrap_or_default())?;
        let notes = [part("footnotes")?, part("endnotes")?];
        let source = archive.required(&main)?;
        let mut body = Body { styles, numbering, ..Body::default() };
        if source.contains("lastRenderedPageBreak") {
            body.page = Some(1);
            body.layout.place(Place::Page { number: 1 });
        }
        xml::read(&source, |xml| body.take(xml))?;
        body.page = None;
        for notes in notes.into_iter().flatten() {
            xml::read(&notes, |xml| body.take(xml))?;
        }
        Ok(body.layout.finish(Properties::of_office(&mut archive)?))
    }
}

/// Elements whose text is not the document's: deleted, moved away, told again for old programs, or instructions.
const UNREAD: [&str; 7] = ["Fallback", "del", "moveFrom", "instrText", "delText", "delInstrText", "annotationRef"];

#[derive(Clone, Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    shape: Shape,
}

/// What decides how a paragraph is shown; of its own or of its style.
#[derive(Clone, Debug, Default)]
struct Shape {
    /// 0-based; 9 is body text.
    outline: Option<u8>,
    /// Of the list it is an item of; 0 for none.
    list: Option<u32>,
    depth: Option<usize>,
}

impl Shape {
    fn take(&mut self, element: &Element<'_>) {
        let value = element.get("val");
        let value = value.as_deref();
        match element.name() {
            "outlineLvl" => self.outline = value.and_then(|value| value.parse().ok()),
            "numId" => self.list = value.and_then(|value| value.parse().ok()),
            "ilvl" => self.depth = value.and_then(|value| value.parse().ok()),
            _ => {}
        }
    }
}

/// Of a list, by its number: what stands before the items of each depth; `None` for a bullet.
type Numbering = HashMap<u32, HashMap<usize, Marker>>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Marker {
    Bullet,
    Number,
    Nothing,
}

fn styles(source: &str) -> Result<HashMap<String, Style>, Unreadable> {
    let mut styles: HashMap<String, Style> = HashMap::new();
    let mut open: Option<(String, Style)> = None;
    xml::read(source, |xml| {
        match (xml, &mut open) {
            (Xml::Start(element), open) if element.name() == "style" => {
                *open = element.get("styleId").map(|id| (id, Style::default()));
            }
            (Xml::Start(element), Some((_, style))) => match element.name() {
                "name" => style.name = element.get("val").unwrap_or_default().to_lowercase(),
                "basedOn" => style.based_on = element.get("val"),
                _ => style.shape.take(&element),
            },
            (Xml::End(name), open) if name == "style" => styles.extend(open.take()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

fn numbering(source: &str) -> Result<Numbering, Unreadable> {
    let mut kinds: HashMap<String, HashMap<usize, Marker>> = HashMap::new();
    let mut lists = Numbering::new();
    let (mut kind, mut depth, mut list) = (String::new(), 0, None);
    xml::read(source, |xml| {
        let Xml::Start(element) = xml else { return Ok(()) };
        let value = element.get("val").unwrap_or_default();
        match element.name() {
            "abstractNum" => kind = element.get("abstractNumId").unwrap_or_default(),
            "lvl" => depth = element.get("ilvl").and_then(|depth| depth.parse().ok()).unwrap_or(0),
            "numFmt" => {
                let marker = match value.as_str() {
                    "bullet" => Marker::Bullet,
                    "none" => Marker::Nothing,
                    _ => Marker::Number,
                };
                kinds.entry(kind.clone()).or_default().insert(depth, marker);
            }
            "num" => list = element.get("numId").and_then(|id| id.parse().ok()),
            "abstractNumId" => {
                if let (Some(list), Some(kind)) = (list, kinds.get(&value)) {
                    lists.insert(list, kind.clone());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(lists)
}

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    shape: Shape,
    page: Option<u32>,
}

#[derive(Default)]
struct Body {
    layout: Layout,
    styles: HashMap<String, Style>,
    numbering: Numbering,
    /// Several where a text box stands in a paragraph.
    paragraphs: Vec<Paragraph>,
    /// The element we are in that is not read, and how many of its name are open.
    unread: Unread,
    in_text: bool,
    /// Inside a paragraph's own properties, not those of its runs.
    in_shape: bool,
    page: Option<u32>,
    /// Items so far, of each list and depth.
    counts: HashMap<(u32, usize), u32>,
}

impl Body {
    fn take(&mut self, xml: Xml<'_>) -> Result<(), Unreadable> {
        match xml {
            Xml::Start(element) => self.start(&element),
            Xml::End(name) => self.end(&name)?,
            Xml::Text(text) => {
                if let (Some(paragraph), true) = (self.paragraphs.last_mut(), self.in_text) {
                    paragraph.text.push_str(&text);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.unread.starts(name, &UNREAD) {
            return;
        }
        match name {
            "p" => self.paragraphs.push(Paragraph { page: self.page, ..Paragraph::default() }),
            "tbl" => self.layout.open_table(),
            "tr" => self.layout.open_row(),
            "tc" => self.layout.open_cell(),
            "pPr" => self.in_shape = true,
            "t" => self.in_text = true,
            _ => {}
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        match name {
            "pStyle" if self.in_shape => paragraph.style = element.get("val"),
            "tab" | "ptab" if !self.in_shape => paragraph.text.push('\t'),
            "br" | "cr" => paragraph.text.push('\n'),
            "noBreakHyphen" => paragraph.text.push('-'),
            "lastRenderedPageBreak" => {
                self.page = self.page.map(|page| page + 1);
                if paragraph.text.trim().is_empty() {
                    paragraph.page = self.page;
                }
            }
            _ if self.in_shape => paragraph.shape.take(element),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if self.unread.ends(name) {
            return Ok(());
        }
        match name {
            "t" => self.in_text = false,
            "pPr" => self.in_shape = false,
            "tbl" => self.layout.close_table()?,
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.lay(&paragraph)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lay(&mut self, paragraph: &Paragraph) -> Result<(), Unreadable> {
        if paragraph.text.trim().is_empty() {
            return Ok(());
        }
        if let Some(number) = paragraph.page {
            self.layout.place(Place::Page { number });
        }
        let (level, shape) = self.shape(paragraph);
        if let Some(level) = level {
            return self.layout.push(BlockKind::Heading { level }, &one_line(&paragraph.text));
        }
        let Some(list) = shape.list.filter(|list| *list > 0) else {
            return self.layout.push(BlockKind::Paragraph, &paragraph.text);
        };
        let depth = shape.depth.unwrap_or(0);
        let marker = match self.numbering.get(&list).and_then(|depths| depths.get(&depth)) {
            Some(Marker::Number) => {
                self.counts.retain(|(of, at), _| *of != list || *at <= depth);
                let count = self.counts.entry((list, depth)).or_default();
                *count += 1;
                format!("{count}. ")
            }
            Some(Marker::Nothing) => String::new(),
            Some(Marker::Bullet) | None => "- ".to_owned(),
        };
        self.layout.item(depth, &marker, &one_line(&paragraph.text))
    }

    /// The level of a heading, and what else the paragraph and its styles say.
    fn shape(&self, paragraph: &Paragraph) -> (Option<u8>, Shape) {
        let mut shape = paragraph.shape.clone();
        let mut level = shape.outline.map(|outline| outline + 1);
        let mut next = paragraph.style.as_deref();
        // Styles stand on styles; Word allows a dozen or so, a ring of them is damage.
        for _ in 0..16 {
            let Some(style) = next.and_then(|id| self.styles.get(id)) else { break };
            let named = match style.name.as_str() {
                "title" => Some(1),
                name => name.strip_prefix("heading ").and_then(|level| level.parse().ok()),
            };
            level = level.or(named).or(style.shape.outline.map(|outline| outline + 1));
            shape.list = shape.list.or(style.shape.list);
            shape.depth = shape.depth.or(style.shape.depth);
            next = style.based_on.as_deref();
        }
        (level.filter(|level| (1..=9).contains(level)).map(|level| level.min(6)), shape)
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
