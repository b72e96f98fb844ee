//! What our Tantivy documents hold. A document is a passage, and that of a file's first passage carries the file's
//! catalog row as well. A file without passages (skipped, failed) has a document with its row alone.

use tantivy::IndexSettings;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::store::{Compressor, ZstdCompressor};

use super::vectors;
use crate::text;

#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Absolute path (UTF-8), one term: the key that a file's documents are deleted by.
    pub path: Field,
    /// File name without its extension, as words.
    pub name: Field,
    /// Names of the folders above, as words.
    pub folder: Field,
    pub title: Field,
    /// The headings above the passage, one value each, outermost first.
    pub headings: Field,
    /// Tags and aliases, one value each.
    pub tags: Field,
    /// The passage as it is shown: stored, not indexed.
    pub body: Field,
    /// The targets of the passage's links and the names of its pictures, which are not in its text.
    pub unseen: Field,
    /// Title, headings, tags and body as one text, for which BM25 is computed. The fields above only add to that score.
    pub text: Field,
    /// The same text and `unseen`, by characters, for Chinese, Japanese and Korean.
    pub cjk: Field,
    /// Vector column, see [`vectors`].
    pub vector: Field,
    pub ordinal: Field,
    pub span_start: Field,
    pub span_end: Field,
    /// Where in the file the passage begins, see `passage`.
    pub place: Field,
    /// Hash of the text that the embedder reads, so that no text is embedded twice.
    pub text_hash: Field,
    /// The key by which passages of equal score are ordered, see `passage`. In a column, because it is
    /// read for hundreds of passages at once.
    pub order: Field,
    /// The names of the file, see [`super::passage::called`]. Only on the document that carries its row.
    pub called: Field,
    /// Equal where two passages say the same under the same headings, see [`crate::copies`]; in a column as well.
    pub twin: Field,
    /// Set on the document that carries the file's row, see `passage`.
    pub row: Field,
    /// The row itself, see `passage`. In a column, because an indexing run reads all rows and nothing else.
    pub row_data: Field,
}

/// The schema of a generation whose vectors have `dimensions` numbers.
pub fn schema(dimensions: usize) -> (Schema, Fields) {
    let words = |record| {
        TextOptions::default()
            .set_indexing_options(TextFieldIndexing::default().set_tokenizer(text::WORDS).set_index_option(record))
    };
    let cjk = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default().set_tokenizer(text::CJK).set_index_option(IndexRecordOption::WithFreqs),
    );
    let mut s = Schema::builder();
    let fields = Fields {
        path: s.add_text_field("path", STRING | STORED),
        name: s.add_text_field("name", words(IndexRecordOption::WithFreqs)),
        folder: s.add_text_field("folder", words(IndexRecordOption::WithFreqs)),
        title: s.add_text_field("title", words(IndexRecordOption::WithFreqs).set_stored()),
        headings: s.add_text_field("headings", words(IndexRecordOption::WithFreqs).set_stored()),
        tags: s.add_text_field("tags", words(IndexRecordOption::WithFreqs)),
        body: s.add_text_field("body", STORED),
        unseen: s.add_text_field("unseen", words(IndexRecordOption::WithFreqs)),
        text: s.add_text_field("text", words(IndexRecordOption::WithFreqsAndPositions)),
        cjk: s.add_text_field("cjk", cjk),
        vector: vectors::add_vector_field(&mut s, "vector", dimensions),
        ordinal: s.add_u64_field("ordinal", STORED),
        span_start: s.add_u64_field("span_start", STORED),
        span_end: s.add_u64_field("span_end", STORED),
        place: s.add_text_field("place", STORED),
        text_hash: s.add_u64_field("text_hash", INDEXED),
        order: s.add_u64_field("order", FAST),
        called: s.add_text_field("called", STRING),
        twin: s.add_u64_field("twin", FAST | INDEXED),
        row: s.add_u64_field("row", INDEXED | STORED),
        row_data: s.add_bytes_field("row_data", FAST | STORED),
    };
    (s.build(), fields)
}

/// Compression level of zstd. Compared with its default (3), it saves 51 bytes a passage. Writing a passage takes a
/// tenth of a millisecond longer, which is little beside embedding it; reading is as fast.
const STORE_LEVEL: i32 = 16;

/// How a generation keeps its stored fields. Only a handful of passages are read at a time, for the hits of one search.
/// So larger blocks than Tantivy's 16 KB, in a denser compression than its own, are worth while: they save about 150
/// bytes a passage and cost a hit some 50 µs.
pub fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Zstd(ZstdCompressor { compression_level: Some(STORE_LEVEL) }),
        docstore_blocksize: 32 << 10,
        ..IndexSettings::default()
    }
}
