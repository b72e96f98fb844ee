//! Drawing boards: JSON Canvas (`.canvas`, <https://jsoncanvas.org/spec/1.0/>) and Excalidraw (`.excalidraw`): what is
//! written on them, and what they show.

use serde::de::{MapAccess, SeqAccess};

use super::block::Rendition;
use super::json::{self, Of, Sink};
use super::targets::target;
use super::{BlockKind, Extractor, Reading, Unreadable, add_names, markdown};

pub(super) struct Canvas;

impl Extractor for Canvas {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let source = decoded.text.trim_start_matches('\u{FEFF}');
        let mut board = Board::default();
        if !source.trim().is_empty() {
            board = json::read(source);
            if !board.is_board {
                return Err(Unreadable::Broken("it is no canvas inside".to_owned()));
            }
        }
        let mut reading = board.written.finish(None);
        reading.title = None;
        reading.tags = board.tags;
        reading.encoding = decoded.encoding;
        Ok(reading)
    }
}

/// What stands on a board, written out piece by piece.
#[derive(Default)]
struct Board {
    is_board: bool,
    written: Rendition,
    tags: Vec<String>,
}

impl Sink for Board {
    fn object(&mut self) {
        self.is_board = true;
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "nodes" | "elements" | "edges" => map.next_value_seed(Of(&mut Items(self))),
            _ => json::pass(map),
        }
    }
}

struct Items<'a>(&'a mut Board);

impl Sink for Items<'_> {
    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut item = Item::default();
        let read = list.next_element_seed(Of(&mut item));
        // What there is of one that broke off counts as well.
        item.write(&mut self.0.written, &mut self.0.tags);
        Ok(read?.is_some())
    }
}

#[derive(Default)]
struct Item {
    text: Option<String>,
    /// Excalidraw breaks long lines in `text`, and keeps them whole here.
    original_text: Option<String>,
    label: Option<String>,
    name: Option<String>,
    file: Option<String>,
    subpath: Option<String>,
    url: Option<String>,
    link: Option<String>,
}

impl Sink for Item {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let into = match name {
            "text" => &mut self.text,
            "originalText" => &mut self.original_text,
            "label" => &mut self.label,
            "name" => &mut self.name,
            "file" => &mut self.file,
            "subpath" => &mut self.subpath,
            "url" => &mut self.url,
            "link" => &mut self.link,
            _ => return json::pass(map),
        };
        json::text(map, into)
    }
}

impl Item {
    fn write(self, written: &mut Rendition, tags: &mut Vec<String>) {
        if let Some(source) = self.original_text.or(self.text) {
            let parsed = markdown::read(&source);
            add_names(tags, parsed.hashtags.iter().map(String::as_str));
            written.push_all(parsed.blocks, parsed.unseen);
        }
        let file = self.file.map(|file| file + &self.subpath.unwrap_or_default());
        for said in [self.label, self.name, file, self.url].into_iter().flatten() {
            written.push(BlockKind::Paragraph, &said);
        }
        let link = self.link.and_then(|link| target(&link));
        written.unseen(&link.unwrap_or_default());
    }
}
