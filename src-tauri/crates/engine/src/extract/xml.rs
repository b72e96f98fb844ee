//! Reads XML as Office and OpenDocument write it. Gives names without prefixes and text with entities resolved.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::Unreadable;
use super::archive::broken;

/// Most levels of nesting. Office writes a few dozen, for a table in a table in a table a hundred.
const MAX_DEPTH: usize = 1000;

/// A part of a document, as [`read`] passes it on.
pub(super) enum Xml<'a> {
    Start(Element<'a>),
    /// The local name of an element that ends. Empty elements end as well.
    End(String),
    Text(String),
}

/// The element, if any, that is being skipped with all its content, and how many elements of its name are open.
#[derive(Debug, Default)]
pub(super) struct Unread(Option<(String, usize)>);

impl Unread {
    /// Whether an element that starts is skipped: it stands in a skipped one, or is one of `names`.
    pub(super) fn starts(&mut self, name: &str, names: &[&str]) -> bool {
        match &mut self.0 {
            // An inner element of the same name must not end the skipped one.
            Some((unread, n_open)) => *n_open += usize::from(unread == name),
            None if names.contains(&name) => self.0 = Some((name.to_owned(), 1)),
            None => return false,
        }
        true
    }

    /// Whether the element that ends was skipped.
    pub(super) fn ends(&mut self, name: &str) -> bool {
        let Some((unread, n_open)) = &mut self.0 else { return false };
        *n_open -= usize::from(unread == name);
        if *n_open == 0 {
            self.0 = None;
        }
        true
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

/// An element's start tag.
pub(super) struct Element<'a> {
    tag: BytesStart<'a>,
}

impl Element<'_> {
    /// The name without its prefix: `p` of `w:p`.
    pub(super) fn name(&self) -> &str {
        local(self.tag.name().into_inner())
    }

    /// The value of an attribute, by its local name. Malformed attributes are skipped.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let mut attributes = self.tag.attributes();
        let attributes = attributes.with_checks(false).filter_map(Result::ok);
        let mut found = attributes.filter(|attribute| local(attribute.key.into_inner()) == name);
        found.next().and_then(|attribute| unescape(&attribute.value).ok().map(Cow::into_owned))
    }

    /// The value of an attribute, by its whole name, where another attribute differs in the prefix only.
    pub(super) fn get_exactly(&self, name: &str) -> Option<String> {
        let attribute = self.tag.try_get_attribute(name).ok().flatten()?;
        unescape(&attribute.value).ok().map(Cow::into_owned)
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Calls `each` for every start tag, end tag and text in `source`, in order. Never expands entities that the document
/// defines itself, which could grow without bound. A document that ends too early is an error, but only after `each`
/// was called for the part that is there.
pub(super) fn read(source: &str, mut each: impl FnMut(Xml<'_>) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    let mut reader = Reader::from_str(source);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.check_end_names = true;
    let mut depth = 0;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| Unreadable::Broken(format!("it is damaged: XML in it is not well formed ({error})")))?;
        match event {
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(broken("it is nested more than 1,000 levels deep"));
                }
                each(Xml::Start(Element { tag }))?;
            }
            Event::Empty(tag) => {
                let name = local(tag.name().into_inner()).to_owned();
                each(Xml::Start(Element { tag }))?;
                each(Xml::End(name))?;
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                each(Xml::End(local(tag.name().into_inner()).to_owned()))?;
            }
            Event::Text(text) => each(Xml::Text(text.xml10_content().into_owned()))?,
            Event::CData(text) => each(Xml::Text(text.xml10_content().into_owned()))?,
            Event::GeneralRef(reference) => {
                let known = match &*reference {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                if let Some(known) = known {
                    each(Xml::Text(known.to_string()))?;
                }
            }
            Event::Eof if depth > 0 => return Err(broken("it is damaged: XML in it ends too early")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The names and texts of all elements with these names, in order. An element inside another is part of the outer one.
pub(super) fn all_texts(source: &str, names: &[&str]) -> Result<Vec<(String, String)>, Unreadable> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    read(source, |xml| {
        match xml {
            Xml::Start(element) => {
                if open.is_none() && names.contains(&element.name()) {
                    open = Some((element.name().to_owned(), String::new()));
                }
            }
            Xml::Text(text) => {
                if let Some((_, so_far)) = &mut open {
                    so_far.push_str(&text);
                }
            }
            Xml::End(name) => found.extend(open.take_if(|(of, _)| *of == name)),
        }
        Ok(())
    })?;
    Ok(found)
}
