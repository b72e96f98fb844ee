//! Finds the places in the source of text whose character references (`&amp;`) are already resolved.

/// Length of the longest name of a character, in bytes.
const MAX_REFERENCE: usize = 40;

/// Cuts `decoded` where a reference stands in `source`, and calls `found` with each part and its offset in `source`. If
/// the two texts do not match, their rest is one part.
pub(super) fn each_run(decoded: &str, source: &str, mut found: impl FnMut(&str, usize)) {
    let (mut text, mut at) = (0, 0);
    while text < decoded.len() {
        let same = decoded[text..].chars().zip(source[at..].chars());
        let len: usize = same.take_while(|(a, b)| a == b && *b != '&').map(|(a, _)| a.len_utf8()).sum();
        if len > 0 {
            found(&decoded[text..text + len], at);
            (text, at) = (text + len, at + len);
        }
        let (rest, left) = (&decoded[text..], &source[at..]);
        let Some(c) = rest.chars().next() else { break };
        if left.starts_with('\r') {
            // HTML reads CR and CR LF as LF.
            at += 1;
            if left.starts_with("\r\n") || c != '\n' {
                continue;
            }
            found(&rest[..1], at - 1);
            text += 1;
            continue;
        }
        if !left.starts_with('&') {
            found(rest, at);
            break;
        }
        // The text that follows tells how much was a reference: all up to the semicolon, or nothing.
        let name =
            left[1..].bytes().take(MAX_REFERENCE).take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
        let whole = 1 + name + usize::from(left[1 + name..].starts_with(';'));
        let follows = |n_decoded: usize, n_source: usize| {
            let (after, source) = (rest.get(n_decoded..)?.chars().next(), left.get(n_source..)?.chars().next());
            let fits = after == source || source.is_none() || matches!(source, Some('&' | '\r'));
            fits.then_some((n_decoded, n_source))
        };
        let second = rest[c.len_utf8()..].chars().next().map_or(0, char::len_utf8);
        let plain = if c == '&' && name == 0 { Some((1, 1)) } else { None };
        let step = plain.or_else(|| follows(c.len_utf8(), whole)).or_else(|| follows(c.len_utf8() + second, whole));
        let (n_decoded, n_source) = step.unwrap_or((c.len_utf8(), if c == '&' { 1 } else { whole }));
        found(&rest[..n_decoded], at);
        (text, at) = (text + n_decoded, at + n_source);
    }
}
