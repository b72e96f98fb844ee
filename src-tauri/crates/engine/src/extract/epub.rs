//! Reads EPUB: the book's chapters in reading order, each as HTML.

use std::collections::HashMap;

use super::archive::{Archive, broken, resolve};
use super::block::{Outline, Rendition};
use super::docx::one_line;
use super::office::{OF_BOOK, Properties, check_room};
use super::plain::bom_len;
use super::targets::percent_decoded;
use super::xml::{self, Xml};
use super::{BlockKind, Extractor, Place, Reading, Unreadable, encoding, html};

pub(super) struct Epub;

/// Algorithms that scramble fonts, which every reader undoes. Any other encryption is a shop's DRM.
const OF_FONTS: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

impl Extractor for Epub {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut archive = Archive::open(bytes)?;
        refuse_protected(&mut archive)?;
        let package = package_part(&mut archive)?;
        let book = Book::of(&archive.required(&package)?, &package)?;
        let contents = book.contents(&mut archive)?;
        let mut rendition = Rendition::default();
        for part in &book.spine {
            // If a chapter is missing, the others are still worth reading.
            let Some(bytes) = archive.bytes(part)? else { continue };
            let Ok(decoded) = encoding::decode(&bytes, true) else { continue };
            let source = decoded.text;
            let parsed = html::parse(&source, bom_len(&source)..source.len(), &mut Outline::default());
            let is_heading = |kind: BlockKind| matches!(kind, BlockKind::Heading { level: 1..=2 });
            let first = parsed.blocks.iter().find(|block| is_heading(block.kind)).map(|block| block.text.clone());
            // A part that neither the table of contents nor a heading names continues the chapter before it.
            let mut named = contents.get(part).cloned().or(first.clone());
            let mut is_first = true;
            let mut unseen = parsed.unseen.into_iter().peekable();
            let ends = parsed.blocks.iter().skip(1).map(|block| block.span.start).chain([usize::MAX]);
            for (block, end) in parsed.blocks.iter().zip(ends) {
                if is_heading(block.kind) && !std::mem::take(&mut is_first) {
                    named = Some(block.text.clone());
                }
                if let Some(title) = named.take() {
                    rendition.place(Place::Chapter { title: one_line(&title) });
                }
                rendition.push(block.kind, &block.text);
                while let Some((_, words)) = unseen.next_if(|(at, _)| *at < end) {
                    rendition.unseen(&words);
                }
                check_room(&rendition)?;
            }
        }
        Ok(book.properties.complete(rendition))
    }
}

fn refuse_protected(archive: &mut Archive<'_>) -> Result<(), Unreadable> {
    let Some(source) = archive.text("META-INF/encryption.xml")? else { return Ok(()) };
    xml::read(&source, |xml| match xml {
        Xml::Start(element) if element.name() == "EncryptionMethod" => {
            let algorithm = element.get("Algorithm").unwrap_or_default();
            match OF_FONTS.contains(&algorithm.as_str()) {
                true => Ok(()),
                false => Err(broken("it is protected by its shop (DRM): it opens in that shop's own reader only")),
            }
        }
        _ => Ok(()),
    })
}

/// The name of the part that describes the book.
fn package_part(archive: &mut Archive<'_>) -> Result<String, Unreadable> {
    let mut found = None;
    xml::read(&archive.required("META-INF/container.xml")?, |xml| {
        if let Xml::Start(element) = xml
            && element.name() == "rootfile"
            && found.is_none()
        {
            found = element.get("full-path");
        }
        Ok(())
    })?;
    found.ok_or_else(|| broken("it is damaged: it does not say where its book begins"))
}

struct Book {
    properties: Properties,
    /// The parts in reading order.
    spine: Vec<String>,
    /// The parts that hold tables of contents, the newer kind first.
    contents: Vec<String>,
}

impl Book {
    fn of(source: &str, package: &str) -> Result<Self, Unreadable> {
        let mut parts: HashMap<String, String> = HashMap::new();
        let (mut spine, mut nav, mut ncx) = (Vec::new(), None, None);
        xml::read(source, |xml| {
            let Xml::Start(element) = xml else { return Ok(()) };
            match element.name() {
                "item" => {
                    let (Some(id), Some(href)) = (element.get("id"), element.get("href")) else { return Ok(()) };
                    let part = resolve(package, &percent_decoded(&href));
                    if element.get("properties").is_some_and(|all| all.split_whitespace().any(|one| one == "nav")) {
                        nav = Some(part.clone());
                    }
                    if element.get("media-type").as_deref() == Some("application/x-dtbncx+xml") {
                        ncx = Some(part.clone());
                    }
                    parts.insert(id, part);
                }
                "itemref" => spine.extend(element.get("idref")),
                _ => {}
            }
            Ok(())
        })?;
        // The table of contents is not a chapter.
        let is_chapter = |part: &String| Some(part) != nav.as_ref();
        let spine: Vec<String> = spine.iter().filter_map(|id| parts.get(id).cloned()).filter(is_chapter).collect();
        if spine.is_empty() {
            return Err(broken("it is damaged: it names no chapters"));
        }
        let properties = Properties::of_xml(source, "title", &["subject"], &OF_BOOK);
        Ok(Self { properties, spine, contents: nav.into_iter().chain(ncx).collect() })
    }

    /// The first title that the tables of contents give to each part. A damaged table counts up to the damage.
    fn contents(&self, archive: &mut Archive<'_>) -> Result<HashMap<String, String>, Unreadable> {
        let mut titles = HashMap::new();
        for part in &self.contents {
            let Some(source) = archive.text(part)? else { continue };
            let mut entry: (Option<String>, String) = Default::default();
            let mut in_label = false;
            let mut note = |(target, title): &mut (Option<String>, String)| {
                if let (Some(target), false) = (target.take(), title.trim().is_empty()) {
                    let target = resolve(part, &percent_decoded(target.split('#').next().unwrap_or_default()));
                    titles.entry(target).or_insert_with(|| title.trim().to_owned());
                }
                title.clear();
            };
            // The newer kind of table has `a` elements, the older one `text` and then `content`.
            let read = xml::read(&source, |xml| {
                match xml {
                    Xml::Start(element) => match element.name() {
                        "a" => (entry, in_label) = ((element.get("href"), String::new()), true),
                        "text" => (entry, in_label) = (Default::default(), true),
                        "content" => {
                            entry.0 = element.get("src");
                            note(&mut entry);
                        }
                        _ => {}
                    },
                    Xml::Text(text) if in_label => entry.1.push_str(&text),
                    Xml::Text(_) => {}
                    Xml::End(name) => match name.as_str() {
                        "a" => {
                            in_label = false;
                            note(&mut entry);
                        }
                        "text" => in_label = false,
                        _ => {}
                    },
                }
                Ok(())
            });
            if let Err(error) = read {
                tracing::debug!("a table of contents is damaged: {error:?}");
            }
        }
        Ok(titles)
    }
}
