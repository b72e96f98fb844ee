//! Reads the attributes of a tag.

use std::borrow::Cow;

use super::tokens::{Attributes, What, tokens};
use crate::extract::targets::target;

/// The targets that a tag names.
pub(super) fn leads_to(attributes: &Attributes) -> impl Iterator<Item = String> {
    ["href", "src", "data-src", "data"].into_iter().filter_map(|name| target(&attributes.get(name)?))
}

/// A property of the page, such as its author or its description.
pub(super) fn about(attributes: &Attributes) -> Option<String> {
    let name = attributes.get("name")?.to_ascii_lowercase();
    let is_about = matches!(name.as_str(), "author" | "description" | "keywords" | "publisher" | "dc.creator");
    let content = attributes.get("content").filter(|_| is_about)?;
    Some(content.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|content| !content.is_empty())
}

/// Whether a link may be the mark of a note: it leads to a place in the same document, or to one named like a note.
pub(super) fn leads_to_note(attributes: &Attributes) -> bool {
    let is_note = |name: &str| attributes.get(name).is_some_and(|kind| kind.contains("noteref"));
    let fragment = |href: &str| href.split_once('#').map(|(page, place)| (page.is_empty(), place.to_ascii_lowercase()));
    let is_place = |(is_here, place): (bool, String)| {
        is_here || ["note", "fn", "cite", "ref"].iter().any(|begin| place.contains(begin))
    };
    is_note("role")
        || is_note("epub:type")
        || attributes.get("href").and_then(|href| fragment(&href)).is_some_and(is_place)
}

/// An inline tag of HTML in Markdown.
pub(in crate::extract) enum InlineTag {
    Start {
        name: Vec<u8>,
        leads_to_note: bool,
        /// The text that replaces a picture.
        alt: Option<String>,
        leads_to: Vec<String>,
    },
    End {
        name: Vec<u8>,
    },
}

/// Reads a tag; `None` for a comment.
pub(in crate::extract) fn inline_tag(source: &str) -> Option<InlineTag> {
    match tokens(source).next()?.what {
        What::Start { name, attributes, .. } => Some(InlineTag::Start {
            name,
            leads_to_note: leads_to_note(&attributes),
            alt: attributes.get("alt").map(Cow::into_owned),
            leads_to: leads_to(&attributes).collect(),
        }),
        What::End { name } => Some(InlineTag::End { name }),
        What::Text(_) => None,
    }
}
