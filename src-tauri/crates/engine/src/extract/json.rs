//! JSON (RFC 8259) as `serde_json` streams it by: a reader takes what it asks for, and the rest, which may be anything and
//! millions of it, is passed over without being kept. Only what is asked for is descended into, so no depth overflows.
//!
//! What came before a mistake is kept: a notebook that an editor left half written should still be found. Mistakes that
//! programs and people make often are mended (see [`mended`]).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Takes what is asked for of a value. What is not asked for is passed over.
pub(super) trait Sink {
    fn text(&mut self, _text: &str) {}

    fn number(&mut self, _number: u64) {}

    /// The value is an object; its fields follow.
    fn object(&mut self) {}

    /// Takes the value of a field of an object.
    fn field<'de, A: MapAccess<'de>>(&mut self, _name: &str, map: &mut A) -> Result<(), A::Error> {
        pass(map)
    }

    /// Takes the next value of a list; `false` where it ends.
    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element::<IgnoredAny>()?.is_some())
    }
}

/// Passes the value of a field over.
pub(super) fn pass<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// Takes the value of a field that is a text, or the lines of one, as notebooks write them. Of two of a name the first counts.
pub(super) fn text<'de, A: MapAccess<'de>>(map: &mut A, into: &mut Option<String>) -> Result<(), A::Error> {
    let mut found = Text::default();
    let read = map.next_value_seed(Of(&mut found));
    if into.is_none() {
        *into = found.0;
    }
    read
}

/// A value that a sink takes.
pub(super) struct Of<'a, S>(pub(super) &'a mut S);

impl<'de, S: Sink> DeserializeSeed<'de> for Of<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Of<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.number(number);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while self.0.item(&mut list)? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.object();
        let mut name = Name::default();
        while map.next_key_seed(Of(&mut name))?.is_some() {
            self.0.field(&name.0, &mut map)?;
        }
        Ok(())
    }
}

/// The name of a field.
#[derive(Default)]
struct Name(String);

impl Sink for Name {
    fn text(&mut self, text: &str) {
        self.0.clear();
        self.0.push_str(text);
    }
}

/// A text, or the lines of one; lists among them are data, which no one asks for.
#[derive(Default)]
struct Text(Option<String>);

impl Sink for Text {
    fn text(&mut self, text: &str) {
        self.0.get_or_insert_default().push_str(text);
    }

    fn item<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        struct Line<'a>(&'a mut String);
        impl Sink for Line<'_> {
            fn text(&mut self, text: &str) {
                self.0.push_str(text);
            }
        }
        Ok(list.next_element_seed(Of(&mut Line(self.0.get_or_insert_default())))?.is_some())
    }
}

/// Hands the value at the start of `source` to a sink, and returns that with all that could be read.
pub(super) fn read<S: Sink + Default>(source: &str) -> S {
    let read = |source: &str| {
        let mut sink = S::default();
        let read = Of(&mut sink).deserialize(&mut serde_json::Deserializer::from_str(source));
        (sink, read.is_ok())
    };
    match read(source) {
        (sink, true) => sink,
        (sink, false) => {
            drop(sink);
            read(&mended(source)).0
        }
    }
}

/// The same JSON without the mistakes that are made often: `NaN`, as Python writes it, commas too many, line ends and
/// unknown escapes in texts, halves of characters (as of a text that was cut), the end of a text that is missing.
fn mended(source: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let mut mended = String::with_capacity(source.len() + 1);
    let mut rest = source;
    while let Some(at) = rest.find(|c| c == '"' || c == ',' || is_word(c)) {
        mended.push_str(&rest[..at]);
        let (sign, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match sign {
            b'"' => mend_text(after, &mut mended),
            b',' => {
                mended.push_str(if after.trim_start().starts_with([',', ']', '}']) { "" } else { "," });
                after
            }
            _ => {
                let len = after.find(|c| !is_word(c)).unwrap_or(after.len());
                let word = &rest[at..at + 1 + len];
                mended.push_str(if serde_json::from_str::<IgnoredAny>(word).is_ok() { word } else { "null" });
                &after[len..]
            }
        };
    }
    mended + rest
}

/// Mends the text that begins after its opening quote; returns what follows it.
fn mend_text<'a>(mut rest: &'a str, mended: &mut String) -> &'a str {
    mended.push('"');
    while let Some(at) = rest.find(|c| c == '"' || c == '\\' || c < ' ') {
        mended.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match rest.as_bytes()[at] {
            b'"' => {
                mended.push('"');
                return after;
            }
            b'\\' => mend_escape(after, mended),
            control => {
                mended.push_str(if control == b'\n' { "\\n" } else { " " });
                after
            }
        };
    }
    mended.push_str(rest);
    mended.push('"');
    ""
}

/// Mends the escape that begins after its backslash; returns what follows it.
fn mend_escape<'a>(rest: &'a str, mended: &mut String) -> &'a str {
    let unit = |escape: &str| {
        let digits = escape.strip_prefix('u')?.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let second = || unit(rest.get(5..)?.strip_prefix('\\')?);
    let Some(sign) = rest.chars().next() else { return rest };
    let len = match (sign, unit(rest)) {
        (_, Some(0xD800..0xDC00)) if second().is_some_and(|low| (0xDC00..0xE000).contains(&low)) => 11,
        (_, Some(0xD800..0xE000)) => {
            mended.push('\u{FFFD}');
            return &rest[5..];
        }
        (_, Some(_)) => 5,
        ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't', None) => 1,
        (sign, None) => {
            mended.push(if sign == 'u' { '\u{FFFD}' } else { sign });
            return &rest[sign.len_utf8()..];
        }
    };
    mended.push('\\');
    mended.push_str(&rest[..len]);
    &rest[len..]
}
