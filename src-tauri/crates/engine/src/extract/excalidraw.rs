//! Drawings of Obsidian's Excalidraw plugin (`.excalidraw.md`): Markdown around a drawing in JSON, often compressed, with the
//! drawing's texts in a section of their own. Told by the key `excalidraw-plugin` in the frontmatter.

use super::lines::{Line, lines};

/// Sections that the plugin writes for itself.
const FOR_THE_PLUGIN: [&str; 3] = ["drawing", "element links", "excalidraw data"];

/// The same text, of the same length, with line ends in place of the drawing and of what the plugin writes around it; `None`
/// where there is no drawing. `body`: where the frontmatter ends.
pub(super) fn without_drawing(source: &str, body: usize) -> Option<String> {
    if !source[..body].contains("excalidraw-plugin") {
        return None;
    }
    let mut kept = source.as_bytes().to_vec();
    // Line ends, where blanks at a line's beginning would make code of the rest.
    let mut blank = |start: usize, end: usize| kept[start..end].fill(b'\n');
    let (mut section, mut in_texts) = (String::new(), false);
    for line in lines(source, body) {
        let (text, start) = line.trimmed();
        let heading = text.trim_start_matches('#').trim();
        if text.starts_with('#') && text.len() > heading.len() + 1 {
            section = heading.to_lowercase();
            in_texts = section == "text elements";
            if in_texts || section == "embedded files" || FOR_THE_PLUGIN.contains(&section.as_str()) {
                blank(start, line.end);
                continue;
            }
        }
        let is_sign = text == "%%" || text.starts_with("==") && text.contains("EXCALIDRAW VIEW");
        if is_sign || FOR_THE_PLUGIN.contains(&section.as_str()) {
            blank(start, line.end);
        } else if in_texts || section == "embedded files" {
            id(&line).into_iter().for_each(|(start, end)| blank(start, end));
        }
    }
    String::from_utf8(kept).ok()
}

/// What ties a line to its element: ` ^aB3dE6gH` at its end, `0123abcd: ` at the beginning of an embedded file's.
fn id(line: &Line) -> Option<(usize, usize)> {
    let is_id = |id: &str| id.len() >= 8 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if let Some((before, id)) = line.text.trim_end().rsplit_once('^')
        && is_id(id)
        && (before.is_empty() || before.ends_with(' '))
    {
        return Some((line.start + before.len(), line.start + before.len() + 1 + id.len()));
    }
    let (id, rest) = line.text.split_once(": ")?;
    let is_hash = id.len() >= 20 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then_some((line.start, line.start + line.text.len() - rest.len()))
}
