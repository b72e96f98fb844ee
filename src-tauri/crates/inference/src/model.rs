//! A loaded model: turns each text into one row of hidden size, on the CPU or a GPU.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::DType;
use nuthatch_engine::{Cancel, ModelError};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::batch::{self, Batch};
use crate::config::{Config, Family};
use crate::device::{Placed, Placement};
use crate::encoder::{Encoder, Workspace};
use crate::head::Head;
use crate::modules::Modules;
use crate::store::Entry;
use crate::tensor::{TensorEncoder, TensorLoadError};
use crate::tokenize::{Tokenizer, Tokens};
use crate::weights::WeightFiles;
use crate::{Kind, LoadError, LoadOptions, Pooling, Precision, capitals, config, files, kernels, tokenize};

/// Range of the token budget of a CPU batch. The least gives the matrix kernels enough rows. The most keeps a batch's
/// activations in a core's cache and lets a cancelled search stop soon.
const CPU_BATCH: std::ops::RangeInclusive<usize> = 64..=512;

/// Batches for each thread, if there are enough tokens: several small batches spread the work more evenly than one.
const BATCHES_A_THREAD: usize = 4;

/// Most tokens in a GPU batch, padding not counted.
const GPU_BATCH: usize = 16_384;

pub struct Model {
    folder: PathBuf,
    backend: Backend,
    pub head: Option<Head>,
    pub tokenizer: Tokenizer,
    pub hidden_size: usize,
    /// First 12 hexadecimal digits of the SHA-256 over weights, tokenizer, config and number format.
    pub content: String,
    pub placed: Placed,
    /// Vector that is subtracted from every vector of a bi-encoder whose vectors lie in a narrow cone: it brings the
    /// cosines of unrelated texts near 0. It is the tensor `centre` of the model's weights.
    pub centre: Option<Vec<f32>>,
    threads: ThreadPool,
}

enum Backend {
    Cpu { encoder: Box<Encoder>, precision: Precision, rooms: Mutex<Vec<Workspace>> },
    Gpu(Box<TensorEncoder>),
}

