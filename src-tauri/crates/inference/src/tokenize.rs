//! Text to token ids, cut to the model's window.

use std::path::Path;

use tokenizers::{Encoding, Token, TruncationDirection};

use crate::{LoadError, capitals, files, part};

pub const FILE: &str = "tokenizer.json";

/// Files that tokenizers were published as before `tokenizer.json`.
const OLDER: [&str; 4] = ["vocab.txt", "sentencepiece.bpe.model", "spm.model", "vocab.json"];

/// Bytes of text that are tokenized for each token of the window; text beyond them is ignored. Tokens average 3 to 5
/// bytes, and an hour-long transcript should not be tokenized whole for its first 512 tokens.
const BYTES_A_TOKEN: usize = 64;

/// One in this many tokens of the window is kept for the passage, however long the question.
const PASSAGE_SHARE: usize = 4;

/// A text, or a pair of texts, as the model reads it; special tokens included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub ids: Vec<u32>,
    /// For each token 0 or 1: which text of a pair it belongs to, if the model distinguishes them.
    pub types: Vec<u32>,
}

pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    window: usize,
    lowers_capitals: bool,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder`, for a model with `vocab_size` embedding rows and `window` positions.
    /// Truncation and padding settings in the file are ignored, because they are its exporter's choice. With
    /// `lowers_capitals`, text in capitals is read as in small letters (see [`capitals`]).
    pub fn load(folder: &Path, vocab_size: usize, window: usize, lowers_capitals: bool) -> Result<Self, LoadError> {
        let file = folder.join(FILE);
        if !file.is_file()
            && let Some(found) = OLDER.iter().map(|name| folder.join(name)).find(|file| file.is_file())
        {
            return Err(LoadError::OldTokenizer { file, found });
        }
        let bytes = files::read(&file)?;
        let invalid = |e: tokenizers::Error| LoadError::Tokenizer { file: file.clone(), message: e.to_string() };
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(invalid)?;
        inner.with_truncation(None).map_err(invalid)?;
        inner.with_padding(None);
        let highest_id = inner.get_vocab(true).into_values().max().unwrap_or(0);
        if highest_id as usize >= vocab_size {
            return Err(LoadError::TokenizerDoesNotFit { file, highest_id, rows: vocab_size });
        }
        Ok(Self { inner, window, lowers_capitals })
    }

    /// Tokenizes one text. Its end is cut off to fit the window, and to leave `most` tokens besides the special ones if
    /// that is given.
    pub fn text(&self, text: &str, most: Option<usize>) -> Result<Tokens, tokenizers::Error> {
        let (mut encoding, room) = (self.bare(text)?, self.room(false));
        truncate(&mut encoding, most.map_or(room, |most| most.min(room)));
        Ok(Tokens::from(self.inner.post_process(encoding, None, true)?))
    }

    /// Tokenizes a question once, to be paired with many passages. If `most` is given, it is cut to `most` tokens.
    pub fn question(&self, question: &str, most: Option<usize>) -> Result<Question, tokenizers::Error> {
        let mut encoding = self.bare(question.trim())?;
        truncate(&mut encoding, most.unwrap_or(self.window));
        Ok(Question(encoding))
    }

    /// Joins question and passage, without white space at their ends: sentencepiece drops it, but some models'
    /// `tokenizer.json` would make it a token of its own. If the passage does not fit beside the question, only the
    /// part that has most to do with the question is read (see [`part::choose`]). The question is cut only if it would
    /// leave the passage less than a quarter of the window, and no further than necessary.
    pub fn pair(&self, question: &Question, passage: &str) -> Result<Tokens, tokenizers::Error> {
        let mut question = question.0.clone();
        let mut passage = self.bare(passage.trim())?;
        let room = self.room(true);
        truncate(&mut question, room - passage.len().min(room / PASSAGE_SHARE));
        let room = room - question.len();
        if passage.len() > room {
            let part = part::choose(question.get_ids(), passage.get_ids(), room);
            let kept = passage.get_ids()[part.opening].iter().chain(&passage.get_ids()[part.stretch]);
            let kept = kept.map(|id| Token::new(*id, String::new(), (0, 0))).collect();
            passage = Encoding::from_tokens(kept, 0);
        }
        Ok(Tokens::from(self.inner.post_process(question, Some(passage), true)?))
    }

    fn bare(&self, text: &str) -> Result<Encoding, tokenizers::Error> {
        let end = text.floor_char_boundary(self.window * BYTES_A_TOKEN);
        let text = &text[..end];
        match self.lowers_capitals {
            true => self.inner.encode_fast(capitals::lowered(text), false),
            false => self.inner.encode_fast(text, false),
        }
    }

    /// Tokens left for text besides the special ones.
    fn room(&self, pair: bool) -> usize {
        use tokenizers::PostProcessor;
        let special = self.inner.get_post_processor().map_or(0, |p| p.added_tokens(pair));
        self.window.saturating_sub(special)
    }
}

/// See [`Tokenizer::question`].
pub struct Question(Encoding);

fn truncate(encoding: &mut Encoding, room: usize) {
    encoding.truncate(room, 0, TruncationDirection::Right);
    // The encoding keeps the tokens that were cut off. They would be copied with the question and processed again for
    // every passage.
    drop(encoding.take_overflowing());
}

impl From<Encoding> for Tokens {
    fn from(encoding: Encoding) -> Self {
        Self { ids: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec() }
    }
}
