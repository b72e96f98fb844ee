//! Walks through folders and makes an entry for everything that lies in them.

use std::fs::{self, FileType, Metadata};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::ignore_files::{GIT, Ignores, OURS, Said};
use super::places::{Away, Places};
use super::{Known, Look, Rules, Seen, Stamp, Verdict, device, under};
use crate::watched;

struct Walk<'a> {
    rules: &'a Rules,
    /// The watched folder that the walk is in. Ignore files count from here down.
    root: &'a Path,
    look: &'a mut Look,
    entered: &'a mut dyn FnMut(&Path),
}

/// Looks at a watched folder.
pub(super) fn root(
    rules: &Rules,
    places: &Places,
    known: &dyn Known,
    root: &Path,
    look: &mut Look,
    entered: &mut dyn FnMut(&Path),
) {
    let away = |reason: String| Away { path: root.to_owned(), reason };
    // A watched folder may be a link, because somebody chose it. Links below it are not followed.
    let metadata = match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            look.away.push(away("is no folder any more; its notes are kept".to_owned()));
            return;
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            look.entries.insert(root.to_owned(), unreadable(&error));
            return;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what =
                if root.is_symlink() { "is a link to something that is not there now" } else { "is not there now" };
            look.away.push(away(format!("{what}; its notes are kept")));
            return;
        }
        Err(error) => {
            look.away.push(away(format!("cannot be reached now ({error}); its notes are kept")));
            return;
        }
    };
    if let Some(twin) = rules.twin_of(root) {
        let verdict = Verdict::Skip(format!("a link to {}, which is looked at in its own place", twin.display()));
        look.entries.insert(root.to_owned(), Seen { stamp: Stamp::default(), verdict });
        return;
    }
    let now = device(&metadata);
    if places.device(root).is_some_and(|before| before != now) {
        let known = known.some_under(root);
        if !known.is_empty() && known.iter().all(|path| fs::symlink_metadata(path).is_err()) {
            look.away.push(away("has another drive, or none, in its place; its notes are kept".to_owned()));
            return;
        }
    }
    look.devices.insert(root.to_owned(), now);
    Walk { rules, root, look, entered }.folder(root, now, &Ignores::default());
    drives(rules, places, known, root, look);
}

/// Looks at one path, or at something above it that decides about it. Returns which of them was looked at.
pub(super) fn one(
    rules: &Rules,
    places: &Places,
    known: &dyn Known,
    path: &Path,
    look: &mut Look,
    entered: &mut dyn FnMut(&Path),
) -> Option<PathBuf> {
    let path = deciding(path);
    let top = rules.root_of(path)?;
    let is_there = fs::metadata(top).ok().filter(|metadata| metadata.is_dir() && rules.twin_of(top).is_none());
    let Some(metadata) = is_there.filter(|m| path != top && places.device(top) == Some(device(m))) else {
        root(rules, places, known, top, look, entered);
        inner_roots(rules, places, known, top, look, entered);
        return Some(top.to_owned());
    };
    let mut walk = Walk { rules, root: top, look, entered };
    let scope = walk.towards(path, &metadata, places);
    drives(rules, places, known, &scope, look);
    inner_roots(rules, places, known, &scope, look, entered);
    Some(scope)
}

/// Looks at the watched folders inside `scope`, which a walk from above passes by.
fn inner_roots(
    rules: &Rules,
    places: &Places,
    known: &dyn Known,
    scope: &Path,
    look: &mut Look,
    entered: &mut dyn FnMut(&Path),
) {
    for inner in rules.roots_inside(scope) {
        root(rules, places, known, inner, look, entered);
    }
}

/// The path to look at when `path` changes: for an ignore file, the folder that it applies to.
fn deciding(path: &Path) -> &Path {
    let is = |name: &str| path.file_name().is_some_and(|n| n == name);
    let above = |n: usize| path.ancestors().nth(n).unwrap_or(path);
    if is(OURS) || is(GIT) || is(".git") {
        above(1)
    } else if path.ends_with(".git/info/exclude") {
        above(3)
    } else {
        path
    }
}

