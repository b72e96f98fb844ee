//! A commit, frozen: what one search sees, whatever is written meanwhile.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use tantivy::collector::{Count, DocSetCollector, TopDocs};
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Searcher, TantivyDocument, Term};

use super::passage::{Passage, ROW_ALONE, ROW_WITH_PASSAGE, Row, parse_row, read_passage, read_row};
use super::schema::Fields;
use super::vectors::{Quantized, VectorReader};

#[derive(Clone)]
pub struct Snapshot {
    searcher: Searcher,
    fields: Fields,
    vectors: Arc<VectorReader>,
    folder: Arc<Path>,
    /// An older index of the same model, whose vectors are reused.
    donor: Option<Arc<Snapshot>>,
}

impl Snapshot {
    pub(crate) fn new(searcher: Searcher, fields: Fields, vectors: VectorReader, folder: &Path) -> Self {
        Self { searcher, fields, vectors: Arc::new(vectors), folder: folder.into(), donor: None }
    }

    pub(super) fn with_donor(self, donor: Option<Snapshot>) -> Self {
        Self { donor: donor.map(Arc::new), ..self }
    }

    pub(crate) fn failed(&self, source: tantivy::TantivyError) -> crate::EngineError {
        crate::EngineError::Index { path: self.folder.to_path_buf(), source }
    }

