//! How the times of search and indexing grow with the number of passages: `nuthatch bench growth`.
//!
//! Collections of ten thousand to a million passages are made from real notes ([`made`]), so that words, lengths and
//! vectors are spread as in real notes. The engine indexes them like any notes and is asked several hundred questions.

mod build;
pub(crate) mod chart;
mod made;
mod measure;
mod questions;
mod recall;
pub(crate) mod source;

pub(crate) use build::stock;
pub(crate) use made::Maker;
pub(crate) use measure::{Measured, measure};
pub(crate) use questions::questions;
pub(crate) use recall::of_real;
