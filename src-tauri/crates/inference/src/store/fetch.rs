//! Downloads models as Hugging Face's own tools do: at a pinned revision, resumed after interruptions, checked against
//! sums, and put in place in one step.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nuthatch_engine::Cancel;
use serde::Serialize;

use super::download::{Download, DownloadError};
use super::import::{ImportError, io_error, make_parent, promote, try_out};
use super::manifest::{Entry, ModelFile};
use super::{ModelStore, Place};
use crate::{LoadError, files};

const PUBLISHER: &str = "https://huggingface.co";

/// The branch that is fetched if the manifest pins no revision.
const BRANCH: &str = "main";

/// Where to ask and how patiently.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Asked in order, e.g. `https://huggingface.co` or a mirror that serves the same paths.
    pub endpoints: Vec<String>,
    /// Sent to the endpoints, but not to hosts that they redirect to.
    pub token: Option<Token>,
    /// Take only what the local cache has.
    pub offline: bool,
    /// Hugging Face's cache, `…/hub`: files that another program has put there are copied instead of downloaded.
    pub cache: Option<PathBuf>,
    /// How long a server may be silent.
    pub silence: Duration,
    /// Attempts per endpoint and file. An attempt that brings new bytes starts the count again.
    pub attempts: u32,
    /// Wait before the second attempt, doubled before each further one.
    pub first_wait: Duration,
}

/// A user's access token for Hugging Face. Its `Debug` output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `None` if the text is blank or has characters that an HTTP header may not hold.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FetchOptions {
    /// Options from the environment variables that Hugging Face's tools read: `HF_ENDPOINT`, `HF_TOKEN` (or the file at
    /// `HF_TOKEN_PATH`, else `token` in `HF_HOME`), `HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_HOME`. (The HTTP client reads
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.)
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| PUBLISHER.to_owned());
        let on = |value: String| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str());
        let home = || variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
        let cache_home = || variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".cache")));
        let hf_home = || variable("HF_HOME").map(PathBuf::from).or_else(|| Some(cache_home()?.join("huggingface")));
        let token_file = || variable("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(hf_home()?.join("token")));
        let token = variable("HF_TOKEN").or_else(|| fs::read_to_string(token_file()?).ok());
        Self {
            token: token.as_deref().and_then(Token::new),
            endpoints: vec![endpoint.trim_end_matches('/').to_owned()],
            offline: variable("HF_HUB_OFFLINE").is_some_and(on),
            cache: variable("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(hf_home()?.join("hub"))),
            silence: Duration::from_secs(30),
            attempts: 5,
            first_wait: Duration::from_secs(1),
        }
    }
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FetchProgress {
    pub file: String,
    pub done_bytes: u64,
    /// `None` until the server has announced it.
    pub total_bytes: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cancelled")]
    Cancelled,
    #[error("`{name}` is published nowhere: `nuthatch models import DIR` takes a folder")]
    NoSource { name: String },
    #[error("HF_HUB_OFFLINE is set and {file} of `{name}` is not in the cache: unset it, or import a folder")]
    Offline { name: String, file: String },
    #[error("another Nuthatch is fetching `{name}`: let it finish")]
    Busy { name: String },
    #[error("{file} of `{name}` did not arrive ({source}): try again, or set HF_ENDPOINT to a mirror")]
    Download { name: String, file: String, source: DownloadError },
    #[error(
        "{file} of `{name}` arrived with the sum {found} and should have {expected}: \
         try again, or set HF_ENDPOINT to another mirror"
    )]
    WrongSum { name: String, file: String, found: String, expected: String },
    #[error(transparent)]
    Load(Box<LoadError>),
    #[error(transparent)]
    Place(Box<ImportError>),
}

impl From<LoadError> for FetchError {
    fn from(e: LoadError) -> Self {
        Self::Load(Box::new(e))
    }
}

impl From<ImportError> for FetchError {
    fn from(e: ImportError) -> Self {
        Self::Place(Box::new(e))
    }
}

