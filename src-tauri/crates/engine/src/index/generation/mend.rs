//! Repairs the small files of a generation, and removes what a killed writer left behind.

use std::fs;
use std::path::Path;

use super::{Generation, lock};
use crate::index::directory::{MANAGED, META};
use crate::index::label::{self, FORMAT, Label};
use crate::{EngineError, twin_file};

impl Generation {
    /// Writes the damaged ones of the small files anew.
    pub(in crate::index) fn mend(&self) -> Result<(), EngineError> {
        let mut damage = lock(&self.label_damage);
        if damage.is_some() {
            write_label(&self.path, &self.label)?;
            *damage = None;
        }
        if let Some(list) = self.managed() {
            twin_file::write_atomically(&self.path.join(MANAGED), &list)?;
        }
        // The copy describes the last commit, or, after a power failure, one whose files were all on disk by then.
        match self.read_meta() {
            Ok(twin_file::TwinFile { value: Some(bytes), damage: Some(_) }) => {
                twin_file::write_atomically(&self.path.join(META), &bytes)
            }
            _ => Ok(()),
        }
    }

    /// The new content of `.managed.json` if it is damaged or gone: all segment files in the folder. The next commit
    /// removes those of them that no commit names.
    pub(super) fn managed(&self) -> Option<Vec<u8>> {
        // A name with any other character is damaged.
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

    /// Removes temporary files that a killed writer left half written.
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
    twin_file::write(&file, written.as_bytes())
}

pub(super) fn read_label(path: &Path) -> Result<(Label, Option<String>), EngineError> {
    let file = path.join("label.toml");
    let read = twin_file::read(&file, label::parse).map_err(|source| EngineError::Io {
        action: "read",
        path: file,
        source,
    })?;
    match (read.value, read.damage) {
        (Some(Ok(label)), damage) => Ok((label, damage)),
        (Some(Err(found)), _) => Err(EngineError::OtherVersion { path: path.to_owned(), found, ours: FORMAT }),
        (None, damage) => {
            let why = damage.as_deref().unwrap_or("is gone");
            Err(EngineError::Damaged { path: path.to_owned(), message: format!("label.toml {why}") })
        }
    }
}
