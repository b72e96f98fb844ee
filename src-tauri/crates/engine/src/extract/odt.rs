//! Reads OpenDocument text, with its notes, comments, headers and footers. Pages are known only if the program that
//! wrote the file noted the page breaks.

use std::collections::HashSet;

use super::archive::{Archive, ENCRYPTED, broken};
use super::docx::one_line;
use super::footnote::is_mark;
use super::office::{Layout, Properties, file_name};
use super::ruby::Readings;
use super::targets::target;
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
        let styles = archive.text("styles.xml")?.unwrap_or_default();
        body.raised_styles = raised_styles(&source)?;
        // Even if the part with the pages' headers is damaged, the text is worth reading.
        body.raised_styles.extend(raised_styles(&styles).unwrap_or_default());
        xml::read(&source, |xml| body.take(xml))?;
        body.page = None;
        body.said = Some(HashSet::new());
        if let Err(error) = xml::read(&styles, |xml| body.take(xml)) {
            tracing::debug!("headers and footers are damaged: {error:?}");
        }
        Ok(body.layout.finish(Properties::of_open_document(&mut archive)?))
    }
}

/// Elements whose text is not part of the document: deleted text, forms, and marks of notes. The notes follow them.
const UNREAD: [&str; 3] = ["tracked-changes", "forms", "note-citation"];

/// Elements inside a comment that are not its text.
const OF_COMMENTS: [&str; 4] = ["creator", "date", "creator-initials", "sender-initials"];

/// Names of the styles that raise text.
fn raised_styles(source: &str) -> Result<HashSet<String>, Unreadable> {
    let mut raised = HashSet::new();
    let mut style = None;
    xml::read(source, |xml| {
        let Xml::Start(element) = xml else { return Ok(()) };
        if element.name() == "style" {
            style = element.get_exactly("style:name");
        }
        // `super 58%`, or the distance in percent: `33% 58%`.
        let position = element.get("text-position").unwrap_or_default();
        let is_up =
            position.split('%').next().and_then(|far| far.trim().parse::<f64>().ok()).is_some_and(|far| far > 0.0);
        if position.starts_with("super") || is_up {
            raised.extend(style.clone());
        }
        Ok(())
    })?;
    Ok(raised)
}

#[derive(Default)]
struct Body {
    layout: Layout,
    /// Open paragraphs: several if a note or a text box stands in a paragraph.
    paragraphs: Vec<Paragraph>,
    raised_styles: HashSet<String>,
    /// Open comments.
    n_comments: usize,
    /// The description of a picture that stands in no paragraph.
    described: Option<String>,
    /// Texts of headers and footers so far; `None` while the document's text is read.
    said: Option<HashSet<String>>,
    unread: Unread,
    /// Notes and text boxes of the open paragraph, which come after it.
    aside: Vec<String>,
    /// For each open list, whether the next paragraph begins an item.
    lists: Vec<bool>,
    page: Option<u32>,
}

/// A paragraph, or a heading, which has a level.
#[derive(Default)]
struct Paragraph {
    level: Option<u8>,
    text: String,
    /// For each open span, where its text begins if the span raises it.
    spans: Vec<Option<usize>>,
    readings: Readings,
    /// The reading whose own text is being read.
    reading: Option<String>,
    in_ruby: bool,
    unseen: Vec<String>,
}

impl Paragraph {
    /// Adds text, with white space collapsed as in HTML.
    fn push(&mut self, text: &str) {
        if let Some(reading) = &mut self.reading {
            return reading.push_str(text);
        }
        let mut text = text;
        if !self.readings.is_empty() && !self.in_ruby {
            let (end, rest) = text.split_at(self.readings.tail(&self.text, text));
            self.text.push_str(end);
            self.settle(rest);
            text = rest;
        }
        let begins_blank = text.starts_with(char::is_whitespace);
        if begins_blank && !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
        self.text.push_str(&one_line(text));
        if text.ends_with(char::is_whitespace) && !text.trim().is_empty() {
            self.text.push(' ');
        }
    }

    /// Writes the waiting readings, before `next`.
    fn settle(&mut self, next: &str) {
        let Some((shown, joined)) = self.readings.take() else { return };
        self.text.push_str(&shown);
        if next.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.unseen.push(joined);
    }

