//! reStructuredText's markup inside a line.

use crate::extract::block::Draft;
use crate::extract::footnote::is_mark;
use crate::extract::targets::target;

/// How far the end of markup is searched, in bytes. The rest of a long line must not be searched anew from each lone
/// star.
const MAX_MARKUP: usize = 600;

/// Adds a line's text without its markup: links and roles by their text, emphasis plain, footnote marks left out.
pub(super) fn push(text: &str, start: usize, draft: &mut Draft) {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (0, 0);
    while at < bytes.len() {
        let found = match bytes[at] {
            b'`' | b'*' | b'|' | b'[' => markup(text, at),
            b':' => role(text, at),
            b'_' => reference(text, at),
            b'\\' => {
                // The character after a backslash is no markup; a space there is not shown.
                draft.push(&text[plain..at], start + plain);
                let hidden = text[at + 1..].chars().next().map_or(0, char::len_utf8);
                plain = at + 1 + if text[at + 1..].starts_with(' ') { 1 } else { 0 };
                at += 1 + hidden;
                continue;
            }
            _ => None,
        };
        let Some(piece) = found else {
            at += 1;
            continue;
        };
        draft.push(&text[plain..at], start + plain);
        let (range, end) = (piece.range, at + piece.len);
        let hidden = text.get(range.end..end).and_then(|rest| rest.split_once('<')?.1.split_once('>'));
        draft.unseen.extend(hidden.and_then(|(address, _)| Some((start + at, target(address)?))));
        // `saffron\ :sup:`4``
        let is_raised = [":sup:`", ":superscript:`"].iter().any(|role| text[at..].starts_with(role));
        if is_raised && draft.is_in_word() && is_mark(&draft.text, &text[range.clone()], false) {
            draft.note(" ");
        }
        if piece.is_code {
            draft.push_code(&text[range.clone()], start + range.start);
        } else {
            draft.push(&text[range.clone()], start + range.start);
        }
        at = end;
        plain = end;
    }
    draft.push(&text[plain..], start + plain);
}

/// Markup of `len` bytes, of which `range` (of the line) is shown.
struct Piece {
    range: std::ops::Range<usize>,
    len: usize,
    is_code: bool,
}

fn markup(text: &str, at: usize) -> Option<Piece> {
    let before = text[..at].chars().next_back();
    // Inside a word a star is a star.
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '\\') {
        return None;
    }
    let rest = &text[at..];
    let rest = &rest[..rest.floor_char_boundary(MAX_MARKUP)];
    let span = |open: &str, close: &str| {
        let body = rest.strip_prefix(open).filter(|body| !body.starts_with(char::is_whitespace))?;
        let end = body.find(close).filter(|end| *end > 0 && !body[..*end].ends_with(char::is_whitespace))?;
        Some((at + open.len()..at + open.len() + end, open.len() + end + close.len()))
    };
    if let Some((range, len)) = span("``", "``") {
        return Some(Piece { range, len, is_code: true });
    }
    if let Some((range, len)) = span("**", "**").or_else(|| span("*", "*")) {
        return Some(Piece { range, len, is_code: false });
    }
    if let Some((range, mut len)) = span("`", "`") {
        len += text[at + len..].bytes().take(2).take_while(|b| *b == b'_').count();
        return Some(Piece { range: titled(text, range), len, is_code: false });
    }
    if let Some((range, len)) = span("[", "]_").filter(|(range, _)| !text[range.clone()].contains([' ', '['])) {
        let end = range.start;
        return Some(Piece { range: end..end, len, is_code: false });
    }
    let (range, len) = span("|", "|").filter(|(range, _)| !text[range.clone()].contains('|'))?;
    Some(Piece { range, len, is_code: false })
}

/// `text <target>` is shown as `text`.
fn titled(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let body = &text[range.clone()];
    match body.strip_suffix('>').and_then(|body| body.rfind('<')) {
        Some(open) if !body[..open].trim().is_empty() => range.start..range.start + body[..open].trim_end().len(),
        Some(open) => range.start + open + 1..range.end - 1,
        None => range,
    }
}

/// `:role:`text`` is shown as `text`. A `~` or `!` before a name is for Sphinx.
fn role(text: &str, at: usize) -> Option<Piece> {
    let name =
        text[at + 1..].bytes().take(40).take_while(|b| b.is_ascii_alphanumeric() || b":-_.+".contains(b)).count();
    let tick = at + 1 + name;
    if name == 0 || !text[at + 1..tick].ends_with(':') || text.as_bytes().get(tick) != Some(&b'`') {
        return None;
    }
    let body = &text[tick + 1..];
    let body = &body[..body.floor_char_boundary(MAX_MARKUP)];
    let end = body.find('`').filter(|end| *end > 0)?;
    let range = titled(text, tick + 1..tick + 1 + end);
    let skipped = usize::from(text[range.clone()].starts_with(['~', '!']));
    let is_code = matches!(&text[at + 1..tick], "code:" | "samp:" | "command:" | "kbd:" | "literal:");
    Some(Piece { range: range.start + skipped..range.end, len: tick + 1 + end + 1 - at, is_code })
}

/// `name_` is shown as `name`.
fn reference(text: &str, at: usize) -> Option<Piece> {
    let before = text[..at].chars().next_back()?;
    let n_signs = text[at..].bytes().take(2).take_while(|b| *b == b'_').count();
    let after = text[at + n_signs..].chars().next();
    let ends = before.is_alphanumeric() && after.is_none_or(|c| c.is_whitespace() || ".,;:!?)'\"".contains(c));
    ends.then_some(Piece { range: at..at, len: n_signs, is_code: false })
}
