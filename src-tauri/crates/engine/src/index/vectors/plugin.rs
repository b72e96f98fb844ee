//! The column's part in the life of a segment: vectors are gathered while documents are added, written with the
//! segment, and merged with it.

use std::any::Any;

use tantivy::directory::TerminatingWrite;
use tantivy::index::{Segment, SegmentComponent};
use tantivy::indexer::DocIdMapping;
use tantivy::indexer::doc_id_mapping::MappingType;
use tantivy::schema::document::{ErasedDocument, ErasedValue, ReferenceValueLeaf};
use tantivy::schema::{Field, Schema};
use tantivy::{DocId, PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin, TantivyError};

use super::column::Column;
use super::format::{self, EXTENSION, MAX_DIMS};

/// Keeps the vectors of one field. Register it on the index builder, or on an opened index before its first writer.
///
/// Documents may lack the field. Sorted indexes are refused: Tantivy 0.27 does not tell plugins the order.
#[derive(Clone, Copy, Debug)]
pub struct VectorPlugin {
    field: Field,
    dims: usize,
}

impl VectorPlugin {
    /// `dims` is what [`add_vector_field`](super::add_vector_field) was given, and `field` is what it returned.
    pub fn new(field: Field, dims: usize) -> Self {
        Self { field, dims }
    }
}

impl SegmentPlugin for VectorPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, context: &PluginWriterContext) -> tantivy::Result<Box<dyn PluginWriter>> {
        let settings = context.segment.index().settings();
        if settings.sort_by_field.is_some() || settings.manual_doc_id_mapping {
            return Err(sorted_index());
        }
        if !(1..=MAX_DIMS).contains(&self.dims) {
            return Err(TantivyError::InvalidArgument(format!(
                "vectors of {} dimensions: 1 to {MAX_DIMS} are possible",
                self.dims
            )));
        }
        Ok(Box::new(VectorWriter { field: self.field, dims: self.dims, documents: Vec::new(), codes: Vec::new() }))
    }

    fn merge(&self, context: PluginMergeContext) -> tantivy::Result<()> {
        if context.doc_id_mapping.mapping_type() == MappingType::Shuffled {
            return Err(sorted_index());
        }
        let columns = context
            .readers
            .iter()
            .map(|segment| Column::open(segment, self.dims))
            .collect::<tantivy::Result<Vec<_>>>()?;
        // Both other kinds of mapping mean that segments are stacked in order, without their deleted documents.
        let (mut documents, mut rows) = (Vec::new(), Vec::new());
        let mut next_document: DocId = 0;
        for (segment, column) in context.readers.iter().zip(&columns) {
            let mut vectors = column.documents().enumerate().peekable();
            for document in segment.doc_ids_alive() {
                while vectors.next_if(|&(_, owner)| owner < document).is_some() {}
                if let Some((row, _)) = vectors.next_if(|&(_, owner)| owner == document) {
                    documents.push(next_document);
                    rows.push(column.codes(row));
                }
                next_document += 1;
            }
        }
        write_segment(context.target_segment, self.dims, &documents, &rows)
    }
}

/// Gathers the rows of a new segment in document order.
struct VectorWriter {
    field: Field,
    dims: usize,
    documents: Vec<DocId>,
    /// The rows' codes, one after the other.
    codes: Vec<u8>,
}

impl PluginWriter for VectorWriter {
    fn add_document(&mut self, document: DocId, content: &dyn ErasedDocument, _: &Schema) -> tantivy::Result<()> {
        let vector = content.erased_fields().find_map(|(field, value)| match value {
            ErasedValue::Leaf(ReferenceValueLeaf::Custom(codes)) if field == self.field => Some(codes),
            _ => None,
        });
        let Some(codes) = vector else { return Ok(()) };
        if codes.len() != self.dims {
            return Err(TantivyError::InvalidArgument(format!(
                "a vector payload of {} bytes in an index of {} dimensions",
                codes.len(),
                self.dims
            )));
        }
        self.documents.push(document);
        self.codes.extend_from_slice(codes);
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, order: Option<&DocIdMapping>) -> tantivy::Result<()> {
        if order.is_some() {
            return Err(sorted_index());
        }
        let rows: Vec<&[u8]> = self.codes.chunks_exact(self.dims).collect();
        write_segment(segment, self.dims, &self.documents, &rows)
    }

    fn mem_usage(&self) -> usize {
        self.codes.capacity() + self.documents.capacity() * size_of::<DocId>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn write_segment(segment: &Segment, dims: usize, documents: &[DocId], rows: &[&[u8]]) -> tantivy::Result<()> {
    let mut file = segment.open_write(SegmentComponent::Custom(EXTENSION.to_owned()))?;
    format::write(dims, documents, rows, &mut file)?;
    file.terminate()?;
    Ok(())
}

fn sorted_index() -> TantivyError {
    TantivyError::InvalidArgument("an index with vectors cannot be sorted by a field".to_owned())
}
