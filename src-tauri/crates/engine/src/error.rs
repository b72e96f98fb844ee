//! Every error names the file or the setting and what to do about it.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("cancelled")]
    Cancelled,
    /// `message` says what is wrong with which file and what to do.
    #[error("{message}")]
    Failed { message: String },
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{} is not there: check the spelling, or plug the drive in", path.display())]
    NotFound { path: PathBuf },
    #[error("{} is a file: give the folder it lies in", path.display())]
    NotAFolder { path: PathBuf },
    #[error("{} cannot be read ({source}): give yourself permission to read it", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is not among the watched folders: `nuthatch folders list` shows them", path.display())]
    NotWatched { path: PathBuf },
    #[error("{} is there: it is followed, and `nuthatch folders remove` takes a watched folder out", path.display())]
    NotAway { path: PathBuf },
    #[error("{} holds Nuthatch's own data: choose another folder", path.display())]
    IsDataDir { path: PathBuf },
    #[error(transparent)]
    Engine(#[from] Box<EngineError>),
}

/// A number that is not [allowed](crate::allowed).
#[derive(Debug, thiserror::Error)]
#[error("{name} = {value}: give {wanted}")]
pub struct BadSetting {
    /// The number's name in `settings.toml` or [`SearchRequest`](crate::SearchRequest).
    pub name: &'static str,
    pub value: String,
    pub wanted: String,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("cancelled")]
    Cancelled,
    #[error("the question is empty: type a few words")]
    EmptyQuery,
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is not a valid settings file ({message}): mend it, or delete it to start afresh", path.display())]
    Settings { path: PathBuf, message: String },
    /// A setting is not allowed. No setting was changed.
    #[error(transparent)]
    BadSetting(#[from] BadSetting),
    /// A number in a search request is not allowed.
    #[error(transparent)]
    BadRequest(BadSetting),
    /// The disk has no room left, or a limit on the size of files was reached.
    #[error(
        "the disk that holds {} is full ({source}): make room. Searches go on with what is indexed, and indexing goes on by itself",
        path.display()
    )]
    DiskFull { path: PathBuf, source: std::io::Error },
    #[error(
        "nothing can be written to {} ({source}): give yourself permission to write there, or use another --data-dir. Searches go on with what is indexed",
        path.display()
    )]
    ReadOnly { path: PathBuf, source: std::io::Error },
    /// `holder` says which process, where and for how long.
    #[error("the index in {} is held by another Nuthatch ({holder}): close it, or use another --data-dir", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error("there is no index in {} yet: run `nuthatch index FOLDER` first", path.display())]
    NoIndex { path: PathBuf },
    #[error(
        "the index in {} was written by another version of Nuthatch (format {found}, this one reads {ours}): `nuthatch index` builds it anew from your files",
        path.display()
    )]
    OtherVersion { path: PathBuf, found: i64, ours: u32 },
    #[error("the index in {} is damaged ({message}): `nuthatch index` builds it anew from your files", path.display())]
    Damaged { path: PathBuf, message: String },
    /// A defect: work on the index in `path` ended in a panic.
    #[error("work on {} ended unexpectedly ({message}): try again, and report it if it happens twice", path.display())]
    Unexpected { path: PathBuf, message: String },
    #[error("{}: {message}", path.display())]
    BadInput { path: PathBuf, message: String },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the index in {} failed ({source}): delete that folder to build it anew from your files", path.display())]
    Index { path: PathBuf, source: tantivy::TantivyError },
}

impl EngineError {
    /// What a failed write to `path` means to the user.
    pub(crate) fn writing(action: &'static str, path: PathBuf, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull { path, source },
            PermissionDenied | ReadOnlyFilesystem => Self::ReadOnly { path, source },
            _ => Self::Io { action, path, source },
        }
    }
}
