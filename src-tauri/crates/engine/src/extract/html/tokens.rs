//! HTML's tokens, as much of them as is read. Those of the tokenizer itself keep every attribute of a tag, and a tag of
//! 20 MB has millions.

use std::ops::Range;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// What stands in the source at `span`, in bytes.
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
        /// What stands for a picture.
        alt: Option<Vec<u8>>,
    },
    End {
        name: Vec<u8>,
    },
    /// Its character references are read.
    Text(Vec<u8>),
}

pub(super) fn tokens(source: &str) -> impl Iterator<Item = Token> {
    let mut emitter = CallbackEmitter::new(Tag::default());
    // Scripts, styles and titles hold text, not tags.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(source, emitter).map(|Ok(token)| token)
}

/// The tag being read.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    start: usize,
    alt: Option<Vec<u8>>,
    /// Whether a value is that of `alt`. Of two of that name the first counts.
    in_alt: bool,
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
                self.in_alt = name == b"alt" && self.alt.is_none();
                if self.in_alt {
                    self.alt = Some(Vec::new());
                }
                return None;
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some(alt) = self.alt.as_mut().filter(|_| self.in_alt) {
                    alt.extend_from_slice(value);
                }
                return None;
            }
            CallbackEvent::CloseStartTag { self_closing } => {
                start = self.start;
                let name = std::mem::take(&mut self.name);
                What::Start { name, is_self_closing: self_closing, alt: self.alt.take() }
            }
            CallbackEvent::EndTag { name } => {
                self.alt = None;
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

    fn start(name: &str, alt: Option<&str>) -> What {
        let alt = alt.map(|alt| alt.as_bytes().to_vec());
        What::Start { name: name.into(), is_self_closing: false, alt }
    }

    #[test]
    fn of_attributes_the_first_alt_is_kept() {
        let check = |source: &str, expect: &[(What, Range<usize>)]| {
            let found: Vec<_> = tokens(source).map(|token| (token.what, token.span)).collect();
            assert_eq!(found, expect, "{source}");
        };
        check("<img src=a alt='A &amp; B' alt=c>", &[(start("img", Some("A & B")), 0..33)]);
        check("<img alt><IMG title=alt>", &[(start("img", Some("")), 0..9), (start("img", None), 9..24)]);
        check("</p alt=a><p>", &[(What::End { name: b"p".to_vec() }, 0..10), (start("p", None), 10..13)]);
        check("<!-- c -->a&lt;", &[(What::Text(b"a<".to_vec()), 10..15)]);
        let many: String = (0..100_000).map(|n| format!(" a{n}={n}")).collect();
        check(&format!("<p{many} alt=b>"), &[(start("p", Some("b")), 0..many.len() + 9)]);
    }
}
