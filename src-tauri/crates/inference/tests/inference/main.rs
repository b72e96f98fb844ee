//! Tests of the crate's public interface: against stored numbers, with damaged files and with an unreliable server.

mod agreement;
mod bad_input;
mod batching;
mod common;
mod downloads;
mod hub;
mod layouts;
mod store;
