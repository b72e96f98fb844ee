//! Reads the records of binary workbooks: a kind, a length, bytes. Numbers in them are little-endian; reading beyond
//! the end of a record gives `None`.

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Decodes `n_units` UTF-16 units.
pub(super) fn wide(bytes: &[u8], n_units: usize) -> Option<String> {
    let bytes = bytes.get(..n_units.checked_mul(2)?)?;
    Some(encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned())
}

/// Records of XLS: two bytes each for kind and length (\[MS-XLS\] 2.1.4).
pub(super) fn xls_records(stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (kind, len) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        let body = rest.get(4..4 + len)?;
        rest = &rest[4 + len..];
        Some((kind, body))
    })
}

/// Records of XLSB: kind and length in seven bits a byte (\[MS-XLSB\] 2.1.4).
pub(super) fn xlsb_records(part: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let (kind, n) = sevens(rest, 2)?;
        let (len, m) = sevens(&rest[n..], 4)?;
        let (start, len) = (n + m, usize::try_from(len).ok()?);
        let body = rest.get(start..start.checked_add(len)?)?;
        rest = &rest[start + len..];
        Some((kind, body))
    })
}

/// Reads a number of up to `most` bytes. The eighth bit of each byte says that another one follows. Also returns how
/// many bytes the number has.
fn sevens(bytes: &[u8], most: usize) -> Option<(u32, usize)> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(most) {
        number |= u32::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 || at + 1 == most {
            return Some((number, at + 1));
        }
    }
    None
}
