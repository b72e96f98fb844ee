//! What a file is where its name lies: programs export web pages as `.xls`, people rename what will not open.

use super::archive::{Archive, COMPOUND_FILE};
use super::encoding::decode;
use super::{Format, sheet};

/// Bytes that are looked at of a file that may be text.
const HEAD_BYTES: usize = 64 << 10;

/// Beginnings of web pages and of pieces of them, in small letters.
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

/// Whether content is of a kind that is read in a process of its own ([`Format::is_risky`]), whatever the file is called.
pub(super) fn is_risky(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"%PDF-") || bytes.starts_with(COMPOUND_FILE)
}

/// Whether a file whose name stands for one format may turn out to be of another.
pub(super) fn may_be(named: Format, read: Format) -> bool {
    named == read
        || read.is_risky()
        || matches!(read, Format::Rtf | Format::Html | Format::Csv | Format::Tsv | Format::Email | Format::Text)
}

/// The format of a file whose name stands for `named`: that one, unless its content is plainly something else. A text file
/// is what its name says: a web page called `.txt` is there to be read as it is written.
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

/// An old Office file. A text may have a table in it, and a table a text: then the name decides.
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
    // A head that ends inside a character is decoded all the same.
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
        // Written by a program that knows no better; a PDF that is text has lost its beginning.
        Format::Docx | Format::Odt | Format::Rtf => Some(Format::Text),
        _ => None,
    }
}

fn is_html(head: &str) -> bool {
    let mut rest = head;
    // Declarations and comments come before it.
    while let Some(end) =
        ["<?", "<!--"].iter().find_map(|begin| rest.starts_with(begin).then(|| rest.find('>'))).flatten()
    {
        rest = rest[end + 1..].trim_start();
    }
    let begin = rest[..rest.floor_char_boundary(20)].to_ascii_lowercase();
    HTML.iter().any(|tag| begin.starts_with(tag))
}

/// A page with all that belongs to it in one file is a mail (MHTML); wikis call such pages `.doc`.
fn is_mail(head: &str) -> bool {
    let headers = head.split("\n\n").next().unwrap_or_default().split("\r\n\r\n").next().unwrap_or_default();
    let headers = headers.to_ascii_lowercase();
    headers.contains("mime-version:") && headers.contains("content-type: multipart/")
}

/// Rows of fields: as tabs set them apart, or as another sign does in two rows alike.
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
