//! Finds the files whose name or title is the question. They are shown first, whatever else is found.

use std::ffi::OsStr;
use std::path::Path;

use tantivy::DocAddress;
use unicode_normalization::UnicodeNormalization;

use crate::extract::format_of;
use crate::index::{Called, Row, RowState, Snapshot, called};
use crate::text::name_key;

/// The most files that come first. There are seldom more files of one name; the others are ranked like any file.
const MAX_FILES: usize = 3;

/// How many files of one name are looked through for those that are spelt as in the question.
const LOOKED_THROUGH: usize = 50;

/// A file that is asked for by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub row: Row,
    /// The document of its first passage; for a file that was not read, the document of its row.
    pub address: DocAddress,
}

impl Named {
    /// Why the file was not read; `None` if it was.
    pub(crate) fn unread(&self) -> Option<&str> {
        match self.row.state {
            RowState::Indexed => None,
            RowState::Failed | RowState::Skipped => Some(self.row.reason.as_deref().unwrap_or_default()),
        }
    }
}

/// The files that a question names: `heron`, `Heron.md`, `[[heron]]` and `birds/heron` all name `birds/heron.md`. Files
/// with such a name come first, those spelt most like the question before others; then files with such a title.
pub(crate) fn named(question: &str, snapshot: &Snapshot) -> tantivy::Result<Vec<Named>> {
    let asked = Asked::of(question);
    let mut found: Vec<(Nearness, Named)> = Vec::new();
    for by in [Called::Name, Called::Title] {
        for name in &asked.names {
            for (address, row) in snapshot.called(&called(by, name), LOOKED_THROUGH)? {
                let near = asked.nearness(by, name, &row.path);
                if let Some(near) = near.filter(|_| !found.iter().any(|(_, known)| known.address == address)) {
                    found.push((near, Named { row, address }));
                }
            }
        }
    }
    found.sort_by(|(a, of_a), (b, of_b)| a.cmp(b).then_with(|| of_a.row.path.cmp(&of_b.row.path)));
    found.truncate(MAX_FILES);
    Ok(found.into_iter().map(|(_, named)| named).collect())
}

/// A question, read as the name of a file.
struct Asked<'a> {
    /// The question without quotation marks and without the brackets of a link.
    text: &'a str,
    /// The names to look up, with and without folders and extension.
    names: Vec<String>,
    /// Names of the folders before the last `/`.
    folders: Vec<&'a str>,
    /// The part after the last `/`.
    last: &'a str,
}

/// How near a file's name is to a question; the nearest sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nearness {
    by: Called,
    is_of_other_type: bool,
    is_spelt_otherwise: bool,
}

impl<'a> Asked<'a> {
    fn of(question: &'a str) -> Self {
        let text = question.trim().trim_matches(['"', '“', '”', '「', '」']).trim();
        let link = text.strip_prefix('!').unwrap_or(text);
        let text = match link.strip_prefix("[[").and_then(|link| link.strip_suffix("]]")) {
            // `[[Note#Heading|as it is shown]]`
            Some(link) => link.split(['|', '#']).next().unwrap_or_default().trim(),
            None => text,
        };
        let mut folders: Vec<&str> = text.split(['/', '\\']).filter(|folder| !folder.is_empty()).collect();
        let last = folders.pop().unwrap_or_default();
        Self { text, names: names(text, last), folders, last }
    }

    /// `None` for a file that has the name by chance: it lies in another folder than the question says.
    fn nearness(&self, by: Called, name: &str, path: &Path) -> Option<Nearness> {
        let (file, stem) = (written(path.file_name()), written(path.file_stem()));
        // Slashes need not separate folders: a date such as `2024/5/1` has them as well, and is one name.
        let is_whole = [self.text, stem_of(self.text)].iter().any(|whole| name_key(whole) == name_key(name));
        if !(is_whole || by == Called::Name && self.fits(path)) {
            return None;
        }
        let asked: [String; 2] = [self.text, self.last].map(|name| name.nfc().collect());
        let has_type = stem_of(self.last) != self.last;
        Some(Nearness {
            by,
            is_of_other_type: has_type && name_key(&file) != name_key(self.last),
            is_spelt_otherwise: !asked.iter().any(|asked| *asked == file || *asked == stem),
        })
    }

    /// Whether `path` ends in the folders that are asked for.
    fn fits(&self, path: &Path) -> bool {
        let above: Vec<String> =
            path.parent().into_iter().flat_map(Path::iter).rev().map(|f| written(Some(f))).collect();
        let asked = self.folders.iter().rev().enumerate();
        asked.into_iter().all(|(at, asked)| above.get(at).is_some_and(|folder| name_key(folder) == name_key(asked)))
    }
}

/// The names under which a file asked for by `text` is looked up. Names with the same key are listed once.
fn names(text: &str, last: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in [text, stem_of(text), last, stem_of(last)] {
        let is_known = names.iter().any(|known| name_key(known) == name_key(name));
        if !name_key(name).is_empty() && !is_known {
            names.push(name.to_owned());
        }
    }
    names
}

/// `name` without its extension, if that is the extension of a format we read.
fn stem_of(name: &str) -> &str {
    let path = Path::new(name);
    let kind = path.extension().and_then(OsStr::to_str).filter(|_| format_of(path).is_some());
    kind.and_then(|kind| name.strip_suffix(kind)?.strip_suffix('.')).unwrap_or(name)
}

fn written(name: Option<&OsStr>) -> String {
    name.map_or_else(String::new, |name| name.to_string_lossy().nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_question_names() {
        for (question, names, folders) in [
            ("heron", &["heron"][..], &[][..]),
            (" \"Heron.md\" ", &["Heron.md", "Heron"], &[]),
            ("[[What's next]]", &["What's next"], &[]),
            ("![[plans/What's next#Today|soon]]", &["plans/What's next", "What's next"], &["plans"]),
            ("birds/heron.md", &["birds/heron.md", "birds/heron", "heron.md", "heron"], &["birds"]),
            ("birds\\heron", &["birds\\heron", "heron"], &["birds"]),
            ("2024/5/1", &["2024/5/1", "1"], &["2024", "5"]),
            ("2024.05.01", &["2024.05.01"], &[]),
            ("  ", &[], &[]),
            ("[[]]", &[], &[]),
        ] {
            let asked = Asked::of(question);
            assert_eq!(asked.names, names, "{question}");
            assert_eq!(asked.folders, folders, "{question}");
        }
    }
}
