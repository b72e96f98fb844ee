//! Where the watched folders lie: which device each was on, and since when it has been away.
//!
//! A drive that was pulled out leaves an empty folder at its mount point, or none. Its notes were not deleted, so they
//! are kept until the drive is back, or until the user has them forgotten.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::EngineError;

/// A watched folder, or a drive inside one, that is not there now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Away {
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub reason: String,
}

/// `places.toml` in the data folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Places {
    place: BTreeMap<PathBuf, Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    device: u64,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    away_since: Option<u64>,
}

impl Places {
    /// A list that cannot be read counts as empty: the places are noted again at the next look.
    pub(crate) fn load(data_dir: &Path) -> Self {
        let path = file(data_dir);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "not a list of places; it is made anew");
                Self::default()
            }),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "the list of places cannot be read");
                }
                Self::default()
            }
        }
    }

    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), EngineError> {
        let path = file(data_dir);
        let text = toml::to_string_pretty(self)
            .map_err(|e| EngineError::Settings { path: path.clone(), message: e.to_string() })?;
        crate::twin_file::write_atomically(&path, text.as_bytes())
    }

    pub(super) fn device(&self, path: &Path) -> Option<u64> {
        self.place.get(path).map(|place| place.device)
    }

    /// Places at `folder` and below.
    pub(super) fn inside<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        super::under(&self.place, folder).map(|(path, _)| path)
    }

    pub(crate) fn away_since(&self, path: &Path) -> Option<u64> {
        self.place.get(path).and_then(|place| place.away_since)
    }

    /// Whether `path` lies on a place that was away at the last look.
    pub(crate) fn is_away(&self, path: &Path) -> bool {
        path.ancestors().any(|place| self.away_since(place).is_some())
    }

    /// Notes the `devices` of the places that are there, and when those that are `away` were first missed. Returns
    /// whether anything changed.
    pub(crate) fn note(&mut self, devices: &BTreeMap<PathBuf, u64>, away: &[Away], now: u64) -> bool {
        let before = self.clone();
        for (path, device) in devices {
            self.place.insert(path.clone(), Place { device: *device, away_since: None });
        }
        for Away { path, .. } in away {
            let place = self.place.entry(path.clone()).or_insert(Place { device: 0, away_since: None });
            place.away_since.get_or_insert(now);
        }
        *self != before
    }

    /// Drops the places at `folder` and below.
    pub(crate) fn forget(&mut self, folder: &Path) {
        self.place.retain(|path, _| !path.starts_with(folder));
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("places.toml")
}
