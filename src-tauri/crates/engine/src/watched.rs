//! Which paths lie in a watched folder, however they are spelt.
//!
//! `folders add` writes the real path of a folder into the settings. A person may write another one: through a link, in
//! other upper and lower case where the file system ignores it, or as Windows spells paths of any length
//! (`\\?\C:\Notes`). The index spells the path of a file as the settings spell its folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::{EngineError, FolderError};

/// Where `path` leads once every link is followed, as people and other programs spell it: on Windows `C:\Notes`, and
/// `\\?\C:\...` only for paths that have no other spelling (longer than 260 characters, named `con`).
pub fn real(path: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(path)
}

/// Like [`real`], or the path as given if it leads nowhere now, for example to a drive that is away.
pub(crate) fn named(path: &Path) -> PathBuf {
    real(path).unwrap_or_else(|_| dunce::simplified(path).to_owned())
}

/// Whether two paths are spelt alike, or lead to the same place.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one == other || real(one).is_ok_and(|one| real(other).is_ok_and(|other| one == other))
}

/// Where `path` leads once every link is followed, if that place lies in one of `folders`, with their links followed,
/// too. So a watched folder may be a link, and no link in it leads out of it.
///
/// # Errors
/// [`EngineError::Io`] where `path` leads nowhere, [`FolderError::NotWatched`] where it lies outside.
pub fn inside(path: &Path, folders: &[PathBuf]) -> Result<PathBuf, EngineError> {
    let found = real(path).map_err(|source| EngineError::Io { action: "read", path: path.to_owned(), source })?;
    if folders.iter().filter_map(|folder| real(folder).ok()).any(|folder| found.starts_with(folder)) {
        return Ok(found);
    }
    Err(FolderError::NotWatched { path: found }.into())
}

/// Every spelling of a real path: as given, and through each of `folders` that holds it.
pub(crate) fn spellings(path: &Path, folders: &[PathBuf]) -> Vec<PathBuf> {
    let through = |folder: &PathBuf| {
        let rest = path.strip_prefix(real(folder).ok()?).ok()?.to_owned();
        // Joining an empty path would add a separator at the end.
        Some(if rest.as_os_str().is_empty() { folder.clone() } else { folder.join(rest) })
    };
    let mut found = vec![path.to_owned()];
    found.extend(folders.iter().filter_map(through));
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder of its own for each test, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nuthatch-watched-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("notes/deep")).unwrap();
            fs::create_dir_all(path.join("notes-2")).unwrap();
            fs::write(path.join("notes/deep/a.md"), "a").unwrap();
            fs::write(path.join("notes-2/b.md"), "b").unwrap();
            fs::write(path.join("secret.md"), "s").unwrap();
            Self(real(&path).unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.join(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn check(place: &Place, folders: &[&str], path: &str, expect: Result<&str, &str>) {
        let folders: Vec<PathBuf> = folders.iter().map(|folder| place.at(folder)).collect();
        let found = inside(&place.at(path), &folders).map_err(|error| match error {
            EngineError::Io { .. } => "not there",
            EngineError::Folder(FolderError::NotWatched { .. }) => "outside",
            _ => "another error",
        });
        assert_eq!(found, expect.map(|path| place.at(path)), "{path} in {folders:?}");
    }

    #[test]
    fn what_lies_inside() {
        let place = Place::new("inside");
        check(&place, &["gone", "notes"], "notes/deep/a.md", Ok("notes/deep/a.md"));
        check(&place, &["notes/../notes/."], "notes/deep/../deep/a.md", Ok("notes/deep/a.md"));
        check(&place, &["notes"], "notes/gone.md", Err("not there"));
        check(&place, &["notes"], "notes/../secret.md", Err("outside"));
        check(&place, &["notes"], "notes-2/b.md", Err("outside"));
        check(&place, &[], "notes/deep/a.md", Err("outside"));
        check(&place, &["gone"], "notes/deep/a.md", Err("outside"));
    }

    #[cfg(unix)]
    #[test]
    fn links() {
        let place = Place::new("links");
        for (link, target) in [
            ("way", "notes"),
            ("notes/out.md", "../secret.md"),
            ("notes/up", ".."),
            ("notes-2/in.md", "../notes/deep/a.md"),
        ] {
            std::os::unix::fs::symlink(target, place.at(link)).unwrap();
        }
        // A watched folder that is a link, or lies behind one.
        check(&place, &["way"], "way/deep/a.md", Ok("notes/deep/a.md"));
        check(&place, &["way"], "notes/deep/a.md", Ok("notes/deep/a.md"));
        check(&place, &["way/deep"], "notes/deep/a.md", Ok("notes/deep/a.md"));
        // Links that lead out of a watched folder, or into one.
        check(&place, &["way"], "way/out.md", Err("outside"));
        check(&place, &["notes"], "notes/out.md", Err("outside"));
        check(&place, &["notes"], "notes/up/secret.md", Err("outside"));
        check(&place, &["notes"], "notes-2/in.md", Ok("notes/deep/a.md"));
    }

    #[cfg(unix)]
    #[test]
    fn one_place_has_many_spellings() {
        let place = Place::new("spellings");
        std::os::unix::fs::symlink("notes", place.at("way")).unwrap();
        let folders = [place.at("way"), place.at("notes-2"), place.at("gone"), place.at("way/deep")];
        let check = |path: &str, expect: &[&str]| {
            let expect: Vec<PathBuf> = expect.iter().map(|path| place.at(path)).collect();
            assert_eq!(spellings(&place.at(path), &folders), expect, "{path}");
        };
        check("notes", &["notes", "way"]);
        check("notes/deep/a.md", &["notes/deep/a.md", "way/deep/a.md", "way/deep/a.md"]);
        check("notes-2/b.md", &["notes-2/b.md", "notes-2/b.md"]);
        check("secret.md", &["secret.md"]);
        assert!(is_same(&place.at("way"), &place.at("notes")) && is_same(&place.at("gone"), &place.at("gone")));
        assert!(!is_same(&place.at("gone"), &place.at("notes")) && !is_same(&place.at("notes-2"), &place.at("notes")));
    }
}