impl Model {
    /// Loads the model in `folder`, which `entry` describes. The entry's window is reduced to what the model's
    /// positions allow.
    pub fn load(folder: &Path, kind: Kind, entry: &Entry, options: &LoadOptions) -> Result<Self, LoadError> {
        if !folder.is_dir() {
            return Err(LoadError::NoFolder { folder: folder.to_owned() });
        }
        let (config, modules) = (Config::read(folder)?, Modules::read(folder)?);
        let found = kind_of(&config, &modules);
        if found != kind {
            return Err(LoadError::WrongKind { folder: folder.to_owned(), found, wanted: kind });
        }
        let placement = options.device.place()?;
        let files = WeightFiles::read(folder)?;
        let weights = files.parse()?;
        let window = entry.window.min(config.window());
        let tokenizer = Tokenizer::load(folder, config.vocab_size, window, entry.lowers_capitals)?;
        let pooling = match kind {
            Kind::BiEncoder => entry.pooling,
            Kind::CrossEncoder => head_pooling(folder, &config, &modules)?,
        };
        let precision = options.precision.unwrap_or_default();
        let (backend, format) = match &placement {
            Placement::Cpu { .. } if !kernels::is_there(precision) => {
                return Err(LoadError::Precision { precision: precision.name() });
            }
            Placement::Cpu { .. } => {
                let encoder = Box::new(Encoder::load(&weights, &config, pooling, precision, window)?);
                (Backend::Cpu { encoder, precision, rooms: Mutex::default() }, precision.name())
            }
            Placement::Gpu { device, .. } => {
                let encoder = TensorEncoder::load(&weights, &config, pooling, device, DType::F16, window);
                let encoder = encoder.map_err(|e| match e {
                    TensorLoadError::File(e) => e,
                    TensorLoadError::Device(source) => LoadError::Tensors { folder: folder.to_owned(), source },
                })?;
                (Backend::Gpu(Box::new(encoder)), "f16")
            }
        };
        let head = match kind {
            Kind::CrossEncoder => Some(Head::load(folder, &weights, &config, &modules)?),
            Kind::BiEncoder => None,
        };
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|i| format!("model-{i}"))
            .build()
            .map_err(|source| LoadError::Threads { source })?;
        // `format` is part of the model's identity, so it names the precision asked for and not the kernel of this
        // machine: an index may move between machines.
        let placed = match placement {
            Placement::Cpu { no_gpu } => Placed { device: "cpu", path: kernels::path(precision), no_gpu },
            Placement::Gpu { name, .. } => Placed { device: name, path: format.to_owned(), no_gpu: None },
        };
        Ok(Self {
            folder: folder.to_owned(),
            backend,
            centre: weights.optional("centre", &[config.hidden_size])?,
            head,
            tokenizer,
            hidden_size: config.hidden_size,
            content: content(folder, &files, &modules, format, entry.lowers_capitals)?,
            placed,
            threads,
        })
    }

    /// Runs `work` on `n_texts` texts in the model's own thread pool. The exception is a bi-encoder with several texts
    /// that is called from a thread pool: those are passages being indexed, and indexing has threads of its own,
    /// limited in number and of low priority so that questions come first.
    fn on_threads<T: Send>(&self, n_texts: usize, work: impl FnOnce() -> T + Send) -> T {
        let brings_threads = self.head.is_none() && n_texts > 1 && rayon::current_thread_index().is_some();
        if brings_threads { work() } else { self.threads.install(work) }
    }

    /// Tokenizes texts in parallel.
    pub fn tokenize<T: Sync>(
        &self,
        texts: &[T],
        one: impl Fn(&T) -> Result<Tokens, tokenizers::Error> + Send + Sync,
    ) -> Result<Vec<Tokens>, ModelError> {
        if let [text] = texts {
            return Ok(vec![one(text).map_err(|e| self.failed(&e))?]);
        }
        self.on_threads(texts.len(), || texts.par_iter().map(one).collect::<Result<_, _>>())
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
            Backend::Cpu { encoder, precision, rooms } => {
                let tokens: usize = texts.iter().map(|t| t.ids.len()).sum();
                let all = self.on_threads(texts.len(), || {
                    let n_threads = rayon::current_num_threads();
                    let share = tokens / (n_threads * BATCHES_A_THREAD);
                    let batches = batch::cut(texts, share.clamp(*CPU_BATCH.start(), *CPU_BATCH.end()));
                    // For our own kernels; rten-gemm splits its products among threads by itself.
                    let share_among = if batches.len() < n_threads { n_threads } else { 1 };
                    let one = |batch: Batch| {
                        if cancel.is_cancelled() {
                            return Err(ModelError::Cancelled);
                        }
                        let mut room = lock(rooms).pop().unwrap_or_else(|| Workspace::new(*precision));
                        room.share_among(share_among);
                        let rows = encoder.pooled(&batch, &mut room).map_err(|e| self.failed(&e));
                        lock(rooms).push(room);
                        Ok((batch, rows?))
                    };
                    batches.into_par_iter().map(one).collect::<Result<Vec<_>, _>>()
                })?;
                all.iter().for_each(|(batch, rows)| place(batch, rows));
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

/// Ignores a lock poisoned by a panic: the workspaces are mere buffers.
fn lock(rooms: &Mutex<Vec<Workspace>>) -> MutexGuard<'_, Vec<Workspace>> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kind of a folder's model: a cross-encoder if its class has a classification head or sentence-transformers has
/// added one, otherwise a bi-encoder.
pub fn kind_of(config: &Config, modules: &Modules) -> Kind {
    if config.classifies() || modules.score() { Kind::CrossEncoder } else { Kind::BiEncoder }
}

/// How token states are pooled for the head of a cross-encoder. The head's score must be a logit, because ranking and
/// calibration use logits. sentence-transformers may show that logit as it is or through a sigmoid; any other function
/// is an error.
fn head_pooling(folder: &Path, config: &Config, modules: &Modules) -> Result<Pooling, LoadError> {
    let activation = modules.output_activation.as_deref().or(config.output_activation());
    if let Some(class) = activation
        && !["Identity", "Sigmoid"].contains(&class.rsplit('.').next().unwrap_or_default())
    {
        return Err(LoadError::Unsupported {
            file: folder.join(config::FILE),
            setting: "activation_fn",
            value: class.to_owned(),
            expected: "a score that is a logit (Identity) or its sigmoid",
        });
    }
    Ok(match (modules.score(), config.family()) {
        (true, _) => modules.pooling.unwrap_or_default(),
        (false, Family::ModernBert) => config.modern().classifier_pooling(),
        (false, Family::Bert | Family::XlmRoberta) => Pooling::First,
    })
}

fn content(
    folder: &Path,
    weights: &WeightFiles,
    modules: &Modules,
    format: &str,
    lowers_capitals: bool,
) -> Result<String, LoadError> {
    let sum = |name: &str| Ok(files::sha256(&files::read(&folder.join(name))?));
    let mut parts: Vec<String> = weights.bytes().map(files::sha256).collect();
    parts.extend([sum(tokenize::FILE)?, sum(config::FILE)?, format.to_owned()]);
    parts.extend(lowers_capitals.then(|| capitals::READING.to_owned()));
    for name in modules.files() {
        parts.push(sum(name)?);
    }
    let mut sum = files::sha256(parts.join("\n").as_bytes());
    sum.truncate(12);
    Ok(sum)
}
