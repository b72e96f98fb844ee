//! The crate's public face against stored numbers, spoilt files and an unreliable server.

mod agreement;
mod bad_input;
mod batching;
mod common;
mod downloads;
mod hub;
mod layouts;
mod store;
