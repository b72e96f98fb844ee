//! The parts of a page that are not drawn on it: undrawn values of forms, notes stuck on the page, targets of links.

use hayro_syntax::object::{Array, Dict, Name, Object, String as PdfString};
use hayro_syntax::page::Page;

use super::text_string;
use crate::extract::targets::target;

/// Most annotations of a page that are examined.
const MAX_ANNOTATIONS: usize = 10_000;

/// Most fields that are searched for one value: a field may have the value of its parent, of its parent's parent, and
/// so on.
const MAX_DEPTH: usize = 8;

/// A bit of an annotation's flags (ISO 32000-2, 12.5.3): the annotation is not shown to anyone.
const HIDDEN: u32 = 1 << 1;

#[derive(Default)]
pub(super) struct Beside {
    /// Notes, and values of fields after the fields' names.
    pub(super) texts: Vec<String>,
    pub(super) links: Vec<String>,
}

impl Beside {
    /// `shown`: the text drawn on the page, which is not repeated.
    pub(super) fn of(page: &Page<'_>, shown: &str) -> Self {
        let mut beside = Self::default();
        let Some(annotations) = page.raw().get::<Array<'_>>("Annots") else { return beside };
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = folded(shown);
        for annotation in annotations.iter::<Dict<'_>>().take(MAX_ANNOTATIONS) {
            if annotation.get::<u32>("F").unwrap_or(0) & HIDDEN != 0 {
                continue;
            }
            let kind = annotation.get::<Name<'_>>("Subtype");
            let is_shown = |said: &str| shown.contains(&folded(said));
            let said = match kind.as_deref() {
                Some(b"Widget") => value(&annotation).filter(|field| !is_shown(&field.value)).map(|field| field.text()),
                Some(b"Popup") | None => None,
                Some(b"Link") => {
                    let leads_to = annotation.get::<Dict<'_>>("A").and_then(|action| text(&action, "URI"));
                    beside.links.extend(leads_to.and_then(|address| target(&address)));
                    text(&annotation, "Contents")
                }
                Some(_) => text(&annotation, "Contents"),
            };
            let said = said.filter(|said| !said.trim().is_empty() && !is_shown(said));
            if let Some(said) = said.filter(|said| !beside.texts.contains(said)) {
                beside.texts.push(said);
            }
        }
        beside
    }
}

/// A text of a dictionary, with line feeds as its line ends.
fn text(of: &Dict<'_>, key: &str) -> Option<String> {
    let said = text_string(of.get::<PdfString<'_>>(key)?.as_bytes());
    Some(said.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned())
}

struct Field {
    /// The name that the form shows to people.
    name: Option<String>,
    value: String,
}

impl Field {
    fn text(self) -> String {
        match self.name {
            Some(name) => format!("{name}: {}", self.value),
            None => self.value,
        }
    }
}

/// The value of a field; `None` if it is not text.
fn value(field: &Dict<'_>) -> Option<Field> {
    let mut fields = vec![field.clone()];
    while let Some(parent) = fields.last()?.get::<Dict<'_>>("Parent").filter(|_| fields.len() < MAX_DEPTH) {
        fields.push(parent);
    }
    let is_text = fields.iter().find_map(|field| field.get::<Name<'_>>("FT"));
    if !matches!(is_text.as_deref(), Some(b"Tx" | b"Ch") | None) {
        return None;
    }
    let value = fields.iter().find_map(|field| match field.get::<Object<'_>>("V")? {
        Object::String(value) => Some(text_string(value.as_bytes())),
        Object::Array(values) => {
            let values = values.iter::<PdfString<'_>>().take(100).map(|value| text_string(value.as_bytes()));
            Some(values.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    })?;
    let value = value.replace("\r\n", "\n").replace('\r', "\n");
    if value.trim().is_empty() {
        return None;
    }
    let name = fields.iter().find_map(|field| text(field, "TU").filter(|name| !name.is_empty()));
    Some(Field { name, value: value.trim().to_owned() })
}
