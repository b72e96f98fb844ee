//! Headers: folded lines, encoded words (RFC 2047), parameters (RFC 2231).

use std::collections::BTreeMap;

use encoding_rs::{Encoding, GB18030, GBK};

use super::decoded_text;
use super::transfer::{base64, quoted_printable};

/// Headers of a message or part; further ones are passed over. One that went through many hands has a hundred.
const MAX_HEADERS: usize = 1000;

/// Of one message or part: names in small letters, values unfolded.
#[derive(Default)]
pub(super) struct Headers(Vec<(String, Vec<u8>)>);

pub(super) type Params = BTreeMap<String, String>;

/// Cuts a message into headers and body. Without any header, all of it is body.
pub(super) fn split(message: &[u8]) -> (Headers, &[u8]) {
    let mut headers = Headers::default();
    let mut at = 0;
    let mut are_enough = false;
    for line in message.split_inclusive(|b| *b == b'\n') {
        let text = line.trim_ascii_end();
        if text.is_empty() {
            at += line.len();
            // Blank lines before the first header are a mistake of some programs.
            if headers.is_empty() {
                continue;
            }
            return (headers, &message[at..]);
        }
        match (headers.0.last_mut(), text.first()) {
            (Some(_), Some(b' ' | b'\t')) if are_enough => {}
            (Some((_, value)), Some(b' ' | b'\t')) => {
                value.push(b' ');
                value.extend_from_slice(text.trim_ascii_start());
            }
            _ => {
                let colon = text.iter().position(|b| *b == b':');
                let is_name =
                    |name: &&[u8]| !name.is_empty() && name.len() <= 78 && name.iter().all(|b| b.is_ascii_graphic());
                let name = colon.map(|colon| text[..colon].trim_ascii_end()).filter(is_name);
                // A line that is no header: the body begins without a blank line.
                let Some((name, colon)) = name.zip(colon) else { return (headers, &message[at..]) };
                are_enough = headers.0.len() == MAX_HEADERS;
                if !are_enough {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    headers.0.push((name, text[colon + 1..].trim_ascii_start().to_vec()));
                }
            }
        }
        at += line.len();
    }
    (headers, &[])
}

impl Headers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// A header's text, decoded; `None` if it is not there or says nothing.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(decoded).filter(|text| !text.trim().is_empty())
    }

    /// `text/plain` and its parameters.
    pub(super) fn content_type(&self) -> (String, Params) {
        self.params("content-type")
    }

    /// A header's first word in small letters, and its parameters.
    pub(super) fn params(&self, name: &str) -> (String, Params) {
        let value = without_comments(&decoded_text(self.value(name).unwrap_or_default(), None, false));
        let mut fields = quoted_fields(&value).into_iter();
        let kind = fields.next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut plain = Params::new();
        // `name*0*`, `name*1`: numbered parts of a long value, perhaps percent-encoded.
        let mut numbered: BTreeMap<String, BTreeMap<u32, (String, bool)>> = BTreeMap::new();
        for field in fields {
            let Some((key, value)) = field.split_once('=') else { continue };
            let key = key.trim().to_ascii_lowercase();
            let value = unquoted(value.trim());
            match key.split_once('*') {
                None => {
                    plain.entry(key).or_insert(value);
                }
                Some((name, number)) => {
                    let is_encoded = key.ends_with('*');
                    let number = number.trim_end_matches('*').parse().unwrap_or(0);
                    numbered.entry(name.to_owned()).or_default().insert(number, (value, is_encoded));
                }
            }
        }
        for (name, parts) in numbered {
            plain.insert(name, extended(parts));
        }
        (kind, plain)
    }
}

/// A value in numbered parts, the first of which may name its encoding: `utf-8''%e4%b8%ad`.
fn extended(parts: BTreeMap<u32, (String, bool)>) -> String {
    let mut bytes = Vec::new();
    let mut charset = None;
    for (number, (value, is_encoded)) in parts {
        let mut value = value.as_str();
        if number == 0
            && is_encoded
            && let Some((name, rest)) = value.split_once('\'')
        {
            charset = Some(name.to_owned());
            value = rest.split_once('\'').map_or(rest, |(_, rest)| rest);
        }
        match is_encoded {
            true => bytes.extend(quoted_printable(value.replace('%', "=").as_bytes(), false)),
            false => bytes.extend_from_slice(value.as_bytes()),
        }
    }
    decoded_text(&bytes, charset.as_deref(), false).into_owned()
}

