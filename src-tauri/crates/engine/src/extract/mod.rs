//! Turns a file's bytes into a [`Document`]: title, tags and readable blocks, each with its place in the file.
//!
//! Each format has an [`Extractor`] in a module of its own; [`Format`] decides which one reads a file.

mod address_book;
mod annotations;
mod archive;
mod block;
mod calendar;
mod canvas;
mod code;
mod content_lines;
mod csv;
mod doc;
mod document;
mod docx;
mod email;
mod encoding;
mod epub;
mod excalidraw;
mod footnote;
mod format;
mod frontmatter;
mod html;
mod json;
mod lines;
mod markdown;
mod notebook;
mod odt;
mod office;
mod org;
mod pdf;
mod plain;
mod pptx;
mod rst;
mod rtf;
mod ruby;
mod sheet;
mod sniff;
mod subtitles;
mod targets;
#[cfg(test)]
mod tests;
mod unreadable;
pub mod worker;
mod xml;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use block::short_name;

use crate::guard::caught;

pub use document::{Block, BlockKind, Document, Place};
pub use format::{Format, format_of};

/// Most tags, or other names, of a note. No person assigns this many, but an exported list can have millions, and each
/// tag takes a hundred times the memory of its text.
const MAX_TAGS: usize = 10_000;

/// Reads files of one format.
pub(crate) trait Extractor: Sync {
    /// Reads a file's content. Should not panic, whatever the bytes: [`extract`] catches a panic and fails the file. A
    /// reader that can still hang or overflow its stack ([`Format::is_risky`]) is called in a process of its own.
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable>;
}

/// What an extractor reads from a file: a [`Document`] without what the file's name adds. See there for the fields.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// `None` or blank if the file names no title; the file's name is then the title.
    title: Option<String>,
    tags: Vec<String>,
    aliases: Vec<String>,
    date: Option<String>,
    text: String,
    blocks: Vec<Block>,
    places: Vec<(usize, Place)>,
    /// In any order.
    unseen: Vec<(usize, String)>,
    /// Empty for a file that is not text.
    encoding: &'static str,
    is_file_text: bool,
}

impl Reading {
    /// Decodes a text file and reads nothing else of it yet. `is_html`: the file may name its encoding in a `<meta>`.
    fn decoded(bytes: &[u8], is_html: bool) -> Result<Self, Unreadable> {
        let decoded = encoding::decode(bytes, is_html).map_err(Unreadable::NotText)?;
        if u32::try_from(decoded.text.len()).is_err() {
            return Err(Unreadable::Broken("it holds more than 4 GB of text".to_owned()));
        }
        Ok(Self {
            text: decoded.text,
            encoding: decoded.encoding,
            is_file_text: decoded.is_file_text,
            ..Self::default()
        })
    }
}