impl ModelStore {
    /// Downloads a known model into the data folder and returns the model's folder. Bytes already received are kept
    /// across attempts, cancellation and crashes. The model appears only once it is complete and has been loaded.
    pub fn fetch(
        &self,
        name: &str,
        options: &FetchOptions,
        cancel: &Cancel,
        progress: &mut dyn FnMut(&FetchProgress),
    ) -> Result<PathBuf, FetchError> {
        let entry = self.entry(name)?;
        if let Place::Shipped { folder } | Place::Local { folder } = self.place(entry) {
            return Ok(folder);
        }
        let target = self.local_folder(&entry.name);
        let folder_name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        fs::create_dir_all(&self.models_dir).map_err(io_error("create", &self.models_dir))?;
        let lock = self.models_dir.join(format!(".fetching-{folder_name}.lock"));
        let held = File::create(&lock).map_err(io_error("create", &lock))?;
        if held.try_lock().is_err() {
            return Err(FetchError::Busy { name: name.to_owned() });
        }
        // One folder per revision: a download must not continue with files of another revision.
        let revision = entry.revision.as_deref().unwrap_or(BRANCH);
        let incoming = self.models_dir.join(format!(".fetching-{folder_name}@{revision}"));
        fs::create_dir_all(&incoming).map_err(io_error("create", &incoming))?;

        let mut whole = entry.clone();
        for name in entry.file_names() {
            if !whole.files.iter().any(|file| file.name == name) {
                whole.files.push(ModelFile { name: name.to_owned(), sha256: None, size_bytes: None });
            }
        }
        for file in &mut whole.files {
            let source = Source { entry, options, incoming: &incoming };
            *file = source.bring(file, cancel, progress)?;
        }
        try_out(&incoming, &whole)?;
        promote(&incoming, &target, &whole)?;
        self.sweep(&folder_name);
        // If this fails, an empty file is left, which does no harm.
        let _ = fs::remove_file(lock);
        Ok(target)
    }

    /// Removes what interrupted fetches of other revisions have left. No other process uses it, since we hold the lock.
    fn sweep(&self, folder_name: &str) {
        let prefix = format!(".fetching-{folder_name}@");
        for left in fs::read_dir(&self.models_dir).into_iter().flatten().flatten() {
            if left.file_name().to_string_lossy().starts_with(&prefix) {
                // If this fails, the leftover folder does no harm.
                let _ = fs::remove_dir_all(left.path());
            }
        }
    }
}

/// Where one model's files come from and go to.
struct Source<'a> {
    entry: &'a Entry,
    options: &'a FetchOptions,
    incoming: &'a Path,
}

