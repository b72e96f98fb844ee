//! The index: text and vectors of every passage, in one Tantivy index, published by one commit.
//!
//! A *generation* is a folder `index/<name>` bound to one embedding model and one way of cutting; `index/CURRENT` names
//! the one that serves. A new model, new rules or damage lead to a new generation beside the old one. The old one
//! serves until the new one can take over, and is removed once the new one is complete.
//!
//! Nothing is trusted unchecked: a segment that cannot be read, or with a file that fails its checksum, is left out of
//! every answer and reported ([`Damage`]). Small files that matter are kept twice.

mod analysis;
mod damage;
mod directory;
mod generation;
mod generations;
mod hold;
mod label;
mod mapped;
mod merging;
mod pages;
mod passage;
mod schema;
mod snapshot;
pub mod vectors;
mod writer;

pub(crate) use analysis::unanalysable;
pub use damage::Damage;
pub(crate) use damage::guarded;
pub use generation::Generation;
pub use generations::Generations;
pub use hold::Hold;
pub use label::FORMAT;
pub(crate) use pages::give_back;
pub(crate) use passage::file_of;
#[cfg(test)]
pub(crate) use passage::passage_document;
pub(crate) use passage::{Called, called};
pub use passage::{PROGRAM, Passage, Row, RowState, text_hash};
pub use schema::Fields;
#[cfg(test)]
pub(crate) use schema::schema;
pub use snapshot::Snapshot;
pub use writer::Writer;
