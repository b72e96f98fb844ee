//! Why a command did not do what was asked, and the exit code that says so.

use std::io::ErrorKind;

use nuthatch_engine::{EngineError, FolderError, ModelError};
use serde_json::json;

use crate::io::Io;

/// An error message is one line: what, which file, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was found, or a check did not pass; the answer already says so.
    #[error("nothing found")]
    Nothing,
    #[error("{message}")]
    Usage { kind: &'static str, message: String },
    #[error("{message}")]
    Failed { kind: &'static str, message: String },
    #[error("interrupted")]
    Interrupted,
    /// The reader of the output has closed it, as `nuthatch … | head -1` does. That is no error.
    #[error("the output was closed")]
    ClosedPipe,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { kind: "usage", message: message.into() }
    }

    pub(crate) fn failed(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { kind, message: message.into() }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Nothing => 1,
            Self::Usage { .. } => 2,
            Self::Failed { .. } => 3,
            Self::Interrupted => 130,
        }
    }

    /// One line on standard error; with `json` also `{"error": {"kind", "message"}}` on standard output.
    pub(crate) fn report(&self, io: &mut Io<'_>, json: bool) -> std::io::Result<()> {
        let (kind, message) = match self {
            Self::Nothing | Self::ClosedPipe => return Ok(()),
            Self::Interrupted => ("interrupted", self.to_string()),
            Self::Usage { kind, message } | Self::Failed { kind, message } => (*kind, message.clone()),
        };
        if json {
            // clap's first paragraph says what is wrong; the hints and the usage below it are left out.
            let first = message.split("\n\n").next().unwrap_or_default();
            writeln!(io.out, "{}", json!({ "error": { "kind": kind, "message": first } }))?;
            io.out.flush()?;
        }
        writeln!(io.err, "nuthatch: {}", message.trim_end())
    }
}

/// Only errors of writing the output are converted this way; errors of reading files have types of their own.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::failed("output", format!("cannot write the output: {error}")),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => std::io::Error::from(kind).into(),
            None => Self::failed("output", format!("cannot write the answer as JSON: {error}")),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        Self::usage(text.strip_prefix("error: ").unwrap_or(&text))
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Interrupted,
            ModelError::Failed { message } => Self::failed("model", message),
        }
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let kind = match &error {
            FolderError::NotFound { .. } => "folder_not_found",
            FolderError::NotAFolder { .. } => "not_a_folder",
            FolderError::Unreadable { .. } => "folder_unreadable",
            FolderError::NotWatched { .. } => "folder_not_watched",
            FolderError::NotAway { .. } => "folder_not_away",
            FolderError::IsDataDir { .. } => "folder_is_data_dir",
            FolderError::Engine(_) => {
                let FolderError::Engine(inner) = error else { unreachable!("matched just above") };
                return (*inner).into();
            }
        };
        Self::failed(kind, error.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Cancelled => return Self::Interrupted,
            EngineError::EmptyQuery => return Self::Usage { kind: "empty_query", message: error.to_string() },
            EngineError::BadRequest(_) => return Self::usage(error.to_string()),
            EngineError::Folder(inner) => return inner.into(),
            EngineError::Model(inner) => return inner.into(),
            EngineError::Io { .. } => "io",
            EngineError::Settings { .. } | EngineError::BadSetting(_) => "settings",
            EngineError::DiskFull { .. } => "disk_full",
            EngineError::ReadOnly { .. } => "read_only",
            EngineError::Locked { .. } => "locked",
            EngineError::NoIndex { .. } => "no_index",
            EngineError::OtherVersion { .. } => "other_version",
            EngineError::Damaged { .. } => "damaged",
            EngineError::Unexpected { .. } => "unexpected",
            EngineError::BadInput { .. } => "bad_input",
            EngineError::Index { .. } => "index",
        };
        Self::failed(kind, error.to_string())
    }
}
