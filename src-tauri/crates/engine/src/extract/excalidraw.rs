//! Drawings of Obsidian's Excalidraw plugin (`.excalidraw.md`): Markdown around a drawing in JSON, often compressed,
//! with the drawing's texts in a section of their own. The key `excalidraw-plugin` in the frontmatter marks them.

use super::lines::{Line, lines};

/// Sections that the plugin writes for itself.
const FOR_THE_PLUGIN: [&str; 3] = ["drawing", "element links", "excalidraw data"];

/// Replaces the drawing, and what the plugin writes around it, by line ends. The text keeps its length. `None` if there
/// is no drawing. `body`: where the frontmatter ends.
pub(super) fn without_drawing(source: &str, body: usize) -> Option<String> {
    if !source[..body].contains("excalidraw-plugin") {
        return None;
    }
    let mut kept = source.as_bytes().to_vec();
    // Line ends instead of blanks, which at a line's beginning would make the rest of the line code.
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

/// The range of the id that ties a line to its element: `^aB3dE6gH` at the line's end, or `0123abcd: ` at the beginning
/// of the line of an embedded file.
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
