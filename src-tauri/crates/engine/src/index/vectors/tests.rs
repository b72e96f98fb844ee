//! Tests the column through its public interface, inside real Tantivy indexes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use tantivy::directory::{Directory, RamDirectory, TerminatingWrite};
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{FAST, Field, STORED, STRING, Schema, Value};
use tantivy::{
    DocAddress, Index, IndexSettings, IndexSortByField, IndexWriter, Order, TantivyDocument, TantivyError, Term,
};

use super::{Quantized, VectorPlugin, VectorReader, add_vector_field};

/// A small random number generator (Marsaglia's xorshift64*), so that a failing seed can be run again anywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    /// Roughly normal, mean 0, deviation 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1_u64 << 24) as f32).sum::<f32>() - 6.0
    }

    fn vector(&mut self, dims: usize) -> Vec<f32> {
        (0..dims).map(|_| self.normal()).collect()
    }
}

/// An index of keys and vectors.
struct Shelf {
    index: Index,
    key: Field,
    vector: Field,
    dims: usize,
}

impl Shelf {
    fn new(directory: impl Into<Box<dyn Directory>>, dims: usize, settings: IndexSettings) -> Self {
        let mut schema = Schema::builder();
        let key = schema.add_text_field("key", STRING | STORED);
        schema.add_u64_field("number", FAST);
        let vector = add_vector_field(&mut schema, "vector", dims);
        let index = Index::builder()
            .schema(schema.build())
            .settings(settings)
            .register_plugin(Arc::new(VectorPlugin::new(vector, dims)))
            .open_or_create(directory)
            .unwrap();
        Self { index, key, vector, dims }
    }

    fn in_ram(dims: usize) -> (Self, RamDirectory) {
        let directory = RamDirectory::create();
        (Self::new(directory.clone(), dims, IndexSettings::default()), directory)
    }

    fn writer(&self) -> IndexWriter {
        // So much memory that only a commit ends a segment.
        let writer = self.index.writer_with_num_threads(1, 500_000_000).unwrap();
        writer.set_merge_policy(Box::new(NoMergePolicy));
        writer
    }

    fn add(&self, writer: &IndexWriter, key: &str, vector: Option<&Quantized>) {
        let mut document = TantivyDocument::new();
        document.add_text(self.key, key);
        if let Some(vector) = vector {
            document.add_custom(self.vector, vector.as_bytes());
        }
        writer.add_document(document).unwrap();
    }

    fn merge(&self, writer: &mut IndexWriter) {
        let segments = self.index.searchable_segment_ids().unwrap();
        if !segments.is_empty() {
            writer.merge(&segments).wait().unwrap();
        }
    }

    fn vectors(&self) -> VectorReader {
        self.try_vectors().unwrap()
    }

    fn try_vectors(&self) -> tantivy::Result<VectorReader> {
        VectorReader::open(&self.index.reader()?.searcher(), self.dims)
    }

    /// One committed segment of these rows.
    fn with_rows(rows: &[Quantized]) -> (Self, RamDirectory) {
        let (shelf, directory) = Self::in_ram(rows[0].dims());
        let mut writer = shelf.writer();
        for (i, row) in rows.iter().enumerate() {
            shelf.add(&writer, &i.to_string(), Some(row));
        }
        writer.commit().unwrap();
        (shelf, directory)
    }

    fn key_of(&self, vectors: &VectorReader, address: DocAddress) -> String {
        let document: TantivyDocument = vectors.searcher().doc(address).unwrap();
        document.get_first(self.key).and_then(|key| key.as_str()).unwrap().to_owned()
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { 0.0 } else { dot(a, b) / lengths }
}

/// Asserts that the column holds the same vector for every key as `model`, and ranks all keys by their cosines.
fn assert_agrees(shelf: &Shelf, vectors: &VectorReader, model: &BTreeMap<String, Option<Quantized>>, query: &[f32]) {
    let expected: BTreeMap<&str, &Quantized> =
        model.iter().filter_map(|(key, row)| Some((key.as_str(), row.as_ref()?))).collect();
    assert_eq!(vectors.searcher().num_docs(), model.len() as u64);
    assert_eq!(vectors.n_vectors(), expected.len());

    let found = vectors.nearest(query, model.len() + 10);
    assert!(found.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)), "{found:?}");
    let by_key: BTreeMap<String, (DocAddress, f32)> =
        found.iter().map(|&(address, score)| (shelf.key_of(vectors, address), (address, score))).collect();
    assert_eq!(by_key.len(), found.len());
    assert!(by_key.keys().map(String::as_str).eq(expected.keys().copied()));
    for (key, (address, score)) in &by_key {
        let row = expected[key.as_str()];
        assert_eq!(vectors.payload(*address).as_ref(), Some(row));
        assert_eq!(vectors.cosine(query, *address), Some(*score));
        let exact = cosine(query, &row.to_f32());
        assert!((f64::from(*score) - exact).abs() < 1e-4, "{key}: {score} for {exact}");
    }
    for n in [0, 1, 3] {
        assert_eq!(vectors.nearest(query, n), found[..n.min(found.len())]);
    }
}

