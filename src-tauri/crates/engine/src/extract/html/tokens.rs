//! HTML's tokens, with only those attributes that are read. The tokenizer's own tokens keep every attribute of a tag,
//! and a tag of 20 MB has millions.

use std::borrow::Cow;
use std::ops::Range;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// A token and its span in the source, in bytes.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) span: Range<usize>,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    Start {
        name: Vec<u8>,
        is_self_closing: bool,
        attributes: Attributes,
    },
    End {
        name: Vec<u8>,
    },
    /// Text with its character references resolved.
    Text(Vec<u8>),
}

pub(super) fn tokens(source: &str) -> impl Iterator<Item = Token> {
    let mut emitter = CallbackEmitter::new(Tag::default());
    // Scripts, styles and titles hold text, not tags.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(source, emitter).map(|Ok(token)| token)
}

/// The attributes of a tag that are kept.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Attributes(Vec<(&'static str, Vec<u8>)>);

impl Attributes {
    pub(super) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value))
    }
}

/// The attributes of a tag that are kept: texts that replace pictures, targets, properties of the page, shadow roots,
/// and the signs of a note's mark.
fn kept(tag: &[u8]) -> &'static [&'static str] {
    match tag {
        b"a" => &["href", "role", "epub:type"],
        b"area" => &["href", "alt"],
        b"img" => &["alt", "src", "data-src"],
        b"audio" | b"embed" | b"iframe" | b"source" | b"video" => &["src"],
        b"meta" => &["name", "content"],
        b"object" => &["data"],
        b"template" => &["shadowrootmode", "shadowroot"],
        _ => &[],
    }
}

/// Most bytes that are kept of a target, which may hold a whole picture (`data:`). Texts that replace pictures are kept
/// whole.
const MAX_VALUE_BYTES: usize = 4096;

/// The tag being read.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    start: usize,
    attributes: Attributes,
    /// Whether a value belongs to the last kept attribute. If a name comes twice, the first counts.
    in_kept: bool,
}

impl Callback<Token, usize> for Tag {
    fn handle_event(&mut self, event: CallbackEvent<'_>, span: Span<usize>) -> Option<Token> {
        let mut start = span.start;
        let what = match event {
            CallbackEvent::OpenStartTag { name } => {
                self.name.clear();
                self.name.extend_from_slice(name);
                self.start = span.start;
                return None;
            }
            CallbackEvent::AttributeName { name } => {
                let known = kept(&self.name).iter().find(|known| known.as_bytes() == name);
                let new = known.filter(|known| self.attributes.0.iter().all(|(had, _)| had != *known));
                self.attributes.0.extend(new.map(|name| (*name, Vec::new())));
                self.in_kept = new.is_some();
                return None;
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((name, so_far)) = self.attributes.0.last_mut().filter(|_| self.in_kept) {
                    let room = if *name == "alt" { value.len() } else { MAX_VALUE_BYTES.saturating_sub(so_far.len()) };
                    so_far.extend_from_slice(&value[..value.len().min(room)]);
                }
                return None;
            }
            CallbackEvent::CloseStartTag { self_closing } => {
                start = self.start;
                let name = std::mem::take(&mut self.name);
                let attributes = std::mem::take(&mut self.attributes);
                What::Start { name, is_self_closing: self_closing, attributes }
            }
            CallbackEvent::EndTag { name } => {
                self.attributes.0.clear();
                What::End { name: name.to_vec() }
            }
            CallbackEvent::String { value } => What::Text(value.to_vec()),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => return None,
        };
        Some(Token { what, span: start..span.end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(name: &str, attributes: &[(&'static str, &str)]) -> What {
        let attributes = attributes.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
        What::Start { name: name.into(), is_self_closing: false, attributes: Attributes(attributes) }
    }

    #[test]
    fn of_attributes_those_that_say_something_are_kept_once() {
        let check = |source: &str, expect: &[(What, Range<usize>)]| {
            let found: Vec<_> = tokens(source).map(|token| (token.what, token.span)).collect();
            assert_eq!(found, expect, "{source}");
        };
        check("<img src=a alt='A &amp; B' alt=c>", &[(start("img", &[("src", "a"), ("alt", "A & B")]), 0..33)]);
        check("<img alt><IMG title=alt>", &[(start("img", &[("alt", "")]), 0..9), (start("img", &[]), 9..24)]);
        check("</p alt=a><p>", &[(What::End { name: b"p".to_vec() }, 0..10), (start("p", &[]), 10..13)]);
        check("</a href=a><a>", &[(What::End { name: b"a".to_vec() }, 0..11), (start("a", &[]), 11..14)]);
        check("<!-- c -->a&lt;", &[(What::Text(b"a<".to_vec()), 10..15)]);
        let many: String = (0..100_000).map(|n| format!(" a{n}={n}")).collect();
        check(&format!("<img{many} alt=b>"), &[(start("img", &[("alt", "b")]), 0..many.len() + 11)]);
        let long = "x".repeat(2 * MAX_VALUE_BYTES);
        let kept = &long[..MAX_VALUE_BYTES];
        check(&format!("<a href={long}>"), &[(start("a", &[("href", kept)]), 0..long.len() + 9)]);
    }
}
