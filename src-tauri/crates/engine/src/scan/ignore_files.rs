//! `.nuthatchignore`, `.gitignore` and `.git/info/exclude`, folder by folder, as Git reads them.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};

pub(super) const OURS: &str = ".nuthatchignore";
pub(super) const GIT: &str = ".gitignore";

/// A larger file is not taken for a list of patterns.
const MAX_BYTES: u64 = 1 << 20;

/// The ignore files that count in one folder: its own and those of the folders above, up to the watched one.
#[derive(Clone, Default)]
pub(super) struct Ignores(Option<Rc<Level>>);

struct Level {
    ours: Gitignore,
    git: Gitignore,
    exclude: Gitignore,
    /// A repository begins here: the `.gitignore` files above do not reach into it.
    repository: bool,
    above: Ignores,
}

/// What the ignore files say of a file or folder.
pub(super) enum Said {
    Nothing,
    /// A `.nuthatchignore` asks for it by name (`!notes/`): it is read though it is hidden or Git ignores it.
    Keep,
    LeftOut(String),
}

impl Ignores {
    /// The ignore files that count inside `folder`. `self` are those of the folder above it.
    pub(super) fn enter(&self, folder: &Path, gitignore: bool) -> Self {
        let ours = patterns(folder, &folder.join(OURS));
        let repository = gitignore && folder.join(".git").exists();
        let (git, exclude) = match gitignore {
            true => (patterns(folder, &folder.join(GIT)), patterns(folder, &folder.join(".git/info/exclude"))),
            false => (Gitignore::empty(), Gitignore::empty()),
        };
        if ours.is_empty() && git.is_empty() && exclude.is_empty() && !repository {
            return self.clone();
        }
        Self(Some(Rc::new(Level { ours, git, exclude, repository, above: self.clone() })))
    }

    /// What `.nuthatchignore` files say: the deepest one with a matching pattern decides.
    pub(super) fn ours(&self, root: &Path, path: &Path, is_folder: bool) -> Said {
        self.levels()
            .map(|level| said(level.ours.matched(path, is_folder), root))
            .find(is_something)
            .unwrap_or(Said::Nothing)
    }

    /// What Git's files say, up to the beginning of the repository.
    pub(super) fn git(&self, root: &Path, path: &Path, is_folder: bool) -> Said {
        for level in self.levels() {
            for matcher in [&level.git, &level.exclude] {
                let said = said(matcher.matched(path, is_folder), root);
                if is_something(&said) {
                    return said;
                }
            }
            if level.repository {
                break;
            }
        }
        Said::Nothing
    }

    fn levels(&self) -> impl Iterator<Item = &Level> {
        std::iter::successors(self.0.as_deref(), |level| level.above.0.as_deref())
    }
}

fn is_something(said: &Said) -> bool {
    !matches!(said, Said::Nothing)
}

fn said(found: Match<&Glob>, root: &Path) -> Said {
    match found {
        Match::None => Said::Nothing,
        Match::Whitelist(_) => Said::Keep,
        Match::Ignore(glob) => {
            let file = glob.from().unwrap_or(root);
            let name = root.file_name().unwrap_or_default();
            let shown = file.strip_prefix(root).map_or(file.to_owned(), |inside| Path::new(name).join(inside));
            Said::LeftOut(format!("left out by {}: {}", shown.display(), glob.original()))
        }
    }
}

/// The patterns of one file. A line that is not a pattern is passed over, as in Git.
fn patterns(folder: &Path, file: &Path) -> Gitignore {
    // Plain files only: a link could lead anywhere, and reading a pipe could wait for ever.
    let is_read = fs::symlink_metadata(file).is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
    let text = if is_read { fs::read(file).unwrap_or_default() } else { return Gitignore::empty() };
    let mut builder = GitignoreBuilder::new(folder);
    for line in String::from_utf8_lossy(&text).trim_start_matches('\u{feff}').lines() {
        if let Err(error) = builder.add_line(Some(file.to_owned()), line) {
            tracing::warn!(file = %file.display(), %error, "a line that is no pattern is passed over");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