#[test]
fn random_operations_agree_with_a_map() {
    for seed in 1..=12 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ seed);
        let dims = [1, 8, 63, 64, 100][random.below(5)];
        let directory = RamDirectory::create();
        let mut shelf = Shelf::new(directory.clone(), dims, IndexSettings::default());
        let mut writer = shelf.writer();
        // `written` has all operations, `published` those that the last commit published.
        let mut written: BTreeMap<String, Option<Quantized>> = BTreeMap::new();
        let mut published = written.clone();
        let mut vectors = shelf.vectors();
        for _ in 0..80 {
            match random.below(20) {
                0..=9 => {
                    for _ in 0..=random.below(12) {
                        let key = random.below(60).to_string();
                        let row = match random.below(8) {
                            0 => None,
                            1 => Some(Quantized::from_f32(&vec![0.0; dims])),
                            _ => Some(Quantized::from_f32(&random.vector(dims))),
                        };
                        writer.delete_term(Term::from_field_text(shelf.key, &key));
                        shelf.add(&writer, &key, row.as_ref());
                        written.insert(key, row);
                    }
                }
                10..=12 => {
                    let key = random.below(60).to_string();
                    writer.delete_term(Term::from_field_text(shelf.key, &key));
                    written.remove(&key);
                }
                13..=15 => {
                    writer.commit().unwrap();
                    published = written.clone();
                }
                16 => {
                    writer.rollback().unwrap();
                    written = published.clone();
                }
                17..=18 => {
                    // Commits before merging: in Tantivy 0.27, a merge after a rollback may publish the first deletion
                    // since the rollback before it is committed.
                    writer.commit().unwrap();
                    published = written.clone();
                    shelf.merge(&mut writer);
                }
                _ => {
                    drop(writer);
                    shelf = Shelf::new(directory.clone(), dims, IndexSettings::default());
                    writer = shelf.writer();
                    written = published.clone();
                }
            }
            let searcher = shelf.index.reader().unwrap().searcher();
            vectors = vectors.reopen(&searcher).unwrap();
            assert_agrees(&shelf, &vectors, &published, &random.vector(dims));
        }
    }
}

#[test]
fn an_old_snapshot_stays_as_it_was() {
    let mut random = Random(5);
    let rows: Vec<Quantized> = (0..20).map(|_| Quantized::from_f32(&random.vector(16))).collect();
    let (shelf, _) = Shelf::with_rows(&rows);
    let before = shelf.vectors();
    let found = before.nearest(&rows[7].to_f32(), 5);

    let mut writer = shelf.writer();
    writer.delete_term(Term::from_field_text(shelf.key, "7"));
    writer.commit().unwrap();
    let after = shelf.vectors();
    assert_eq!(before.nearest(&rows[7].to_f32(), 5), found);
    assert_eq!(after.nearest(&rows[7].to_f32(), 4), found[1..]);
    assert_eq!(after.payload(found[0].0), None);
    assert_eq!(after.cosine(&rows[7].to_f32(), found[0].0), None);
}

#[test]
fn odd_queries_find_nothing() {
    let (shelf, _) = Shelf::with_rows(&[Quantized::from_f32(&[1.0, 2.0]), Quantized::from_f32(&[0.0, 0.0])]);
    let vectors = shelf.vectors();
    for query in [&[][..], &[1.0], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0], &[1.0, 2.0, 3.0]] {
        assert_eq!(vectors.nearest(query, 5), [], "{query:?}");
        assert_eq!(vectors.cosine(query, DocAddress::new(0, 0)), None);
    }
    for address in [DocAddress::new(0, 2), DocAddress::new(1, 0), DocAddress::new(u32::MAX, u32::MAX)] {
        assert_eq!(vectors.cosine(&[1.0, 2.0], address), None);
        assert_eq!(vectors.payload(address), None);
    }
    // Very small and very large queries still have a direction.
    for scale in [1e-38, 1.0, 1e38] {
        let found = vectors.nearest(&[scale, 2.0 * scale], usize::MAX);
        assert_eq!(found.len(), 2);
        assert!((found[0].1 - 1.0).abs() < 1e-4 && found[1].1 == 0.0, "{found:?}");
    }
}

