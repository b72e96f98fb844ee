//! What the tests share: paths in the source tree, the command, and fake models.

mod command;
mod fakes;

use std::fs;
use std::path::{Path, PathBuf};

use nuthatch_engine::extract::worker::{WORKER_ARGUMENT, WorkerCommand};

pub use command::{Answer, Nuthatch};
pub use fakes::{BagOfWords, WordShare};

/// The root of the source tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The sample notes, English and Chinese.
pub fn notes() -> PathBuf {
    root().join("tests/fixtures/notes")
}

/// The `nuthatch` command as the process that reads risky formats.
pub fn worker() -> WorkerCommand {
    let program = env!("CARGO_BIN_EXE_nuthatch-under-test").into();
    WorkerCommand { program, args: vec![WORKER_ARGUMENT.into()] }
}

/// Writes files given by name and content into `folder`.
pub fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// All files under `folder`, not following links.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
