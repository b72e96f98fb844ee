//! The index: text and vectors of every passage, in one Tantivy index, published by one commit.
//!
//! A *generation* is a folder `index/<name>` bound to one embedding model; `index/CURRENT` names the one that serves.
//! A new model makes a new generation beside the old one, which serves until the new one holds all text.

mod generation;
mod merging;
mod passage;
mod schema;
mod snapshot;
pub mod vectors;
mod writer;

pub use generation::{FORMAT, Generation, Generations};
#[cfg(test)]
pub(crate) use passage::passage_document;
pub use passage::{Passage, Row, RowState, text_hash};
pub use schema::Fields;
#[cfg(test)]
pub(crate) use schema::schema;
pub use snapshot::Snapshot;
pub use writer::Writer;
