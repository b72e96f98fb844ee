//! Reads Word: the main part's paragraphs, lists and tables, then foot- and endnotes, comments, headers and footers.
//!
//! Pages are known only if Word noted the page breaks when it last laid the text out.

mod paragraph;
mod styles;

use std::collections::{HashMap, HashSet};

use super::archive::{Archive, COMPOUND_FILE, is_encrypted_office};
use super::office::{Layout, Properties, Relations, description, file_name, main_part};
use super::targets::target;
use super::xml::{self, Element, Unread, Xml};
use super::{BlockKind, Extractor, Place, Reading, Unreadable, doc};
use paragraph::Paragraph;
use styles::{Marker, Numbering, Styles, is_superscript, numbering, styles, whole_shape};

pub(super) struct Docx;

impl Extractor for Docx {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        if bytes.starts_with(COMPOUND_FILE) && !is_encrypted_office(bytes) {
            return doc::read(bytes);
        }
        let mut archive = Archive::open(bytes)?;
        let main = main_part(&mut archive)?;
        let relations = Relations::of(&mut archive, &main)?;
        let mut part = |kind: &str| match relations.first_of_kind(kind) {
            Some(name) => archive.text(name),
            None => Ok(None),
        };
        let styles = styles(&part("styles")?.unwrap_or_default())?;
        let numbering = numbering(&part("numbering")?.unwrap_or_default())?;
        let source = archive.required(&main)?;
        let mut body = Body { styles, numbering, relations, ..Body::default() };
        if source.contains("lastRenderedPageBreak") {
            body.page = Some(1);
            body.layout.place(Place::Page { number: 1 });
        }
        xml::read(&source, |xml| body.take(xml))?;
        body.page = None;
        let mut asides: Vec<(&str, String)> = Vec::new();
        for kind in ["footnotes", "endnotes", "comments", "header", "footer"] {
            asides.extend(body.relations.of_kind(kind).iter().map(|part| (kind, (*part).to_owned())));
        }
        for (kind, part) in asides {
            let Some(source) = archive.text(&part)? else { continue };
            body.relations = Relations::of(&mut archive, &part)?;
            // The header of the first page and those of others mostly say the same, which is read once.
            body.said = matches!(kind, "header" | "footer").then(|| body.said.take().unwrap_or_default());
            // Even if one of these parts is damaged, the main text is worth reading.
            if let Err(error) = xml::read(&source, |xml| body.take(xml)) {
                tracing::debug!("{kind} of a Word file are damaged: {error:?}");
                body.begin_anew();
            }
        }
        Ok(body.layout.finish(Properties::of_office(&mut archive)?))
    }
}

/// Elements whose text is not part of the document: deleted, moved away, repeated for old programs, or an instruction.
const UNREAD: [&str; 6] = ["Fallback", "del", "moveFrom", "delText", "delInstrText", "annotationRef"];

/// The open run: a stretch of text with the same formatting.
#[derive(Default)]
struct Run {
    is_raised: bool,
    is_note: bool,
}

#[derive(Default)]
struct Body {
    layout: Layout,
    relations: Relations,
    run: Run,
    /// The instruction of the open field, which comes before the text that the field shows.
    instruction: Option<String>,
    in_instruction: bool,
    /// Texts of headers and footers so far; `None` while other parts are read.
    said: Option<HashSet<String>>,
    styles: Styles,
    numbering: Numbering,
    /// Open paragraphs: several if a text box stands in a paragraph.
    paragraphs: Vec<Paragraph>,
    unread: Unread,
    in_text: bool,
    /// Inside a paragraph's own properties, not those of its runs.
    in_shape: bool,
    page: Option<u32>,
    /// Items so far, of each list and depth.
    counts: HashMap<(u32, usize), u32>,
}

impl Body {
    /// Forgets whatever a damaged part has left open.
    fn begin_anew(&mut self) {
        self.paragraphs.clear();
        (self.unread, self.run, self.instruction) = Default::default();
        (self.in_text, self.in_shape, self.in_instruction) = Default::default();
    }

