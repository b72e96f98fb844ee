//! PowerPoint: slide after slide, the title first, with descriptions of its pictures, the speaker's notes and comments.

use super::archive::Archive;
use super::docx::one_line;
use super::office::{Layout, Properties, Relations, description, file_name, main_part};
use super::xml::{self, Element, Xml};
use super::{BlockKind, Extractor, Place, Reading, Unreadable};

pub(super) struct Pptx;

impl Extractor for Pptx {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut archive = Archive::open(bytes)?;
        let main = main_part(&mut archive)?;
        let relations = Relations::of(&mut archive, &main)?;
        let mut slides: Vec<String> = Vec::new();
        xml::read(&archive.required(&main)?, |xml| {
            if let Xml::Start(element) = xml
                && element.name() == "sldId"
                && let Some(part) = element.get_exactly("r:id").and_then(|id| relations.by_id(&id).map(str::to_owned))
            {
                slides.push(part);
            }
            Ok(())
        })?;
        let mut layout = Layout::default();
        for (at, slide) in slides.iter().enumerate() {
            layout.place(Place::Slide { number: u32::try_from(at + 1).unwrap_or(u32::MAX) });
            let relations = Relations::of(&mut archive, slide)?;
            let shapes = Shapes::of(&archive.required(slide)?, &relations)?;
            shapes.lay(&mut layout)?;
            for kind in ["diagramData", "chart", "notesSlide", "comments"] {
                for part in relations.of_kind(kind) {
                    let Some(source) = archive.text(part)? else { continue };
                    let relations = Relations::of(&mut archive, part)?;
                    Shapes::of(&source, &relations)?.lay(&mut layout)?;
                }
            }
        }
        Ok(layout.finish(Properties::of_office(&mut archive)?))
    }
}

/// The content of a slide, in the order of the file.
#[derive(Default)]
struct Shapes {
    titles: Vec<String>,
    bodies: Vec<Body>,
    /// Targets of links, and names of pictures.
    unseen: Vec<String>,
}

enum Body {
    /// Paragraphs with their depths.
    Text(Vec<(usize, String)>),
    Table(Vec<Vec<String>>),
}

/// Kinds of placeholders that say the same on every slide.
const UNREAD: [&str; 4] = ["sldNum", "dt", "ftr", "hdr"];

impl Shapes {
    fn of(source: &str, relations: &Relations) -> Result<Self, Unreadable> {
        let mut reader = ShapeReader::default();
        xml::read(source, |xml| {
            match xml {
                Xml::Start(element) => reader.start(&element, relations),
                Xml::End(name) => reader.end(&name),
                Xml::Text(text) if reader.in_text => reader.text.push_str(&text),
                Xml::Text(_) => {}
            }
            Ok(())
        })?;
        reader.close_shape();
        Ok(reader.shapes)
    }

    fn lay(self, layout: &mut Layout) -> Result<(), Unreadable> {
        self.unseen.into_iter().for_each(|words| layout.unseen(words));
        for title in self.titles {
            // The first slide's title is the presentation's.
            layout.push(BlockKind::Heading { level: 1 }, &one_line(&title))?;
        }
        for body in self.bodies {
            match body {
                Body::Text(paragraphs) if paragraphs.len() == 1 => {
                    layout.push(BlockKind::Paragraph, &paragraphs[0].1)?;
                }
                Body::Text(paragraphs) => {
                    for (depth, text) in paragraphs {
                        layout.item(depth, "- ", &one_line(&text))?;
                    }
                    layout.end_list();
                }
                Body::Table(rows) => {
                    layout.open_table();
                    for row in rows {
                        layout.open_row();
                        for cell in row {
                            layout.open_cell();
                            layout.push(BlockKind::Paragraph, &cell)?;
                        }
                    }
                    layout.close_table()?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct ShapeReader {
    shapes: Shapes,
    is_title: bool,
    is_unread: bool,
    paragraphs: Vec<(usize, String)>,
    depth: usize,
    text: String,
    in_text: bool,
    table: Option<Vec<Vec<String>>>,
    /// The shape's description for people who cannot see it.
    described: Option<String>,
    /// Open elements that repeat content for old programs.
    n_fallbacks: usize,
}

impl ShapeReader {
    fn start(&mut self, element: &Element<'_>, relations: &Relations) {
        if element.name() == "Fallback" || self.n_fallbacks > 0 {
            self.n_fallbacks += usize::from(element.name() == "Fallback");
            return;
        }
        match element.name() {
            // A comment (`cm`) is read like a shape.
            "sp" | "graphicFrame" | "pic" | "cxnSp" | "cm" => {
                self.close_shape();
                (self.is_title, self.is_unread) = (false, false);
            }
            "cNvPr" => {
                self.described = description(element);
                self.shapes.unseen.extend(file_name(element));
            }
            "hlinkClick" | "hlinkHover" => self.shapes.unseen.extend(relations.link(element)),
            "ph" => {
                let kind = element.get("type").unwrap_or_default();
                self.is_title = matches!(kind.as_str(), "title" | "ctrTitle");
                self.is_unread = UNREAD.contains(&kind.as_str());
            }
            "tbl" => self.table = Some(Vec::new()),
            "tr" => self.table.iter_mut().for_each(|rows| rows.push(Vec::new())),
            "tc" => self.table.iter_mut().filter_map(|rows| rows.last_mut()).for_each(|row| row.push(String::new())),
            "pPr" => self.depth = element.get("lvl").and_then(|depth| depth.parse().ok()).unwrap_or(0),
            // `text` holds the text of a comment.
            "t" | "text" => self.in_text = true,
            "br" => self.text.push('\n'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if self.n_fallbacks > 0 {
            self.n_fallbacks -= usize::from(name == "Fallback");
            return;
        }
        match name {
            "t" => self.in_text = false,
            "p" | "text" => {
                self.in_text = false;
                let text = std::mem::take(&mut self.text);
                let depth = std::mem::take(&mut self.depth);
                if let Some(cell) = self.table.as_mut().and_then(|rows| rows.last_mut()?.last_mut()) {
                    cell.push(' ');
                    cell.push_str(&text);
                } else if !text.trim().is_empty() {
                    self.paragraphs.push((depth, text));
                }
            }
            "tbl" => self.shapes.bodies.extend(self.table.take().map(Body::Table)),
            "sp" | "graphicFrame" | "pic" | "cxnSp" | "cm" => self.close_shape(),
            _ => {}
        }
    }

    fn close_shape(&mut self) {
        let paragraphs = std::mem::take(&mut self.paragraphs);
        let described = self.described.take();
        if self.is_unread {
            return;
        }
        // A shape may have a description besides its own text.
        self.shapes.bodies.extend(described.map(|text| Body::Text(vec![(0, text)])));
        if paragraphs.is_empty() {
            return;
        }
        if self.is_title {
            let words: Vec<String> = paragraphs.into_iter().map(|(_, text)| text).collect();
            self.shapes.titles.push(words.join(" "));
        } else {
            self.shapes.bodies.push(Body::Text(paragraphs));
        }
    }
}
