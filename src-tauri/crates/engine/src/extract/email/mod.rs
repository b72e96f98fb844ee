//! E-mail (RFC 5322, MIME), a message a file: subject, who wrote to whom, the text. What is quoted stays, what is attached
//! is named.
//!
//! Our own reader: it goes over a message once for each level of parts, and of those there is a limit, so that no nesting
//! overflows and no boundary that never comes makes it search again and again.

mod header;
mod mailbox;
mod transfer;

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, GBK, REPLACEMENT, WINDOWS_1252};

use super::block::{Outline, Rendition, join_texts, joins};
use super::{Block, BlockKind, Extractor, Reading, Unreadable, add_names, calendar, encoding, html, markdown};
use header::Headers;

pub(super) use mailbox::Mailbox;
pub(super) use transfer::quoted_printable;

pub(super) struct Email;

/// Parts in parts in forwarded messages.
const MAX_DEPTH: usize = 20;

/// Calendars in a message that are held against each other.
const MAX_INVITATIONS: usize = 20;

/// Pairs of texts in a message that are held against each other.
const MAX_COMPARED: usize = 10_000;

impl Extractor for Email {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        // Some programs write UTF-16, or put a mailbox's line before the message.
        let decoded;
        let bytes = if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            decoded = Reading::decoded(bytes, false)?.text;
            decoded.trim_start_matches('\u{FEFF}').as_bytes()
        } else {
            bytes
        };
        let bytes = match bytes.starts_with(b"From ") {
            true => bytes.splitn(2, |b| *b == b'\n').nth(1).unwrap_or_default(),
            false => bytes,
        };
        let mut written = Rendition::default();
        let about = write_message(bytes, 1, &mut written)?;
        let mut reading = written.finish(about.subject);
        reading.date = about.date;
        add_names(&mut reading.tags, about.keywords.split([',', ';']).map(str::trim));
        Ok(reading)
    }
}

/// What a message says of itself.
#[derive(Debug, Default)]
struct About {
    subject: Option<String>,
    date: Option<String>,
    keywords: String,
}

/// Writes a message out, its subject as a heading of `level`.
fn write_message(bytes: &[u8], level: u8, written: &mut Rendition) -> Result<About, Unreadable> {
    let mut message = Message::default();
    let (headers, body) = header::split(bytes);
    if headers.is_empty() {
        let text = Reading::decoded(bytes, false)?.text;
        message.pieces = paragraphs(&text, false);
    } else {
        message.pieces = message.part(&headers, body, 0);
    }
    let subject = headers.text("subject");
    if let Some(subject) = &subject {
        written.push(BlockKind::Heading { level }, &folded(subject));
    }
    written.push(BlockKind::Paragraph, &about(&headers));
    for piece in &message.pieces {
        written.push(piece.kind, &piece.text);
        written.unseen(&piece.unseen);
    }
    if !message.attachments.is_empty() {
        written.push(BlockKind::Paragraph, &format!("Attachments: {}", message.attachments.join(", ")));
    }
    message.names.iter().for_each(|name| written.unseen(name));
    let date = headers.text("date").and_then(|date| header::iso_date(&date));
    Ok(About { subject, date, keywords: headers.text("keywords").unwrap_or_default() })
}

