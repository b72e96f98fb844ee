//! Turns scored passages into a list of notes: each note that may be shown, with its best passage and its copies.
//! [`crate::hits`] decides what is shown of a passage.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tantivy::DocAddress;

use crate::copies::{Group, Member, Said, Worth, is_set_aside, title_part};
use crate::index::{Row, Snapshot};
use crate::names::Named;
use crate::pipeline::{Answer, Scored};
use crate::visibility::{Standing, Visibility};
use crate::{EngineError, SearchRequest};

/// How many further passages are searched for copies once the list is full. A copy scores about the same as the note it
/// is a copy of, so it comes soon after it.
const LOOKED_ON: usize = 10;

/// The most other files with the same passage that are looked at. It is seldom useful to list more.
const MAX_TWINS: usize = 64;

/// Notes in their order, and which files turned out to be gone or changed since they were read.
pub(crate) struct Listed {
    pub entries: Vec<Entry>,
    pub outdated: Vec<PathBuf>,
}

/// What becomes a hit.
pub(crate) enum Entry {
    Note(Box<Group>, Scored),
    Unread { path: PathBuf, reason: String },
}

/// At most `request.top` entries at or above the threshold, one for each note: copies of a note share its entry. A file
/// that is no longer there, or no longer watched, is passed over. A file that has changed since it was read is marked
/// as stale, because its new text is unknown until it is read again. A file that could not be read but is asked for by
/// name has no score, so no threshold hides it.
pub(crate) fn listed(
    answer: &Answer,
    snapshot: &Snapshot,
    request: &SearchRequest,
    visibility: &Visibility<'_>,
) -> Result<Listed, EngineError> {
    let mut listing = Listing {
        snapshot,
        visibility,
        named: &answer.named,
        were_folded: !answer.terms.narrows(),
        files: HashSet::new(),
        entries: Vec::new(),
        outdated: Vec::new(),
    };
    let is_shown = |scored: &Scored| request.threshold.is_none_or(|threshold| scored.score >= threshold);
    let mut n_looked_on = 0;
    for next in by_name_first(answer, snapshot)? {
        match next {
            Next::Unread(named) if listing.entries.len() < request.top => listing.add_unread(named)?,
            Next::Passage(scored) if is_shown(scored) && n_looked_on < LOOKED_ON => {
                n_looked_on += usize::from(listing.entries.len() >= request.top);
                listing.add(scored, request.top)?;
            }
            _ => {}
        }
    }
    let Listing { entries, outdated, .. } = listing;
    Ok(Listed { entries, outdated })
}

enum Next<'a> {
    Unread(&'a Named),
    Passage(&'a Scored),
}

/// In the answer's order, files that were asked for by name first.
fn by_name_first<'a>(answer: &'a Answer, snapshot: &Snapshot) -> Result<Vec<Next<'a>>, EngineError> {
    let mut order: Vec<Next<'a>> = Vec::with_capacity(answer.scored.len());
    let mut of_named: HashSet<DocAddress> = HashSet::new();
    for named in &answer.named {
        if named.unread().is_some() {
            order.push(Next::Unread(named));
            continue;
        }
        let passages = snapshot.passages_of(&named.row.path).map_err(|e| snapshot.failed(e))?;
        let passages: HashSet<DocAddress> = passages.into_iter().collect();
        let is_of_it = |scored: &&Scored| passages.contains(&scored.candidate.address);
        order.extend(answer.scored.iter().filter(is_of_it).map(Next::Passage));
        of_named.extend(passages);
    }
    let is_other = |scored: &&Scored| !of_named.contains(&scored.candidate.address);
    order.extend(answer.scored.iter().filter(is_other).map(Next::Passage));
    Ok(order)
}

/// The list while it is being built.
struct Listing<'a> {
    snapshot: &'a Snapshot,
    visibility: &'a Visibility<'a>,
    named: &'a [Named],
    /// Whether the answer holds only one of several passages that say the same.
    were_folded: bool,
    /// Paths of the files that were looked at already.
    files: HashSet<String>,
    entries: Vec<Entry>,
    outdated: Vec<PathBuf>,
}

