//! Lines of calendars (RFC 5545) and address books (RFC 6350): `NAME;PARAMETER=value:VALUE`, folded.

use encoding_rs::Encoding;

use super::email::quoted_printable;

/// Parameters of a line; further ones are passed over.
const MAX_PARAMS: usize = 30;

/// A line, unfolded.
#[derive(Debug, PartialEq)]
pub(super) struct ContentLine {
    /// In capitals, without its group (`item1.`).
    pub(super) name: String,
    /// Names in capitals.
    params: Vec<(String, String)>,
    /// As it is written, but for quoted-printable.
    pub(super) value: String,
}

impl ContentLine {
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value as people read it: `\n` and `\,` are what they stand for.
    pub(super) fn text(&self) -> String {
        unescaped(&self.value).trim().to_owned()
    }

    /// The parts that `separator` sets apart, each as people read it; blank ones are left out.
    pub(super) fn parts(&self, separator: char) -> Vec<String> {
        let mut parts = Vec::new();
        let (mut start, mut escaped) = (0, false);
        for (at, c) in self.value.char_indices().chain([(self.value.len(), separator)]) {
            if c == separator && (!escaped || at == self.value.len()) {
                parts.push(unescaped(&self.value[start..at]).trim().to_owned());
                start = at + c.len_utf8();
            }
            escaped = c == '\\' && !escaped;
        }
        parts.retain(|part| !part.is_empty());
        parts
    }
}

/// Calls `each` for every line of `source` that is one.
pub(super) fn read(source: &str, mut each: impl FnMut(ContentLine)) {
    let mut lines = source.lines().peekable();
    while let Some(first) = lines.next() {
        let mut line = first.to_owned();
        // Quoted-printable goes on after its own sign, in version 2.1 of address books.
        let is_quoted = head(first).to_ascii_uppercase().contains("QUOTED-PRINTABLE");
        loop {
            match lines.peek() {
                Some(next) if next.starts_with([' ', '\t']) => line.push_str(&next[1..]),
                Some(next) if is_quoted && line.ends_with('=') => {
                    line.pop();
                    line.push_str(next);
                }
                _ => break,
            }
            lines.next();
        }
        if let Some(read) = content_line(&line) {
            each(read);
        }
    }
}

/// What stands before the value.
fn head(line: &str) -> &str {
    let mut in_quotes = false;
    let colon = line.char_indices().find(|(_, c)| {
        in_quotes ^= *c == '"';
        *c == ':' && !in_quotes
    });
    &line[..colon.map_or(line.len(), |(at, _)| at)]
}

fn content_line(line: &str) -> Option<ContentLine> {
    let head = head(line);
    let value = line.get(head.len() + 1..)?;
    let mut fields = Vec::new();
    let (mut start, mut in_quotes) = (0, false);
    for (at, c) in head.char_indices().chain([(head.len(), ';')]) {
        in_quotes ^= c == '"';
        if c == ';' && (!in_quotes || at == head.len()) && fields.len() <= MAX_PARAMS {
            fields.push(&head[start..at]);
            start = at + 1;
        }
    }
    let name = fields.first()?.rsplit('.').next()?.trim().to_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let param = |field: &&str| {
        // `TEL;CELL` of version 2.1.
        let (name, value) = field.split_once('=').unwrap_or(("TYPE", field));
        (name.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned())
    };
    let params: Vec<(String, String)> = fields[1..].iter().map(param).collect();
    let mut found = ContentLine { name, params, value: value.to_owned() };
    let is_quoted = found.params.iter().any(|(_, value)| value.eq_ignore_ascii_case("QUOTED-PRINTABLE"));
    if is_quoted {
        let charset = found.param("CHARSET").and_then(|name| Encoding::for_label(name.as_bytes()));
        let bytes = quoted_printable(value.as_bytes(), false);
        found.value = charset.unwrap_or(encoding_rs::UTF_8).decode(&bytes).0.into_owned();
    }
    Some(found)
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(c) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}
