//! Files of binary formats, in as few bytes as a test needs.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const TYPES: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/";

/// An archive of these parts.
pub(super) fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(bytes).expect("room");
    }
    writer.finish().expect("an archive").into_inner()
}

/// An Office file of XML parts, of which the first is the main one. `relations` are `(from, kind, to)`.
pub(super) fn office(parts: &[(&str, &str)], relations: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let relate = |from: &str, all: &[(&str, &str, &str)]| -> String {
        let mut rels = String::from("<Relationships>");
        for (at, (_, kind, to)) in all.iter().enumerate().filter(|(_, (of, ..))| *of == from) {
            let mode = if to.contains("://") { " TargetMode=\"External\"" } else { "" };
            rels.push_str(&format!("<Relationship Id=\"r{at}\" Type=\"{TYPES}{kind}\" Target=\"{to}\"{mode}/>"));
        }
        rels + "</Relationships>"
    };
    let main = [("", "officeDocument", parts[0].0)];
    all.push(("_rels/.rels".to_owned(), relate("", &main).into_bytes()));
    let mut from: Vec<&str> = relations.iter().map(|(from, ..)| *from).collect();
    from.dedup();
    for part in from {
        let (folder, name) = part.rsplit_once('/').expect("a folder");
        all.push((format!("{folder}/_rels/{name}.rels"), relate(part, relations).into_bytes()));
    }
    all.extend(parts.iter().map(|(name, source)| ((*name).to_owned(), source.as_bytes().to_vec())));
    let parts: Vec<(&str, &[u8])> = all.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    zip(&parts)
}

pub(super) fn read_bytes(name: &str, bytes: &[u8]) -> Document {
    let document = extract(Path::new(name), bytes).unwrap_or_else(|error| panic!("{error}"));
    assert!(document.is_sound(), "{name}: {document:?}");
    document
}

/// Blocks as `[place] kind: text`, without headings above.
pub(super) fn placed(document: &Document) -> Vec<String> {
    let places = document.places_at(document.blocks.iter().map(|block| block.span.start));
    let line = |(block, place): (&Block, Option<Place>)| {
        let kind = match block.kind {
            BlockKind::Heading { level } => format!("h{level}"),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let place = place.map(|place| format!("[{place}] ")).unwrap_or_default();
        format!("{place}{kind}: {}", block.text)
    };
    document.blocks.iter().zip(places).map(line).collect()
}
