//! Recognizes copies of a note: in a backup, as a sync conflict, under another name. One of them is shown for all.
//!
//! Two passages are *twins* if they say the same under the same headings. The index keeps a hash of that. Two files are
//! copies if the passage that answers is in both, and nearly all other passages are, too: see [`group`].

mod group;
mod marks;
mod said;

pub(crate) use group::{Group, Member, Worth};
pub(crate) use marks::is_set_aside;
pub(crate) use said::Said;

use std::path::Path;

use crate::index::Passage;
use crate::text::name_key;

/// A passage with fewer words may say what it is about only in its file's name: `Opens at nine.`
const FEW_WORDS: usize = 12;

/// A hash that is equal for passages that say the same, whatever the names and folders of their files are. Only short
/// passages differ if their files' names do (`shop-a.txt`, `shop-b.txt`), apart from the marks of a copy.
pub(crate) fn twin(passage: &Passage) -> u64 {
    let said = Said::of(&passage.chunk.text);
    let mut hash = blake3::Hasher::new();
    hash.update(title_part(passage, &said).as_bytes());
    for part in passage.chunk.heading_path.iter().map(String::as_str).chain(said.sentences()) {
        hash.update(&[0]);
        hash.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The key of the title, if it says something that the text and its headings do not. Empty otherwise.
pub(crate) fn title_part(passage: &Passage, said: &Said) -> String {
    let title = passage.title.as_str();
    if passage.chunk.text.starts_with(title) || passage.chunk.heading_path.iter().any(|heading| heading == title) {
        return String::new();
    }
    let path = Path::new(&passage.path);
    let key = name_key(title);
    let is_of_file = |name: Option<&std::ffi::OsStr>| name.is_some_and(|name| name_key(&name.to_string_lossy()) == key);
    if !is_of_file(path.file_stem()) && !is_of_file(path.file_name()) {
        return key;
    }
    match said.n_words() < FEW_WORDS {
        true => marks::without(&path.file_stem().unwrap_or_default().to_string_lossy()),
        false => String::new(),
    }
}