impl Listing<'_> {
    fn add_unread(&mut self, named: &Named) -> Result<(), EngineError> {
        let path = named.row.path.clone();
        self.files.insert(path.to_string_lossy().into_owned());
        // Whether the file has changed does not matter, as none of its text is shown.
        let (standing, _) = self.visibility.look(&path, self.snapshot)?;
        let reason = named.unread().unwrap_or_default().to_owned();
        if !matches!(standing, Standing::Gone | Standing::NotWatched) {
            self.entries.push(Entry::Unread { path, reason });
        }
        Ok(())
    }

    /// Adds the file of a passage, and the files of passages that say the same, which were left out of the candidates.
    /// Each file becomes a copy in the entry of its note or, with fewer than `top` entries, an entry of its own.
    fn add(&mut self, scored: &Scored, top: usize) -> Result<(), EngineError> {
        let address = scored.candidate.address;
        for address in std::iter::once(address).chain(self.twins(address)?) {
            let Some(member) = self.member(address)? else { continue };
            let Some(member) = self.take(member)? else { continue };
            if self.entries.len() < top {
                self.entries.push(Entry::Note(Box::new(Group::of(member)), *scored));
            }
        }
        Ok(())
    }

    /// `None` for a file that was looked at before, or is not to be shown.
    fn member(&mut self, address: DocAddress) -> Result<Option<Member>, EngineError> {
        let passage = self.snapshot.passage(address).map_err(|e| self.snapshot.failed(e))?;
        if !self.files.insert(passage.path.clone()) {
            return Ok(None);
        }
        let path = PathBuf::from(&passage.path);
        let (standing, row) = self.standing(&path)?;
        if matches!(standing, Standing::Gone | Standing::NotWatched) {
            return Ok(None);
        }
        let holding = self.visibility.folders.iter().filter(|folder| path.starts_with(folder));
        let root = holding.max_by_key(|folder| folder.components().count());
        let root = root.map_or(Path::new(""), PathBuf::as_path);
        let worth = Worth {
            is_unnamed: !self.named.iter().any(|named| named.row.path == path),
            is_out_of_reach: standing == Standing::OutOfReach,
            is_set_aside: is_set_aside(&path, root),
            age: Reverse(row.map_or(0, |row| row.modified)),
            depth: path.components().count(),
            path,
        };
        let said = Said::of(&passage.chunk.text);
        let (title, twins) = (title_part(&passage, &said), HashSet::new());
        Ok(Some(Member { title, said, twins, worth, is_stale: standing == Standing::Changed, passage }))
    }

    /// Adds `member` to the entry that it is a copy of, or gives it back if there is none.
    fn take(&mut self, mut member: Member) -> Result<Option<Member>, EngineError> {
        for entry in &mut self.entries {
            let Entry::Note(group, _) = entry else { continue };
            if !group.may_take(&member) {
                continue;
            }
            load_twins(&mut member, self.snapshot)?;
            load_twins(&mut group.shown, self.snapshot)?;
            match group.take(member) {
                Ok(()) => return Ok(None),
                Err(back) => member = *back,
            }
        }
        Ok(Some(member))
    }

    /// Other passages that say the same as the one at `address`, in an order that merging segments does not change.
    fn twins(&self, address: DocAddress) -> Result<Vec<DocAddress>, EngineError> {
        let look = || -> tantivy::Result<Vec<DocAddress>> {
            if !self.were_folded {
                return Ok(Vec::new());
            }
            let Some(twin) = self.snapshot.twins(&[address])?.pop() else { return Ok(Vec::new()) };
            let mut found = self.snapshot.with_twin(twin)?;
            found.retain(|other| *other != address);
            let mut ordered: Vec<_> = self.snapshot.orders(&found)?.into_iter().zip(found).collect();
            ordered.sort_unstable();
            Ok(ordered.into_iter().map(|(_, address)| address).take(MAX_TWINS).collect())
        };
        look().map_err(|e| self.snapshot.failed(e))
    }

    fn standing(&mut self, path: &Path) -> Result<(Standing, Option<Row>), EngineError> {
        let found = self.visibility.look(path, self.snapshot)?;
        if matches!(found.0, Standing::Changed | Standing::Gone) {
            self.outdated.push(path.to_owned());
        }
        Ok(found)
    }
}

fn load_twins(member: &mut Member, snapshot: &Snapshot) -> Result<(), EngineError> {
    if member.twins.is_empty() {
        let look = || snapshot.twins(&snapshot.passages_of(&member.worth.path)?);
        member.twins = look().map_err(|e| snapshot.failed(e))?.into_iter().collect();
    }
    Ok(())
}
