//! The small files of a generation, written anew where they are damaged, and what a killed writer left.

use std::fs;
use std::path::Path;

use super::{Generation, lock};
use crate::index::directory::{MANAGED, META};
use crate::index::label::{self, FORMAT, Label};
use crate::{EngineError, kept};

impl Generation {
    /// Writes small files anew whose copies serve.
    pub(in crate::index) fn mend(&self) -> Result<(), EngineError> {
        let mut damage = lock(&self.label_damage);
        if damage.is_some() {
            write_label(&self.path, &self.label)?;
            *damage = None;
        }
        if let Some(list) = self.managed() {
            kept::write_atomically(&self.path.join(MANAGED), &list)?;
        }
        // The copy describes the last commit, or one whose files were all there when the power went.
        match self.read_meta() {
            Ok(kept::Kept { value: Some(bytes), damage: Some(_) }) => {
                kept::write_atomically(&self.path.join(META), &bytes)
            }
            _ => Ok(()),
        }
    }

    /// What `.managed.json` has to say where it is damaged or gone: all files of segments that are here. What of them no
    /// commit names, the next one clears away.
    pub(super) fn managed(&self) -> Option<Vec<u8>> {
        // A name of other signs is a damaged one.
        let is_name =
            |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let listed = fs::read(self.path.join(MANAGED)).unwrap_or_default();
        let listed: Vec<String> = serde_json::from_slice(&listed).unwrap_or_default();
        if !listed.is_empty() && listed.iter().all(is_name) {
            return None;
        }
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let of_segment =
            |name: &String| name.as_bytes().first_chunk::<32>().is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit));
        let names: Vec<String> = names.filter(of_segment).chain([META.to_owned()]).collect();
        serde_json::to_vec(&names).ok()
    }

    /// Removes what a writer that was killed left half written.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(".tmp") || name.contains(".tmp") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

pub(super) fn write_label(path: &Path, label: &Label) -> Result<(), EngineError> {
    let file = path.join("label.toml");
    let written =
        toml::to_string(label).map_err(|e| EngineError::Settings { path: file.clone(), message: e.to_string() })?;
    kept::write(&file, written.as_bytes())
}

pub(super) fn read_label(path: &Path) -> Result<(Label, Option<String>), EngineError> {
    let file = path.join("label.toml");
    let read =
        kept::read(&file, label::parse).map_err(|source| EngineError::Io { action: "read", path: file, source })?;
    match (read.value, read.damage) {
        (Some(Ok(label)), damage) => Ok((label, damage)),
        (Some(Err(found)), _) => Err(EngineError::OtherVersion { path: path.to_owned(), found, ours: FORMAT }),
        (None, damage) => {
            let why = damage.as_deref().unwrap_or("is gone");
            Err(EngineError::Damaged { path: path.to_owned(), message: format!("label.toml {why}") })
        }
    }
}
