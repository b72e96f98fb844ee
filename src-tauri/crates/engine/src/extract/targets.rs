//! The targets of links and the names of pictures: found, but not shown ([`super::Document::unseen`]).

/// Most bytes of one target. The rest of a longer one is a program's state.
const MAX_TARGET_BYTES: usize = 300;

/// Beginnings of targets that lead nowhere or hold their content themselves.
const NOWHERE: [&str; 6] = ["data:", "javascript:", "blob:", "about:", "cid:", "vbscript:"];

/// Schemes of addresses, which nobody searches for.
const SCHEMES: [&str; 8] = ["https://", "http://", "//", "mailto:", "tel:", "file://", "ftp://", "sms:"];

/// The part of a link's or a picture's target that is worth finding: the address without its scheme, percent-decoded.
/// `None` for places in the same document and for targets that hold their content themselves (`data:`).
pub(super) fn target(written: &str) -> Option<String> {
    let written = written.trim();
    let starts = |begin: &&str| written.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin));
    if written.is_empty() || written.starts_with('#') || NOWHERE.iter().any(&starts) {
        return None;
    }
    let scheme = SCHEMES.iter().find(|begin| starts(begin)).map_or(0, |begin| begin.len());
    let address = written[scheme..].trim_matches('/');
    let decoded = percent_decoded(&address[..address.floor_char_boundary(3 * MAX_TARGET_BYTES)]);
    let short = decoded[..decoded.floor_char_boundary(MAX_TARGET_BYTES)].trim();
    short.chars().any(char::is_alphanumeric).then(|| short.to_owned())
}

/// Most targets of a file. Nobody sets this many links, and each target takes twenty times the memory of its text.
const MAX_TARGETS: usize = 200_000;

/// Adds targets to the unseen text of a file, up to [`MAX_TARGETS`].
pub(super) fn add(unseen: &mut Vec<(usize, String)>, found: impl IntoIterator<Item = (usize, String)>) {
    let room = MAX_TARGETS.saturating_sub(unseen.len());
    unseen.extend(found.into_iter().take(room));
}

/// Decodes `A%20b` to `A b`. Returns `href` unchanged if the result is not UTF-8.
pub(super) fn percent_decoded(href: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = href.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (bytes, rest) = (push(bytes, byte), &tail[2..]),
            None => (bytes, rest) = (push(bytes, *first), tail),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| href.to_owned())
}

fn push(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let check =
            |written: &str, expected: Option<&str>| assert_eq!(target(written).as_deref(), expected, "{written}");
        check("https://kestrel-surveyors.example/o/88231", Some("kestrel-surveyors.example/o/88231"));
        check(" HTTP://a.example/ ", Some("a.example"));
        check("//cdn.example/x.png", Some("cdn.example/x.png"));
        check("img/%E8%BE%B9%E7%95%8C%20x.png", Some("img/边界 x.png"));
        check("mailto:mira@quill.example?subject=Tea", Some("mira@quill.example?subject=Tea"));
        check("other note.md#part", Some("other note.md#part"));
        check("%FF%", Some("%FF%"));
        for nowhere in ["", "#part", "data:image/png;base64,iVBORw0KGgo", "JavaScript:void(0)", "/", "cid:1@x", "..."] {
            check(nowhere, None);
        }
        assert_eq!(target(&"茶".repeat(1000)).map(|found| found.len()), Some(MAX_TARGET_BYTES));
    }
}
