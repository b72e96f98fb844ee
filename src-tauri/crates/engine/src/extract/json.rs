//! JSON (RFC 8259), as much as reading notebooks and canvases takes. Of a file that breaks off, what came before is kept.
//!
//! Our own, because a notebook that an editor left half written should still be found, and no depth may overflow the stack.

use std::borrow::Cow;

/// A JSON value; numbers are not told from words such as `true`.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'a> {
    Word(&'a str),
    Text(Cow<'a, str>),
    /// Of texts one after another, which are the lines of one, there is one. Words and further lists are left out: those
    /// are data, no one asks for them, and 20 MB can be ten million.
    List(Vec<Json<'a>>),
    /// Those of the wanted keys that it has.
    Map(Vec<(&'static str, Json<'a>)>),
}

/// Maps in maps; deeper ones are passed over. A notebook's own nesting is eight, its metadata's perhaps more.
const MAX_DEPTH: usize = 64;

impl<'a> Json<'a> {
    /// The value of a key, of a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Json<'a>> {
        let Json::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    pub(super) fn list(&self) -> &[Json<'a>] {
        if let Json::List(list) = self { list } else { &[] }
    }

    /// A text, or the lines of one, as notebooks write them.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Json::Text(text) => Some(text.clone().into_owned()),
            Json::List(lines) => Some(lines.iter().filter_map(Json::text).collect()),
            _ => None,
        }
    }

    /// The number or other word.
    pub(super) fn word(&self) -> Option<&str> {
        if let Json::Word(word) = self { Some(word) } else { None }
    }
}

/// Reads the value at the start of `source`; `None` if there is none. What stands under other keys than `wanted` is passed
/// over: it may be anything, and millions of it.
pub(super) fn parse<'a>(source: &'a str, wanted: &'static [&'static str]) -> Option<Json<'a>> {
    Parser { bytes: source.as_bytes(), source, at: 0, wanted }.value(0)
}

struct Parser<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    wanted: &'static [&'static str],
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        self.blank();
        match *self.bytes.get(self.at)? {
            b'"' => Some(Json::Text(self.text())),
            b'[' | b'{' if depth == MAX_DEPTH => {
                self.pass();
                Some(Json::List(Vec::new()))
            }
            b'[' => {
                self.at += 1;
                let mut list = Vec::new();
                while self.more(b']') {
                    if self.bytes.get(self.at) == Some(&b'[') {
                        self.pass();
                        continue;
                    }
                    match (self.value(depth + 1), list.last_mut()) {
                        (Some(Json::Word(_)), _) => {}
                        (Some(Json::Text(line)), Some(Json::Text(text))) => text.to_mut().push_str(&line),
                        (Some(value), _) => list.push(value),
                        (None, _) => break,
                    }
                }
                list.shrink_to_fit();
                Some(Json::List(list))
            }
            b'{' => {
                self.at += 1;
                let mut map = Vec::new();
                while self.more(b'}') {
                    if self.bytes.get(self.at) != Some(&b'"') {
                        break;
                    }
                    let name = self.text();
                    let key = self.wanted.iter().copied().find(|key| *key == name);
                    self.blank();
                    if self.bytes.get(self.at) != Some(&b':') {
                        break;
                    }
                    self.at += 1;
                    match key {
                        Some(key) => {
                            let Some(value) = self.value(depth + 1) else { break };
                            map.push((key, value));
                        }
                        None if !self.pass() => break,
                        None => {}
                    }
                }
                map.shrink_to_fit();
                Some(Json::Map(map))
            }
            _ => self.word().map(Json::Word),
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = &self.bytes[self.at..];
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
        let len = rest.iter().position(|b| !is_word(b)).unwrap_or(rest.len());
        let word = &self.source[self.at..self.at + len];
        self.at += len;
        (len > 0).then_some(word)
    }

    fn blank(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Whether a further element stands here; otherwise what ends them is passed.
    fn more(&mut self, end: u8) -> bool {
        self.blank();
        while self.bytes.get(self.at) == Some(&b',') {
            self.at += 1;
            self.blank();
        }
        match self.bytes.get(self.at) {
            Some(b) if *b == end => {
                self.at += 1;
                false
            }
            Some(_) => true,
            None => false,
        }
    }

    /// Passes a value by; `false` if there is none.
    fn pass(&mut self) -> bool {
        self.blank();
        if !matches!(self.bytes.get(self.at), Some(b'"' | b'[' | b'{')) {
            return self.word().is_some();
        }
        let mut n_open = 0usize;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => self.pass_text(),
                b'[' | b'{' => n_open += 1,
                b']' | b'}' => n_open = n_open.saturating_sub(1),
                _ => {}
            }
            if n_open == 0 {
                break;
            }
        }
        true
    }

    /// Passes the rest of a text by.
    fn pass_text(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                return;
            }
        }
        self.at = self.bytes.len();
    }

    /// The text whose opening quote stands here.
    fn text(&mut self) -> Cow<'a, str> {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
        if rest.get(len) == Some(&b'"') {
            let text = &self.source[self.at..self.at + len];
            self.at += len + 1;
            return Cow::Borrowed(text);
        }
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.at..];
            let len = rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
            text.push_str(&self.source[self.at..self.at + len]);
            self.at += len;
            match self.bytes.get(self.at) {
                Some(b'\\') => self.escape(&mut text),
                Some(_) => {
                    self.at += 1;
                    return Cow::Owned(text);
                }
                None => return Cow::Owned(text),
            }
        }
    }

    fn escape(&mut self, text: &mut String) {
        self.at += 1;
        let Some(sign) = self.source[self.at..].chars().next() else { return };
        self.at += sign.len_utf8();
        text.push(match sign {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' | 'f' => ' ',
            'u' => {
                let first = self.unit().unwrap_or(0xFFFD);
                let is_high = (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u");
                let mut units = vec![first];
                if is_high {
                    self.at += 2;
                    units.extend(self.unit());
                }
                text.push_str(&String::from_utf16_lossy(&units));
                return;
            }
            sign => sign,
        });
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.source.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }
}
