//! Measuring ranking on a test collection with known answers: reading it, and the measures.

pub(crate) mod beir;
pub(crate) mod evidence;
pub(crate) mod metrics;
pub(crate) mod report;
