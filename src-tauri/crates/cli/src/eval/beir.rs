//! Reads a test collection in BEIR layout (Thakur et al. 2021): `corpus.jsonl` with `_id`, `title` and `text`,
//! `queries.jsonl` with `_id` and `text` (either may be gzipped, with `.gz` added to its name), and `qrels.tsv` or
//! `qrels/test.tsv` with a header line and the columns query, document, grade.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use nuthatch_engine::eval::EvalDoc;
use serde::Deserialize;

use crate::eval::metrics::Judgements;
use crate::eval::test_set::{Question, TestSet, hash};

#[derive(Debug, thiserror::Error)]
pub(crate) enum BeirError {
    #[error("{} has no {wanted}: give a folder in BEIR layout", dir.display())]
    Missing { dir: PathBuf, wanted: &'static str },
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}, line {line}: {message}", path.display())]
    BadLine { path: PathBuf, line: usize, message: String },
    #[error("{} has two documents with the _id {id}: passages of one document stand on neighbouring lines", path.display())]
    Twice { path: PathBuf, id: String },
    #[error("{} judges none of the questions in {}", qrels.display(), queries.display())]
    NothingJudged { qrels: PathBuf, queries: PathBuf },
    #[error("{} holds no question: give one a line, as {{\"_id\": \"1\", \"text\": \"...\"}}", path.display())]
    NoQuestion { path: PathBuf },
}

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    /// The headings above a passage, outermost first; not part of BEIR.
    #[serde(default)]
    headings: Vec<String>,
    #[serde(default)]
    text: String,
}

impl TestSet {
    pub(crate) fn read(dir: &Path) -> Result<Self, BeirError> {
        let corpus = find(dir, "corpus.jsonl", &["corpus.jsonl", "corpus.jsonl.gz"])?;
        let queries = find(dir, "queries.jsonl", &["queries.jsonl", "queries.jsonl.gz"])?;
        let qrels = find(dir, "qrels.tsv or qrels/test.tsv", &["qrels.tsv", "qrels/test.tsv"])?;

        let mut judged = read_qrels(&qrels)?;
        let mut questions = Vec::new();
        for question in json_lines::<Question>(&queries)? {
            let question = question?;
            if let Some(judgements) = judged.remove(&question.id) {
                questions.push((question, judgements));
            }
        }
        if questions.is_empty() {
            return Err(BeirError::NothingJudged { qrels, queries });
        }

        let asked: HashMap<&str, &str> =
            questions.iter().map(|(question, _)| (question.id.as_str(), question.text.trim())).collect();
        let (mut documents, mut seen, mut own_document) = (Vec::new(), HashSet::new(), HashSet::new());
        for document in json_lines::<Document>(&corpus)? {
            let Document { id, title, headings, text } = document?;
            // Neighbouring lines of one `_id` are passages of one document.
            let goes_on = documents.last().is_some_and(|before: &EvalDoc| before.id == id);
            if !goes_on && !seen.insert(id.clone()) {
                return Err(BeirError::Twice { path: corpus, id });
            }
            if asked.get(id.as_str()).is_some_and(|question| *question == text.trim()) {
                own_document.insert(id.clone());
            }
            documents.push(EvalDoc { id, title, headings, text });
        }
        let corpus_hash = hash(&documents);
        Ok(Self { name: dir.display().to_string(), documents, corpus_hash, questions, own_document, ..Self::default() })
    }
}

/// Questions of a file like `queries.jsonl`, with no judgements.
pub(crate) fn read_questions(path: &Path) -> Result<Vec<Question>, BeirError> {
    let questions: Vec<Question> = json_lines(path)?.collect::<Result<_, _>>()?;
    if questions.is_empty() {
        return Err(BeirError::NoQuestion { path: path.to_owned() });
    }
    Ok(questions)
}

/// Grades by question, of the questions that have a relevant document.
fn read_qrels(path: &Path) -> Result<HashMap<String, Judgements>, BeirError> {
    let mut judged: HashMap<String, Judgements> = HashMap::new();
    // The first line is the header.
    for (number, line) in lines(path)?.skip(1) {
        let line = line.map_err(|source| BeirError::Io { path: path.to_owned(), source })?;
        if line.trim().is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.trim_end().split('\t').collect();
        let bad =
            |message: &str| BeirError::BadLine { path: path.to_owned(), line: number, message: message.to_owned() };
        let [query, document, grade] = columns[..] else {
            return Err(bad("not the three columns query, document, grade with tabs between them"));
        };
        let grade: f64 = grade.trim().parse().map_err(|_| bad("the grade is not a number"))?;
        judged.entry(query.to_owned()).or_default().insert(document.to_owned(), grade);
    }
    judged.retain(|_, judgements| judgements.values().any(|grade| *grade > 0.0));
    Ok(judged)
}

fn find(dir: &Path, wanted: &'static str, names: &[&str]) -> Result<PathBuf, BeirError> {
    let found = names.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| BeirError::Missing { dir: dir.to_owned(), wanted })
}

