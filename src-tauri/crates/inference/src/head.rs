//! The head of a cross-encoder: turns the pooled state into one logit.

use std::path::Path;

use rten_gemm::GemmError;

use crate::config::{Config, Family};
use crate::encoder::Norm;
use crate::kernels::{Activation as Kernel, Linear, Scratch, tanh};
use crate::modules::{Activation, Modules, Step};
use crate::weights::{WeightFiles, Weights};
use crate::{LoadError, Precision};

/// The default of `torch.nn.LayerNorm`, which sentence-transformers does not change.
const EPSILON: f32 = 1e-5;

/// BERT's pooler and classifier, XLM-RoBERTa's two-layer classifier, ModernBERT's dense, norm and classifier, or the
/// steps that sentence-transformers keeps in folders of their own: all are a chain of the same kinds of link. The head
/// always runs on the CPU in f32, because it computes only one row per passage.
pub struct Head {
    links: Vec<Link>,
}

enum Link {
    Dense(Linear, Activation),
    Norm(Norm),
}

impl Head {
    /// Takes the head from the steps of `modules`, whose weights lie in `folder`, or else from the encoder's own file.
    pub fn load(folder: &Path, weights: &Weights<'_>, config: &Config, modules: &Modules) -> Result<Self, LoadError> {
        let links = if modules.score() {
            modules.head.iter().map(|step| stored(folder, step)).collect::<Result<_, _>>()?
        } else {
            built_in(weights, config)?
        };
        check(folder, &links, config.hidden_size)?;
        Ok(Self { links })
    }

    /// One logit for each row of hidden size.
    pub fn logits(&self, pooled: &[f32]) -> Result<Vec<f32>, GemmError> {
        let mut scratch = Scratch::default();
        let mut rows = pooled.to_vec();
        for link in &self.links {
            match link {
                Link::Norm(norm) => norm.apply(&mut rows),
                Link::Dense(linear, activation) => {
                    let mut out = Vec::new();
                    linear.apply(&rows, &mut out, &mut scratch)?;
                    match activation {
                        Activation::Tanh => tanh(&mut out),
                        Activation::Relu => out.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
                        Activation::None | Activation::Gelu => {}
                    }
                    rows = out;
                }
            }
        }
        Ok(rows)
    }
}

fn dense(matrix: Vec<f32>, bias: Vec<f32>, activation: Activation) -> Link {
    let kernel = if activation == Activation::Gelu { Kernel::Gelu } else { Kernel::None };
    Link::Dense(Linear::new(matrix, bias, kernel, Precision::F32), activation)
}

/// The head of a `…ForSequenceClassification`.
fn built_in(weights: &Weights<'_>, config: &Config) -> Result<Vec<Link>, LoadError> {
    let hidden = config.hidden_size;
    let out = |name: &str| -> Result<Link, LoadError> {
        let matrix = weights.head(&format!("{name}.weight"), &[1, hidden])?;
        Ok(dense(matrix, weights.head(&format!("{name}.bias"), &[1])?, Activation::None))
    };
    match config.family() {
        Family::Bert => {
            let matrix = weights.body("pooler.dense.weight", &[hidden, hidden])?;
            let pooler = dense(matrix, weights.body("pooler.dense.bias", &[hidden])?, Activation::Tanh);
            Ok(vec![pooler, out("classifier")?])
        }
        Family::XlmRoberta => {
            let matrix = weights.head("classifier.dense.weight", &[hidden, hidden])?;
            let first = dense(matrix, weights.head("classifier.dense.bias", &[hidden])?, Activation::Tanh);
            Ok(vec![first, out("classifier.out_proj")?])
        }
        Family::ModernBert => {
            let modern = config.modern();
            let vector = |name: &str, present: bool| {
                if present { weights.head(name, &[hidden]) } else { Ok(vec![0.0; hidden]) }
            };
            let matrix = weights.head("head.dense.weight", &[hidden, hidden])?;
            let first = dense(matrix, vector("head.dense.bias", modern.classifier_bias)?, Activation::Gelu);
            let norm = Norm {
                weight: vector("head.norm.weight", true)?,
                bias: vector("head.norm.bias", modern.norm_bias)?,
                epsilon: config.norm_epsilon() as f32,
            };
            Ok(vec![first, Link::Norm(norm), out("classifier")?])
        }
    }
}

/// One step of sentence-transformers, from its own folder.
fn stored(folder: &Path, step: &Step) -> Result<Link, LoadError> {
    let (Step::Dense { folder: path, .. } | Step::Norm { folder: path, .. }) = step;
    let files = WeightFiles::read(&folder.join(path))?;
    let weights = files.parse()?;
    Ok(match step {
        Step::Dense { inputs, outputs, bias, activation, .. } => {
            let matrix = weights.head("linear.weight", &[*outputs, *inputs])?;
            let bias = if *bias { weights.head("linear.bias", &[*outputs])? } else { vec![0.0; *outputs] };
            dense(matrix, bias, *activation)
        }
        Step::Norm { width, .. } => Link::Norm(Norm {
            weight: weights.head("norm.weight", &[*width])?,
            bias: weights.head("norm.bias", &[*width])?,
            epsilon: EPSILON,
        }),
    })
}

/// Checks that each link takes as many numbers as the one before it gives: the first takes the encoder's width, the
/// last gives one number.
fn check(folder: &Path, links: &[Link], hidden: usize) -> Result<(), LoadError> {
    let mut width = hidden;
    for link in links {
        let (takes, gives) = match link {
            Link::Dense(linear, _) => (linear.inputs(), linear.outputs()),
            Link::Norm(norm) => (norm.weight.len(), norm.weight.len()),
        };
        if takes != width {
            return Err(LoadError::HeadDoesNotFit { folder: folder.to_owned(), found: takes, expected: width });
        }
        width = gives;
    }
    if width == 1 {
        Ok(())
    } else {
        Err(LoadError::HeadDoesNotFit { folder: folder.to_owned(), found: width, expected: 1 })
    }
}
