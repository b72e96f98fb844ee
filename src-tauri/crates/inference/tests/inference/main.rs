//! The crate's public face against stored numbers, spoilt files and an unreliable server.

mod agreement;
mod batching;
mod common;
mod bad_input;
mod downloads;
mod store;
