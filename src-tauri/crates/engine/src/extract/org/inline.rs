//! Org's markup inside a line.

use crate::extract::block::Draft;
use crate::extract::targets::target;

/// How far the ends of emphasis (and of links, `MAX_LINK`) are searched, in bytes. The rest of a long line must not be
/// searched anew from each lone star.
const MAX_EMPHASIS: usize = 400;
/// Most signs that are tried as the end of an emphasis.
const MAX_TRIES: usize = 8;
const MAX_LINK: usize = 1000;

/// Adds a line's text without its markup: links by their descriptions, emphasis plain, footnote marks left out.
pub(super) fn push(text: &str, start: usize, draft: &mut Draft) {
    let mut plain = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let found = match bytes[at] {
            b'[' => link(&text[at..]).or_else(|| footnote(&text[at..])),
            b'*' | b'/' | b'_' | b'+' | b'=' | b'~' => emphasis(text, at),
            _ => None,
        };
        if bytes[at..].starts_with(b"[[")
            && let Some((target, is_shown)) = link_target(&text[at..])
            && !is_shown
        {
            draft.unseen.push((start + at, target));
        }
        let Some(Piece { text: inner, at: inner_at, len, is_code }) = found else {
            at += 1;
            continue;
        };
        draft.push(&text[plain..at], start + plain);
        if is_code {
            draft.push_code(inner, start + at + inner_at);
        } else if inner.len() < len && at + len <= text.len() {
            // A link or an emphasis may contain further emphasis, whose text is shorter each time.
            match inner.contains(['*', '/', '_', '+', '=', '~']) && inner.len() <= MAX_EMPHASIS {
                true => push(inner, start + at + inner_at, draft),
                false => draft.push(inner, start + at + inner_at),
            }
        }
        at += len;
        plain = at;
    }
    draft.push(&text[plain..], start + plain);
}

/// Markup of `len` bytes. It is shown as `text`, which stands `at` bytes into it.
struct Piece<'a> {
    text: &'a str,
    at: usize,
    len: usize,
    is_code: bool,
}

/// Reads a link: `[[target][description]]` or `[[target]]`.
fn link(text: &str) -> Option<Piece<'_>> {
    let text = &text[..text.floor_char_boundary(MAX_LINK)];
    let body = text.strip_prefix("[[")?;
    // A target holds no bracket, so the search ends at the next one.
    let end = body.find([']', '[', '\n']).filter(|end| *end > 0 && body[*end..].starts_with(']'))?;
    let rest = &body[end + 1..];
    if rest.starts_with(']') {
        let scheme = ["file:", "id:", "roam:"].iter().find(|scheme| body[..end].starts_with(**scheme));
        let skipped = scheme.map_or(0, |scheme| scheme.len());
        return Some(Piece { text: &body[skipped..end], at: 2 + skipped, len: end + 4, is_code: false });
    }
    let name = rest.strip_prefix('[')?;
    let close = name.find("]]").filter(|close| !name[..*close].contains("[["))?;
    Some(Piece { text: &name[..close], at: end + 4, len: end + close + 6, is_code: false })
}

/// A link's target, and whether the target itself is shown.
fn link_target(text: &str) -> Option<(String, bool)> {
    let body = text[..text.floor_char_boundary(MAX_LINK)].strip_prefix("[[")?;
    let end = body.find([']', '[', '\n']).filter(|end| *end > 0 && body[*end..].starts_with(']'))?;
    let is_named = body[end + 1..].starts_with('[');
    let written = ["file:", "id:", "roam:"].iter().find_map(|scheme| body[..end].strip_prefix(*scheme));
    Some((target(written.unwrap_or(&body[..end]))?, !is_named))
}

/// Reads a footnote. The mark `[fn:1]` shows nothing; `[fn:1:text]` and `[fn::text]` hold the note and show its text.
fn footnote(text: &str) -> Option<Piece<'_>> {
    let text = &text[..text.floor_char_boundary(MAX_LINK)];
    let body = text.strip_prefix("[fn:")?;
    let end = body.find([']', '[', '\n']).filter(|end| body[*end..].starts_with(']'))?;
    let (text, at) = match body[..end].find(':') {
        Some(colon) => (&body[colon + 1..end], 4 + colon + 1),
        None => ("", 4),
    };
    Some(Piece { text, at, len: end + 5, is_code: false })
}

/// Reads `*bold*`, `/italic/`, `_underlined_`, `+struck+`, `=verbatim=` and `~code~` where Org does: not inside a word,
/// and without white space just inside the signs.
fn emphasis(text: &str, at: usize) -> Option<Piece<'_>> {
    let sign = text.as_bytes()[at];
    let before = text[..at].chars().next_back();
    if before.is_some_and(|c| !(c.is_whitespace() || "-—({'\"“‘（\u{200b}".contains(c))) {
        return None;
    }
    let body = &text[at + 1..];
    let body = &body[..body.floor_char_boundary(MAX_EMPHASIS)];
    if body.starts_with(char::is_whitespace) || body.starts_with(sign as char) {
        return None;
    }
    for (end, _) in body.match_indices(sign as char).take(MAX_TRIES) {
        let after = body[end + 1..].chars().next();
        let closes =
            after.is_none_or(|c| c.is_whitespace() || "-—.,;:!?'\")}\\[”’）。，；：！？、\u{200b}".contains(c));
        if end > 0 && closes && !body[..end].ends_with(char::is_whitespace) {
            return Some(Piece { text: &body[..end], at: 1, len: end + 2, is_code: matches!(sign, b'=' | b'~') });
        }
    }
    None
}
