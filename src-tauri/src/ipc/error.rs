//! Every failure reaches the window as a kind, by which it decides what to do, and a message to show.

use nuthatch_engine::{EngineError, FolderError};
use serde::Serialize;
use specta::Type;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A newer question took its place, or the window closed.
    Cancelled,
    EmptyQuery,
    /// Nothing has been indexed yet.
    NoIndex,
    /// Another Nuthatch holds the index.
    Locked,
    /// The folder is not there, not a folder, not readable or not watched.
    Folder,
    Settings,
    Model,
    Index,
    /// A file could not be read, written or opened.
    File,
    /// The window asked for a file outside the watched folders.
    OutsideFolders,
    /// A defect of the app: work ended without an answer.
    Internal,
}

/// `message` names the file or setting and says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Type)]
#[error("{message}")]
pub struct AppError {
    pub kind: ErrorKind,
    pub message: String,
}

impl AppError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<EngineError> for AppError {
    fn from(error: EngineError) -> Self {
        let kind = match &error {
            EngineError::Cancelled => ErrorKind::Cancelled,
            EngineError::EmptyQuery => ErrorKind::EmptyQuery,
            // The engine's message is meant for the terminal.
            EngineError::NoIndex { .. } => {
                return Self::new(ErrorKind::NoIndex, "nothing is indexed yet: add a folder of notes");
            }
            EngineError::Locked { .. } => ErrorKind::Locked,
            EngineError::Settings { .. } | EngineError::BadSetting(_) | EngineError::BadRequest(_) => {
                ErrorKind::Settings
            }
            EngineError::Folder(_) => ErrorKind::Folder,
            EngineError::Model(_) => ErrorKind::Model,
            EngineError::Index { .. } => ErrorKind::Index,
            // The watching thread mends this: it builds a new index beside the old one.
            EngineError::OtherVersion { .. } | EngineError::Damaged { .. } => {
                return Self::new(ErrorKind::Index, "the index cannot be read: it is being built anew from your files");
            }
            EngineError::Unexpected { .. } => ErrorKind::Internal,
            EngineError::DiskFull { .. } | EngineError::ReadOnly { .. } => ErrorKind::File,
            EngineError::Io { .. } | EngineError::BadInput { .. } => ErrorKind::File,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<FolderError> for AppError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Engine(error) => (*error).into(),
            other => Self::new(ErrorKind::Folder, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn kinds_and_sentences() {
        let path = PathBuf::from("/notes");
        let check = |error: AppError, kind, part: &str| {
            assert_eq!(error.kind, kind);
            assert!(error.message.contains(part), "{error}");
        };
        check(EngineError::EmptyQuery.into(), ErrorKind::EmptyQuery, "type a few words");
        check(EngineError::NoIndex { path: path.clone() }.into(), ErrorKind::NoIndex, "add a folder");
        let locked = EngineError::Locked { path: path.clone(), holder: "process 7".to_owned() };
        check(FolderError::Engine(Box::new(locked)).into(), ErrorKind::Locked, "process 7");
        check(FolderError::NotFound { path }.into(), ErrorKind::Folder, "/notes");
    }

    #[test]
    fn json() {
        let json = serde_json::to_value(AppError::new(ErrorKind::OutsideFolders, "m")).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "outside_folders", "message": "m" }));
    }
}
