//! `fits.toml`: calibrations of pairs of models, fitted on this machine. They take precedence over the manifest's.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nuthatch_engine::{Blend, FirstStage};
use serde::{Deserialize, Serialize};

use super::ModelStore;
use super::manifest::{self, Entry, Pair};
use crate::LoadError;

/// Lies in the folder of fetched and imported models.
pub const FITS: &str = "fits.toml";

/// How the scores of a bi-encoder and a cross-encoder become probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Names of models of the store.
    pub embedder: String,
    pub reranker: String,
    pub blend: Blend,
    pub first_stage: FirstStage,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fits {
    #[serde(default)]
    fit: Vec<Fit>,
}

/// The fits could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", file.display())]
pub struct KeepError {
    file: PathBuf,
    source: io::Error,
}

impl ModelStore {
    /// Saves a fit, in place of an earlier one of the same pair. Models loaded from now on use it.
    pub fn keep_fit(&mut self, fit: Fit) -> Result<(), KeepError> {
        // A file that cannot be read is of no use and is overwritten.
        let mut fits = read(&self.models_dir).unwrap_or_default();
        fits.retain(|other| (&other.embedder, &other.reranker) != (&fit.embedder, &fit.reranker));
        fits.push(fit);
        let file = self.models_dir.join(FITS);
        let written = write(&self.models_dir, &file, &Fits { fit: fits.clone() });
        written.map_err(|source| KeepError { file, source })?;
        apply(&fits, &mut self.known);
        Ok(())
    }

    /// Deletes the fit of a pair and returns whether there was one. The manifest's values apply again once the store is
    /// reopened.
    pub fn forget_fit(&mut self, embedder: &str, reranker: &str) -> Result<bool, KeepError> {
        let fits = read(&self.models_dir).unwrap_or_default();
        let (gone, kept): (Vec<Fit>, Vec<Fit>) =
            fits.into_iter().partition(|fit| fit.embedder == embedder && fit.reranker == reranker);
        if !gone.is_empty() {
            let file = self.models_dir.join(FITS);
            write(&self.models_dir, &file, &Fits { fit: kept }).map_err(|source| KeepError { file, source })?;
        }
        Ok(!gone.is_empty())
    }
}

/// Applies the fits in `models_dir` to the entries. A file that cannot be read is ignored with a warning.
pub(super) fn take_over(models_dir: &Path, known: &mut [Entry]) {
    match read(models_dir) {
        Ok(fits) => apply(&fits, known),
        Err(error) => tracing::warn!(%error, "fits left out: run `nuthatch models calibrate` again"),
    }
}

/// Applies the fits in order: a bi-encoder that has several gets its first stage from the last.
fn apply(fits: &[Fit], known: &mut [Entry]) {
    for fit in fits {
        for entry in known.iter_mut() {
            if entry.name == fit.embedder {
                entry.first_stage = Some(fit.first_stage);
            }
            if entry.name == fit.reranker {
                entry.pairs.retain(|pair| pair.embedder != fit.embedder);
                entry.pairs.push(Pair { embedder: fit.embedder.clone(), blend: fit.blend });
            }
        }
    }
}

fn read(models_dir: &Path) -> Result<Vec<Fit>, LoadError> {
    let file = models_dir.join(FITS);
    if !file.exists() {
        return Ok(Vec::new());
    }
    Ok(manifest::parse::<Fits>(&file)?.fit)
}

fn write(models_dir: &Path, file: &Path, fits: &Fits) -> io::Result<()> {
    fs::create_dir_all(models_dir)?;
    let text = toml::to_string(fits).map_err(io::Error::other)?;
    let passing = models_dir.join(format!(".fits-{}", std::process::id()));
    let written = File::create(&passing).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.sync_all()
    });
    written.and_then(|()| fs::rename(&passing, file)).inspect_err(|_| {
        // If this fails, the leftover file does no harm.
        let _ = fs::remove_file(&passing);
    })
}
