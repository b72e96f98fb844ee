//! Writes the numbers that each candidate's score was made of, as JSON lines, for the study of blends.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use nuthatch_engine::eval::RankedDoc;
use serde::Serialize;

use crate::failure::Failure;

pub(crate) struct Evidence {
    path: PathBuf,
    out: BufWriter<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    query: &'a str,
    doc: &'a str,
    relevance: f64,
    cross: Option<f32>,
    cosine: Option<f32>,
    bm25: f32,
    words: f32,
    recall_rank: usize,
    first_score: f32,
}

impl Evidence {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let out = File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(out) })
    }

    /// `relevance` gives a document's judged grade, 0 where nobody judged it.
    pub(crate) fn add(
        &mut self,
        query: &str,
        docs: &[RankedDoc],
        relevance: impl Fn(&str) -> f64,
    ) -> Result<(), Failure> {
        for doc in docs {
            let line = Line {
                query,
                doc: &doc.id,
                relevance: relevance(&doc.id),
                cross: doc.cross,
                cosine: doc.cosine,
                bm25: doc.bm25,
                words: doc.words,
                recall_rank: doc.recall_rank,
                first_score: doc.first_score,
            };
            let written = serde_json::to_writer(&mut self.out, &line).map_err(std::io::Error::from);
            written.and_then(|()| self.out.write_all(b"\n")).map_err(|error| cannot_write(&self.path, &error))?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed("evidence", format!("{} cannot be written: {error}", path.display()))
}
