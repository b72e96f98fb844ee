//! Which files are read, and as what.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Extractor, html, markdown, plain};

/// What a file is read as; its name decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    Markdown,
    Text,
    Html,
}

impl Format {
    /// Its name in JSON, e.g. `markdown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Text => "text",
            Format::Html => "html",
        }
    }

    /// Whether the file itself is text, so that a line number leads into it.
    pub fn is_text(self) -> bool {
        match self {
            Format::Markdown | Format::Text | Format::Html => true,
        }
    }

    /// Whether a file of this format can hang its reader, blow up in it or bring it down, so that it is read in a process
    /// of its own.
    pub fn is_risky(self) -> bool {
        !self.is_text()
    }

    pub(super) fn extractor(self) -> &'static dyn Extractor {
        match self {
            Format::Markdown => &markdown::Markdown,
            Format::Text => &plain::Plain,
            Format::Html => &html::Html,
        }
    }
}

/// The format a file's extension stands for, in any case of letters; `None` for one that is not read.
pub fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdown" | "mkd" => Some(Format::Markdown),
        "txt" | "text" | "log" => Some(Format::Text),
        "html" | "htm" | "xhtml" => Some(Format::Html),
        _ => None,
    }
}
