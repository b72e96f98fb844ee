//! The steps that sentence-transformers adds after an encoder: `modules.json` lists them, and each has a folder.
//!
//! Its bi-encoders only pool. Its newer cross-encoders (the ettin rerankers) pool, and then compute the score with
//! `Dense`, `LayerNorm` and `Dense`, each with a `config.json` and a `model.safetensors` of its own.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{LoadError, Pooling, config, files, weights};

const FILE: &str = "modules.json";
const SETTINGS: &str = "config_sentence_transformers.json";
/// The folder that describes pooling if there is no `modules.json`.
const POOLING: &str = "1_Pooling";

/// What Nuthatch needs from sentence-transformers' files.
#[derive(Debug, Default)]
pub struct Modules {
    /// How token states become one vector, if the folder says so.
    pub pooling: Option<Pooling>,
    /// The steps from the pooled vector to the score; empty if the encoder's own class has the head or there is none.
    pub head: Vec<Step>,
    /// The function that is applied to the score, as in [`config::Config::output_activation`].
    pub output_activation: Option<String>,
    files: Vec<String>,
}

/// One step of a scoring head, and the folder of its weights.
#[derive(Debug, PartialEq)]
pub enum Step {
    Dense { folder: String, inputs: usize, outputs: usize, bias: bool, activation: Activation },
    Norm { folder: String, width: usize },
}

/// The activation function of a dense step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    Gelu,
    Tanh,
    Relu,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    class: String,
}

#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default = "tanh")]
    activation_function: String,
    #[serde(default)]
    module_output_name: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

#[derive(Deserialize)]
struct NormConfig {
    dimension: usize,
}

#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode: Option<String>,
    /// The spelling before sentence-transformers 5.
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Default, Deserialize)]
struct Settings {
    activation_fn: Option<String>,
}

fn yes() -> bool {
    true
}

fn tanh() -> String {
    "torch.nn.modules.activation.Tanh".to_owned()
}

impl Modules {
    /// Reads sentence-transformers' files in `folder`. A folder without them was written by `transformers` alone.
    pub fn read(folder: &Path) -> Result<Self, LoadError> {
        let mut read = Self::default();
        if !folder.join(FILE).is_file() {
            if folder.join(POOLING).join(config::FILE).is_file() {
                read.pooling = Some(pooling(folder, POOLING)?);
            }
            return Ok(read);
        }
        let modules: Vec<Module> = parse(folder, FILE)?;
        let mut scores = false;
        for Module { path, class } in modules {
            if !files::is_plain(&path) {
                return Err(LoadError::OutsideFolder { file: folder.join(FILE), name: path });
            }
            match class.rsplit('.').next().unwrap_or_default() {
                "Transformer" if path.is_empty() => continue,
                "Pooling" => read.pooling = Some(pooling(folder, &path)?),
                // Vectors of bi-encoders are normalised whether or not the folder asks for it.
                "Normalize" => continue,
                "Dense" => {
                    let (step, is_score) = dense(folder, path.clone())?;
                    read.head.push(step);
                    scores = is_score;
                }
                "LayerNorm" => {
                    let NormConfig { dimension: width } = parse(folder, &format!("{path}/{}", config::FILE))?;
                    read.head.push(Step::Norm { folder: path.clone(), width });
                }
                _ => {
                    return unsupported(
                        folder,
                        FILE,
                        "type",
                        class,
                        "pooling, dense and norm as its only further steps",
                    );
                }
            }
            read.files.push(format!("{path}/{}", config::FILE));
        }
        if !scores {
            read.files.clear();
            if read.head.is_empty() {
                return Ok(read);
            }
            return unsupported(folder, FILE, "type", "Dense".to_owned(), "pooling as its only further step");
        }
        for Step::Dense { folder: path, .. } | Step::Norm { folder: path, .. } in &read.head {
            let names = weights::names(&folder.join(path))?;
            read.files.extend(names.iter().map(|name| format!("{path}/{name}")));
        }
        read.files.push(FILE.to_owned());
        if folder.join(SETTINGS).is_file() {
            read.output_activation = parse::<Settings>(folder, SETTINGS)?.activation_fn;
            read.files.push(SETTINGS.to_owned());
        }
        read.files.sort();
        Ok(read)
    }

    /// Whether the steps end in a score, which makes the model a cross-encoder.
    pub fn score(&self) -> bool {
        !self.head.is_empty()
    }

    /// The files that the scoring head is read from, relative to the folder; none without such a head.
    pub fn files(&self) -> &[String] {
        &self.files
    }
}

/// A dense step, and whether what comes out is the model's score.
fn dense(folder: &Path, path: String) -> Result<(Step, bool), LoadError> {
    let name = format!("{path}/{}", config::FILE);
    let read: DenseConfig = parse(folder, &name)?;
    if read.use_residual {
        return unsupported(folder, &name, "use_residual", "true".to_owned(), "plain dense steps");
    }
    let is_score = read.module_output_name.as_deref() == Some("scores");
    let activation = match read.activation_function.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::None,
        "GELU" => Activation::Gelu,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        _ => {
            let known = "Identity, GELU, Tanh or ReLU between its steps";
            return unsupported(folder, &name, "activation_function", read.activation_function, known);
        }
    };
    if read.in_features == 0 || read.out_features == 0 {
        return unsupported(folder, &name, "out_features", "0".to_owned(), "numbers to work on");
    }
    if is_score && read.out_features != 1 {
        return unsupported(folder, &name, "out_features", read.out_features.to_string(), "a single score");
    }
    let (inputs, outputs, bias) = (read.in_features, read.out_features, read.bias);
    Ok((Step::Dense { folder: path, inputs, outputs, bias, activation }, is_score))
}

fn pooling(folder: &Path, path: &str) -> Result<Pooling, LoadError> {
    let name = format!("{path}/{}", config::FILE);
    let PoolingConfig { pooling_mode, pooling_mode_cls_token: cls, pooling_mode_mean_tokens: mean } =
        parse(folder, &name)?;
    match (pooling_mode.as_deref(), cls, mean) {
        (Some("cls"), ..) | (None, true, false) => Ok(Pooling::First),
        (Some("mean"), ..) | (None, false, true) => Ok(Pooling::Mean),
        (mode, ..) => {
            let mode = mode.unwrap_or("another one").to_owned();
            unsupported(folder, &name, "pooling_mode", mode, "mean or first-token pooling")
        }
    }
}

fn parse<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, LoadError> {
    let file = folder.join(name);
    serde_json::from_slice(&files::read(&file)?).map_err(|source| LoadError::Config { file, source })
}

fn unsupported<T>(
    folder: &Path,
    name: &str,
    setting: &'static str,
    value: String,
    expected: &'static str,
) -> Result<T, LoadError> {
    Err(LoadError::Unsupported { file: folder.join(name), setting, value, expected })
}
