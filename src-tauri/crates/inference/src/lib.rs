//! Everything that computes with a neural network: the model store, tokenizing, the forward passes, and on top of
//! them the engine's [`Embedder`](nuthatch_engine::Embedder) and [`Reranker`](nuthatch_engine::Reranker).
//!
//! ```text
//! ModelStore -> folder + Entry -> BiEncoder | CrossEncoder
//! text -> tokenize -> batches (sorted by length, packed without padding) -> encoder -> pooled rows -> vector | logit
//!                                                                           | CPU: kernels/, int8 or f32, every core
//!                                                                           | CUDA, Metal: Candle, f16
//! ```
//!
//! This is the only crate that sees Candle.

mod batch;
mod capitals;
mod config;
mod cross_encoder;
mod device;
mod embedder;
mod encoder;
mod error;
mod files;
mod head;
mod kernels;
mod load;
mod model;
mod modules;
mod part;
pub mod store;
mod tensor;
mod tokenize;
mod weights;

pub use cross_encoder::CrossEncoder;
pub use device::{DeviceChoice, Placed};
pub use embedder::BiEncoder;
pub use error::LoadError;
pub use load::{Kind, LoadOptions, Pooling, Precision, load_embedder, load_reranker};
pub use store::{ModelInfo, ModelStore, StoreOptions};
pub use tokenize::Tokens;