    /// The folder of the index.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    pub fn vectors(&self) -> &VectorReader {
        &self.vectors
    }

    pub fn passage(&self, address: DocAddress) -> tantivy::Result<Passage> {
        let doc: TantivyDocument = self.searcher.doc(address)?;
        Ok(read_passage(&self.fields, &doc))
    }

    /// Every file's row, in no order.
    pub fn rows(&self) -> tantivy::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for segment in self.searcher.segment_readers() {
            let Some(column) = segment.fast_fields().bytes("row_data")? else { continue };
            let mut ords: Vec<u64> = segment.doc_ids_alive().filter_map(|doc| column.ords().first(doc)).collect();
            ords.sort_unstable();
            rows.reserve(ords.len());
            column.dictionary().sorted_ords_to_term_cb(&ords, |bytes| rows.push(parse_row(bytes)))?;
        }
        Ok(rows)
    }

    /// The row of one file.
    pub fn row_of(&self, path: &Path) -> tantivy::Result<Option<Row>> {
        let term = Term::from_field_text(self.fields.path, &path.to_string_lossy());
        let of_file = TermQuery::new(term, IndexRecordOption::Basic);
        for address in self.searcher.search(&of_file, &DocSetCollector)? {
            let doc: TantivyDocument = self.searcher.doc(address)?;
            if doc.get_first(self.fields.row).is_some() {
                return Ok(Some(read_row(&self.fields, &doc)));
            }
        }
        Ok(None)
    }

    /// Where the passages of one file are, in no order.
    pub fn passages_of(&self, path: &Path) -> tantivy::Result<Vec<DocAddress>> {
        let alone: Box<dyn Query> = Box::new(self.row_query(ROW_ALONE));
        let passages = BooleanQuery::new(vec![(Occur::Must, self.path_query(path)), (Occur::MustNot, alone)]);
        Ok(self.searcher.search(&passages, &DocSetCollector)?.into_iter().collect())
    }

    /// For each of `addresses`, the key by which passages of equal score are ordered.
    pub(crate) fn orders(&self, addresses: &[DocAddress]) -> tantivy::Result<Vec<u64>> {
        self.column("order", addresses)
    }

    /// The [`crate::copies::twin`] of each of `addresses`.
    pub(crate) fn twins(&self, addresses: &[DocAddress]) -> tantivy::Result<Vec<u64>> {
        self.column("twin", addresses)
    }

    fn column(&self, name: &str, addresses: &[DocAddress]) -> tantivy::Result<Vec<u64>> {
        let mut columns: HashMap<u32, Column<u64>> = HashMap::new();
        for address in addresses {
            if let Entry::Vacant(slot) = columns.entry(address.segment_ord) {
                slot.insert(self.searcher.segment_reader(address.segment_ord).fast_fields().u64(name)?);
            }
        }
        let of = |address: &DocAddress| columns[&address.segment_ord].first(address.doc_id).unwrap_or(u64::MAX);
        Ok(addresses.iter().map(of).collect())
    }

    /// Passages with this [`crate::copies::twin`], in no order.
    pub(crate) fn with_twin(&self, twin: u64) -> tantivy::Result<Vec<DocAddress>> {
        let query = TermQuery::new(Term::from_field_u64(self.fields.twin, twin), IndexRecordOption::Basic);
        Ok(self.searcher.search(&query, &DocSetCollector)?.into_iter().collect())
    }

    /// At most `n` of the files that a term of [`super::passage::called`] names: their rows, and the documents that
    /// carry the rows.
    pub(crate) fn called(&self, term: &str, n: usize) -> tantivy::Result<Vec<(DocAddress, Row)>> {
        let query = TermQuery::new(Term::from_field_text(self.fields.called, term), IndexRecordOption::Basic);
        let found = self.searcher.search(&query, &TopDocs::with_limit(n).order_by_score())?;
        let mut addresses: Vec<DocAddress> = found.into_iter().map(|(_, address)| address).collect();
        addresses.sort_unstable();
        let mut rows = Vec::with_capacity(addresses.len());
        for of_segment in addresses.chunk_by(|a, b| a.segment_ord == b.segment_ord) {
            let segment = self.searcher.segment_reader(of_segment[0].segment_ord);
            let Some(column) = segment.fast_fields().bytes("row_data")? else { continue };
            let mut found: Vec<(u64, DocAddress)> = of_segment
                .iter()
                .filter_map(|address| Some((column.ords().first(address.doc_id)?, *address)))
                .collect();
            found.sort_unstable();
            let ords: Vec<u64> = found.iter().map(|(ord, _)| *ord).collect();
            let mut found = found.into_iter();
            column.dictionary().sorted_ords_to_term_cb(&ords, |bytes| {
                rows.extend(found.next().map(|(_, address)| (address, parse_row(bytes))));
            })?;
        }
        Ok(rows)
    }

    /// Passages in the index.
    pub fn n_passages(&self) -> tantivy::Result<u64> {
        let rows_alone = self.searcher.search(&self.row_query(ROW_ALONE), &Count)? as u64;
        Ok(self.searcher.num_docs() - rows_alone)
    }

    /// Files in the index, with passages or without.
    pub fn n_files(&self) -> tantivy::Result<usize> {
        let with_passages = self.searcher.search(&self.row_query(ROW_WITH_PASSAGE), &Count)?;
        Ok(with_passages + self.searcher.search(&self.row_query(ROW_ALONE), &Count)?)
    }

    /// The vector of a passage with this text hash, in any file.
    pub fn vector_of(&self, text_hash: u64) -> tantivy::Result<Option<Quantized>> {
        let term = Term::from_field_u64(self.fields.text_hash, text_hash);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = self.searcher.search(&query, &DocSetCollector)?;
        match (found.into_iter().find_map(|address| self.vectors.payload(address)), &self.donor) {
            (None, Some(donor)) => donor.vector_of(text_hash),
            (own, _) => Ok(own),
        }
    }

    /// Whether [`Snapshot::vector_of`] can find any.
    pub(crate) fn has_vectors(&self) -> bool {
        self.vectors.n_vectors() > 0 || self.donor.as_ref().is_some_and(|donor| donor.has_vectors())
    }

    fn path_query(&self, path: &Path) -> Box<dyn Query> {
        let term = Term::from_field_text(self.fields.path, &path.to_string_lossy());
        Box::new(TermQuery::new(term, IndexRecordOption::Basic))
    }

    fn row_query(&self, kind: u64) -> TermQuery {
        TermQuery::new(Term::from_field_u64(self.fields.row, kind), IndexRecordOption::Basic)
    }
}