#[test]
fn equal_rows_come_in_address_order() {
    let (shelf, _) = Shelf::with_rows(&vec![Quantized::from_f32(&[3.0, 1.0, 2.0]); 1000]);
    let found = shelf.vectors().nearest(&[1.0, 1.0, 1.0], 10);
    assert!(found.iter().map(|(address, _)| address.doc_id).eq(0..10), "{found:?}");
}

#[test]
fn threads_do_not_change_the_answer() {
    let mut random = Random(9);
    // Enough rows for several tasks.
    let rows: Vec<Quantized> = (0..40_000).map(|_| Quantized::from_f32(&random.vector(64))).collect();
    let (shelf, _) = Shelf::with_rows(&rows);
    let vectors = shelf.vectors();
    let query = random.vector(64);
    let found: Vec<_> = [1, 2, 5]
        .map(|n| {
            rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| vectors.nearest(&query, 50))
        })
        .into();
    assert!(found.iter().all(|list| *list == found[0]));

    for row in [0, 7, 32_767, 32_768, 39_999] {
        let (address, score) = vectors.nearest(&rows[row].to_f32(), 1)[0];
        assert_eq!(address.doc_id as usize, row);
        assert!((score - 1.0).abs() < 1e-4);
    }
}

#[test]
fn a_sample_that_misleads_costs_no_result() {
    let mut random = Random(19);
    // The first eight of every 256 rows lie near the query, and all others far from it. A sampled block holds eight of
    // them among its 32 rows, a quarter, where one in 32 of all rows lies near.
    let near = |i: usize| (i / 8).is_multiple_of(32);
    let rows: Vec<Quantized> = (0..40_000)
        .map(|i| {
            let mut row = random.vector(64);
            row[0] = if near(i) { 30.0 } else { -30.0 };
            Quantized::from_f32(&row)
        })
        .collect();
    let (shelf, _) = Shelf::with_rows(&rows);
    let mut query = random.vector(64);
    query[0] = 30.0;
    let found = shelf.vectors().nearest(&query, 2000);
    assert_eq!(found.len(), 2000);
    let n_near = (0..rows.len()).filter(|&i| near(i)).count();
    let (first, rest) = found.split_at(n_near);
    assert!(first.iter().all(|(address, _)| near(address.doc_id as usize)));
    assert!(rest.iter().all(|(address, _)| !near(address.doc_id as usize)));
}

/// Rows as embedding models make them: with a strong common direction, and scattered around clusters.
fn anisotropic(random: &mut Random, n: usize, dims: usize) -> Vec<Vec<f32>> {
    let mean: Vec<f32> = random.vector(dims).iter().map(|x| x * 2.0).collect();
    let clusters: Vec<Vec<f32>> = (0..40).map(|_| random.vector(dims)).collect();
    (0..n)
        .map(|_| {
            let cluster = &clusters[random.below(clusters.len())];
            let row = mean.iter().zip(cluster).map(|(mean, cluster)| mean + 0.6 * cluster + 0.5 * random.normal());
            row.collect()
        })
        .collect()
}

#[test]
fn recall_is_high_on_crowded_vectors() {
    let (dims, n_queries, n) = (128, 40, 100);
    let mut random = Random(11);
    let mut rows = anisotropic(&mut random, 6000 + n_queries, dims);
    let queries = rows.split_off(6000);
    let mean = (0..500).map(|i| cosine(&rows[i], &rows[i + 500])).sum::<f64>() / 500.0;
    assert!((0.75..0.95).contains(&mean), "not the data this test is about: mean cosine {mean}");

    let quantized: Vec<Quantized> = rows.iter().map(|row| Quantized::from_f32(row)).collect();
    let (shelf, _) = Shelf::with_rows(&quantized);
    let vectors = shelf.vectors();
    let mut hits = 0;
    for query in &queries {
        let mut exact: Vec<u32> = (0..rows.len() as u32).collect();
        let scores: Vec<f64> = rows.iter().map(|row| cosine(query, row)).collect();
        exact.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        let found = vectors.nearest(query, n);
        hits += found.iter().filter(|(address, _)| exact[..n].contains(&address.doc_id)).count();
    }
    let recall = hits as f64 / (n_queries * n) as f64;
    assert!(recall >= 0.98, "recall@100 {recall}");
}

