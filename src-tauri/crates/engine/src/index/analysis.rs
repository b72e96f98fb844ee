//! Keeps a text that cannot be analysed from ending the writer. Tantivy splits texts into words on its writing threads.
//! A panic there loses every document since the last commit, and does not say which document caused it.
//!
//! So the analysis of such a text ends early instead, and after its commit the writer says that there was such a text.
//! The file is then found by analysing the files of that commit once more, one by one: see [`unanalysable`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tantivy::Index;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::passage::{Passage, indexed_texts};
use crate::guard::caught;
use crate::text::{self, CjkTokenizer, NuthatchTokenizer};

/// Raised once a text could not be analysed.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoilt(Arc<AtomicBool>);

impl Spoilt {
    /// Whether it was raised since the last call.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn raise(&self, message: &str) {
        tracing::warn!("a text could not be analysed ({message})");
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Replaces the tokenizers of `index` by ones whose panics cannot end the writer. They raise the returned flag instead.
pub(super) fn guard(index: &Index) -> Spoilt {
    let spoilt = Spoilt::default();
    let tokenizers = index.tokenizers();
    tokenizers.register(text::WORDS, Guarded { inner: NuthatchTokenizer, spoilt: spoilt.clone() });
    tokenizers.register(text::CJK, Guarded { inner: CjkTokenizer, spoilt: spoilt.clone() });
    spoilt
}

/// Why the text of `passages` cannot be analysed; `None` where it can.
pub(crate) fn unanalysable(passages: &[Passage]) -> Option<String> {
    let all = || passages.iter().for_each(|passage| indexed_texts(passage, analyse));
    caught(all).err()
}

fn analyse(text: &str) {
    let count = |stream: &mut dyn TokenStream| while stream.advance() {};
    count(&mut NuthatchTokenizer.token_stream(text));
    count(&mut CjkTokenizer.token_stream(text));
    #[cfg(test)]
    crate::guard::Trap::Words.pass(text.as_bytes());
}

#[derive(Clone)]
struct Guarded<T> {
    inner: T,
    spoilt: Spoilt,
}

impl<T: Tokenizer> Tokenizer for Guarded<T> {
    type TokenStream<'a> = GuardedStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        let (inner, spoilt) = (&mut self.inner, self.spoilt.clone());
        let begun = caught(|| {
            #[cfg(test)]
            crate::guard::Trap::Words.pass(text.as_bytes());
            inner.token_stream(text)
        });
        let stream = begun.map_err(|message| spoilt.raise(&message)).ok();
        GuardedStream { stream, none: Token::default(), spoilt }
    }
}

struct GuardedStream<S> {
    /// `None` after a panic: a stream that panicked is not used again.
    stream: Option<S>,
    none: Token,
    spoilt: Spoilt,
}

impl<S: TokenStream> TokenStream for GuardedStream<S> {
    fn advance(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        match caught(|| stream.advance()) {
            Ok(found) => found,
            Err(message) => {
                self.stream = None;
                self.spoilt.raise(&message);
                false
            }
        }
    }

    fn token(&self) -> &Token {
        self.stream.as_ref().map_or(&self.none, TokenStream::token)
    }

    fn token_mut(&mut self) -> &mut Token {
        self.stream.as_mut().map_or(&mut self.none, TokenStream::token_mut)
    }
}
