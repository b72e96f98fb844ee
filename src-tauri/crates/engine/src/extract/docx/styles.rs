//! Reads styles and lists, which decide how a paragraph is shown.

use std::collections::HashMap;

use crate::extract::Unreadable;
use crate::extract::xml::{self, Element, Xml};

#[derive(Clone, Debug, Default)]
pub(super) struct Style {
    pub(super) name: String,
    pub(super) based_on: Option<String>,
    pub(super) shape: Shape,
    /// Whether the style raises its text, as for marks of notes.
    pub(super) is_raised: bool,
}

/// Properties that decide how a paragraph is shown, its own or those of its style.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Level in the outline, 0-based; 9 is body text.
    pub(super) outline: Option<u8>,
    /// Number of the list that the paragraph is an item of; 0 for none.
    pub(super) list: Option<u32>,
    pub(super) depth: Option<usize>,
}

impl Shape {
    pub(super) fn take(&mut self, element: &Element<'_>) {
        let value = element.get("val");
        let value = value.as_deref();
        match element.name() {
            "outlineLvl" => self.outline = value.and_then(|value| value.parse().ok()),
            "numId" => self.list = value.and_then(|value| value.parse().ok()),
            "ilvl" => self.depth = value.and_then(|value| value.parse().ok()),
            _ => {}
        }
    }
}

/// For each list, by its number, the marker of its items at each depth.
pub(super) type Numbering = HashMap<u32, HashMap<usize, Marker>>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Marker {
    Bullet,
    Number,
    Nothing,
}

/// Styles by their ids.
pub(super) type Styles = HashMap<String, Style>;

pub(super) fn styles(source: &str) -> Result<Styles, Unreadable> {
    let mut styles = Styles::new();
    let mut open: Option<(String, Style)> = None;
    xml::read(source, |xml| {
        match (xml, &mut open) {
            (Xml::Start(element), open) if element.name() == "style" => {
                *open = element.get("styleId").map(|id| (id, Style::default()));
            }
            (Xml::Start(element), Some((_, style))) => match element.name() {
                "name" => style.name = element.get("val").unwrap_or_default().to_lowercase(),
                "basedOn" => style.based_on = element.get("val"),
                "vertAlign" => style.is_raised = is_superscript(&element),
                _ => style.shape.take(&element),
            },
            (Xml::End(name), open) if name == "style" => styles.extend(open.take()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

pub(super) fn is_superscript(element: &Element<'_>) -> bool {
    element.get("val").as_deref() == Some("superscript")
}

pub(super) fn numbering(source: &str) -> Result<Numbering, Unreadable> {
    let mut kinds: HashMap<String, HashMap<usize, Marker>> = HashMap::new();
    let mut lists = Numbering::new();
    let (mut kind, mut depth, mut list) = (String::new(), 0, None);
    xml::read(source, |xml| {
        let Xml::Start(element) = xml else { return Ok(()) };
        let value = element.get("val").unwrap_or_default();
        match element.name() {
            "abstractNum" => kind = element.get("abstractNumId").unwrap_or_default(),
            "lvl" => depth = element.get("ilvl").and_then(|depth| depth.parse().ok()).unwrap_or(0),
            "numFmt" => {
                let marker = match value.as_str() {
                    "bullet" => Marker::Bullet,
                    "none" => Marker::Nothing,
                    _ => Marker::Number,
                };
                kinds.entry(kind.clone()).or_default().insert(depth, marker);
            }
            "num" => list = element.get("numId").and_then(|id| id.parse().ok()),
            "abstractNumId" => {
                if let (Some(list), Some(kind)) = (list, kinds.get(&value)) {
                    lists.insert(list, kind.clone());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(lists)
}

/// Combines a paragraph's own shape with those of its styles. Also gives its level if it is a heading.
pub(super) fn whole_shape(own: &Shape, style: Option<&str>, styles: &Styles) -> (Option<u8>, Shape) {
    let mut shape = own.clone();
    let mut level = shape.outline.map(|outline| outline + 1);
    let mut next = style;
    // Styles are based on other styles. Word allows a chain of a dozen or so; a cycle is damage.
    for _ in 0..16 {
        let Some(style) = next.and_then(|id| styles.get(id)) else { break };
        let named = match style.name.as_str() {
            "title" => Some(1),
            name => name.strip_prefix("heading ").and_then(|level| level.parse().ok()),
        };
        level = level.or(named).or(style.shape.outline.map(|outline| outline + 1));
        shape.list = shape.list.or(style.shape.list);
        shape.depth = shape.depth.or(style.shape.depth);
        next = style.based_on.as_deref();
    }
    (level.filter(|level| (1..=9).contains(level)).map(|level| level.min(6)), shape)
}
