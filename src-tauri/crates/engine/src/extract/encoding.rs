//! From bytes to text, whatever the encoding.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: &'static str,
    /// Whether `text` is the file byte for byte.
    pub(super) is_file_text: bool,
}

/// What the detector reads at most, from the first byte that is not ASCII. It is sure of itself long before.
const DETECT_BYTES: usize = 256 * 1024;

/// Share of undecodable characters above which a file is taken for something other than text: a stray byte in an old
/// log is forgiven, a picture is not.
const MAX_BROKEN: f64 = 0.03;

/// Share of control characters (other than white space, form feed, escape and backspace) above which a file is
/// binary.
const MAX_CONTROL: f64 = 0.02;

const BINARY: &str = "it holds binary data";
const UNKNOWN: &str = "its encoding cannot be told";

/// Decodes a file. UTF-8 comes back as it is, a byte order mark included. The error says why it is not text.
pub(super) fn decode(bytes: &[u8], is_html: bool) -> Result<Decoded, &'static str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if !text.contains('\0') {
            return not_control(Decoded { text: text.to_owned(), encoding: UTF_8.name(), is_file_text: true });
        }
    } else if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return decode_as(encoding, bytes);
    }
    if let Some(encoding) = utf16_without_bom(bytes) {
        return decode_as(encoding, bytes);
    }
    if bytes.contains(&0) {
        return Err(BINARY);
    }
    if let Some(decoded) = nearly_utf8(bytes) {
        return not_control(decoded);
    }
    if is_html
        && let Some(encoding) = declared(bytes)
        && let Ok(decoded) = decode_as(encoding, bytes)
    {
        return Ok(decoded);
    }
    decode_as(detect(bytes), bytes)
}

fn decode_as(encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, &'static str> {
    let (text, encoding, _) = encoding.decode(bytes);
    let (broken, n_chars) = count(&text, |c| c == '\u{FFFD}');
    if broken as f64 > n_chars as f64 * MAX_BROKEN {
        return Err(UNKNOWN);
    }
    if text.contains('\0') {
        return Err(BINARY);
    }
    not_control(Decoded { text: text.into_owned(), encoding: encoding.name(), is_file_text: false })
}

fn not_control(decoded: Decoded) -> Result<Decoded, &'static str> {
    let odd = |c: char| c.is_control() && !c.is_whitespace() && !matches!(c, '\u{8}' | '\u{c}' | '\u{1b}');
    let (n_odd, n_chars) = count(&decoded.text, odd);
    if n_odd as f64 > n_chars as f64 * MAX_CONTROL { Err(BINARY) } else { Ok(decoded) }
}

fn count(text: &str, what: impl Fn(char) -> bool) -> (usize, usize) {
    text.chars().fold((0, 0), |(hits, all), c| (hits + usize::from(what(c)), all + 1))
}

/// UTF-16 written without a mark shows in ASCII's empty bytes, all on one side.
fn utf16_without_bom(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let many = (head.len() / 8).max(1);
    match (even, odd) {
        (0, odd) if odd >= many => Some(UTF_16LE),
        (even, 0) if even >= many => Some(UTF_16BE),
        _ => None,
    }
}

/// UTF-8 with a few bytes gone bad (a cut-off log, a wrong paste): better read with gaps than as Latin-1.
fn nearly_utf8(bytes: &[u8]) -> Option<Decoded> {
    let (mut broken, mut sound) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    (sound >= 10 * broken).then(|| Decoded {
        text: String::from_utf8_lossy(bytes).into_owned(),
        encoding: UTF_8.name(),
        is_file_text: false,
    })
}

/// The encoding an HTML file names in its first kilobyte.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let label = head.split("charset=").nth(1)?.trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end])
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let first = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0);
    let end = bytes.len().min(first + DETECT_BYTES);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[first..end], end == bytes.len());
    detector.guess(None, Utf8Detection::Deny)
}
