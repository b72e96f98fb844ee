//! Words: how text and questions become index terms, the same way on both sides.

mod batch;
mod dictionary;
mod fold;
mod name;
mod pairs;
mod query;
pub(crate) mod script;
mod stop;
#[cfg(test)]
mod tests;
mod words;

use tantivy::tokenizer::{Tokenizer, TokenizerManager};

pub(crate) use batch::Term;
pub(crate) use name::name_key;
pub use query::{QueryTerms, query_terms};
pub use stop::is_stop_word;

/// Tokenizer of every text field: folded, stemmed words; identifiers whole and in parts; Chinese by dictionary.
pub const WORDS: &str = "nuthatch";

/// Tokenizer of the helper field: every Chinese, Japanese and Korean character and every pair of neighbours, so that
/// one- and two-character questions hit whatever the dictionary made of the text.
pub const CJK: &str = "nuthatch_cjk";

/// The tokenizer behind [`WORDS`].
#[derive(Clone, Debug)]
pub struct NuthatchTokenizer;

/// The tokenizer behind [`CJK`].
#[derive(Clone, Debug)]
pub struct CjkTokenizer;

impl Tokenizer for NuthatchTokenizer {
    type TokenStream<'a> = batch::Terms<words::Words<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        batch::Terms::new(words::Words::new(text))
    }
}

impl Tokenizer for CjkTokenizer {
    type TokenStream<'a> = batch::Terms<pairs::Pairs<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        batch::Terms::new(pairs::Pairs::new(text))
    }
}

/// Registers [`WORDS`] and [`CJK`] with an index: `text::register(index.tokenizers())`.
pub fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(WORDS, NuthatchTokenizer);
    tokenizers.register(CJK, CjkTokenizer);
}

/// Loads the Chinese dictionary (tens of milliseconds), so that the first question need not.
pub fn warm_up() {
    dictionary::warm_up();
    fold::warm_up();
}

/// Calls `sink` with every term [`WORDS`] makes of a text, in order of position.
pub(crate) fn each_word(text: &str, mut sink: impl FnMut(Term<'_>)) {
    let mut terms = batch::Terms::new(words::Words::new(text));
    while let Some(term) = terms.next_term() {
        sink(term);
    }
}

/// Calls `sink` with every term [`CJK`] makes of a text, in order of position.
pub(crate) fn each_pair(text: &str, mut sink: impl FnMut(Term<'_>)) {
    let mut terms = batch::Terms::new(pairs::Pairs::new(text));
    while let Some(term) = terms.next_term() {
        sink(term);
    }
}