/// Lines with their number, from 1; decompressed if the name ends in `.gz`.
fn lines(path: &Path) -> Result<impl Iterator<Item = (usize, std::io::Result<String>)> + use<>, BeirError> {
    let file = File::open(path).map_err(|source| BeirError::Io { path: path.to_owned(), source })?;
    let reader: Box<dyn BufRead> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    Ok((1..).zip(reader.lines()))
}

fn json_lines<T: for<'de> Deserialize<'de>>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<T, BeirError>> + use<T>, BeirError> {
    let path = path.to_owned();
    Ok(lines(&path)?.filter_map(move |(number, line)| match line {
        Err(source) => Some(Err(BeirError::Io { path: path.clone(), source })),
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(serde_json::from_str(&line).map_err(|error| BeirError::BadLine {
            path: path.clone(),
            line: number,
            message: error.to_string(),
        })),
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const CORPUS: &str =
        "{\"_id\": \"d1\", \"title\": \"T\", \"text\": \"one\"}\n\n{\"_id\": \"q2\", \"text\": \"Who argues?\"}\n";
    const QUERIES: &str = "{\"_id\": \"q1\", \"text\": \"what\"}\n{\"_id\": \"q2\", \"text\": \"Who argues?\"}\n{\"_id\": \"q3\", \"text\": \"no answer\"}\n";
    const QRELS: &str = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td9\t0\nq2\td1\t1\nq3\td1\t0\n";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    fn gz(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn reads_a_collection_plain_and_gzipped_alike() {
        let plain = folder(&[
            ("corpus.jsonl", CORPUS.as_bytes()),
            ("queries.jsonl", QUERIES.as_bytes()),
            ("qrels.tsv", QRELS.as_bytes()),
        ]);
        let packed = folder(&[
            ("corpus.jsonl.gz", &gz(CORPUS)),
            ("queries.jsonl.gz", &gz(QUERIES)),
            ("qrels/test.tsv", QRELS.as_bytes()),
        ]);
        let sets = [plain, packed].map(|dir| TestSet::read(dir.path()).unwrap());
        for set in &sets {
            assert_eq!(set.documents.len(), 2);
            let ids: Vec<_> = set.questions.iter().map(|(question, _)| question.id.as_str()).collect();
            assert_eq!(ids, ["q1", "q2"], "q3 has no relevant document");
            assert_eq!(set.questions[0].1, HashMap::from([("d1".to_owned(), 2.0), ("d9".to_owned(), 0.0)]));
            let (q2, _) = &set.questions[1];
            assert!(set.is_itself(q2, "q2") && !set.is_itself(q2, "d1"));
        }
        assert_eq!(sets[0].corpus_hash, sets[1].corpus_hash);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let with = |corpus: &str, qrels: &str| {
            let files = [("corpus.jsonl", corpus), ("queries.jsonl", QUERIES), ("qrels.tsv", qrels)];
            let dir = folder(&files.map(|(name, text)| (name, text.as_bytes())));
            TestSet::read(dir.path()).unwrap_err().to_string()
        };
        assert!(with("{\"_id\": \"d1\"}\n{oops", QRELS).contains("corpus.jsonl, line 2: "));
        let apart = "{\"_id\": \"d1\"}\n{\"_id\": \"d2\"}\n{\"_id\": \"d1\"}";
        assert!(with(apart, QRELS).contains("two documents with the _id d1"));
        assert!(with(CORPUS, "h\nq1 d1 1\n").contains("qrels.tsv, line 2: not the three columns"));
        assert!(with(CORPUS, "h\nq1\td1\tyes\n").contains("the grade is not a number"));
        assert!(with(CORPUS, "h\nother\td1\t1\n").contains("judges none of the questions"));
        let empty = folder(&[]);
        assert!(TestSet::read(empty.path()).unwrap_err().to_string().contains("has no corpus.jsonl"));
    }

    #[test]
    fn neighbouring_lines_of_one_id_are_passages_of_one_document() {
        let corpus = concat!(
            "{\"_id\": \"d1\", \"title\": \"T\", \"headings\": [\"A\", \"B\"], \"text\": \"one\"}\n",
            "{\"_id\": \"d1\", \"title\": \"T\", \"text\": \"two\"}\n",
            "{\"_id\": \"d2\", \"text\": \"three\"}\n",
        );
        let dir = folder(&[
            ("corpus.jsonl", corpus.as_bytes()),
            ("queries.jsonl", QUERIES.as_bytes()),
            ("qrels.tsv", QRELS.as_bytes()),
        ]);
        let set = TestSet::read(dir.path()).expect("a set");
        let ids: Vec<&str> = set.documents.iter().map(|doc| doc.id.as_str()).collect();
        assert_eq!(ids, ["d1", "d1", "d2"]);
        assert_eq!(set.documents[0].headings, ["A", "B"]);
    }
}
