//! Converts passages and catalog rows to Tantivy documents and back.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::TantivyDocument;
use tantivy::schema::Value;
use unicode_normalization::UnicodeNormalization;

use super::schema::Fields;
use super::vectors::Quantized;
use crate::chunk::{Chunk, embedding_text};
use crate::copies;
use crate::extract::Place;
use crate::text::{clean, name_key};

/// One passage of a file, as it is indexed and as it comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Absolute path of the file.
    pub path: String,
    pub title: String,
    /// Tags and aliases of the file. Indexed, not stored: empty when read back.
    pub tags: Arc<[String]>,
    pub chunk: Chunk,
}

impl Passage {
    /// The text that the models read: [`embedding_text`] after [`clean`].
    pub fn model_text(&self) -> String {
        let text = embedding_text(&self.title, &self.chunk);
        match clean(&text).text {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        }
    }
}

/// Values of the field `row`: for a row on a passage, and for a document that is only a row.
pub(super) const ROW_WITH_PASSAGE: u64 = 1;
pub(super) const ROW_ALONE: u64 = 2;

/// What became of a file that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    Indexed,
    Skipped,
    Failed,
}

/// A file in the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub path: PathBuf,
    pub state: RowState,
    pub reason: Option<String>,
    /// Seconds since 1970.
    pub at: u64,
    /// Whether every passage has its vector.
    pub embedded: bool,
    pub passages: usize,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// When its directory entry changed, nanoseconds since 1970; 0 where unknown.
    pub changed: i64,
    pub size: u64,
    /// For a failed file, the version of the program that failed on it, see [`PROGRAM`]. 0 for any other file.
    pub failed_by: u64,
}

