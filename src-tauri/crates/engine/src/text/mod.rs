//! Words: how text and questions become index terms, the same way on both sides.

pub(crate) mod script;

use tantivy::tokenizer::TokenizerManager;

/// Tokenizer of every text field: folded, stemmed words; identifiers whole and in parts; Chinese by dictionary.
pub const WORDS: &str = "nuthatch";

/// Tokenizer of the helper field: every Chinese, Japanese and Korean character and every pair of neighbours, so that
/// one- and two-character questions hit whatever the dictionary made of the text.
pub const CJK: &str = "nuthatch_cjk";

/// Registers [`WORDS`] and [`CJK`] with an index: `text::register(index.tokenizers())`.
pub fn register(_tokenizers: &TokenizerManager) {
    todo!()
}

/// Loads the Chinese dictionary (tens of milliseconds), so that the first question need not.
pub fn warm_up() {
    todo!()
}

/// Whether a term (as the index holds it) says nothing about a topic, in English or Chinese. Asked of questions only:
/// the index keeps every word, so that phrases are found.
pub fn is_stop_word(_term: &str) -> bool {
    todo!()
}

/// The distinct index terms of a question, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryTerms {
    /// For fields read by [`WORDS`]. Without stop words, unless there is nothing else.
    pub words: Vec<String>,
    /// For the field read by [`CJK`]: pairs of characters, and single ones that stand alone.
    pub cjk: Vec<String>,
    /// What stands in "quotes", word by word, as (position, term) for a phrase query over [`WORDS`] fields.
    pub phrases: Vec<Vec<(usize, String)>>,
}

pub fn query_terms(_query: &str) -> QueryTerms {
    todo!()
}
