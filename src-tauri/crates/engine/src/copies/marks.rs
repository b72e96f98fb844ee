//! Names that people and programs give to copies, backups and archives.

use std::path::{Component, Path};

use unicode_normalization::UnicodeNormalization;

use crate::text::name_key;

/// Keys (see [`name_key`]) of folders whose notes are seldom wanted. A number or a date may follow.
const ASIDE: [&str; 29] = [
    "archive",
    "archived",
    "archives",
    "archiv",
    "backup",
    "backups",
    "bak",
    "bkp",
    "conflicts",
    "copies",
    "deleted",
    "old",
    "papierkorb",
    "previousversions",
    "recyclebin",
    "recycled",
    "snapshot",
    "snapshots",
    "stversions",
    "trash",
    "versions",
    "备份",
    "存档",
    "归档",
    "旧",
    "旧版",
    "副本",
    "回收站",
    "废纸篓",
];

/// Endings of the names of copies, in lower case. If one ends in another, the longer comes first.
const ENDINGS: [&str; 16] = [
    " - copy",
    " copy",
    "-copy",
    "_copy",
    "的副本",
    "副本",
    " backup",
    "-backup",
    "_backup",
    ".backup",
    ".bak",
    ".orig",
    ".old",
    "_old",
    "-old",
    "~",
];

const BEGINNINGS: [&str; 3] = ["copy of ", "backup of ", "kopie von "];

/// Whether a note lies in a folder of backups or the like below `root`, or has a copy's name.
pub(crate) fn is_set_aside(path: &Path, root: &Path) -> bool {
    let below = path.strip_prefix(root).unwrap_or(path);
    let is_aside = |name: &str| {
        let key = name_key(name);
        let key = key.trim_end_matches(|c: char| c.is_ascii_digit());
        ASIDE.contains(&key) || key.contains("backup") || key.contains("备份")
    };
    let mut folders = below.parent().into_iter().flat_map(Path::components);
    let in_folder = folders.any(|folder| match folder {
        Component::Normal(name) => is_aside(&name.to_string_lossy()),
        _ => false,
    });
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    in_folder || without(&stem) != name_key(&stem)
}

/// The key of a file's name without the marks of a copy.
pub(super) fn without(stem: &str) -> String {
    let lower: String = stem.nfkc().flat_map(char::to_lowercase).collect();
    let mut name = lower.as_str();
    loop {
        let before = name;
        // The mark of Syncthing. Dropbox and Nextcloud write `(Mei's conflicted copy 2024-05-01)`.
        if let Some(at) = name.find(".sync-conflict-") {
            name = &name[..at];
        }
        if let Some((rest, inside)) = name.strip_suffix(')').and_then(|name| name.rsplit_once('(')) {
            let is_number = !inside.is_empty() && inside.chars().all(|c| c.is_ascii_digit());
            if is_number || ["copy", "conflict", "副本", "冲突"].iter().any(|mark| inside.contains(mark)) {
                name = rest;
            }
        }
        // `note copy 2`
        let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
        for ending in ENDINGS {
            if let Some(rest) = name.strip_suffix(ending).or_else(|| numbered.strip_suffix(ending)) {
                name = rest;
                break;
            }
        }
        for beginning in BEGINNINGS {
            name = name.strip_prefix(beginning).unwrap_or(name);
        }
        name = name.trim();
        if name.is_empty() {
            return name_key(stem);
        }
        if name == before {
            return name_key(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies() {
        for copy in [
            "bread.sync-conflict-20240501-101010-ABCDEFG",
            "Bread (1)",
            "bread copy",
            "Bread - Copy (2)",
            "bread copy 2",
            "Copy of bread",
            "bread (Mei's conflicted copy 2024-05-01)",
            "bread.md.bak",
            "bread~",
            "bread_backup",
        ] {
            let stem = copy.replace(".md", "");
            assert_eq!(without(&stem), "bread", "{copy}");
        }
        assert_eq!(without("面包的副本"), "面包");
        for name in ["bread", "copy", "2024", "old", "the old bread", "bread (rye)", "xerox photocopy"] {
            assert_eq!(without(name), name_key(name));
        }
    }

    #[test]
    fn folders_of_backups() {
        let root = Path::new("/home/mei/backup/notes");
        for (path, expect) in [
            ("bread.md", false),
            ("old/bread.md", true),
            ("backup2/home/bread.md", true),
            ("Backup 2024-05-01/bread.md", true),
            (".trash/bread.md", true),
            ("备份/bread.md", true),
            ("oldtown/bread.md", false),
            ("recipes/bread (1).md", true),
        ] {
            assert_eq!(is_set_aside(&root.join(path), root), expect, "{path}");
        }
    }
}
