//! Files whose name or title is what was asked for: they come first, whatever else is found.

use std::ffi::OsStr;
use std::path::Path;

use tantivy::DocAddress;
use unicode_normalization::UnicodeNormalization;

use crate::extract::format_of;
use crate::index::{Called, Row, RowState, Snapshot, called};
use crate::text::name_key;

/// Of one name there are seldom more; those beyond are ranked as any other.
const MAX_FILES: usize = 3;

/// Of one name so many are looked through for those that are spelt as in the question.
const LOOKED_THROUGH: usize = 50;

/// A file that is asked for by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub row: Row,
    /// Of its first passage, or of the row of a file that was not read.
    pub address: DocAddress,
}

impl Named {
    /// Why the file was not read, of one that was not.
    pub(crate) fn unread(&self) -> Option<&str> {
        match self.row.state {
            RowState::Indexed => None,
            RowState::Failed | RowState::Skipped => Some(self.row.reason.as_deref().unwrap_or_default()),
        }
    }
}

/// `heron`, `Heron.md`, `[[heron]]` and `birds/heron` name `birds/heron.md`: the ones spelt most like the question first,
/// then those with such a title.
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

/// What a question says if it is a name.
struct Asked<'a> {
    /// Without the brackets of a link.
    text: &'a str,
    /// What such a file may be called, without its extension.
    names: Vec<String>,
    /// Names of the folders before the last `/`.
    folders: Vec<&'a str>,
    /// What follows them.
    last: &'a str,
}

/// How a file's name lies to a question; the nearest first.
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

    /// `None` for a file that is called so by chance: it lies in another folder than the one that is asked for.
    fn nearness(&self, by: Called, name: &str, path: &Path) -> Option<Nearness> {
        let (file, stem) = (written(path.file_name()), written(path.file_stem()));
        // A date has slashes as well.
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

/// What a file may be called that is asked for by `text`, each spelling once.
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

/// Without its extension, if it has one that files of ours have.
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
