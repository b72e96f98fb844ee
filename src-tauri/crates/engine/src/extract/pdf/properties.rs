//! Reads a PDF's properties from its information dictionary, and from the XML packet (XMP) that newer programs write.

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, Stream};

use super::text_string;
use crate::extract::office::Properties;
use crate::extract::xml::{self, Xml};

/// Largest packet that is read. Larger ones hold pictures of the pages.
const MAX_PACKET_BYTES: usize = 1 << 20;

pub(super) fn properties(pdf: &Pdf) -> Properties {
    let of = pdf.metadata();
    let [title, author, subject, keywords] =
        [&of.title, &of.author, &of.subject, &of.keywords].map(|text| text.as_deref().map(text_string));
    let packet = packet(pdf).and_then(|source| Packet::of(&source)).unwrap_or_default();
    let title = title.filter(|title| !title.trim().is_empty()).or(packet.title);
    let keywords = keywords.into_iter().chain(packet.keywords);
    Properties::new(title, keywords, author.into_iter().chain(subject).chain(packet.unseen))
}

fn packet(pdf: &Pdf) -> Option<String> {
    let root = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    let bytes = root.get::<Stream<'_>>("Metadata")?.decoded().ok()?;
    if bytes.len() > MAX_PACKET_BYTES {
        return None;
    }
    let source = encoding_rs::UTF_8.decode(&bytes).0.into_owned();
    // Padding follows the last element, so that programs can edit the packet in place.
    let end = source.rfind("</").and_then(|at| Some(at + source[at..].find('>')? + 1))?;
    Some(source[source.find('<')?..end].to_owned())
}

#[derive(Default)]
struct Packet {
    title: Option<String>,
    keywords: Vec<String>,
    unseen: Vec<String>,
}

impl Packet {
    /// `None` if the packet is damaged.
    fn of(source: &str) -> Option<Self> {
        let mut packet = Self::default();
        let mut open: Option<(String, String)> = None;
        let read = xml::read(source, |xml| {
            match xml {
                Xml::Start(element) => match element.name() {
                    name @ ("title" | "creator" | "subject" | "description" | "Keywords" | "publisher") => {
                        open = Some((name.to_owned(), String::new()));
                    }
                    // Short properties may be attributes.
                    "Description" => packet.keywords.extend(element.get("Keywords")),
                    _ => {}
                },
                Xml::Text(text) => {
                    if let Some((_, so_far)) = &mut open {
                        so_far.push_str(&text);
                    }
                }
                Xml::End(name) => {
                    // A property is a list of values, or one value in several languages.
                    let ends = open.as_ref().is_some_and(|(of, _)| *of == name);
                    if (name == "li" || ends)
                        && let Some((of, text)) = &mut open
                    {
                        packet.add(of, std::mem::take(text));
                    }
                    if ends {
                        open = None;
                    }
                }
            }
            Ok(())
        });
        read.ok().map(|()| packet)
    }

    fn add(&mut self, of: &str, text: String) {
        if text.trim().is_empty() {
            return;
        }
        match of {
            "title" => drop(self.title.get_or_insert(text)),
            "subject" | "Keywords" => self.keywords.push(text),
            _ => self.unseen.push(text),
        }
    }
}