/// Notes drives that were mounted inside `scope` at an earlier look and are not there now. An empty mount point does
/// not mean that the files were deleted.
fn drives(rules: &Rules, places: &Places, known: &dyn Known, scope: &Path, look: &mut Look) {
    for place in places.inside(scope) {
        let is_entered = under(&look.entries, place).next().is_some();
        let is_decided = place.ancestors().any(|above| look.entries.contains_key(above));
        if rules.roots.contains(place) || look.devices.contains_key(place) || is_entered || is_decided {
            continue;
        }
        if !known.some_under(place).is_empty() {
            let reason = "is a drive that is not there now; its notes are kept".to_owned();
            look.away.push(Away { path: place.clone(), reason });
        }
    }
}

impl Walk<'_> {
    /// Goes down from the watched folder towards `path` and looks at the path where it stops, which it returns.
    fn towards(&mut self, path: &Path, top: &Metadata, places: &Places) -> PathBuf {
        let mut folder = self.root.to_owned();
        let mut on = device(top);
        let mut ignores = Ignores::default().enter(&folder, self.rules.gitignore);
        (self.entered)(&folder);
        for name in path.strip_prefix(self.root).into_iter().flat_map(Path::components) {
            let next = folder.join(name);
            let metadata = match fs::symlink_metadata(&next) {
                Ok(metadata) if !FOLDS_CASE || is_spelled_so(&next, &metadata) => metadata,
                Ok(_) => return next,
                Err(error) if is_gone(&error) => return next,
                Err(error) => {
                    self.look.entries.insert(next.clone(), unreadable(&error));
                    return next;
                }
            };
            let was_drive = places.device(&next).is_some();
            let is_way = metadata.is_dir() && next != path && !(was_drive && device(&metadata) == on);
            if !is_way || self.left_out(&next, true, &ignores).is_some() {
                self.entry(&next, &metadata, on, &ignores);
                return next;
            }
            on = device(&metadata);
            ignores = ignores.enter(&next, self.rules.gitignore);
            folder = next;
        }
        folder
    }

    /// Looks at everything in `folder`, which lies on device `on`.
    fn folder(&mut self, folder: &Path, on: u64, above: &Ignores) {
        (self.entered)(folder);
        let list = || -> Result<Vec<PathBuf>, Error> {
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
        };
        let mut inside = match list() {
            Ok(inside) => inside,
            Err(error) => {
                if !is_gone(&error) {
                    self.look.entries.insert(folder.to_owned(), unreadable(&error));
                }
                return;
            }
        };
        inside.sort();
        let ignores = above.enter(folder, self.rules.gitignore);
        for path in inside {
            match fs::symlink_metadata(&path) {
                Ok(metadata) => self.entry(&path, &metadata, on, &ignores),
                Err(error) if is_gone(&error) => {}
                Err(error) => drop(self.look.entries.insert(path, unreadable(&error))),
            }
        }
    }

    /// Looks at one file, folder or link in a folder on device `on`.
    fn entry(&mut self, path: &Path, metadata: &Metadata, on: u64, ignores: &Ignores) {
        let stamp = Stamp::of(metadata);
        let is_folder = metadata.is_dir();
        // A watched folder inside this one has a walk of its own.
        let may_be_root = (is_folder || metadata.is_symlink()) && path != self.root;
        if may_be_root && self.rules.roots.iter().any(|root| root == path) {
            return;
        }
        let verdict = match self.left_out(path, is_folder, ignores) {
            Some(reason) => Verdict::Skip(reason),
            None if is_folder => {
                let now = device(metadata);
                if now != on {
                    self.look.devices.insert(path.to_owned(), now);
                }
                return self.folder(path, now, ignores);
            }
            None if metadata.is_file() => self.rules.file(path, &stamp),
            None if metadata.is_symlink() => Verdict::Skip(self.link(path)),
            None => Verdict::Skip(format!("{}: never opened", special(metadata.file_type()))),
        };
        self.look.entries.insert(path.to_owned(), Seen { stamp, verdict });
    }

    /// Why a path is left out, be it a file, a folder or a link; `None` if it is not left out.
    fn left_out(&self, path: &Path, is_folder: bool, ignores: &Ignores) -> Option<String> {
        if self.rules.data_dirs.iter().any(|data_dir| path == data_dir) {
            return Some("Nuthatch's own data".to_owned());
        }
        if is_folder && path.to_str().is_none() {
            return Some("a folder whose name is not UTF-8: rename it".to_owned());
        }
        let name = path.file_name().unwrap_or_default();
        match ignores.ours(self.root, path, is_folder) {
            Said::LeftOut(reason) => return Some(reason),
            Said::Keep => return None,
            Said::Nothing => {}
        }
        if is_folder && name == ".git" {
            return Some("a repository's own data".to_owned());
        }
        if !self.rules.hidden && name.as_encoded_bytes().first() == Some(&b'.') {
            return Some("hidden: its name begins with a dot (`hidden` in the settings)".to_owned());
        }
        match ignores.git(self.root, path, is_folder) {
            Said::LeftOut(reason) => Some(reason),
            Said::Keep | Said::Nothing => None,
        }
    }

    /// Why a link is not followed. Its target is not lost: if it lies under a watched folder, it has its own entry.
    fn link(&self, path: &Path) -> String {
        match watched::real(path) {
            Ok(target) if self.rules.is_watched(&target) => {
                format!("a link to {}, which is looked at in its own place", target.display())
            }
            Ok(target) => format!(
                "a link that leads out of the watched folders, to {}: add that folder to have it searched",
                target.display()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => "a link to something that is not there".to_owned(),
            Err(_) => "a link that leads nowhere".to_owned(),
        }
    }
}