impl Source<'_> {
    /// Gets one file into the incoming folder and returns it with the sum computed from its bytes.
    fn bring(
        &self,
        file: &ModelFile,
        cancel: &Cancel,
        progress: &mut dyn FnMut(&FetchProgress),
    ) -> Result<ModelFile, FetchError> {
        let name = self.entry.name.clone();
        let path = self.incoming.join(&file.name);
        if path.is_file() {
            // An earlier, interrupted fetch has left it.
            if let Ok(seen) = self.check(file, &path, None) {
                return Ok(seen);
            }
        }
        make_parent(&path)?;
        if let Some(cached) = self.cached(&file.name) {
            fs::copy(&cached, &path).map_err(io_error("write", &path))?;
            if let Ok(seen) = self.check(file, &path, None) {
                return Ok(seen);
            }
        }
        if self.options.offline {
            return Err(FetchError::Offline { name, file: file.name.clone() });
        }
        let (Some(repo), revision) = (&self.entry.repo, self.entry.revision.as_deref().unwrap_or(BRANCH)) else {
            return Err(FetchError::NoSource { name });
        };
        let part = self.incoming.join(format!("{}.part", file.name));
        let mut failure = None;
        for endpoint in &self.options.endpoints {
            let url = format!("{endpoint}/{repo}/resolve/{revision}/{}", file.name);
            let download = Download { url: &url, part: &part, size_bytes: file.size_bytes, options: self.options };
            let mut report = |done_bytes, total_bytes| {
                progress(&FetchProgress { file: file.name.clone(), done_bytes, total_bytes });
            };
            let arrived = match download.run(cancel, &mut report) {
                Ok(linked) => {
                    fs::rename(&part, &path).map_err(io_error("write", &path))?;
                    self.check(file, &path, linked.sha256)
                }
                Err(DownloadError::Cancelled) => return Err(FetchError::Cancelled),
                Err(source) => Err(FetchError::Download { name: name.clone(), file: file.name.clone(), source }),
            };
            match arrived {
                Ok(seen) => return Ok(seen),
                Err(e) => failure = Some(e),
            }
        }
        Err(failure.unwrap_or(FetchError::NoSource { name }))
    }

    /// Computes the sum of a file, and removes the file if it is not the expected sum: the manifest's or, if it has
    /// none, the one that the publisher `announced`.
    fn check(&self, file: &ModelFile, path: &Path, announced: Option<String>) -> Result<ModelFile, FetchError> {
        let (found, size_bytes) = files::sha256_of(path).map_err(io_error("read", path))?;
        if let Some(expected) = file.sha256.clone().or(announced).filter(|expected| *expected != found) {
            fs::remove_file(path).map_err(io_error("remove", path))?;
            let (name, file) = (self.entry.name.clone(), file.name.clone());
            return Err(FetchError::WrongSum { name, file, found, expected });
        }
        Ok(ModelFile { name: file.name.clone(), sha256: Some(found), size_bytes: Some(size_bytes) })
    }

    /// The path of a file in Hugging Face's cache, under any of the model's names and at the pinned revision. If no
    /// revision is pinned, the one that the cache has for the branch is used.
    fn cached(&self, file: &str) -> Option<PathBuf> {
        let cache = self.options.cache.as_ref()?;
        let in_repo = |repo: &str| {
            let repo = cache.join(format!("models--{}", repo.replace('/', "--")));
            let revision = match &self.entry.revision {
                Some(revision) => revision.clone(),
                None => fs::read_to_string(repo.join("refs").join(BRANCH)).ok()?.trim().to_owned(),
            };
            Some(repo.join("snapshots").join(revision).join(file)).filter(|path| path.is_file())
        };
        self.entry.repos().find_map(in_repo)
    }
}

/// Keeps `io` errors of the download apart from those of the store.
impl From<io::Error> for DownloadError {
    fn from(source: io::Error) -> Self {
        Self::Broken { source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> FetchOptions {
        FetchOptions::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read_as_hugging_face_reads_them() {
        let plain = options(&[("HOME", "/home/ada")]);
        assert_eq!(plain.endpoints, [PUBLISHER]);
        assert!(!plain.offline);
        assert_eq!(plain.cache, Some(PathBuf::from("/home/ada/.cache/huggingface/hub")));
        let set = options(&[("HF_ENDPOINT", "https://mirror/"), ("HF_HUB_OFFLINE", "1"), ("HF_HOME", "/data/hf")]);
        assert_eq!(set.endpoints, ["https://mirror"]);
        assert!(set.offline);
        assert_eq!(set.cache, Some(PathBuf::from("/data/hf/hub")));
        assert_eq!(options(&[("HF_HUB_CACHE", "/c")]).cache, Some(PathBuf::from("/c")));
    }

    #[test]
    fn the_token_is_read_from_the_variable_or_else_from_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("token"), "hf_stored\n").expect("writes");
        let home = folder.path().to_str().expect("a path");
        let stored = options(&[("HF_HOME", home)]).token;
        assert_eq!(stored, Token::new("hf_stored"));
        assert_eq!(options(&[("HF_HOME", home), ("HF_TOKEN", "hf_given")]).token, Token::new("hf_given"));
        assert_eq!(options(&[("HF_HOME", "/nowhere")]).token, None);
        assert!(!format!("{stored:?}").contains("stored"), "the token shows");
        assert_eq!(Token::new("two\nlines"), None);
    }
}
