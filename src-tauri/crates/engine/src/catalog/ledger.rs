//! The catalog in memory: what the index holds and what the disk held when it was last looked at. A watch keeps one, so
//! that an event needs a look at one path only, and not at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::index::{Row, RowState};
use crate::scan::{Away, Known, Look, Places, Seen, Verdict, under};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// A row for every file that the index knows.
    pub rows: BTreeMap<PathBuf, Row>,
    pub entries: BTreeMap<PathBuf, Seen>,
    pub away: Vec<Away>,
    pub places: Places,
    /// Whether the index was made with an embedder; otherwise it holds words alone.
    pub has_vectors: bool,
}

/// What a look changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Taken {
    /// Files whose documents have to leave the index.
    pub gone: Vec<PathBuf>,
    /// Files to be read.
    pub changed: Vec<PathBuf>,
    /// Rows of files that are not read, but are to be found by their names.
    pub noted: Vec<Row>,
    pub n_unchanged: usize,
    pub n_skipped: usize,
    /// Folders and files that could not be looked at.
    pub n_unreadable: usize,
}

impl Ledger {
    /// Takes in a look at the disk, in place of what was known of the same part of it. Returns what has to be done.
    pub(crate) fn take(&mut self, look: Look) -> Taken {
        let mut taken = Taken::default();
        let (entries, paths): (Vec<(PathBuf, Seen)>, BTreeSet<PathBuf>) = match &look.scopes {
            None => {
                self.entries.clear();
                self.away.clear();
                (look.entries.into_iter().collect(), self.rows.keys().cloned().collect())
            }
            Some(scopes) => {
                let mut paths = BTreeSet::new();
                for scope in scopes {
                    let old: Vec<PathBuf> = under(&self.entries, scope).map(|(path, _)| path.clone()).collect();
                    old.iter().for_each(|path| drop(self.entries.remove(path)));
                    self.away.retain(|away| !away.path.starts_with(scope));
                    paths.extend(under(&self.rows, scope).map(|(path, _)| path.clone()));
                }
                (look.entries.into_iter().collect(), paths)
            }
        };
        for (_, seen) in &entries {
            match seen.verdict {
                Verdict::Read => {}
                Verdict::Skip(_) | Verdict::TooLarge(_) => taken.n_skipped += 1,
                Verdict::Unreadable(_) => taken.n_unreadable += 1,
            }
        }
        taken.noted = entries.iter().filter_map(|(path, seen)| self.note(path, seen)).collect();
        let to_read: Vec<PathBuf> =
            entries.iter().filter(|(_, seen)| seen.verdict == Verdict::Read).map(|(path, _)| path.clone()).collect();
        self.entries.extend(entries);
        self.away.extend(look.away);
        for path in to_read {
            match (self.rows.get(&path), self.entries.get(&path)) {
                (Some(row), Some(seen)) if seen.stamp.is_as_in(row) && !row.is_worth_another_try() => {
                    taken.n_unchanged += 1;
                }
                _ => taken.changed.push(path),
            }
        }
        for path in paths {
            if !self.keeps(&path) {
                self.rows.remove(&path);
                taken.gone.push(path);
            }
        }
        taken
    }

    /// The row of a file that is too large; `None` for another file, or if the index has the row already.
    fn note(&self, path: &Path, seen: &Seen) -> Option<Row> {
        let Verdict::TooLarge(reason) = &seen.verdict else { return None };
        let mut row = Row::indexed(path.to_owned(), 0);
        (row.state, row.reason, row.embedded) = (RowState::Skipped, Some(reason.clone()), false);
        row.at = seen.stamp.at();
        // No file has this size: if the file is to be read one day, it counts as changed.
        row.size = u64::MAX;
        (self.rows.get(path) != Some(&row)).then_some(row)
    }

    /// Whether a file that the index knows is to stay in it.
    pub(crate) fn keeps(&self, path: &Path) -> bool {
        match self.entries.get(path).map(|seen| &seen.verdict) {
            Some(Verdict::Read | Verdict::Unreadable(_) | Verdict::TooLarge(_)) => return true,
            // A file that was read before and is now left out by a rule must not be found any more.
            Some(Verdict::Skip(_)) => return false,
            None => {}
        }
        let is_unreadable = |seen: &Seen| matches!(seen.verdict, Verdict::Unreadable(_));
        self.away.iter().any(|away| path.starts_with(&away.path))
            || path.ancestors().skip(1).any(|above| self.entries.get(above).is_some_and(is_unreadable))
    }

    /// Indexed files that lack vectors, without those in `except`. Files that changed last come first, because they are
    /// the most likely to be asked for.
    pub(crate) fn pending(&self, except: &BTreeSet<PathBuf>) -> Vec<&Row> {
        let mut pending: Vec<&Row> = self.lacking().filter(|row| !except.contains(&row.path)).collect();
        pending.sort_by_key(|row| std::cmp::Reverse(row.modified));
        pending
    }

    /// Whether any indexed file lacks vectors.
    pub(crate) fn lacks_vectors(&self) -> bool {
        self.lacking().next().is_some()
    }

    fn lacking(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(|row| row.state == RowState::Indexed && !row.embedded && self.is_there(&row.path))
    }

    fn is_there(&self, path: &Path) -> bool {
        self.entries.get(path).is_some_and(|seen| seen.verdict == Verdict::Read)
    }
}

/// The ledger is locked only while it is asked, not while the disk is looked at.
impl Known for Mutex<Ledger> {
    fn some_under(&self, folder: &Path) -> Vec<PathBuf> {
        self.lock().unwrap_or_else(|e| e.into_inner()).rows.some_under(folder)
    }
}
