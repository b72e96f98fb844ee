//! The segment file `.vec`, version 2. All numbers are little-endian.
//!
//! | section | content | bytes |
//! |---|---|---|
//! | header | magic, version u32, dims u32, rows u32, 12 zeros, checksum | 64 |
//! | centre | mean of the unit rows, f32 | 4 · dims |
//! | documents | the document of each row, u32, ascending | 4 · rows |
//! | blocks | sketches, 32 rows a block (`sketch.rs`) | (256 + 128 · ⌈dims / 32⌉) · ⌈rows / 32⌉ |
//! | codes | the rows, int8 | dims · rows |
//!
//! Each section begins at a multiple of 64 bytes, and the file ends with the last one. A document without a vector has
//! no row. The checksum (BLAKE3) covers everything before the codes: the sections that every query reads whole, and
//! those by which rows are found. The codes, seven eighths of the file, are covered by the checksum that Tantivy itself
//! puts at the end of every file (`Index::validate_checksum`). A code that rotted on the disk gives a wrong cosine, and
//! nothing worse.

use std::io::{self, Write};
use std::ops::Range;

use super::sketch::{self, BLOCK_ROWS};

/// The file's extension, and with it the name Tantivy knows the plugin by.
pub(super) const EXTENSION: &str = "vec";
/// Widths beyond this are refused: inner products with codes are summed in i32 (`column.rs`).
pub(super) const MAX_DIMS: usize = 4096;

const MAGIC: [u8; 8] = *b"NUTHVEC\0";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 64;
/// The second half of the header; numbers and zeros come before it.
const CHECKSUM: Range<usize> = 32..64;
const ALIGNMENT: usize = 64;

/// What is wrong with a vector file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("not a vector file")]
    Magic,
    #[error("vector file of version {0}, where {VERSION} is known")]
    Version(u32),
    #[error("vectors of {found} dimensions, where {expected} were expected")]
    Dims { found: u32, expected: usize },
    #[error("{found} bytes long, where the header says {expected}")]
    Length { found: usize, expected: u64 },
    #[error("the checksum does not match")]
    Checksum,
    #[error("a row's document is out of order or beyond the segment")]
    Documents,
}

/// Where each section of a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub dims: usize,
    pub rows: usize,
    pub centre: Range<usize>,
    pub documents: Range<usize>,
    pub blocks: Range<usize>,
    pub codes: Range<usize>,
}

impl Layout {
    /// `None` if a file with this many rows could not be addressed.
    pub fn new(dims: usize, rows: usize) -> Option<Self> {
        let section = |start: usize, size: Option<usize>| Some(start..start.checked_add(size?)?);
        let centre = section(HEADER_BYTES, dims.checked_mul(4))?;
        let documents = section(aligned(centre.end)?, rows.checked_mul(4))?;
        let n_blocks = rows.div_ceil(BLOCK_ROWS);
        let blocks = section(aligned(documents.end)?, n_blocks.checked_mul(sketch::block_bytes(dims)))?;
        let codes = section(aligned(blocks.end)?, rows.checked_mul(dims))?;
        Some(Self { dims, rows, centre, documents, blocks, codes })
    }

    /// Reads the header of a segment's file and checks the file, before anything else in it is used. The segment has
    /// `max_doc` documents.
    pub fn read(file: &[u8], dims: usize, max_doc: u32) -> Result<Self, Damage> {
        let too_short = Damage::Length { found: file.len(), expected: HEADER_BYTES as u64 };
        let header = file.first_chunk::<HEADER_BYTES>().ok_or(too_short)?;
        if !header.starts_with(&MAGIC) {
            return Err(Damage::Magic);
        }
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (version, found, rows) = (number(8), number(12), number(16));
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        if found as usize != dims {
            return Err(Damage::Dims { found, expected: dims });
        }
        let layout = Self::new(dims, rows as usize)
            .ok_or(Damage::Length { found: file.len(), expected: u64::from(rows) * dims as u64 })?;
        if file.len() != layout.codes.end {
            return Err(Damage::Length { found: file.len(), expected: layout.codes.end as u64 });
        }
        if header[CHECKSUM] != checksum(&header[..CHECKSUM.start], &file[HEADER_BYTES..layout.codes.start]) {
            return Err(Damage::Checksum);
        }
        let (documents, _) = file[layout.documents.clone()].as_chunks::<4>();
        let mut documents = documents.iter().map(|document| u32::from_le_bytes(*document));
        if !documents.clone().is_sorted_by(|a, b| a < b) || documents.next_back().is_some_and(|last| last >= max_doc) {
            return Err(Damage::Documents);
        }
        Ok(layout)
    }
}

/// Writes the file of `rows` (codes of `dims` dimensions each), where `documents` are the rows' documents, ascending.
///
/// The sketches are computed here from the codes alone, so a merged segment is centred on its own rows.
pub(super) fn write(dims: usize, documents: &[u32], rows: &[&[u8]], out: &mut impl Write) -> io::Result<()> {
    let layout = Layout::new(dims, rows.len())
        .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "too many vectors for one segment"))?;
    let centre = sketch::centre(dims, rows.iter().copied());

    let mut body = Vec::with_capacity(layout.codes.start - HEADER_BYTES);
    body.extend(centre.iter().flat_map(|x| x.to_le_bytes()));
    body.resize(layout.documents.start - HEADER_BYTES, 0);
    body.extend(documents.iter().flat_map(|document| document.to_le_bytes()));
    body.resize(layout.blocks.start - HEADER_BYTES, 0);
    for block in rows.chunks(BLOCK_ROWS) {
        sketch::append_block(&centre, block, &mut body);
    }
    body.resize(layout.codes.start - HEADER_BYTES, 0);

    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    for (number, at) in [VERSION, dims as u32, rows.len() as u32].into_iter().zip([8, 12, 16]) {
        header[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    let sum = checksum(&header[..CHECKSUM.start], &body);
    header[CHECKSUM].copy_from_slice(&sum);

    out.write_all(&header)?;
    out.write_all(&body)?;
    for row in rows {
        out.write_all(row)?;
    }
    Ok(())
}

fn aligned(offset: usize) -> Option<usize> {
    offset.checked_next_multiple_of(ALIGNMENT)
}

fn checksum(header: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header).update(body);
    *hasher.finalize().as_bytes()
}
