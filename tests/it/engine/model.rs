//! A model of a disk. It works out, without the engine, which files should be indexed and which skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What lies at a path. A folder has no node: it exists while something is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A note that holds one word.
    Note(&'static str),
    Link,
    /// An ignore file. Each line is a name, `name/` for folders only, or either of these after `!`.
    Rules(Vec<&'static str>),
}

#[derive(Debug, Default)]
pub struct Disk {
    pub nodes: BTreeMap<String, Node>,
    /// Sets the size of each file written, so that two writes within one tick of the file system's clock differ in it.
    n_writes: usize,
}

impl Disk {
    pub fn write(&mut self, at: &Path, path: &str, word: &'static str) {
        self.make_way(at, path);
        self.n_writes += 1;
        // With the word's length taken off, the size depends on `n_writes` alone. Any two files must differ in size: a
        // renamed folder can put a file in the place of another that was written in the same tick.
        let filling = self.n_writes % 97 + 24 - word.len();
        fs::write(at.join(path), format!("# Note\n\n{word} {}", "x".repeat(filling))).unwrap();
        self.nodes.insert(path.to_owned(), Node::Note(word));
    }

    pub fn rules(&mut self, at: &Path, path: &str, lines: Vec<&'static str>) {
        self.make_way(at, path);
        fs::write(at.join(path), lines.join("\n")).unwrap();
        self.nodes.insert(path.to_owned(), Node::Rules(lines));
    }

    #[cfg(unix)]
    pub fn link(&mut self, at: &Path, path: &str, target: &str) {
        self.remove(at, path);
        self.make_way(at, path);
        std::os::unix::fs::symlink(at.join(target), at.join(path)).unwrap();
        self.nodes.insert(path.to_owned(), Node::Link);
    }

    /// Removes a file, or a folder with everything in it.
    pub fn remove(&mut self, at: &Path, path: &str) {
        if self.is_through_link(path) {
            return;
        }
        let full = at.join(path);
        match full.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(full).unwrap(),
            Ok(_) => fs::remove_file(full).unwrap(),
            Err(_) => {}
        }
        self.nodes.retain(|node, _| !is_in(node, path));
        prune(at, path);
    }

    pub fn rename(&mut self, at: &Path, from: &str, to: &str) {
        if is_in(to, from) || is_in(from, to) || self.is_through_link(from) || at.join(from).symlink_metadata().is_err()
        {
            return;
        }
        self.remove(at, to);
        self.make_way(at, to);
        // Making way for `to` can have removed `from`.
        if at.join(from).symlink_metadata().is_err() {
            return;
        }
        fs::rename(at.join(from), at.join(to)).unwrap();
        let moved: Vec<String> = self.nodes.keys().filter(|node| is_in(node, from)).cloned().collect();
        for node in moved {
            let value = self.nodes.remove(&node).unwrap();
            self.nodes.insert(format!("{to}{}", &node[from.len()..]), value);
        }
        prune(at, from);
    }

    /// Whether a folder above `path` is a link. The files behind a link have nodes at their real paths only.
    fn is_through_link(&self, path: &str) -> bool {
        path.match_indices('/').any(|(i, _)| self.nodes.get(&path[..i]) == Some(&Node::Link))
    }

    /// Creates the folders above `path`, in place of files there, and removes a folder at `path`.
    fn make_way(&mut self, at: &Path, path: &str) {
        for (i, _) in path.match_indices('/') {
            let above = &path[..i];
            if self.nodes.contains_key(above) {
                self.remove(at, above);
            }
        }
        // A link at `path` is removed as well, because writing would follow it.
        if at.join(path).symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            self.remove(at, path);
        }
        fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
    }

    /// The notes that should be indexed: each path with its word.
    pub fn found(&self) -> BTreeMap<&str, &'static str> {
        let notes = self.nodes.iter().filter(|(path, _)| self.left_out(path).is_none());
        let notes = notes.filter_map(|(path, node)| match node {
            Node::Note(word) if path.ends_with(".md") => Some((path.as_str(), *word)),
            _ => None,
        });
        notes.collect()
    }

    /// The paths that should be listed as skipped: files, and folders that are left out as a whole.
    pub fn skipped(&self) -> BTreeSet<&str> {
        let skipped = self.nodes.iter().filter_map(|(path, node)| match (self.left_out(path), node) {
            (Some(at), _) => Some(at),
            (None, Node::Note(_)) if path.ends_with(".md") => None,
            (None, _) => Some(path.as_str()),
        });
        skipped.collect()
    }

    /// The topmost folder above `path` that is left out, or else `path` itself if it is.
    fn left_out<'p>(&self, path: &'p str) -> Option<&'p str> {
        let ends = path.match_indices('/').map(|(i, _)| (&path[..i], true)).chain([(path, false)]);
        ends.into_iter().find(|(part, is_folder)| self.is_named(part, *is_folder)).map(|(part, _)| part)
    }

    /// Whether `path` is left out by its own name. `.nuthatchignore` files decide first, then hidden names are left
    /// out, then `.gitignore` files decide. In each case the deepest file that names `path` counts, and in it the last
    /// such line.
    fn is_named(&self, path: &str, is_folder: bool) -> bool {
        let name = path.rsplit('/').next().unwrap();
        for file in [".nuthatchignore", ".gitignore"] {
            let mut folder = path;
            while let Some(i) = folder.rfind('/').or((!folder.is_empty()).then_some(0)) {
                folder = &folder[..i];
                let rules = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
                let Some(Node::Rules(lines)) = self.nodes.get(&rules) else { continue };
                for line in lines.iter().rev() {
                    let (pattern, leaves_out) = line.strip_prefix('!').map_or((*line, true), |rest| (rest, false));
                    let (pattern, folders_only) = pattern.strip_suffix('/').map_or((pattern, false), |p| (p, true));
                    if pattern == name && (is_folder || !folders_only) {
                        return leaves_out;
                    }
                }
            }
            if file == ".nuthatchignore" && name.starts_with('.') {
                return true;
            }
        }
        false
    }
}

/// Removes the folders above `path` that have become empty: the model has no empty folders.
fn prune(at: &Path, path: &str) {
    for (i, _) in path.rmatch_indices('/') {
        // This fails, as it should, where something is left in the folder.
        let _ = fs::remove_dir(at.join(&path[..i]));
    }
}

fn is_in(path: &str, folder: &str) -> bool {
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