#[test]
fn a_merge_writes_what_indexing_afresh_would_write() {
    let mut random = Random(13);
    let rows: Vec<Quantized> = (0..30).map(|_| Quantized::from_f32(&random.vector(70))).collect();
    let (merged, merged_files) = Shelf::in_ram(70);
    let mut writer = merged.writer();
    for (i, row) in rows.iter().enumerate() {
        merged.add(&writer, "passing", rows.get(i * 5));
        merged.add(&writer, &i.to_string(), Some(row));
    }
    writer.commit().unwrap();
    writer.delete_term(Term::from_field_text(merged.key, "passing"));
    writer.commit().unwrap();
    merged.merge(&mut writer);
    let (fresh, fresh_files) = Shelf::with_rows(&rows);
    assert_eq!(VectorFile::of(&merged, &merged_files).content, VectorFile::of(&fresh, &fresh_files).content);
}

#[test]
fn damaged_files_are_refused() {
    let mut random = Random(17);
    let rows: Vec<Quantized> = (0..21).map(|_| Quantized::from_f32(&random.vector(70))).collect();
    let query = random.vector(70);
    let (shelf, directory) = Shelf::with_rows(&rows);
    let expected = shelf.vectors().nearest(&query, 100);
    let file = VectorFile::of(&shelf, &directory);
    let codes = file.content.len() - 21 * 70;

    let refused = |bytes: &[u8]| {
        file.replace(bytes, &file.footer);
        matches!(shelf.try_vectors(), Err(TantivyError::DataCorruption(_)))
    };
    for at in 0..file.content.len() {
        let mut bytes = file.content.clone();
        bytes[at] ^= 1 << (at % 8);
        if at < codes {
            assert!(refused(&bytes), "byte {at} flipped");
        } else {
            // The codes are covered by Tantivy's own checksum, which is not computed on opening.
            assert!(!refused(&bytes));
            assert_eq!(shelf.vectors().nearest(&query, 100).len(), expected.len());
            assert!(shelf.index.validate_checksum().unwrap().contains(&file.path));
        }
    }
    for length in 0..file.content.len() {
        assert!(refused(&file.content[..length]), "cut to {length} bytes");
    }
    assert!(refused(&[&file.content[..], &[0]].concat()));
    for length in 0..file.footer.len() {
        file.replace(&file.content, &file.footer[..length]);
        assert!(shelf.try_vectors().is_err(), "footer cut to {length} bytes");
    }
    assert!(!refused(&file.content));
    assert_eq!(shelf.vectors().nearest(&query, 100), expected);
}

#[test]
fn another_width_is_refused() {
    let (shelf, _) = Shelf::with_rows(&[Quantized::from_f32(&[1.0, 2.0])]);
    let searcher = shelf.index.reader().unwrap().searcher();
    assert!(matches!(VectorReader::open(&searcher, 3), Err(TantivyError::DataCorruption(_))));

    let mut writer = shelf.writer();
    shelf.add(&writer, "wide", Some(&Quantized::from_f32(&[1.0, 2.0, 3.0])));
    assert!(writer.commit().is_err());
}

#[test]
fn sorted_indexes_are_refused() {
    let sort_by_field = Some(IndexSortByField { field: "number".to_owned(), order: Order::Asc });
    let settings = IndexSettings { sort_by_field, ..IndexSettings::default() };
    let shelf = Shelf::new(RamDirectory::create(), 2, settings);
    let mut writer = shelf.writer();
    // The worker may have failed before the document reaches it.
    let _ = writer.add_document(TantivyDocument::new());
    assert!(writer.commit().is_err());
}

/// The only vector file of a shelf. Tantivy ends every file with a footer of its own.
struct VectorFile<'a> {
    directory: &'a RamDirectory,
    path: PathBuf,
    content: Vec<u8>,
    footer: Vec<u8>,
}

impl<'a> VectorFile<'a> {
    fn of(shelf: &Shelf, directory: &'a RamDirectory) -> Self {
        let segments = shelf.index.searchable_segment_ids().unwrap();
        assert_eq!(segments.len(), 1);
        let path = PathBuf::from(format!("{}.vec", segments[0].uuid_string()));
        let content = shelf.index.directory().open_read(&path).unwrap().read_bytes().unwrap().to_vec();
        let raw = directory.open_read(&path).unwrap().read_bytes().unwrap();
        Self { directory, path, footer: raw[content.len()..].to_vec(), content }
    }

    fn replace(&self, content: &[u8], footer: &[u8]) {
        self.directory.delete(&self.path).unwrap();
        let mut file = self.directory.open_write(&self.path).unwrap();
        file.write_all(content).unwrap();
        file.write_all(footer).unwrap();
        file.terminate().unwrap();
    }
}
