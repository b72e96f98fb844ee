//! One segment's vectors, open for reading.

use std::path::PathBuf;

use tantivy::directory::OwnedBytes;
use tantivy::error::DataCorruption;
use tantivy::index::SegmentComponent;
use tantivy::{DocId, SegmentReader, TantivyError};

use super::format::{EXTENSION, Layout};
use super::{kernels, quantized};

/// A segment's vector file, memory-mapped and checked.
#[derive(Debug)]
pub(super) struct Column {
    file: OwnedBytes,
    layout: Layout,
    pub centre: Vec<f32>,
}

impl Column {
    /// Opens the column of `dims` dimensions. Reads everything except the codes once, to check it.
    pub fn open(segment: &SegmentReader, dims: usize) -> tantivy::Result<Self> {
        let component = SegmentComponent::Custom(EXTENSION.to_owned());
        let file = segment.open_read(component)?.read_bytes()?;
        let layout = Layout::read(&file, dims, segment.max_doc()).map_err(|damage| {
            let path = PathBuf::from(format!("{}.{EXTENSION}", segment.segment_id().uuid_string()));
            TantivyError::from(DataCorruption::new(path, damage.to_string()))
        })?;
        let (centre, _) = file[layout.centre.clone()].as_chunks::<4>();
        let centre = centre.iter().map(|x| f32::from_le_bytes(*x)).collect();
        Ok(Self { file, layout, centre })
    }

    pub fn n_rows(&self) -> usize {
        self.layout.rows
    }

    /// The sketches of all rows, in blocks.
    pub fn blocks(&self) -> &[u8] {
        &self.file[self.layout.blocks.clone()]
    }

    /// The documents of all rows, ascending.
    pub fn documents(&self) -> impl Iterator<Item = DocId> + '_ {
        self.document_bytes().iter().map(|document| DocId::from_le_bytes(*document))
    }

    /// `row` is below [`Self::n_rows`].
    pub fn document(&self, row: usize) -> DocId {
        DocId::from_le_bytes(self.document_bytes()[row])
    }

    /// The row of a document, if it has a vector.
    pub fn row_of(&self, document: DocId) -> Option<usize> {
        let documents = self.document_bytes();
        let at = |row: usize| documents.get(row).map(|bytes| DocId::from_le_bytes(*bytes));
        // If every document has a vector, which is the rule, a row has the number of its document.
        if at(document as usize) == Some(document) {
            return Some(document as usize);
        }
        documents.binary_search_by_key(&document, |bytes| DocId::from_le_bytes(*bytes)).ok()
    }

    /// The codes of a row; `row` is below [`Self::n_rows`].
    pub fn codes(&self, row: usize) -> &[u8] {
        let start = self.layout.codes.start + row * self.layout.dims;
        &self.file[start..start + self.layout.dims]
    }

    fn document_bytes(&self) -> &[[u8; 4]] {
        self.file[self.layout.documents.clone()].as_chunks().0
    }
}

/// A query prepared for cosines with rows of codes.
#[derive(Debug)]
pub(super) struct QueryCodes {
    levels: Vec<i16>,
    scale: f32,
}

impl QueryCodes {
    /// `query` is of unit length and at most [`super::format::MAX_DIMS`] wide.
    ///
    /// The query is rounded far more finely than the rows are: to as many levels as keep the sum of its products with
    /// codes within i32. Up to 512 dimensions these are all levels of i16; at [`super::format::MAX_DIMS`] they are 4095
    /// either side of 0.
    pub fn new(query: &[f32]) -> Self {
        let levels_either_side = (i32::MAX as usize / (128 * query.len().max(1))).min(i16::MAX as usize) as f32;
        let largest = query.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let levels = query.iter().map(|x| (x / largest * levels_either_side).round() as i16).collect();
        Self { levels, scale: largest / levels_either_side }
    }

    /// The cosine with a row of the same width, in `-1..=1` up to rounding.
    pub fn cosine(&self, codes: &[u8]) -> f32 {
        let (product, squares) = kernels::product_and_squared_length(&self.levels, codes);
        product as f32 * self.scale * quantized::inverse_length(squares)
    }
}