/// A structured header without what stands in round brackets (RFC 5322, 3.2.2): `text/plain (the body); charset=utf-8`. A
/// bracket that nothing closes is no comment.
fn without_comments(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    let (mut n_open, mut in_quotes, mut escaped) = (0usize, false, false);
    let mut opened = 0;
    for (at, c) in value.char_indices() {
        let was_escaped = escaped;
        escaped = c == '\\' && !was_escaped && (in_quotes || n_open > 0);
        match c {
            '"' if n_open == 0 && !was_escaped => in_quotes = !in_quotes,
            '(' if !in_quotes && !was_escaped => {
                if n_open == 0 {
                    opened = at;
                }
                n_open += 1;
                continue;
            }
            ')' if n_open > 0 && !was_escaped => {
                n_open -= 1;
                if n_open == 0 {
                    kept.push(' ');
                }
                continue;
            }
            _ => {}
        }
        if n_open == 0 {
            kept.push(c);
        }
    }
    if n_open > 0 {
        kept.push_str(&value[opened..]);
    }
    kept
}

/// Cuts at semicolons that are not in quotes.
fn quoted_fields(value: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut in_quotes, mut escaped) = (0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ';' if !in_quotes => {
                fields.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&value[start..]);
    fields
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"') {
        Some(body) => body.strip_suffix('"').unwrap_or(body).replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

/// Text of a header. Words such as `=?utf-8?B?5Lit?=` are decoded; between two of them white space says nothing, and a
/// character may begin in one and end in the next.
pub(super) fn decoded(value: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = value;
    // The bytes of the words before, and their encoding.
    let mut open: Option<(&'static Encoding, Vec<u8>)> = None;
    let close = |open: &mut Option<(&'static Encoding, Vec<u8>)>, text: &mut String| {
        if let Some((encoding, bytes)) = open.take() {
            text.push_str(&encoding.decode_without_bom_handling(&bytes).0);
        }
    };
    while let Some(at) = find(rest, b"=?") {
        let Some((encoding, bytes, len)) = encoded_word(&rest[at..]) else {
            close(&mut open, &mut text);
            text.push_str(&decoded_text(&rest[..at + 2], None, false));
            rest = &rest[at + 2..];
            continue;
        };
        let between = &rest[..at];
        match &mut open {
            Some((known, before)) if between.iter().all(u8::is_ascii_whitespace) && *known == encoding => {
                before.extend(bytes);
            }
            _ => {
                let is_blank = between.iter().all(u8::is_ascii_whitespace) && open.is_some();
                close(&mut open, &mut text);
                if !is_blank {
                    text.push_str(&decoded_text(between, None, false));
                }
                open = Some((encoding, bytes));
            }
        }
        rest = &rest[at + len..];
    }
    close(&mut open, &mut text);
    text.push_str(&decoded_text(rest, None, false));
    text
}

/// Reads `=?charset?B?text?=`: its encoding, its bytes, its length.
fn encoded_word(value: &[u8]) -> Option<(&'static Encoding, Vec<u8>, usize)> {
    let near = &value[..value.len().min(2000)];
    let mut parts = near[2..].splitn(3, |b| *b == b'?');
    let (charset, method, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = find(rest, b"?=")?;
    // `utf-8*en`: a language may follow.
    let charset = charset.split(|b| *b == b'*').next().unwrap_or_default();
    let encoding = Encoding::for_label(charset)?;
    let encoding = if encoding == GBK { GB18030 } else { encoding };
    let bytes = match method {
        b"B" | b"b" => base64(&rest[..end]),
        b"Q" | b"q" => quoted_printable(&rest[..end], true),
        _ => return None,
    };
    Some((encoding, bytes, 2 + charset_len(near)? + 1 + method.len() + 1 + end + 2))
}

fn charset_len(word: &[u8]) -> Option<usize> {
    word[2..].iter().position(|b| *b == b'?')
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// `Tue, 3 Mar 2024 10:00:00 +0800` as `2024-03-03`: the day as the sender wrote it.
pub(super) fn iso_date(date: &str) -> Option<String> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let date = date.split_once(',').map_or(date, |(_, date)| date);
    let mut words = date.split([' ', '-']).filter(|word| !word.is_empty());
    let day: u8 = words.next()?.parse().ok()?;
    let month = words.next()?.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let year: u32 = words.next()?.parse().ok()?;
    let year = if year < 70 {
        year + 2000
    } else if year < 100 {
        year + 1900
    } else {
        year
    };
    (1..=31).contains(&day).then(|| format!("{year:04}-{month:02}-{day:02}"))
}
