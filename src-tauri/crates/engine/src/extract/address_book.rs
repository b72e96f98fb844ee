//! Reads address books (`.vcf`; vCard 2.1 to 4.0, RFC 6350). Each person or place is a heading, with a list of ways to
//! reach them.

use super::block::Rendition;
use super::content_lines::{self, ContentLine};
use super::plain::bom_len;
use super::{BlockKind, Extractor, Reading, Unreadable, add_names};

pub(super) struct AddressBook;

/// Properties that programs keep for themselves, or that are not text.
const UNREAD: [&str; 16] = [
    "VERSION",
    "PRODID",
    "UID",
    "REV",
    "PHOTO",
    "LOGO",
    "SOUND",
    "KEY",
    "CLIENTPIDMAP",
    "SOURCE",
    "KIND",
    "PROFILE",
    "CLASS",
    "MAILER",
    "SORT-STRING",
    "X-IMAGEHASH",
];

impl Extractor for AddressBook {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let mut written = Rendition::default();
        let (mut tags, mut names) = (Vec::new(), Vec::new());
        let mut card = Card::default();
        content_lines::read(&decoded.text[bom_len(&decoded.text)..], |line| match line.name.as_str() {
            "BEGIN" | "END" => {
                let card = std::mem::take(&mut card);
                names.extend(card.write(&mut written));
            }
            "CATEGORIES" => add_names(&mut tags, line.parts(',').iter().map(String::as_str)),
            _ => card.add(&line),
        });
        names.extend(card.write(&mut written));
        let title = if names.len() == 1 { names.pop() } else { None };
        let mut reading = written.finish(title);
        reading.tags = tags;
        reading.encoding = decoded.encoding;
        Ok(reading)
    }
}

#[derive(Debug, Default)]
struct Card {
    /// The name as it is shown.
    name: Option<String>,
    /// Parts of the name, family name first.
    parts: Vec<String>,
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Card {
    fn add(&mut self, line: &ContentLine) {
        let is_encoded =
            line.param("ENCODING").is_some_and(|how| matches!(how.to_ascii_uppercase().as_str(), "B" | "BASE64"));
        if UNREAD.contains(&line.name.as_str()) || is_encoded {
            return;
        }
        match line.name.as_str() {
            "FN" => self.name = self.name.take().or_else(|| Some(line.text())),
            "N" => self.parts = line.parts(';'),
            "NOTE" => self.notes.push(line.text()),
            name => {
                let value = line.parts(';').join(", ");
                // Apple encloses its labels in brackets of its own.
                let value = value.replace("_$!<", "").replace(">!$_", "");
                let label = name.trim_start_matches("X-").replace('-', " ").to_lowercase();
                if !value.is_empty() {
                    self.lines.push(format!("{label}: {value}"));
                }
            }
        }
    }

    /// Writes the card out and returns its name.
    fn write(self, written: &mut Rendition) -> Option<String> {
        let parts = self.parts.join(" ");
        let name = self.name.filter(|name| !name.is_empty()).unwrap_or_else(|| parts.clone());
        if name.is_empty() && self.lines.is_empty() && self.notes.is_empty() {
            return None;
        }
        written.push(BlockKind::Heading { level: 2 }, &name);
        written.push(BlockKind::List, &self.lines.join("\n"));
        // The name is also found with its parts in the other order.
        if parts != name {
            written.unseen(&parts);
        }
        self.notes.iter().flat_map(|note| note.split("\n\n")).for_each(|part| written.push(BlockKind::Paragraph, part));
        Some(name).filter(|name| !name.is_empty())
    }
}
