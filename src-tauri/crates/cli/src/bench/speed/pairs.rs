//! The pairs that are reranked: read from a file, or made with a given length.

use std::path::Path;

use nuthatch_inference::CrossEncoder;
use serde::Deserialize;

use crate::failure::Failure;

pub(crate) const QUESTION: &str = "how do birds store food for the winter?";

/// Passages of any length are made by starting at different words of this text and repeating it. It is our own text.
const TEXT: &str = "The nuthatch wedges seeds and beetles into cracks in the bark and hammers them open with its bill, \
    which is where its name comes from. In autumn it carries more than it can eat: each seed goes into a place of its \
    own, behind loose bark or under moss, and is covered with lichen so that nobody else sees it. Weeks later the bird \
    finds most of them again, by remembering where trunks and branches stand to each other, not by searching. It is \
    the only bird of these woods that climbs down a tree head first, because it holds on with one foot above the other \
    instead of leaning on its tail. A pair keeps one territory the whole year round and plasters the entrance of its \
    hole with mud until only the two of them fit through. Great tits and treecreepers forage along with it in winter, \
    since many eyes see a hawk earlier than two. When beech mast fails, young birds leave and are seen far to the west, \
    sometimes in numbers that gardeners remember for years; most of them never come back. ";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pairs {
    #[serde(rename = "q")]
    pub(crate) question: String,
    #[serde(rename = "p")]
    pub(crate) passages: Vec<String>,
}

/// The content of a file of pairs: one question with its passages, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    One(Pairs),
    Many(Vec<Pairs>),
}

pub(crate) fn read(file: &Path) -> Result<Vec<Pairs>, Failure> {
    let failed = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let parsed: Result<File, _> = serde_json::from_str(&text);
    let pairs = match parsed {
        Ok(File::One(pairs)) => vec![pairs],
        Ok(File::Many(pairs)) => pairs,
        Err(_) => {
            return Err(failed(r#"expected {"q": "question", "p": ["passage", ...]}, or a list of those"#.into()));
        }
    };
    match pairs.iter().any(|pairs| !pairs.passages.is_empty()) {
        true => Ok(pairs),
        false => Err(failed("it holds no passage to rerank".into())),
    }
}

/// `n` passages of `words` words each, starting at different words of [`TEXT`].
pub(crate) fn passages(n: usize, words: usize) -> Vec<String> {
    let all: Vec<&str> = TEXT.split_whitespace().collect();
    (0..n)
        .map(|i| all.iter().copied().cycle().skip(i * 7 % all.len()).take(words).collect::<Vec<_>>().join(" "))
        .collect()
}

/// `n` pairs of `tokens` tokens each, or a few less; `None` if the model's window is smaller.
pub(crate) fn made(model: &CrossEncoder, n: usize, tokens: usize) -> Result<Option<Pairs>, Failure> {
    let length = |words: usize, i: usize| -> Result<usize, Failure> {
        Ok(model.tokens(QUESTION, &passages(i + 1, words)[i])?.ids.len())
    };
    if length(2 * tokens, 0)? < tokens {
        return Ok(None);
    }
    let mut cut = Vec::with_capacity(n);
    for i in 0..n {
        let (mut fits, mut over) = (0, 2 * tokens);
        while over - fits > 1 {
            let middle = fits.midpoint(over);
            if length(middle, i)? <= tokens && middle < 2 * tokens { fits = middle } else { over = middle }
        }
        cut.push(passages(i + 1, fits)[i].clone());
    }
    Ok(Some(Pairs { question: QUESTION.to_owned(), passages: cut }))
}
