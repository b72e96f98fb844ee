//! The `nuthatch` command as a process of its own, on a data folder of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::root;

/// Two tiny models with random weights, enough to go through every stage.
const TINY_MANIFEST: &str = r#"
[[model]]
name = "tiny-bi"
kind = "bi-encoder"
architecture = "BertModel"
folder = "bert-bi"
licence = "MIT"
dimensions = 32
window = 64
default = true

[[model]]
name = "tiny-cross"
kind = "cross-encoder"
architecture = "BertForSequenceClassification"
folder = "bert-cross"
licence = "MIT"
window = 64
default = true

[[model.pair]]
embedder = "tiny-bi"
blend = { offset = 0.0, cross = 1.0 }
"#;

pub struct Nuthatch {
    data: TempDir,
    /// The folder of shipped models.
    models: PathBuf,
    /// Keeps the folder `models` alive where it belongs to the test.
    _models: Option<TempDir>,
}

/// The exit code and the output of a run of the command.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Nuthatch {
    /// With an empty folder of models, so that it searches by words alone.
    pub fn without_models() -> Self {
        let models = tempfile::tempdir().unwrap();
        Self { data: tempfile::tempdir().unwrap(), models: models.path().to_owned(), _models: Some(models) }
    }

    /// With copies of the tiny models, which the test may spoil.
    pub fn with_tiny_models() -> Self {
        let nuthatch = Self::without_models();
        fs::write(nuthatch.models.join("manifest.toml"), TINY_MANIFEST).unwrap();
        for model in ["bert-bi", "bert-cross"] {
            let folder = nuthatch.models.join(model);
            fs::create_dir(&folder).unwrap();
            for file in ["config.json", "tokenizer.json", "model.safetensors"] {
                fs::copy(root().join("models/tiny").join(model).join(file), folder.join(file)).unwrap();
            }
        }
        nuthatch
    }

    /// With the models that ship.
    pub fn with_builtin_models() -> Self {
        Self { data: tempfile::tempdir().unwrap(), models: root().join("models"), _models: None }
    }

    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    pub fn models_dir(&self) -> &Path {
        &self.models
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nuthatch-under-test"));
        command.args(args).env("NUTHATCH_DATA_DIR", self.data.path()).env("NUTHATCH_MODELS", &self.models);
        command.env_remove("NUTHATCH_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Answer {
        Answer::of(self.command(args).output().unwrap())
    }

    /// Runs with `input` on standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: &[S], input: &str) -> Answer {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Answer::of(child.wait_with_output().unwrap())
    }

    /// Indexes `folder`, which has to succeed.
    pub fn index(&self, folder: &Path) -> Answer {
        let answer = self.run(&[OsStr::new("index"), folder.as_os_str()]);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer
    }
}

impl Answer {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// File names of the hits of a search with `--json`, best first.
    pub fn files(&self) -> Vec<String> {
        let json = self.json();
        let hits = json["hits"].as_array().unwrap_or_else(|| panic!("no hits: {self:?}"));
        let path = |hit: &Value| PathBuf::from(hit["path"].as_str().unwrap());
        hits.iter().map(|hit| path(hit).file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }
}
