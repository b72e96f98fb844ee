//! Tokenization: how notes and questions become index terms, both in the same way.

mod batch;
mod clean;
mod dictionary;
mod exact;
mod exclude;
mod fold;
mod name;
mod numbers;
mod pairs;
mod parts;
mod query;
mod radicals;
pub(crate) mod script;
mod signs;
mod stop;
#[cfg(test)]
mod tests;
mod typed;
mod words;

use tantivy::tokenizer::{Tokenizer, TokenizerManager};

pub(crate) use batch::Term;
pub use clean::{Clean, clean};
pub use exact::Exact;
pub(crate) use exact::plain;
pub(crate) use name::name_key;
pub use query::{QueryTerms, query_terms};
pub use stop::is_stop_word;
pub use typed::Typed;
pub(crate) use words::stem;

/// Tokenizer of every text field: folded, stemmed words; identifiers whole and in parts; Chinese by dictionary.
pub const WORDS: &str = "nuthatch";

/// Tokenizer of the helper field: every Chinese, Japanese and Korean character and every pair of neighbours, so that
/// one- and two-character questions match however the dictionary segmented the text.
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
        batch::Terms::of(text, words::Words::new)
    }
}

impl Tokenizer for CjkTokenizer {
    type TokenStream<'a> = batch::Terms<pairs::Pairs<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        batch::Terms::of(text, pairs::Pairs::new)
    }
}

/// Registers [`WORDS`] and [`CJK`] with an index: `text::register(index.tokenizers())`.
pub fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(WORDS, NuthatchTokenizer);
    tokenizers.register(CJK, CjkTokenizer);
}

/// Loads the Chinese dictionary (tens of milliseconds), so that the first question does not have to wait for it.
pub fn warm_up() {
    dictionary::warm_up();
    fold::warm_up();
}

/// In a run of Chinese, the end of the dictionary word that begins before `at` and ends after it; `at` if there is
/// none. Both count characters.
pub(crate) fn word_end(run: &str, at: usize) -> usize {
    let folded: String = run.chars().map(fold::fold_cjk).collect();
    let over = dictionary::cut(&folded).into_iter().filter(|word| word.start < at && at < word.end);
    over.map(|word| word.end).max().unwrap_or(at)
}

/// Calls `sink` with every term [`WORDS`] makes of a text, in order of position.
pub(crate) fn each_word(text: &str, mut sink: impl FnMut(Term<'_>)) {
    let mut terms = batch::Terms::of(text, words::Words::new);
    while let Some(term) = terms.next_term() {
        sink(term);
    }
}

/// Calls `sink` with every term [`CJK`] makes of a text, in order of position.
pub(crate) fn each_pair(text: &str, mut sink: impl FnMut(Term<'_>)) {
    let mut terms = batch::Terms::of(text, pairs::Pairs::new);
    while let Some(term) = terms.next_term() {
        sink(term);
    }
}
