//! Finds a file's format where its name is wrong: programs export web pages as `.xls`, people rename files that do not
//! open.

use super::archive::{Archive, COMPOUND_FILE};
use super::encoding::decode;
use super::{Format, sheet};

/// Bytes that are examined of a file that may be text.
const HEAD_BYTES: usize = 64 << 10;

/// Beginnings of web pages and of pieces of them, in lower case.
const HTML: [&str; 14] = [
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<meta",
    "<style",
    "<script",
    "<title",
    "<table",
    "<div",
    "<center",
    "<p>",
    "<h1",
    "<font",
];

/// Whether content is of a kind that is read in a process of its own ([`Format::is_risky`]), whatever the file's name.
pub(super) fn is_risky(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"%PDF-") || bytes.starts_with(COMPOUND_FILE)
}

/// Whether a file whose name stands for one format may turn out to be of another.
pub(super) fn may_be(named: Format, read: Format) -> bool {
    named == read
        || read.is_risky()
        || matches!(read, Format::Rtf | Format::Html | Format::Csv | Format::Tsv | Format::Email | Format::Text)
}

/// The format of a file whose name stands for `named`: that one, unless its content is plainly something else. Text
/// under the name of a text format keeps that format: whoever calls a web page `.txt` wants its source.
pub(super) fn format(named: Format, bytes: &[u8]) -> Format {
    let told = if bytes.starts_with(b"PK\x03\x04") {
        of_archive(bytes)
    } else if bytes.starts_with(COMPOUND_FILE) {
        of_compound_file(named, bytes)
    } else if bytes.starts_with(b"%PDF-") {
        Some(Format::Pdf)
    } else if named.is_risky() || named == Format::Rtf {
        of_text(named, bytes)
    } else {
        None
    };
    told.unwrap_or(named)
}

fn of_archive(bytes: &[u8]) -> Option<Format> {
    let mut archive = Archive::open(bytes).ok()?;
    let mimetype = archive.text("mimetype").ok().flatten().unwrap_or_default();
    let office = [("word/document.xml", Format::Docx), ("ppt/presentation.xml", Format::Pptx)];
    let office = office.into_iter().chain([
        ("xl/workbook.xml", Format::Spreadsheet),
        ("xl/workbook.bin", Format::Spreadsheet),
        ("META-INF/container.xml", Format::Epub),
    ]);
    match mimetype.trim() {
        "application/epub+zip" => Some(Format::Epub),
        kind if kind.starts_with("application/vnd.oasis.opendocument.spreadsheet") => Some(Format::Spreadsheet),
        kind if kind.starts_with("application/vnd.oasis.opendocument.text") => Some(Format::Odt),
        _ => office.into_iter().find(|(part, _)| archive.holds(part)).map(|(_, format)| format),
    }
}

/// The format of an old Office file. A text document can contain a spreadsheet and the reverse; then the name decides.
fn of_compound_file(named: Format, bytes: &[u8]) -> Option<Format> {
    // Names of streams are UTF-16.
    let holds = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        bytes.windows(name.len()).any(|window| window == name)
    };
    let (text, table) = (holds("WordDocument"), holds("Workbook") || holds("Book"));
    match named {
        _ if holds("EncryptedPackage") => None,
        Format::Docx if text => None,
        Format::Spreadsheet if table => None,
        _ if text => Some(Format::Docx),
        _ if table => Some(Format::Spreadsheet),
        _ => None,
    }
}

fn of_text(named: Format, bytes: &[u8]) -> Option<Format> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if bytes[start..].starts_with(b"{\\rtf") {
        return Some(Format::Rtf);
    }
    // The head may end inside a character; it is still decoded.
    let head = decode(&bytes[..bytes.len().min(HEAD_BYTES)], true).ok()?.text;
    let head = head.trim_start_matches(|c: char| c == '\u{FEFF}' || c.is_whitespace());
    if head.is_empty() {
        return None;
    }
    if sheet::is_xml_workbook(head) {
        return Some(Format::Spreadsheet);
    }
    if is_html(head) {
        return Some(Format::Html);
    }
    if is_mail(head) {
        return Some(Format::Email);
    }
    match named {
        Format::Spreadsheet => of_table(head),
        // Some programs save plain text under these names. A PDF that begins with text is damaged and stays a PDF.
        Format::Docx | Format::Odt | Format::Rtf => Some(Format::Text),
        _ => None,
    }
}

fn is_html(head: &str) -> bool {
    let mut rest = head;
    // Declarations and comments may come before the first tag.
    while let Some(end) =
        ["<?", "<!--"].iter().find_map(|begin| rest.starts_with(begin).then(|| rest.find('>'))).flatten()
    {
        rest = rest[end + 1..].trim_start();
    }
    let begin = rest[..rest.floor_char_boundary(20)].to_ascii_lowercase();
    HTML.iter().any(|tag| begin.starts_with(tag))
}

/// Whether the file is a mail. MHTML stores a web page and its pictures as one mail, and wikis export it as `.doc`.
fn is_mail(head: &str) -> bool {
    let headers = head.split("\n\n").next().unwrap_or_default().split("\r\n\r\n").next().unwrap_or_default();
    let headers = headers.to_ascii_lowercase();
    headers.contains("mime-version:") && headers.contains("content-type: multipart/")
}

/// The format of rows of fields: TSV if one of the first two rows has a tab, CSV if both have another delimiter.
fn of_table(head: &str) -> Option<Format> {
    let mut rows = head.lines().filter(|row| !row.trim().is_empty());
    let (first, second) = (rows.next()?, rows.next());
    if first.contains('\t') || second.is_some_and(|row| row.contains('\t')) {
        return Some(Format::Tsv);
    }
    let count = |row: &str, delimiter| row.matches(delimiter).count();
    let is_alike = |delimiter: char| second.is_some_and(|row| count(first, delimiter).min(count(row, delimiter)) > 0);
    [',', ';', '|'].into_iter().any(is_alike).then_some(Format::Csv)
}
