//! How bytes are sent as ASCII: base64 and quoted-printable (RFC 2045).

use std::borrow::Cow;

use super::header::Headers;

/// A part's bytes as they were before they were sent.
pub(super) fn decoded<'a>(headers: &Headers, body: &'a [u8]) -> Cow<'a, [u8]> {
    match headers.text("content-transfer-encoding").unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "base64" => Cow::Owned(base64(body)),
        "quoted-printable" => Cow::Owned(quoted_printable(body, false)),
        _ => Cow::Borrowed(body),
    }
}

/// Signs that are none of its own, line ends above all, are passed over.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut n_bits) = (0u32, 0);
    for sign in text {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            // Two encoded texts, one after the other, are read as one.
            b'=' => {
                (bits, n_bits) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push((bits >> n_bits) as u8);
            bits &= (1 << n_bits) - 1;
        }
    }
    bytes
}

/// `=C3=A9`; in headers (`in_header`) `_` is a space.
pub(in crate::extract) fn quoted_printable(text: &[u8], in_header: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
        match text[at] {
            b'=' => match (digit(at + 1), digit(at + 2)) {
                (Some(high), Some(low)) => {
                    bytes.push((high * 16 + low) as u8);
                    at += 3;
                    continue;
                }
                // A line's end that is not one of the text.
                _ => {
                    let blank = text[at + 1..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
                    if text.get(at + 1 + blank) == Some(&b'\n') {
                        at += 2 + blank;
                        continue;
                    }
                    if at + 1 + blank >= text.len() {
                        break;
                    }
                    bytes.push(b'=');
                }
            },
            b'_' if in_header => bytes.push(b' '),
            byte => bytes.push(byte),
        }
        at += 1;
    }
    bytes
}
