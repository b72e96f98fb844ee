//! Keeps the documents that were shown last, so that going back to one with an arrow key reads nothing again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::extract::Document;
use crate::scan::Stamp;

/// As many as a list shows, and a few more.
const MAX_DOCUMENTS: usize = 8;

/// The most text of all kept documents together. The last one shown is kept however long it is.
const MAX_TEXT_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<(PathBuf, Stamp, Arc<Document>)>>);

impl Recent {
    /// The document read from `path`, if the file had this stamp at that time.
    pub(crate) fn get(&self, path: &Path, stamp: &Stamp) -> Option<Arc<Document>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|(of, then, _)| of == path && then == stamp)?;
        let found = kept.remove(at)?;
        let document = Arc::clone(&found.2);
        kept.push_front(found);
        Some(document)
    }

    pub(crate) fn put(&self, path: &Path, stamp: Stamp, document: Arc<Document>) {
        let mut kept = self.lock();
        kept.retain(|(of, ..)| of != path);
        kept.push_front((path.to_owned(), stamp, document));
        let text = |kept: &VecDeque<(PathBuf, Stamp, Arc<Document>)>| -> usize {
            kept.iter().map(|(.., document)| document.text.len()).sum()
        };
        while kept.len() > MAX_DOCUMENTS || kept.len() > 1 && text(&kept) > MAX_TEXT_BYTES {
            kept.pop_back();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(PathBuf, Stamp, Arc<Document>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::extract;

    fn document(text: &str) -> Arc<Document> {
        Arc::new(extract(Path::new("a.txt"), text.as_bytes()).expect("readable"))
    }

    #[test]
    fn the_last_few_are_kept_as_long_as_the_file_is_as_it_was() {
        let recent = Recent::default();
        let name = |i: usize| PathBuf::from(format!("{i}.txt"));
        let stamp = |size| Stamp { size, ..Stamp::default() };
        for i in 0..MAX_DOCUMENTS {
            recent.put(&name(i), stamp(1), document("tea"));
        }
        assert!(recent.get(&name(0), &stamp(1)).is_some(), "looked at again: the last to go");
        assert!(recent.get(&name(0), &stamp(2)).is_none(), "it has changed since");
        recent.put(&name(99), stamp(1), document("tea"));
        assert!(recent.get(&name(0), &stamp(1)).is_some());
        assert!(recent.get(&name(1), &stamp(1)).is_none());
        let long = "tea ".repeat(MAX_TEXT_BYTES / 4 + 1);
        recent.put(&name(100), stamp(1), document(&long));
        assert!(recent.get(&name(100), &stamp(1)).is_some() && recent.get(&name(0), &stamp(1)).is_none());
    }
}
