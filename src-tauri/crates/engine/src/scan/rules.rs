//! The rules, from the settings, for what is read and what is left out.

use std::path::{Path, PathBuf};

use super::{Stamp, Verdict};
use crate::extract::format_of;
use crate::{Settings, watched};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rules {
    /// The watched folders, absolute.
    pub roots: Vec<PathBuf>,
    /// Our own data, which is never read, in every spelling under which a walk meets it.
    pub data_dirs: Vec<PathBuf>,
    pub hidden: bool,
    pub gitignore: bool,
    max_text_mb: u64,
    max_document_mb: u64,
    skip_types: Vec<String>,
}

impl Rules {
    pub(crate) fn new(settings: &Settings, data_dir: &Path) -> Self {
        let bare = |kind: &String| kind.trim_start_matches('.').to_lowercase();
        Self {
            roots: settings.folders.clone(),
            data_dirs: watched::spellings(data_dir, &settings.folders),
            hidden: settings.hidden,
            gitignore: settings.gitignore,
            max_text_mb: settings.max_text_mb,
            max_document_mb: settings.max_document_mb,
            skip_types: settings.skip_types.iter().map(bare).collect(),
        }
    }

    /// The watched folder that decides about `path`: the innermost.
    pub(crate) fn root_of(&self, path: &Path) -> Option<&Path> {
        let holding = self.roots.iter().filter(|root| path.starts_with(root));
        holding.max_by_key(|root| root.components().count()).map(PathBuf::as_path)
    }

    /// If `root` is a link to another watched folder, that folder. Its files are looked at there only, so that they
    /// count once.
    pub(super) fn twin_of(&self, root: &Path) -> Option<&Path> {
        if !root.is_symlink() {
            return None;
        }
        // If several watched folders are links to one place, the first counts.
        let goes_first = |other: &Path| other != root && !other.is_symlink();
        let before = self.roots.iter().take_while(|other| *other != root);
        let others = self.roots.iter().filter(|other| goes_first(other)).chain(before);
        others.map(PathBuf::as_path).find(|other| watched::is_same(other, root))
    }

    /// Whether a real path lies in a watched folder, even if that folder is a link.
    pub(super) fn is_watched(&self, path: &Path) -> bool {
        watched::spellings(path, &self.roots).iter().any(|path| self.root_of(path).is_some())
    }

    /// Watched folders strictly inside `folder`.
    pub(crate) fn roots_inside<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.roots.iter().filter(move |root| root.starts_with(folder) && root.as_path() != folder)
    }

    /// Decides about a plain file by its name and size.
    pub(crate) fn file(&self, path: &Path, stamp: &Stamp) -> Verdict {
        if path.to_str().is_none() {
            return Verdict::Skip("its name is not UTF-8: rename it".to_owned());
        }
        let kind = path.extension().map(|kind| kind.to_string_lossy().to_lowercase());
        let Some(format) = format_of(path) else {
            return Verdict::Skip(
                kind.map_or("not a text format".to_owned(), |kind| format!(".{kind} files are not read")),
            );
        };
        if let Some(kind) = kind.filter(|kind| self.skip_types.contains(kind)) {
            return Verdict::Skip(format!(".{kind} files are left out by `skip_types` in the settings"));
        }
        let (limit, setting) = match format.is_text() {
            true => (self.max_text_mb, "max_text_mb"),
            false => (self.max_document_mb, "max_document_mb"),
        };
        if stamp.size > limit.saturating_mul(1 << 20) {
            return Verdict::TooLarge(format!("larger than {limit} MB: `{setting}` in the settings is the limit"));
        }
        Verdict::Read
    }
}
