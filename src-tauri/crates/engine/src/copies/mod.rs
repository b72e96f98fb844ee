//! The same note twice: in a backup, as a sync conflict, under another name. One stands for all of them.
//!
//! Two passages are *twins* when they say the same under the same headings; the index keeps a hash of that. Two files are
//! copies when what answers in one is in the other as well and so is nearly all the rest: see [`group`].

mod group;
mod marks;
mod said;

pub(crate) use group::{Group, Member, Worth};
pub(crate) use marks::is_set_aside;
pub(crate) use said::Said;

use std::path::Path;

use crate::index::Passage;
use crate::text::name_key;

/// A passage of fewer words may be no more than what its file's name says it is about: `Opens at nine.`
const FEW_WORDS: usize = 12;

/// Equal for passages that say the same, whatever their files are called and wherever they lie. A name that is no copy's
/// (`shop-a.txt`, `shop-b.txt`) makes short passages differ.
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

/// What the title says that the text and its headings do not.
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
