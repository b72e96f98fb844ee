//! The app's command line, and where its files lie on this system.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use nuthatch_engine::watched::inside;
use nuthatch_engine::{EngineError, FolderError};
use nuthatch_inference::ModelStore;
use tauri::{Manager, Runtime};

use crate::ipc::{AppError, ErrorKind};

#[derive(Clone, Debug, Default, Parser)]
#[command(name = "nuthatch-app", version, about = "Finds the five notes that answer you.")]
pub struct Args {
    /// Keep settings, index and fetched models here instead of in the usual data folder.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Watch these folders too, from now on.
    #[arg(value_name = "FOLDER", value_parser = folder)]
    pub folders: Vec<PathBuf>,
}

impl Args {
    /// The data folder, by default the one the `nuthatch` command uses: the two share one index.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return std::path::absolute(dir).with_context(|| format!("--data-dir {}", dir.display()));
        }
        let dirs = directories::ProjectDirs::from("", "", "nuthatch")
            .context("this system names no home folder: give one with --data-dir DIR")?;
        Ok(dirs.data_dir().to_path_buf())
    }
}

/// Refuses a folder argument before the window opens, where the person who typed it can see why.
fn folder(argument: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(argument);
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err("it is a file: give the folder it lies in".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The folder of shipped models: the package's resource folder, or else [`ModelStore::shipped_dir`].
pub fn shipped_models<R: Runtime>(app: &impl Manager<R>) -> Option<PathBuf> {
    let packaged = app.path().resource_dir().ok().map(|folder| folder.join("models"));
    packaged.filter(|folder| folder.join("manifest.toml").is_file()).or_else(ModelStore::shipped_dir)
}

/// The path to hand to another program, if it lies in a watched folder. Calls [`inside`], with the window's own error
/// messages.
pub fn watched(path: &Path, folders: &[PathBuf]) -> Result<PathBuf, AppError> {
    let shown = path.display();
    inside(path, folders).map_err(|error| match error {
        EngineError::Io { source, .. } => {
            AppError::new(ErrorKind::File, format!("cannot open {shown} ({source}): it may have been moved"))
        }
        EngineError::Folder(FolderError::NotWatched { .. }) => {
            let message = format!("{shown} lies outside the watched folders: add its folder first");
            AppError::new(ErrorKind::OutsideFolders, message)
        }
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let here = tempfile::tempdir().unwrap();
        let folder = here.path().to_str().unwrap();
        let args = Args::try_parse_from(["nuthatch-app", "--data-dir", "/d", folder]).unwrap();
        assert_eq!(args.data_dir().unwrap(), Path::new("/d"));
        assert_eq!(args.folders, [here.path()]);
        assert!(Args::try_parse_from(["nuthatch-app", "/no/such/folder"]).is_err());
    }

    #[test]
    fn only_what_leads_into_a_watched_folder_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let notes = root.path().join("notes");
        let secret = root.path().join("secret.md");
        std::fs::create_dir(&notes).unwrap();
        std::fs::write(notes.join("a.md"), "a").unwrap();
        std::fs::write(&secret, "s").unwrap();
        let folders = [notes.clone(), root.path().join("gone")];
        let check = |path: PathBuf, expect: Option<ErrorKind>| {
            assert_eq!(watched(&path, &folders).err().map(|error| error.kind), expect, "{}", path.display());
        };
        check(notes.join("a.md"), None);
        check(notes.join("gone.md"), Some(ErrorKind::File));
        check(secret.clone(), Some(ErrorKind::OutsideFolders));
        check(notes.join("../secret.md"), Some(ErrorKind::OutsideFolders));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, notes.join("link.md")).unwrap();
            check(notes.join("link.md"), Some(ErrorKind::OutsideFolders));
            // A watched folder that is itself a link.
            let way = root.path().join("way");
            std::os::unix::fs::symlink(&notes, &way).unwrap();
            let folders = [way.clone()];
            let opened = watched(&way.join("a.md"), &folders).unwrap();
            assert_eq!(opened, notes.join("a.md").canonicalize().unwrap());
            let refused = watched(&way.join("link.md"), &folders).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::OutsideFolders);
        }
    }
}
