//! The formats that are read in a process of their own: files made by other programs, broken files and hostile files.

mod broken;
mod fixtures;
mod found;
mod fuzz;
mod made;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nuthatch_engine::Cancel;
use nuthatch_engine::extract::worker::{Urgency, WorkerLimits, Workers};
use nuthatch_engine::extract::{Document, ExtractError};

use crate::support::{root, worker};

/// Files made by independent programs, with their content, in the order of their names.
static FIXTURES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let folder = root().join("tests/fixtures/formats");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_fixture = |path: &PathBuf| {
        nuthatch_engine::extract::format_of(path).is_some_and(nuthatch_engine::extract::Format::is_risky)
    };
    files.retain(is_fixture);
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
});

fn fixture(name: &str) -> &'static [u8] {
    let found = FIXTURES.iter().find(|(path, _)| path.file_name().unwrap() == name);
    &found.unwrap_or_else(|| panic!("no fixture {name}")).1
}

/// Worker processes with the default limits.
fn workers() -> Workers {
    Workers::new(Some(worker()), WorkerLimits::default())
}

fn read(workers: &Workers, name: &str, bytes: &[u8]) -> Result<Document, ExtractError> {
    workers.extract(Path::new(name), bytes.to_vec(), Urgency::Background, &Cancel::new())
}

/// How many readings ended in which way. Each must give a consistent document, or an error with a reason in words.
#[derive(Debug, Default)]
struct Tally {
    documents: usize,
    refused: usize,
    crashed: usize,
    stopped: usize,
}

impl Tally {
    fn count(&mut self, name: &str, outcome: Result<Document, ExtractError>) {
        match outcome {
            Ok(document) => {
                check(&document);
                self.documents += 1;
            }
            Err(ExtractError::Broken { reason, .. }) => {
                assert!(!reason.trim().is_empty() && !reason.ends_with('.'), "{name}: {reason:?}");
                self.refused += 1;
            }
            Err(ExtractError::Crashed { .. } | ExtractError::Panicked { .. }) => {
                println!("the reader crashed on a broken {name}");
                self.crashed += 1;
            }
            Err(ExtractError::TimedOut { .. } | ExtractError::OutOfMemory { .. } | ExtractError::TooLong { .. }) => {
                self.stopped += 1
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }
}

/// Asserts what the engine relies on in every document.
fn check(document: &Document) {
    assert!(!document.title.trim().is_empty());
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.span.start >= end && !block.text.trim().is_empty());
        end = block.span.end;
        assert!(!document.text[block.span.clone()].trim().is_empty());
    }
    assert!(document.places.is_sorted_by_key(|(offset, _)| *offset));
}
