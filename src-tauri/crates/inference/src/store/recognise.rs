//! Whether a folder is a published model that the manifest knows.

use std::path::Path;

use super::manifest::{Entry, Shape};
use super::{ImportError, weights};
use crate::config::Config;
use crate::{LoadError, files};

/// Index in `known` of the published model that `folder` holds; `whole_path` is the canonical path of `folder`.
///
/// If the manifest has a sum of the weights, that sum decides. Otherwise the folder must have the published name, as
/// `git clone` or Hugging Face's tools give it, and the published architecture and shape.
pub fn recognise(known: &[Entry], whole_path: &Path, folder: &Path) -> Result<Option<usize>, ImportError> {
    let config = Config::read(folder)?;
    let shape = Shape { layers: config.num_hidden_layers, width: config.hidden_size, words: config.vocab_size };
    let mut sum: Option<String> = None;
    for (i, entry) in known.iter().enumerate().filter(|(_, entry)| entry.repo.is_some()) {
        let alike = entry.architecture == config.architecture() && entry.shape.is_none_or(|known| known == shape);
        let named = entry.repos().any(|repo| is_named(whole_path, repo));
        let published = entry.files.iter().find(|file| file.name == weights::FILE).and_then(|f| f.sha256.as_ref());
        let found = match published {
            Some(published) if alike && folder.join(weights::FILE).is_file() => {
                if sum.is_none() {
                    sum = Some(sum_of(&folder.join(weights::FILE))?);
                }
                sum.as_ref() == Some(published)
            }
            Some(_) => false,
            None => alike && named,
        };
        if found {
            return Ok(Some(i));
        }
        if named {
            let file = if alike { weights::FILE } else { crate::config::FILE };
            return Err(ImportError::NotPublished { name: entry.name.clone(), file: file.to_owned() });
        }
    }
    Ok(None)
}

fn sum_of(file: &Path) -> Result<String, LoadError> {
    let sum = files::sha256_of(file).map_err(|source| LoadError::Io { file: file.to_owned(), source })?;
    Ok(sum.0)
}

/// Whether the folder is called `…/name`, `…/owner--name`, or `…/models--owner--name/snapshots/REVISION`.
fn is_named(folder: &Path, repo: &str) -> bool {
    let name = |folder: &Path| folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let in_cache = folder.parent().filter(|p| name(p) == "snapshots").and_then(Path::parent).map(name);
    let flat = repo.replace('/', "--");
    let last = repo.rsplit('/').next().unwrap_or(repo);
    name(folder) == last || name(folder) == flat || in_cache == Some(format!("models--{flat}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_by_git_by_hand_and_by_the_cache() {
        let repo = "cross-encoder/ms-marco-MiniLM-L6-v2";
        for folder in [
            "/home/ada/ms-marco-MiniLM-L6-v2",
            "/models/cross-encoder--ms-marco-MiniLM-L6-v2",
            "/hub/models--cross-encoder--ms-marco-MiniLM-L6-v2/snapshots/c5ee24cb",
        ] {
            assert!(is_named(Path::new(folder), repo), "{folder}");
        }
        for folder in ["/home/ada/ms-marco-MiniLM-L12-v2", "/hub/models--a--b/snapshots/c5ee24cb", "/snapshots/x", "/"]
        {
            assert!(!is_named(Path::new(folder), repo), "{folder}");
        }
    }
}
