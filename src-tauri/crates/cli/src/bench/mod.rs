//! What `nuthatch bench` measures: the models' speed, and how the index grows.

pub(crate) mod growth;
pub(crate) mod speed;