    /// Separates the mark of a note from the word before it.
    fn end_span(&mut self) {
        if let Some(at) = self.spans.pop().flatten()
            && let Some((before, raised)) = self.text.split_at_checked(at)
            && is_mark(before, raised, false)
        {
            self.text.insert(at, ' ');
        }
    }
}

impl Body {
    fn take(&mut self, xml: Xml<'_>) -> Result<(), Unreadable> {
        match xml {
            Xml::Start(element) => self.start(&element),
            Xml::End(name) => self.end(&name)?,
            Xml::Text(text) if !self.unread.is_open() => match (&mut self.described, self.paragraphs.last_mut()) {
                (Some(described), _) => described.push_str(&text),
                (None, Some(paragraph)) => paragraph.push(&text),
                _ => {}
            },
            Xml::Text(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>) {
        let name = element.name();
        if self.unread.starts(name, if self.n_comments > 0 { &OF_COMMENTS } else { &UNREAD }) {
            return;
        }
        let number = |name: &str| element.get(name).and_then(|number| number.parse::<usize>().ok());
        match name {
            "p" => {
                let is_title = element.get("style-name").as_deref() == Some("Title");
                self.paragraphs.push(Paragraph { level: is_title.then_some(1), ..Paragraph::default() });
            }
            "h" => {
                let level = number("outline-level").unwrap_or(1).clamp(1, 6);
                self.paragraphs.push(Paragraph { level: u8::try_from(level).ok(), ..Paragraph::default() });
            }
            "list" => self.lists.push(true),
            "list-item" | "list-header" => self.lists.iter_mut().last().into_iter().for_each(|begins| *begins = true),
            "table" => self.layout.open_table(),
            "table-row" => self.layout.open_row(),
            "table-cell" => self.layout.open_cell(),
            "soft-page-break" => self.page = self.page.map(|page| page + 1),
            "annotation" => self.n_comments += 1,
            "title" | "desc" if self.paragraphs.is_empty() => self.described = Some(String::new()),
            _ => {}
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        paragraph.unseen.extend(if name == "frame" { file_name(element) } else { None });
        match name {
            "a" => paragraph.unseen.extend(element.get("href").and_then(|href| target(&href))),
            "span" => {
                let is_raised = element.get("style-name").is_some_and(|style| self.raised_styles.contains(&style));
                paragraph.spans.push(is_raised.then_some(paragraph.text.len()));
            }
            "ruby" => paragraph.in_ruby = true,
            "ruby-text" if paragraph.in_ruby => paragraph.reading = Some(String::new()),
            _ => {}
        }
        let text = &mut paragraph.text;
        match name {
            "title" | "desc" if !text.ends_with(' ') => text.push(' '),
            // One `s` stands for several spaces, as many as it says. A whole line of spaces is decoration.
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
                let Some(mut paragraph) = self.paragraphs.pop() else { return Ok(()) };
                paragraph.settle("");
                paragraph.unseen.into_iter().for_each(|words| self.layout.unseen(words));
                let (level, text) = (paragraph.level, paragraph.text);
                if !self.paragraphs.is_empty() {
                    self.aside.push(text);
                    return Ok(());
                }
                if let Some(said) = &mut self.said
                    // The text is only a page number, or another header or footer has it already.
                    && (!text.contains(char::is_alphabetic) || !said.insert(one_line(&text)))
                {
                    return Ok(());
                }
                // After a page break inside a paragraph, the next paragraph is the first on the new page.
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
            "annotation" => self.n_comments = self.n_comments.saturating_sub(1),
            "title" | "desc" => {
                let described = self.described.take().unwrap_or_default();
                self.layout.push(BlockKind::Paragraph, &one_line(&described))?;
            }
            _ => {}
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return Ok(()) };
        match name {
            "title" | "desc" if !paragraph.text.ends_with(' ') => paragraph.text.push(' '),
            "span" => paragraph.end_span(),
            "ruby-text" => {
                let reading = paragraph.reading.take();
                reading.iter().for_each(|reading| paragraph.readings.add(reading));
            }
            "ruby" => paragraph.in_ruby = false,
            _ => {}
        }
        Ok(())
    }
}