/// Who wrote to whom, and when.
fn about(headers: &Headers) -> String {
    let names = [("From", "from"), ("To", "to"), ("Cc", "cc"), ("Date", "date")];
    let line = |(shown, key): &(&str, &str)| headers.text(key).map(|value| format!("{shown}: {}", folded(&value)));
    names.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text of a message, and what it is.
struct Piece {
    kind: BlockKind,
    text: String,
    /// What it is found by, but does not show: where its links lead.
    unseen: String,
}

impl Piece {
    fn new(kind: BlockKind, text: String) -> Self {
        Self { kind, text, unseen: String::new() }
    }
}

/// Adds a piece; where there are very many, short ones become one as blocks do.
fn add(pieces: &mut Vec<Piece>, piece: Piece) {
    let n_pieces = pieces.len();
    match pieces.last_mut() {
        Some(last) if joins(n_pieces, (last.kind, last.text.len()), piece.kind) => {
            join_texts((&mut last.kind, &mut last.text), (piece.kind, piece.text.trim_end()));
            last.unseen.push_str(&piece.unseen);
        }
        _ => pieces.push(piece),
    }
}

/// Blocks of a page or of another text that has structure.
fn pieces(blocks: Vec<Block>, mut unseen: Vec<(usize, String)>) -> Vec<Piece> {
    unseen.sort_by_key(|(at, _)| *at);
    let ends: Vec<usize> = blocks.iter().skip(1).map(|block| block.span.start).chain([usize::MAX]).collect();
    let mut unseen = unseen.into_iter().peekable();
    let piece = |(block, end): (Block, usize)| {
        let mut piece = Piece::new(block.kind, block.text);
        while let Some((_, words)) = unseen.next_if(|(at, _)| *at < end) {
            piece.unseen.push_str(&words);
            piece.unseen.push('\n');
        }
        piece
    };
    blocks.into_iter().zip(ends).map(piece).collect()
}

#[derive(Default)]
struct Message {
    pieces: Vec<Piece>,
    attachments: Vec<String>,
    /// Names of bodies, which no one sees.
    names: Vec<String>,
    /// Calendars that were read.
    invitations: Vec<String>,
}

impl Message {
    /// What a part says.
    fn part(&mut self, headers: &Headers, body: &[u8], depth: usize) -> Vec<Piece> {
        let (kind, params) = headers.content_type();
        if let Some(subtype) = kind.strip_prefix("multipart/")
            && let Some(boundary) = params.get("boundary").filter(|boundary| !boundary.is_empty())
        {
            return self.parts(subtype, split_parts(body, boundary.as_bytes()), depth);
        }
        let (disposition, placed) = headers.params("content-disposition");
        let name = placed.get("filename").or(params.get("name")).map(|name| folded(&header::decoded(name.as_bytes())));
        let name = name.filter(|name| !name.is_empty());
        // What is of no kind, or of one without its subtype, is plain text.
        let is_text = kind.starts_with("text/") || kind.starts_with("multipart/") || !kind.contains('/');
        if matches!(kind.as_str(), "message/rfc822" | "message/global") && depth < MAX_DEPTH {
            let body = transfer::decoded(headers, body);
            let (inner, body) = header::split(&body);
            let mut pieces = Vec::new();
            if let Some(subject) = inner.text("subject") {
                pieces.push(Piece::new(BlockKind::Heading { level: 2 }, folded(&subject)));
            }
            pieces.push(Piece::new(BlockKind::Paragraph, about(&inner)));
            pieces.extend(self.part(&inner, body, depth + 1));
            return pieces;
        }
        let is_calendar = matches!(kind.as_str(), "text/calendar" | "application/ics");
        // A message that is nothing but an attached text is that text.
        let is_attached = disposition == "attachment" && (depth > 0 || !is_text);
        if is_calendar {
            self.attachments.extend(name.filter(|_| is_attached));
            let body = transfer::decoded(headers, body);
            return self.invitation(&decoded_text(&body, params.get("charset").map(String::as_str), false));
        }
        if is_attached || !is_text {
            // Pictures that a page shows in its place have names that no one gave.
            if disposition != "inline" || !kind.starts_with("image/") {
                self.attachments.extend(name);
            }
            return Vec::new();
        }
        self.names.extend(name);
        let body = transfer::decoded(headers, body);
        let text = decoded_text(&body, params.get("charset").map(String::as_str), kind == "text/html");
        match kind.as_str() {
            "text/html" => {
                let parsed = html::parse(&text, 0..text.len(), &mut Outline::default());
                pieces(parsed.blocks, parsed.unseen)
            }
            "text/markdown" | "text/x-markdown" => {
                let parsed = markdown::read(&text);
                pieces(parsed.blocks, parsed.unseen)
            }
            _ => paragraphs(&text, params.get("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed"))),
        }
    }

    /// What a calendar says. Most are sent twice, as a part and as a file.
    fn invitation(&mut self, text: &str) -> Vec<Piece> {
        if self.invitations.iter().any(|known| known == text.trim()) {
            return Vec::new();
        }
        if self.invitations.len() < MAX_INVITATIONS {
            self.invitations.push(text.trim().to_owned());
        }
        let mut written = Rendition::default();
        calendar::entries(text).1.iter().for_each(|entry| entry.write(&mut written));
        let reading = written.finish(None);
        pieces(reading.blocks, reading.unseen)
    }

    fn parts(&mut self, subtype: &str, parts: Vec<&[u8]>, depth: usize) -> Vec<Piece> {
        if depth >= MAX_DEPTH {
            return Vec::new();
        }
        let read = parts.into_iter().map(|part| {
            let (headers, body) = header::split(part);
            let is_calendar = matches!(headers.content_type().0.as_str(), "text/calendar" | "application/ics");
            (is_calendar, self.part(&headers, body, depth + 1))
        });
        if subtype != "alternative" {
            let mut all = Vec::new();
            read.flat_map(|(_, pieces)| pieces).for_each(|piece| add(&mut all, piece));
            return all;
        }
        // The same thing several times, plain first. Some programs write "see the HTML part" there. What an invitation says
        // besides, where and with whom, the others may not say.
        let size = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.len()).sum::<usize>();
        let (mut best, mut invitation): (Option<Vec<Piece>>, Vec<Piece>) = (None, Vec::new());
        for (is_calendar, pieces) in read {
            match &mut best {
                _ if is_calendar => invitation.extend(pieces),
                None => best = Some(pieces),
                Some(plain) if size(&pieces) > 2 * size(plain) => best = Some(pieces),
                Some(plain) => {
                    // Where a page's links lead is not in the plain text.
                    if let Some(last) = plain.last_mut() {
                        pieces.iter().for_each(|piece| last.unseen.push_str(&piece.unseen));
                    }
                }
            }
        }
        let mut all = best.unwrap_or_default();
        let are_few = all.len().saturating_mul(invitation.len()) <= MAX_COMPARED;
        let is_new = |piece: &Piece| !are_few || !all.iter().any(|known| known.text.contains(piece.text.trim()));
        let new: Vec<Piece> = invitation.into_iter().filter(is_new).collect();
        all.extend(new);
        all
    }
}

