//! A loaded model: texts in, one row of hidden size a text out, on whatever it runs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::DType;
use nuthatch_engine::{Cancel, ModelError};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::batch::{self, Batch};
use crate::config::Config;
use crate::device::Placement;
use crate::encoder::{Encoder, Workspace};
use crate::files;
use crate::head::Head;
use crate::tensor_encoder::{TensorEncoder, TensorLoadError};
use crate::tokenize::{Tokenizer, Tokens};
use crate::weights::{self, Weights};
use crate::{Kind, LoadError, LoadOptions, Pooling, config, tokenize};

/// Tokens a CPU batch holds at most: enough rows for the matrix kernels, few enough that a batch's activations stay
/// in a core's cache and that a cancelled search wastes little.
const CPU_BATCH: std::ops::RangeInclusive<usize> = 64..=512;

/// Batches a thread, where there is enough to do: the last ones even out what the threads do.
const BATCHES_A_THREAD: usize = 4;

/// Padded tokens a GPU batch holds at most.
const GPU_BATCH: usize = 16_384;

pub struct Model {
    folder: PathBuf,
    backend: Backend,
    pub head: Option<Head>,
    pub tokenizer: Tokenizer,
    pub hidden_size: usize,
    /// First 12 hexadecimal digits of the SHA-256 over weights, tokenizer, config and number format.
    pub content: String,
    /// What it runs on, e.g. `cpu, int8`.
    pub placed: String,
    threads: ThreadPool,
}

enum Backend {
    Cpu { encoder: Box<Encoder>, rooms: Mutex<Vec<Workspace>> },
    Gpu(Box<TensorEncoder>),
}

impl Model {
    /// `window` is in tokens; it is lowered to what the model's positions allow.
    pub fn load(
        folder: &Path,
        kind: Kind,
        pooling: Pooling,
        window: usize,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        if !folder.is_dir() {
            return Err(LoadError::NoFolder { folder: folder.to_owned() });
        }
        let config = Config::read(folder)?;
        if config.kind() != kind {
            return Err(LoadError::WrongKind { folder: folder.to_owned(), found: config.kind(), wanted: kind });
        }
        let placement = options.device.place()?;
        let file = folder.join(weights::FILE);
        let bytes = files::read(&file)?;
        let weights = Weights::parse(&file, &bytes)?;
        let tokenizer = Tokenizer::load(folder, config.vocab_size, window.min(config.window()))?;
        let pooling = if kind == Kind::CrossEncoder { Pooling::First } else { pooling };
        let precision = options.precision.unwrap_or_default();
        let (backend, format) = match &placement {
            Placement::Cpu => {
                let encoder = Box::new(Encoder::load(&weights, &config, pooling, precision)?);
                (Backend::Cpu { encoder, rooms: Mutex::default() }, precision.name())
            }
            Placement::Gpu { device, .. } => {
                let encoder = TensorEncoder::load(&weights, &config, pooling, device, DType::F16);
                let encoder = encoder.map_err(|e| match e {
                    TensorLoadError::File(e) => e,
                    TensorLoadError::Device(source) => LoadError::Tensors { folder: folder.to_owned(), source },
                })?;
                (Backend::Gpu(Box::new(encoder)), "f16")
            }
        };
        let head = match kind {
            Kind::CrossEncoder => Some(Head::load(&weights, &config)?),
            Kind::BiEncoder => None,
        };
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|i| format!("model-{i}"))
            .build()
            .map_err(|source| LoadError::Threads { source })?;
        let device = match placement {
            Placement::Cpu => "cpu",
            Placement::Gpu { name, .. } => name,
        };
        Ok(Self {
            folder: folder.to_owned(),
            backend,
            head,
            tokenizer,
            hidden_size: config.hidden_size,
            content: content(folder, &bytes, format)?,
            placed: format!("{device}, {format}"),
            threads,
        })
    }

    /// Tokenizes texts side by side.
    pub fn tokenize<T: Sync>(
        &self,
        texts: &[T],
        one: impl Fn(&T) -> Result<Tokens, tokenizers::Error> + Send + Sync,
    ) -> Result<Vec<Tokens>, ModelError> {
        if let [text] = texts {
            return Ok(vec![one(text).map_err(|e| self.failed(&e))?]);
        }
        self.threads
            .install(|| texts.par_iter().map(one).collect::<Result<_, _>>())
            .map_err(|e: tokenizers::Error| self.failed(&e))
    }

    /// A row of hidden size for each text, in order: its first token's state, or the mean.
    pub fn pooled(&self, texts: &[Tokens], cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; texts.len() * self.hidden_size];
        let mut place = |batch: &Batch, rows: &[f32]| {
            for (row, place) in rows.chunks_exact(self.hidden_size).zip(&batch.places) {
                out[place * self.hidden_size..(place + 1) * self.hidden_size].copy_from_slice(row);
            }
        };
        match &self.backend {
            Backend::Cpu { encoder, rooms } => {
                let tokens: usize = texts.iter().map(|t| t.ids.len()).sum();
                let share = tokens / (self.threads.current_num_threads() * BATCHES_A_THREAD);
                let batches = batch::cut(texts, share.clamp(*CPU_BATCH.start(), *CPU_BATCH.end()));
                let one = |batch: &Batch| {
                    if cancel.is_cancelled() {
                        return Err(ModelError::Cancelled);
                    }
                    let mut room = lock(rooms).pop().unwrap_or_default();
                    let rows = encoder.pooled(batch, &mut room).map_err(|e| self.failed(&e));
                    lock(rooms).push(room);
                    rows
                };
                let all: Vec<_> = self.threads.install(|| batches.par_iter().map(one).collect::<Result<_, _>>())?;
                batches.iter().zip(all).for_each(|(batch, rows): (_, Vec<f32>)| place(batch, &rows));
            }
            Backend::Gpu(encoder) => {
                for batch in batch::cut(texts, GPU_BATCH) {
                    if cancel.is_cancelled() {
                        return Err(ModelError::Cancelled);
                    }
                    place(&batch, &encoder.pooled(&batch).map_err(|e| self.failed(&e))?);
                }
            }
        }
        if let Some(bad) = out.iter().find(|x| !x.is_finite()) {
            return Err(self.failed(&format!("it computed {bad}")));
        }
        Ok(out)
    }

    pub fn failed(&self, reason: &dyn std::fmt::Display) -> ModelError {
        let folder = self.folder.display();
        ModelError::Failed { message: format!("the model in {folder} failed ({reason}): choose another model") }
    }
}

/// The rooms are mere buffers: one that a panic left behind is as good as any.
fn lock(rooms: &Mutex<Vec<Workspace>>) -> MutexGuard<'_, Vec<Workspace>> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

fn content(folder: &Path, weights: &[u8], format: &str) -> Result<String, LoadError> {
    let parts = [
        files::sha256(weights),
        files::sha256(&files::read(&folder.join(tokenize::FILE))?),
        files::sha256(&files::read(&folder.join(config::FILE))?),
        format.to_owned(),
    ];
    let mut sum = files::sha256(parts.join("\n").as_bytes());
    sum.truncate(12);
    Ok(sum)
}