/// This version of the program as a hash of 56 bits (FNV-1a). It is noted for files that it failed on, because another
/// version may be able to read them.
pub const PROGRAM: u64 = {
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let (mut hash, mut i) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while i < version.len() {
        hash = (hash ^ version[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    // Never 0, which stands for no program.
    hash >> 8 | 1
};

impl Row {
    /// Whether this version of the program may be able to read a file that another version failed on.
    pub fn is_worth_another_try(&self) -> bool {
        self.state == RowState::Failed && self.failed_by != PROGRAM
    }

    /// The row of a file whose passages are all indexed with their vectors. Its times and size are left at 0.
    pub fn indexed(path: PathBuf, passages: usize) -> Self {
        let state = RowState::Indexed;
        let (reason, embedded) = (None, true);
        Self { path, state, reason, at: 0, embedded, passages, modified: 0, changed: 0, size: 0, failed_by: 0 }
    }
}

/// The kinds of names by which a note can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Called {
    /// The file's name without its extension.
    Name,
    /// The note's title.
    Title,
}

/// The term in the field `called` for a note with this name.
pub(crate) fn called(by: Called, name: &str) -> String {
    let kind = match by {
        Called::Name => 'n',
        Called::Title => 't',
    };
    format!("{kind}{}", name_key(name))
}

/// First eight bytes of BLAKE3 over the text that the embedder reads. Among a million passages, the chance that any two
/// different texts have the same hash is about 3 in 10^8.
pub fn text_hash(model_text: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(model_text.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

pub(crate) fn passage_document(f: &Fields, passage: &Passage, vector: Option<&Quantized>) -> TantivyDocument {
    let mut doc = TantivyDocument::new();
    let path = Path::new(&passage.path);
    doc.add_text(f.path, &passage.path);
    // `indexed_texts` must list every text that is split into words here.
    // File names are brought into NFC, because macOS writes an accent as a character of its own.
    if let Some(stem) = path.file_stem() {
        doc.add_text(f.name, stem.to_string_lossy().nfc().collect::<String>());
    }
    if let Some(folder) = path.parent() {
        doc.add_text(f.folder, folder.to_string_lossy().nfc().collect::<String>());
    }
    doc.add_text(f.title, &passage.title);
    doc.add_text(f.body, &passage.chunk.text);
    for heading in passage.chunk.heading_path.iter() {
        doc.add_text(f.headings, heading);
    }
    for tag in passage.tags.iter() {
        doc.add_text(f.tags, tag);
    }
    // A title that is also the first heading counts once, as in the text that the models read.
    let headings = passage.chunk.heading_path.iter().filter(|heading| **heading != passage.title);
    for text in std::iter::once(&passage.title).chain(headings).chain(passage.tags.iter()) {
        if !passage.chunk.text.starts_with(text.as_str()) {
            doc.add_text(f.text, text);
            doc.add_text(f.cjk, text);
        }
    }
    doc.add_text(f.text, &passage.chunk.text);
    doc.add_text(f.cjk, &passage.chunk.text);
    if !passage.chunk.unseen.is_empty() {
        doc.add_text(f.unseen, &passage.chunk.unseen);
        doc.add_text(f.cjk, &passage.chunk.unseen);
    }
    doc.add_u64(f.ordinal, passage.chunk.ordinal as u64);
    doc.add_u64(f.span_start, passage.chunk.span.start as u64);
    doc.add_u64(f.span_end, passage.chunk.span.end as u64);
    if let Some(place) = &passage.chunk.place {
        doc.add_text(f.place, write_place(place));
    }
    doc.add_u64(f.order, order(passage));
    doc.add_u64(f.text_hash, text_hash(&passage.model_text()));
    doc.add_u64(f.twin, copies::twin(passage));
    if let Some(vector) = vector {
        doc.add_custom(f.vector, vector.as_bytes());
    }
    doc
}

/// Calls `sink` with every text of a passage that is split into words.
pub(super) fn indexed_texts(passage: &Passage, mut sink: impl FnMut(&str)) {
    let path = Path::new(&passage.path);
    let names = [path.file_stem().map(|stem| stem.to_string_lossy()), path.parent().map(Path::to_string_lossy)];
    names.iter().flatten().for_each(|name| sink(&name.nfc().collect::<String>()));
    let carried = passage.chunk.heading_path.iter().chain(passage.tags.iter());
    carried.chain([&passage.title, &passage.chunk.text, &passage.chunk.unseen]).for_each(|text| sink(text));
}

/// `first` is the passage that the document holds, if it holds one.
pub(super) fn add_row(f: &Fields, doc: &mut TantivyDocument, row: &Row, first: Option<&Passage>) {
    doc.add_u64(f.row, if first.is_some() { ROW_WITH_PASSAGE } else { ROW_ALONE });
    let stem = row.path.file_stem().map(|stem| called(Called::Name, &stem.to_string_lossy()));
    let title = first.map(|passage| called(Called::Title, &passage.title));
    stem.iter().chain(&title).for_each(|term| doc.add_text(f.called, term));
    doc.add_bytes(f.row_data, &write_row(row));
}

pub(super) fn row_alone(f: &Fields, row: &Row) -> TantivyDocument {
    let mut doc = TantivyDocument::new();
    doc.add_text(f.path, row.path.to_string_lossy());
    add_row(f, &mut doc, row, None);
    doc
}

pub(super) fn read_passage(f: &Fields, doc: &TantivyDocument) -> Passage {
    Passage {
        path: text(doc, f.path),
        title: text(doc, f.title),
        tags: Arc::default(),
        chunk: Chunk {
            ordinal: number(doc, f.ordinal) as usize,
            span: number(doc, f.span_start) as usize..number(doc, f.span_end) as usize,
            place: doc.get_first(f.place).and_then(|v| v.as_str()).and_then(read_place),
            heading_path: doc.get_all(f.headings).filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            text: text(doc, f.body),
            unseen: String::new(),
        },
    }
}

pub(super) fn read_row(f: &Fields, doc: &TantivyDocument) -> Row {
    doc.get_first(f.row_data).and_then(|value| value.as_bytes().map(parse_row)).unwrap_or_else(|| parse_row(&[]))
}

/// The path, NUL, seven numbers of 8 bytes (the low byte of the first is the state, the other bytes are `failed_by`),
/// the reason. The path comes first because a column keeps its values in order, and stores of each only what differs
/// from the one before.
fn write_row(row: &Row) -> Vec<u8> {
    let mut bytes = row.path.to_string_lossy().into_owned().into_bytes();
    bytes.push(0);
    let state = match row.state {
        RowState::Indexed => 0,
        RowState::Skipped => 1,
        RowState::Failed => 2,
    };
    let unsigned = [state | row.failed_by << 8, row.at, u64::from(row.embedded), row.passages as u64, row.size];
    bytes.extend(unsigned.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend([row.modified, row.changed].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(row.reason.iter().flat_map(|reason| reason.bytes()));
    bytes
}

/// Reads what [`write_row`] wrote. Anything else becomes a failed file that will be read again.
pub(super) fn parse_row(bytes: &[u8]) -> Row {
    let (path, rest) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    let (numbers, _) = rest.get(1..).unwrap_or_default().as_chunks::<8>();
    let number = |i: usize| numbers.get(i).map_or(u64::MAX, |number| u64::from_le_bytes(*number));
    let signed = |i: usize| numbers.get(i).map_or(0, |number| i64::from_le_bytes(*number));
    let reason = rest.get(1 + 7 * 8..).map(|reason| String::from_utf8_lossy(reason).into_owned());
    Row {
        path: PathBuf::from(String::from_utf8_lossy(path).into_owned()),
        state: match number(0) & 0xff {
            0 => RowState::Indexed,
            1 => RowState::Skipped,
            _ => RowState::Failed,
        },
        at: number(1),
        embedded: number(2) == 1,
        passages: number(3) as usize,
        size: number(4),
        failed_by: number(0) >> 8,
        modified: signed(5),
        changed: signed(6),
        reason: reason.filter(|reason| !reason.is_empty()),
    }
}

/// The key by which passages of equal score are ordered: five bytes of the hash of the file's path, then the number of
/// the passage in the file. Merging segments does not change it.
fn order(passage: &Passage) -> u64 {
    let mut first = [0; 8];
    first[..5].copy_from_slice(&blake3::hash(passage.path.as_bytes()).as_bytes()[..5]);
    u64::from_be_bytes(first) | (passage.chunk.ordinal as u64).min(0xff_ffff)
}

/// The part of an [`order`] that is the same for all passages of a file, and differs between files.
pub(crate) fn file_of(order: u64) -> u64 {
    order >> 24
}

/// A place in a few bytes: a letter for its kind, then its values.
fn write_place(place: &Place) -> String {
    match place {
        Place::Line { number } => format!("l{number}"),
        Place::Page { number } => format!("p{number}"),
        Place::Slide { number } => format!("s{number}"),
        // Cells come first because they hold no `!`, which a sheet's name may.
        Place::Cells { sheet, cells } => format!("c{cells}!{sheet}"),
        Place::Chapter { title } => format!("h{title}"),
        Place::NotebookCell { number } => format!("n{number}"),
        Place::Time { seconds } => format!("t{seconds}"),
    }
}

fn read_place(written: &str) -> Option<Place> {
    let kind = written.chars().next()?;
    let rest = &written[kind.len_utf8()..];
    let number = || rest.parse().ok();
    Some(match kind {
        'l' => Place::Line { number: number()? },
        'p' => Place::Page { number: number()? },
        's' => Place::Slide { number: number()? },
        'c' => {
            let (cells, sheet) = rest.split_once('!')?;
            Place::Cells { sheet: sheet.to_owned(), cells: cells.to_owned() }
        }
        'h' => Place::Chapter { title: rest.to_owned() },
        'n' => Place::NotebookCell { number: number()? },
        't' => Place::Time { seconds: number()? },
        _ => return None,
    })
}

fn text(doc: &TantivyDocument, field: tantivy::schema::Field) -> String {
    doc.get_first(field).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn number(doc: &TantivyDocument, field: tantivy::schema::Field) -> u64 {
    doc.get_first(field).and_then(|v| v.as_u64()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went() {
        for state in [RowState::Indexed, RowState::Skipped, RowState::Failed] {
            for reason in [None, Some("too large: 64 MB".to_owned())] {
                let numbers =
                    Row { at: 1, modified: -2, changed: i64::MIN, size: u64::MAX, ..Row::indexed("".into(), 3) };
                for failed_by in [0, PROGRAM, u64::MAX >> 8] {
                    let path = "/notes/读书.md".into();
                    let row =
                        Row { path, state, reason: reason.clone(), embedded: false, failed_by, ..numbers.clone() };
                    assert_eq!(parse_row(&write_row(&row)), row);
                }
            }
        }
        for length in 0..30 {
            assert_eq!(parse_row(&vec![b'x'; length]).state, RowState::Failed);
        }
    }

    #[test]
    fn places_come_back_as_they_went() {
        let cells = |sheet: &str| Place::Cells { sheet: sheet.to_owned(), cells: "B2:D9".to_owned() };
        for place in [
            Place::Line { number: 12 },
            Place::Page { number: 3 },
            Place::Slide { number: 1 },
            cells("Budget"),
            cells("预算!2026"),
            Place::Chapter { title: "第一章".to_owned() },
            Place::NotebookCell { number: 7 },
            Place::Time { seconds: 3600 },
        ] {
            assert_eq!(read_place(&write_place(&place)), Some(place));
        }
        assert_eq!(read_place(""), None);
        assert_eq!(read_place("x1"), None);
    }
}