/// The parts between lines of `--boundary`. Without such a line all of it is one part, a text.
fn split_parts<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|b| *b == b'\n') {
        let start = at;
        at += line.len();
        let Some(rest) = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary)) else { continue };
        let rest = rest.trim_ascii();
        if !rest.is_empty() && rest != b"--" {
            continue;
        }
        if let Some(from) = open.take() {
            parts.push(&body[from..start]);
        }
        if rest == b"--" {
            break;
        }
        open = Some(at);
    }
    // The end is missing: the message broke off.
    parts.extend(open.map(|from| &body[from..]));
    if parts.is_empty() { vec![body] } else { parts }
}

/// Decodes a part: in the encoding it names, if that fits, or else in the one it seems to be in.
fn decoded_text<'a>(bytes: &'a [u8], charset: Option<&str>, is_html: bool) -> Cow<'a, str> {
    let named = charset.and_then(|name| Encoding::for_label(name.trim().as_bytes())).filter(|e| *e != REPLACEMENT);
    // Many programs say Latin-1 or ASCII and send UTF-8.
    if named == Some(WINDOWS_1252)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    if let Some(encoding) = named {
        // What is called GB2312 is GB18030 in fact.
        let encoding = if encoding == GBK { GB18030 } else { encoding };
        let (text, has_errors) = encoding.decode_without_bom_handling(bytes);
        if !has_errors {
            return text;
        }
    }
    match encoding::decode(bytes, is_html) {
        Ok(decoded) => Cow::Owned(decoded.text),
        Err(_) => named.map_or_else(|| String::from_utf8_lossy(bytes), |encoding| encoding.decode(bytes).0),
    }
}

/// Paragraphs and quotes of a plain text. `flowed`: a line that ends with a space goes on in the next (RFC 3676).
fn paragraphs(text: &str, flowed: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open: Option<Piece> = None;
    for line in text.lines() {
        let quoted = line.trim_start_matches(['>', ' ']);
        let is_quote = line.starts_with('>');
        let line = if is_quote { quoted } else { line };
        let kind = if is_quote { BlockKind::Quote } else { BlockKind::Paragraph };
        if line.trim().is_empty() || open.as_ref().is_some_and(|before| before.kind != kind) {
            open.take().into_iter().for_each(|piece| add(&mut pieces, piece));
        }
        if line.trim().is_empty() {
            continue;
        }
        let text = &mut open.get_or_insert_with(|| Piece::new(kind, String::new())).text;
        text.push_str(if flowed { line } else { line.trim_end() });
        let goes_on = flowed && line.ends_with(' ') && line != "-- ";
        if !goes_on {
            text.push('\n');
        }
    }
    open.into_iter().for_each(|piece| add(&mut pieces, piece));
    pieces
}