fn unreadable(error: &Error) -> Seen {
    let advice = if error.kind() == ErrorKind::PermissionDenied { ": give yourself permission to read it" } else { "" };
    let verdict = Verdict::Unreadable(format!("cannot be read ({error}){advice}"));
    Seen { stamp: Stamp::default(), verdict }
}

/// Whether nothing is at the path any more. That includes a folder on the way that has become a file.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Names the kind of something that is neither a file nor a folder nor a link.
#[cfg(unix)]
pub(crate) fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no plain file",
    }
}

#[cfg(not(unix))]
pub(crate) fn special(_: FileType) -> &'static str {
    "no plain file"
}

/// Whether `Note.md` and `note.md` are the same file. A path can then exist although the file was renamed and is spelt
/// otherwise now.
const FOLDS_CASE: bool = cfg!(any(target_os = "macos", windows));

fn is_spelled_so(path: &Path, metadata: &Metadata) -> bool {
    if !metadata.is_symlink() {
        return path.canonicalize().map_or(true, |real| real.file_name() == path.file_name());
    }
    // Resolving a link gives the name of its target, so the link's own name is looked up in its folder.
    let is_it = |entry: fs::DirEntry| Some(entry.file_name().as_os_str()) == path.file_name();
    let listed = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    listed.is_none_or(|mut entries| entries.any(|entry| entry.is_ok_and(is_it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_another_spelling() {
        let folder = std::env::temp_dir().join(format!("nuthatch-spelling-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("Note.md"), "A heron.").unwrap();
        let links = [("Link.md", "Note.md"), ("Way", "."), ("Nowhere", "gone.md")];
        #[cfg(unix)]
        links.iter().for_each(|(name, target)| std::os::unix::fs::symlink(target, folder.join(name)).unwrap());
        let links = if cfg!(unix) { &links[..] } else { &[] };
        for name in links.iter().map(|(name, _)| *name).chain(["Note.md"]) {
            let metadata = fs::symlink_metadata(folder.join(name)).unwrap();
            assert!(is_spelled_so(&folder.join(name), &metadata), "{name}");
            if metadata.is_symlink() {
                assert!(!is_spelled_so(&folder.join(name.to_lowercase()), &metadata), "{name}, in other letters");
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
