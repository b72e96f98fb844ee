//! Drawing boards: JSON Canvas (`.canvas`, <https://jsoncanvas.org/spec/1.0/>) and Excalidraw (`.excalidraw`): what is
//! written on them, and what they show.

use super::block::Rendition;
use super::json::{self, Json};
use super::targets::target;
use super::{BlockKind, Extractor, Reading, Unreadable, add_names, markdown};

pub(super) struct Canvas;

/// What is asked for.
const KEYS: [&str; 11] =
    ["edges", "elements", "file", "label", "link", "name", "nodes", "originalText", "subpath", "text", "url"];

impl Extractor for Canvas {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let source = decoded.text.trim_start_matches('\u{FEFF}');
        let mut written = Rendition::default();
        let mut tags = Vec::new();
        if !source.trim().is_empty() {
            let broken = || Unreadable::Broken("it is no canvas inside".to_owned());
            let canvas = json::parse(source, &KEYS).ok_or_else(broken)?;
            let Json::Map(_) = canvas else { return Err(broken()) };
            for list in ["nodes", "elements", "edges"] {
                let items = canvas.get(list).map_or(&[][..], Json::list);
                items.iter().for_each(|item| read_item(item, &mut written, &mut tags));
            }
        }
        let mut reading = written.finish(None);
        reading.title = None;
        reading.tags = tags;
        reading.encoding = decoded.encoding;
        Ok(reading)
    }
}

fn read_item(item: &Json, written: &mut Rendition, tags: &mut Vec<String>) {
    let text = |key: &str| item.get(key).and_then(Json::text);
    // Excalidraw breaks long lines in `text`, and keeps them whole in the other.
    if let Some(source) = text("originalText").or_else(|| text("text")) {
        let parsed = markdown::read(&source);
        add_names(tags, parsed.hashtags.iter().map(String::as_str));
        written.push_all(parsed.blocks, parsed.unseen);
    }
    for name in ["label", "name"] {
        written.push(BlockKind::Paragraph, &text(name).unwrap_or_default());
    }
    if let Some(file) = text("file") {
        written.push(BlockKind::Paragraph, &format!("{file}{}", text("subpath").unwrap_or_default()));
    }
    written.push(BlockKind::Paragraph, &text("url").unwrap_or_default());
    let link = text("link").and_then(|link| target(&link));
    written.unseen(&link.unwrap_or_default());
}