/// Why an extractor gives up on a file.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The format is text, but the bytes are not.
    NotText(&'static str),
    /// The file is damaged, encrypted, not what its name says ... The string tells the user why, without a full stop.
    Broken(String),
    /// Whole and readable, but written by a program for a program.
    Generated,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ExtractError {
    #[error("{name} is not of a format that Nuthatch reads")]
    UnknownFormat { name: String },
    #[error("{name} is not text ({reason}): save it as UTF-8 text if it should be searched")]
    NotText { name: String, reason: String },
    #[error("{name} cannot be read: {reason}")]
    Broken { name: String, reason: String },
    #[error("{name} is minified or generated: most of it is in lines too long for anyone to read")]
    Generated { name: String },
    #[error("{name} cannot be read: reading it took longer than {} s and was stopped", limit.as_secs_f32())]
    TimedOut { name: String, limit: Duration },
    #[error("{name} cannot be read: reading it needed more than {limit_mb} MB of memory and was stopped")]
    OutOfMemory { name: String, limit_mb: u64 },
    #[error("{name} cannot be read: what was read from it is larger than {limit_mb} MB")]
    TooLong { name: String, limit_mb: u64 },
    #[error("{name} cannot be read: the reader crashed on it; it may be damaged")]
    Crashed { name: String },
    /// A defect in Nuthatch: the reader panicked with this message.
    #[error("{name} cannot be read: Nuthatch failed on it ({message}); a newer version tries again")]
    Panicked { name: String, message: String },
    #[error("{name} was not read: the process that reads such files could not be started ({reason})")]
    NoWorker { name: String, reason: String },
    /// The caller cancelled the reading; says nothing about the file.
    #[error("cancelled")]
    Cancelled,
}

/// Reads a file's content, in this process. Never panics, whatever the bytes: a panic of the reader becomes an error.
pub fn extract(path: &Path, bytes: &[u8]) -> Result<Document, ExtractError> {
    caught(|| read(path, bytes)).unwrap_or_else(|message| Err(ExtractError::panicked(path, message)))
}

fn read(path: &Path, bytes: &[u8]) -> Result<Document, ExtractError> {
    #[cfg(test)]
    crate::guard::Trap::Reader.pass(bytes);
    let name = || name_in(path);
    let named = format_of(path).ok_or_else(|| ExtractError::UnknownFormat { name: name() })?;
    let format = sniff::format(named, bytes);
    let reading = format.extractor().read(bytes).map_err(|why| match why {
        Unreadable::NotText(reason) => ExtractError::NotText { name: name(), reason: reason.to_owned() },
        Unreadable::Broken(reason) => ExtractError::Broken { name: name(), reason },
        Unreadable::Generated => ExtractError::Generated { name: name() },
    })?;
    let title = reading.title.map(|title| unreadable::without(&title)).filter(|title| title != "…");
    let title = title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
    let title = title.filter(|title| !title.is_empty()).unwrap_or_else(|| name_of(path, format));
    let mut document = Document {
        format,
        title: short_name(&title).to_owned(),
        tags: reading.tags,
        aliases: reading.aliases,
        date: reading.date,
        text: reading.text,
        blocks: reading.blocks,
        places: reading.places,
        unseen: reading.unseen,
        encoding: if reading.encoding.is_empty() { "UTF-8" } else { reading.encoding }.to_owned(),
        is_file_text: reading.is_file_text,
    };
    unreadable::leave_out(&mut document.blocks, &document.text);
    for (_, place) in &mut document.places {
        place.shorten();
    }
    document.unseen.sort_by_key(|(at, _)| *at);
    distinct(&mut document.tags);
    distinct(&mut document.aliases);
    Ok(document)
}

impl ExtractError {
    pub(crate) fn panicked(path: &Path, message: String) -> Self {
        Self::Panicked { name: name_in(path), message }
    }
}

fn name_in(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The title of a file that names none: its name made readable, or the whole name of a source file.
fn name_of(path: &Path, format: Format) -> String {
    match format {
        Format::Code => name_in(path),
        _ => readable_stem(path).trim_end_matches(".excalidraw").to_owned(),
    }
}

/// Makes a file's name readable: `deploy_to-staging.md` becomes `deploy to staging`. Dates keep their hyphens.
fn readable_stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let chars: Vec<char> = stem.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let spaced: String = chars
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            '_' => ' ',
            '-' if !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))) => ' ',
            c => *c,
        })
        .collect();
    let readable = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if readable.is_empty() { stem } else { readable }
}

/// Removes empty and repeated names, whatever their letter case, and keeps no more than [`MAX_TAGS`].
fn distinct(names: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.to_lowercase()));
    names.truncate(MAX_TAGS);
}

/// Adds tags or other names to those of a note. Removes repeated ones on the way, since a file can repeat a name a
/// million times.
fn add_names<'a>(names: &mut Vec<String>, more: impl IntoIterator<Item = &'a str>) {
    for name in more {
        if names.len() == 2 * MAX_TAGS {
            distinct(names);
        }
        names.push(name.to_owned());
    }
}
