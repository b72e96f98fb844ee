//! Which files are read, and in which format.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Extractor, address_book, calendar, canvas, code, csv, docx, email, epub, html, markdown, notebook, odt, org, pdf,
    plain, pptx, rst, rtf, sheet, subtitles,
};

/// The format that a file is read in. Its name decides, unless its content is plainly of another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    Markdown,
    Text,
    Html,
    AddressBook,
    Calendar,
    /// JSON Canvas and Excalidraw.
    Canvas,
    /// Source code and configuration.
    Code,
    Csv,
    Email,
    Mailbox,
    Notebook,
    Org,
    Rst,
    Rtf,
    Subtitles,
    Tsv,
    Docx,
    Epub,
    Odt,
    Pdf,
    Pptx,
    Spreadsheet,
}

impl Format {
    /// The format's name in JSON, e.g. `markdown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Text => "text",
            Format::Html => "html",
            Format::AddressBook => "contacts",
            Format::Calendar => "calendar",
            Format::Canvas => "canvas",
            Format::Code => "code",
            Format::Csv => "csv",
            Format::Email => "email",
            Format::Mailbox => "mailbox",
            Format::Notebook => "notebook",
            Format::Org => "org",
            Format::Rst => "rst",
            Format::Rtf => "rtf",
            Format::Subtitles => "subtitles",
            Format::Tsv => "tsv",
            Format::Docx => "docx",
            Format::Epub => "epub",
            Format::Odt => "odt",
            Format::Pdf => "pdf",
            Format::Pptx => "pptx",
            Format::Spreadsheet => "spreadsheet",
        }
    }

    /// Whether the file itself is text, so that a line number leads into it.
    pub fn is_text(self) -> bool {
        match self {
            Format::Markdown | Format::Text | Format::Html => true,
            Format::Code | Format::Csv | Format::Org | Format::Rst | Format::Tsv => true,
            // Text as well, but not in a form that people read: their content is written out.
            Format::AddressBook | Format::Calendar | Format::Canvas | Format::Mailbox => false,
            Format::Email | Format::Notebook | Format::Rtf | Format::Subtitles => false,
            Format::Docx | Format::Epub | Format::Odt => false,
            Format::Pdf | Format::Pptx | Format::Spreadsheet => false,
        }
    }

    /// Whether a file of this format can make its reader hang, use up all memory or crash. Such files are read in a
    /// process of their own.
    pub fn is_risky(self) -> bool {
        match self {
            Format::Markdown | Format::Text | Format::Html => false,
            Format::Code | Format::Csv | Format::Org | Format::Rst | Format::Tsv => false,
            // Our own code reads these, in one pass.
            Format::AddressBook | Format::Calendar | Format::Canvas | Format::Mailbox => false,
            Format::Email | Format::Notebook | Format::Rtf | Format::Subtitles => false,
            Format::Docx | Format::Epub | Format::Odt => true,
            Format::Pdf | Format::Pptx | Format::Spreadsheet => true,
        }
    }

    pub(super) fn extractor(self) -> &'static dyn Extractor {
        match self {
            Format::Markdown => &markdown::Markdown,
            Format::Text => &plain::Plain,
            Format::Html => &html::Html,
            Format::AddressBook => &address_book::AddressBook,
            Format::Calendar => &calendar::Calendar,
            Format::Canvas => &canvas::Canvas,
            Format::Code => &code::Code,
            Format::Csv => &csv::Csv { is_tsv: false },
            Format::Email => &email::Email,
            Format::Mailbox => &email::Mailbox,
            Format::Notebook => &notebook::Notebook,
            Format::Org => &org::Org,
            Format::Rst => &rst::Rst,
            Format::Rtf => &rtf::Rtf,
            Format::Subtitles => &subtitles::Subtitles,
            Format::Tsv => &csv::Csv { is_tsv: true },
            Format::Docx => &docx::Docx,
            Format::Epub => &epub::Epub,
            Format::Odt => &odt::Odt,
            Format::Pdf => &pdf::Pdf,
            Format::Pptx => &pptx::Pptx,
            Format::Spreadsheet => &sheet::Spreadsheet,
        }
    }
}

/// The format that a file's name stands for, whatever its letter case; `None` for a file that is not read.
pub fn format_of(path: &Path) -> Option<Format> {
    if let Some(format) = by_name(path) {
        return Some(format);
    }
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Some(Format::Markdown),
        "txt" | "text" | "log" | "tex" | "latex" | "adoc" | "asciidoc" => Some(Format::Text),
        "html" | "htm" | "xhtml" => Some(Format::Html),
        "csv" => Some(Format::Csv),
        "vcf" | "vcard" => Some(Format::AddressBook),
        "ics" | "ical" | "ifb" => Some(Format::Calendar),
        "canvas" | "excalidraw" => Some(Format::Canvas),
        "eml" => Some(Format::Email),
        "mbox" | "mbx" => Some(Format::Mailbox),
        "ipynb" => Some(Format::Notebook),
        "org" => Some(Format::Org),
        "rst" | "rest" => Some(Format::Rst),
        "rtf" => Some(Format::Rtf),
        "srt" | "vtt" | "ass" | "ssa" => Some(Format::Subtitles),
        "tsv" | "tab" => Some(Format::Tsv),
        // The reader itself tells the older binary format (`.doc`, `.dot`) apart.
        "docx" | "docm" | "dotx" | "doc" | "dot" => Some(Format::Docx),
        "epub" => Some(Format::Epub),
        "odt" | "ott" => Some(Format::Odt),
        "pdf" => Some(Format::Pdf),
        "pptx" | "pptm" | "ppsx" => Some(Format::Pptx),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => Some(Format::Spreadsheet),
        extension if code::EXTENSIONS.contains(&extension) => Some(Format::Code),
        _ => None,
    }
}

/// The format of files with a conventional name, most of which have no extension.
fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    if TEXT_NAMES.contains(&name.as_str()) {
        return Some(Format::Text);
    }
    // Apple's mail program exports a mailbox as a folder with a file of this name in it.
    if name == "mbox" {
        return Some(Format::Mailbox);
    }
    code::NAMES.contains(&name.as_str()).then_some(Format::Code)
}

const TEXT_NAMES: [&str; 15] = [
    "authors",
    "changelog",
    "changes",
    "contributing",
    "contributors",
    "copying",
    "copyright",
    "install",
    "license",
    "licence",
    "maintainers",
    "news",
    "notice",
    "readme",
    "todo",
];
