//! Several hundred questions of every kind that people ask.

use std::path::PathBuf;

use serde::Serialize;

use crate::bench::growth::made::is_dense;
use crate::bench::growth::source::Source;
use crate::eval::beir::read_questions;
use crate::failure::Failure;

/// Number of questions of each kind, and from each file.
const EACH: usize = 60;

/// Questions of very frequent words, whose lists of passages are the longest of all.
const FREQUENT: [&str; 12] = [
    "to be or not to be",
    "what is this and how do I use it",
    "how to make it work",
    "new file",
    "how do you set up the system for all users at the same time",
    "data",
    "where is the best place to go",
    "问题",
    "怎么用",
    "我们可以使用什么方法",
    "系统 文件 用户",
    "this is the one that we want",
];

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Question {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// Questions from `files` (in the format of `queries.jsonl`), and questions made from the notes: headings, stretches of
/// 1 to 20 words, quoted phrases of two words, and one, two, and 4 to 30 Chinese characters. The same every time.
pub(crate) fn questions(files: &[PathBuf], source: &Source) -> Result<Vec<Question>, Failure> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut questions = Vec::new();
    for file in files {
        let mut read = read_questions(file).map_err(|error| Failure::failed("test_set", error.to_string()))?;
        random.shuffle(&mut read);
        questions.extend(read.into_iter().take(EACH).map(|question| ("asked", question.text)));
    }
    let mut pick = |kind: &'static str, of: &mut dyn FnMut(&mut fastrand::Rng) -> Option<String>| {
        // Attempts are limited, so that a kind that the notes have nothing of (Chinese, say) is left out.
        let found = (0..EACH * 20).filter_map(|_| of(&mut random)).take(EACH);
        questions.extend(found.map(|text| (kind, text)));
    };
    pick("heading", &mut |random| random.choice(&source.headings).cloned());
    let passage = |random: &mut fastrand::Rng| random.choice(&source.passages).map(|passage| &passage.chunk.text);
    pick("words", &mut |random| {
        let words: Vec<&str> = passage(random).filter(|text| !is_dense(text))?.split_whitespace().collect();
        let n = random.usize(1..=20).min(words.len());
        let first = random.usize(..=words.len() - n);
        Some(words[first..first + n].join(" "))
    });
    pick("phrase", &mut |random| {
        let words: Vec<&str> = passage(random).filter(|text| !is_dense(text))?.split_whitespace().collect();
        let first = random.usize(..words.len().checked_sub(2)?.max(1));
        let (a, b) = (words.get(first)?, words.get(first + 1)?);
        let is_word = |word: &str| word.chars().all(char::is_alphabetic);
        (is_word(a) && is_word(b)).then(|| format!("\"{a} {b}\""))
    });
    for (kind, lengths) in [("chinese", 4..=30), ("two characters", 2..=2), ("one character", 1..=1)] {
        pick(kind, &mut |random| {
            let text = passage(random).filter(|text| is_dense(text))?;
            let runs: Vec<&str> =
                text.split(|c: char| !is_dense(&c.to_string())).filter(|run| !run.is_empty()).collect();
            let run: Vec<char> = random.choice(runs)?.chars().collect();
            let n = random.usize(lengths.clone());
            let first = random.usize(..=run.len().checked_sub(n)?);
            Some(run[first..first + n].iter().collect())
        });
    }
    questions.extend(FREQUENT.map(|text| ("frequent words", text.to_owned())));
    Ok(questions
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(kind, text)| Question { kind, text })
        .collect())
}