    fn take(&mut self, xml: Xml<'_>) -> Result<(), Unreadable> {
        match xml {
            Xml::Start(element) => self.start(&element),
            Xml::End(name) => self.end(&name)?,
            Xml::Text(text) => {
                if self.in_instruction {
                    self.instruction.get_or_insert_default().push_str(&text);
                } else if let (Some(paragraph), true) = (self.paragraphs.last_mut(), self.in_text) {
                    match (self.run.is_raised || self.run.is_note, paragraph.raised) {
                        (true, None) => paragraph.raised = Some((paragraph.text.len(), self.run.is_note)),
                        (false, Some(_)) => paragraph.end_raised(),
                        _ => {}
                    }
                    paragraph.push(&text);
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
            "r" => self.run = Run::default(),
            "vertAlign" if !self.in_shape => self.run.is_raised = is_superscript(element),
            "rStyle" if !self.in_shape => {
                let style = element.get("val").and_then(|id| self.styles.get(&id));
                self.run.is_raised |= style.is_some_and(|style| style.is_raised);
            }
            "footnoteReference" | "endnoteReference" => self.run.is_note = true,
            "instrText" => self.in_instruction = true,
            "fldChar" if element.get("fldCharType").as_deref() != Some("begin") => self.follow_instruction(),
            "fldSimple" => {
                self.instruction = element.get("instr");
                self.follow_instruction();
            }
            _ => {}
        }
        let link = if name.starts_with("hlink") || name == "hyperlink" { self.relations.link(element) } else { None };
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        paragraph.unseen.extend(link);
        match name {
            "docPr" | "cNvPr" => {
                description(element).into_iter().for_each(|described| paragraph.describe(&described));
                paragraph.unseen.extend(file_name(element));
            }
            // Pictures and shapes as older versions of Word write them.
            "shape" | "rect" | "roundrect" | "oval" | "imagedata" => {
                let described = element.get("alt").map(|text| one_line(&text)).filter(|text| !text.is_empty());
                described.into_iter().for_each(|described| paragraph.describe(&described));
            }
            "ruby" => paragraph.in_ruby = true,
            "rt" if paragraph.in_ruby => paragraph.reading = Some(String::new()),
            "pStyle" if self.in_shape => paragraph.style = element.get("val"),
            "tab" | "ptab" if !self.in_shape => paragraph.push("\t"),
            "br" | "cr" => paragraph.push("\n"),
            "noBreakHyphen" => paragraph.push("-"),
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
            "r" => self.run = Run::default(),
            "instrText" => self.in_instruction = false,
            "pPr" => self.in_shape = false,
            "tbl" => self.layout.close_table()?,
            "p" => {
                if let Some(mut paragraph) = self.paragraphs.pop() {
                    paragraph.end_raised();
                    paragraph.settle("");
                    self.lay(&paragraph)?;
                }
            }
            _ => {}
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return Ok(()) };
        match name {
            // In the file, the reading stands before its base text. It is shown after the word that contains the base.
            "ruby" => {
                paragraph.in_ruby = false;
                let reading = paragraph.reading_before.take();
                reading.iter().for_each(|reading| paragraph.readings.add(reading));
            }
            "rt" => paragraph.reading_before = paragraph.reading.take(),
            _ => {}
        }
        Ok(())
    }

    /// Adds the target of a field whose instruction is complete: `HYPERLINK "https://a.example"`.
    fn follow_instruction(&mut self) {
        let Some(instruction) = self.instruction.take() else { return };
        let kind = instruction.trim_start().to_ascii_uppercase();
        if !["HYPERLINK", "INCLUDEPICTURE", "INCLUDETEXT"].iter().any(|leads| kind.starts_with(leads)) {
            return;
        }
        let leads_to = instruction.split('"').nth(1).and_then(target);
        if let (Some(paragraph), Some(leads_to)) = (self.paragraphs.last_mut(), leads_to) {
            paragraph.unseen.push(leads_to);
        }
    }

    fn lay(&mut self, paragraph: &Paragraph) -> Result<(), Unreadable> {
        paragraph.unseen.iter().for_each(|words| self.layout.unseen(words.clone()));
        if paragraph.text.trim().is_empty() {
            return Ok(());
        }
        if let Some(said) = &mut self.said
            // The text is only a page number, or another header or footer has it already.
            && (!paragraph.text.contains(char::is_alphabetic) || !said.insert(one_line(&paragraph.text)))
        {
            return Ok(());
        }
        if let Some(number) = paragraph.page {
            self.layout.place(Place::Page { number });
        }
        let (level, shape) = whole_shape(&paragraph.shape, paragraph.style.as_deref(), &self.styles);
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
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
