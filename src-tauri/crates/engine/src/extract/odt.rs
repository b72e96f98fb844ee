//! OpenDocument text. Pages exist only where the writing program has noted down where they broke.

use super::archive::{Archive, ENCRYPTED, broken};
use super::docx::one_line;
use super::office::{Layout, Properties};
use super::xml::{self, Element, Unread, Xml};
use super::{BlockKind, Extractor, Place, Reading, Unreadable};

pub(super) struct Odt;

impl Extractor for Odt {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut archive = Archive::open(bytes)?;
        let manifest = archive.text("META-INF/manifest.xml")?.unwrap_or_default();
        if manifest.contains("encryption-data") {
            return Err(broken(ENCRYPTED));
        }
        let source = archive.required("content.xml")?;
        let mut body = Body::default();
        if source.contains("soft-page-break") {
            body.page = Some(1);
            body.layout.place(Place::Page { number: 1 });
        }
        xml::read(&source, |xml| body.take(xml))?;
        let meta = archive.text("meta.xml")?.unwrap_or_default();
        let [title, keywords] = xml::texts(&meta, ["title", "keyword"]).unwrap_or_default();
        Ok(body.layout.finish(Properties::new(title, keywords)))
    }
}

/// Elements whose text is not the document's: comments, what was deleted, forms.
const UNREAD: [&str; 4] = ["annotation", "tracked-changes", "forms", "note-citation"];

#[derive(Default)]
struct Body {
    layout: Layout,
    /// Several where a note or a text box stands in a paragraph. A heading has a level.
    paragraphs: Vec<(Option<u8>, String)>,
    unread: Unread,
    /// Notes and text boxes of the open paragraph, which come after it.
    aside: Vec<String>,
    /// Of each open list, whether the next paragraph begins an item.
    lists: Vec<bool>,
    page: Option<u32>,
}

impl Body {
    fn take(&mut self, xml: Xml<'_>) -> Result<(), Unreadable> {
        match xml {
            Xml::Start(element) => self.start(&element),
            Xml::End(name) => self.end(&name)?,
            Xml::Text(text) if !self.unread.is_open() => {
                if let Some((_, so_far)) = self.paragraphs.last_mut() {
                    // White space folds, as in HTML.
                    let begins_blank = text.starts_with(char::is_whitespace);
                    if begins_blank && !so_far.is_empty() && !so_far.ends_with(char::is_whitespace) {
                        so_far.push(' ');
                    }
                    so_far.push_str(&one_line(&text));
                    if text.ends_with(char::is_whitespace) && !text.trim().is_empty() {
                        so_far.push(' ');
                    }
                }
            }
            Xml::Text(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.unread.starts(name, &UNREAD) {
            return;
        }
        let number = |name: &str| element.get(name).and_then(|number| number.parse::<usize>().ok());
        match name {
            "p" => {
                let is_title = element.get("style-name").as_deref() == Some("Title");
                self.paragraphs.push((is_title.then_some(1), String::new()));
            }
            "h" => {
                let level = number("outline-level").unwrap_or(1).clamp(1, 6);
                self.paragraphs.push((u8::try_from(level).ok(), String::new()));
            }
            "list" => self.lists.push(true),
            "list-item" | "list-header" => self.lists.iter_mut().last().into_iter().for_each(|begins| *begins = true),
            "table" => self.layout.open_table(),
            "table-row" => self.layout.open_row(),
            "table-cell" => self.layout.open_cell(),
            "soft-page-break" => self.page = self.page.map(|page| page + 1),
            _ => {}
        }
        let Some((_, text)) = self.paragraphs.last_mut() else { return };
        match name {
            // Each counts itself how many it is; a line of them is decoration.
            "s" => text.push_str(&" ".repeat(number("c").unwrap_or(1).min(8))),
            "tab" => text.push('\t'),
            "line-break" => text.push('\n'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if self.unread.ends(name) {
            return Ok(());
        }
        match name {
            "p" | "h" => {
                let Some((level, text)) = self.paragraphs.pop() else { return Ok(()) };
                if !self.paragraphs.is_empty() {
                    self.aside.push(text);
                    return Ok(());
                }
                // Of a page break inside a paragraph the next paragraph is the first on the page.
                let page = self.page;
                let depth = self.lists.len();
                match (level, self.lists.last_mut()) {
                    (Some(level), _) => self.layout.push(BlockKind::Heading { level }, &one_line(&text))?,
                    (None, Some(begins)) => {
                        let marker = if std::mem::take(begins) { "- " } else { "  " };
                        self.layout.item(depth - 1, marker, &one_line(&text))?;
                    }
                    (None, None) => self.layout.push(BlockKind::Paragraph, &text)?,
                }
                for text in std::mem::take(&mut self.aside) {
                    self.layout.push(BlockKind::Paragraph, &text)?;
                }
                if let (Some(number), true) = (page, self.lists.is_empty()) {
                    self.layout.place(Place::Page { number });
                }
            }
            "soft-page-break" => {
                if let (Some(number), true) = (self.page, self.paragraphs.is_empty() && self.lists.is_empty()) {
                    self.layout.place(Place::Page { number });
                }
            }
            "list" => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.layout.end_list();
                }
            }
            "table" => self.layout.close_table()?,
            _ => {}
        }
        Ok(())
    }
}
