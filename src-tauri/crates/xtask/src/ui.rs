//! Installs the window's npm packages and builds it, each only if its sources have changed since the last time.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use crate::step::run;
use crate::tree::Tree;

/// Generated folders, which are not hashed.
const MADE: &[&str] = &["node_modules", "dist", "out"];

/// Runs `npm ci` in `folder`, unless that was done for the current lock file.
pub(crate) fn install(tree: &Tree, folder: &str) -> Result<(), String> {
    let dir = tree.root.join(folder);
    let wanted = hash(&[dir.join("package-lock.json").as_path()])?;
    // The stamp lies in node_modules, so that it is deleted together with the packages.
    up_to_date(&dir.join("node_modules/.nuthatch-install"), wanted, || {
        run(&mut tree.npm(folder, &["ci", "--no-audit", "--no-fund"]))
    })
}

/// Builds the window into `ui/dist`, which the app embeds.
pub(crate) fn build(tree: &Tree) -> Result<(), String> {
    install(tree, "ui")?;
    let dir = tree.root.join("ui");
    let wanted = hash(&[dir.as_path()])?;
    let stamp = dir.join("node_modules/.nuthatch-build");
    if !dir.join("dist/index.html").is_file() {
        let _ = fs::remove_file(&stamp);
    }
    up_to_date(&stamp, wanted, || run(&mut tree.npm("ui", &["run", "build"])))
}

/// Does `work` unless the file `stamp` says that it was done for `wanted`, then writes `stamp`.
fn up_to_date(stamp: &Path, wanted: u64, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let wanted = format!("{wanted:016x}");
    if fs::read_to_string(stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

/// Hash of the content of files, and of all files in folders, without generated folders.
fn hash(paths: &[&Path]) -> Result<u64, String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        hash_into(path, &mut hasher).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    }
    Ok(hasher.finish())
}

fn hash_into(path: &Path, hasher: &mut DefaultHasher) -> std::io::Result<()> {
    if path.is_file() {
        path.file_name().hash(hasher);
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let mut entries =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        if !entry.file_name().is_some_and(|name| MADE.iter().any(|made| name == *made)) {
            hash_into(&entry, hasher)?;
        }
    }
    Ok(())
}
