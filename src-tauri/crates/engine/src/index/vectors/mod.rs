//! The vector column: one embedding a document, kept inside Tantivy's own segments.
//!
//! A [`VectorPlugin`] takes part in the life of a segment as postings and stored fields do: one commit publishes
//! text and vectors together, a merge compacts both, the alive bitset hides both, and a searcher's snapshot covers
//! both. There is no second store that could disagree with the index after a crash.
//!
//! ```text
//! embedding f32 -> Quantized (int8, the payload of the custom field) -> segment file `.vec`:
//!                    codes   int8 a dimension: what the row is
//!                    blocks  1 bit a dimension plus two factors a row: what a query scans
//! query f32 -> scan every block by table look-ups -> the best rows, hundreds or more, rescored on codes -> cosines
//! ```
//!
//! The search is exhaustive: there is no graph to build or to repair, and recall depends on one number only, `rescored`
//! in `reader.rs`. Scores and their order are the same on every processor and for any number of threads.
//!
//! | file | what |
//! |---|---|
//! | `quantized.rs` | the int8 row |
//! | `sketch.rs` | the 1-bit sketch of a row and the estimate of a cosine from it |
//! | `kernels.rs`, `kernels/` | the two hot loops, for several processors |
//! | `format.rs` | the file: its layout, and all checks before it is used |
//! | `column.rs` | a segment's open file |
//! | `plugin.rs` | writing and merging |
//! | `reader.rs` | searching a snapshot of all segments |
//! | `top.rs` | the best n of many |

mod column;
mod format;
mod kernels;
mod plugin;
mod quantized;
mod reader;
mod sketch;
#[cfg(test)]
mod tests;
pub(crate) mod top;

use tantivy::schema::{Field, SchemaBuilder};

pub use plugin::VectorPlugin;
pub use quantized::Quantized;
pub use reader::VectorReader;

/// Adds the field that carries a document's vector of `dims` dimensions, in `1..=4096`.
///
/// Fill it with `document.add_custom(field, quantized.as_bytes())`, at most once a document, and register a
/// [`VectorPlugin`] for it with the index. The width is part of the field's type, so an index made for another
/// model shows as a schema that differs.
pub fn add_vector_field(schema: &mut SchemaBuilder, name: &str, dims: usize) -> Field {
    schema.add_custom_field(name, format!("unit_vector/{dims}"), Default::default())
}
