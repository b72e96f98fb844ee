//! From scored passages to what is shown: the best passage of each note, with a snippet, and its copies.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tantivy::DocAddress;

use crate::copies::{Group, Member, Said, Worth, is_set_aside, title_part};
use crate::index::{Row, Snapshot};
use crate::names::Named;
use crate::pipeline::{Answer, Scored};
use crate::scan::Stamp;
use crate::snippet::Finder;
use crate::{EngineError, Hit, SearchRequest};

/// About three lines of a card.
const SNIPPET_CHARS: usize = 240;

/// Passages that are looked through for copies once there are enough hits: what is a copy scores alike.
const LOOKED_ON: usize = 10;

/// Of one passage more files are seldom listed.
const MAX_TWINS: usize = 64;

/// What is to be shown, and which files turned out to be gone or changed since they were read.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub hits: Vec<Hit>,
    pub outdated: Vec<PathBuf>,
}

/// What may be shown: files that are there, under a watched folder, or out of reach.
pub(crate) struct Wall<'a> {
    pub folders: &'a [PathBuf],
    /// Whether a file that is not there is on a drive that is away, rather than deleted.
    pub is_away: &'a dyn Fn(&Path) -> bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    AsRead,
    /// On a drive that is away, or in a folder that cannot be looked into: kept, and shown.
    OutOfReach,
    Changed,
    Gone,
    NotWatched,
}

/// At most `request.top` hits at or above the threshold, one a note: files that say the same are one hit. A file that is no
/// longer there, or no longer watched, is passed over; one that has changed since is marked as stale, because what it says
/// now is not known until it is read again. A file that could not be read and is asked for by name has no score, and no
/// threshold hides it.
pub(crate) fn hits(
    answer: &Answer,
    snapshot: &Snapshot,
    request: &SearchRequest,
    wall: &Wall<'_>,
) -> Result<Shown, EngineError> {
    let mut listing = Listing {
        snapshot,
        wall,
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
    let finder = Finder::of(&answer.terms);
    let hits = entries.into_iter().enumerate().map(|(i, entry)| hit(i + 1, entry, &finder)).collect();
    Ok(Shown { hits, outdated })
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

/// What becomes a hit.
enum Entry {
    Note(Box<Group>, Scored),
    Unread { path: PathBuf, reason: String },
}

/// The list as it is put together.
struct Listing<'a> {
    snapshot: &'a Snapshot,
    wall: &'a Wall<'a>,
    named: &'a [Named],
    /// Whether of passages that say the same only one is in the answer.
    were_folded: bool,
    /// Those that were looked at.
    files: HashSet<String>,
    entries: Vec<Entry>,
    outdated: Vec<PathBuf>,
}

impl Listing<'_> {
    fn add_unread(&mut self, named: &Named) -> Result<(), EngineError> {
        let path = named.row.path.clone();
        self.files.insert(path.to_string_lossy().into_owned());
        // Whether it has changed does not matter: nothing of it is shown.
        let (standing, _) = self.wall.look(&path, self.snapshot)?;
        let reason = named.unread().unwrap_or_default().to_owned();
        if !matches!(standing, Standing::Gone | Standing::NotWatched) {
            self.entries.push(Entry::Unread { path, reason });
        }
        Ok(())
    }

    /// Adds the files of a passage and of those that say the same, which were left out of the candidates: each to the note
    /// that it is a copy of or, while there is room below `top`, as a note that shares a passage with others.
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
        let holding = self.wall.folders.iter().filter(|folder| path.starts_with(folder));
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

    /// Gives back what is a copy of none.
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

    /// Other passages that say the same as the one at `address`, in an order that no merge changes.
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
        let found = self.wall.look(path, self.snapshot)?;
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

fn hit(rank: usize, entry: Entry, finder: &Finder) -> Hit {
    let (group, scored) = match entry {
        Entry::Note(group, scored) => (group, scored),
        Entry::Unread { path, reason } => return unread(rank, path, reason),
    };
    let copies = group.copies();
    let Member { passage, worth, is_stale, .. } = group.shown;
    let snippet = finder.snippet(&passage.chunk.text, SNIPPET_CHARS);
    Hit {
        rank,
        score: Some(scored.score),
        raw_score: scored.raw_score,
        path: worth.path,
        title: passage.title,
        snippet: snippet.text,
        highlights: snippet.highlights,
        span: [passage.chunk.span.start, passage.chunk.span.end],
        place: passage.chunk.place,
        recall_rank: scored.recall_rank,
        lexical_rank: scored.candidate.evidence.lexical_rank,
        vector_rank: scored.candidate.evidence.vector_rank,
        stale: is_stale,
        copies,
        unread: None,
    }
}

fn unread(rank: usize, path: PathBuf, reason: String) -> Hit {
    Hit {
        rank,
        score: None,
        raw_score: 0.0,
        title: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path,
        snippet: String::new(),
        highlights: Vec::new(),
        span: [0, 0],
        place: None,
        recall_rank: 0,
        lexical_rank: None,
        vector_rank: None,
        stale: false,
        copies: Vec::new(),
        unread: Some(reason),
    }
}

impl Wall<'_> {
    /// How an indexed file stands on disk, now.
    pub(crate) fn standing(&self, path: &Path, snapshot: &Snapshot) -> Result<Standing, EngineError> {
        Ok(self.look(path, snapshot)?.0)
    }

    /// The same, with what the index knows of it.
    fn look(&self, path: &Path, snapshot: &Snapshot) -> Result<(Standing, Option<Row>), EngineError> {
        if !self.folders.iter().any(|folder| path.starts_with(folder)) {
            return Ok((Standing::NotWatched, None));
        }
        let row = snapshot.row_of(path).map_err(|e| snapshot.failed(e))?;
        let stamp = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Stamp::of(&metadata),
            Ok(_) => return Ok((Standing::Gone, row)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let away = (self.is_away)(path);
                return Ok((if away { Standing::OutOfReach } else { Standing::Gone }, row));
            }
            Err(_) => return Ok((Standing::OutOfReach, row)),
        };
        let is_as_read = row.as_ref().is_some_and(|row| stamp.is_as_in(row));
        Ok((if is_as_read { Standing::AsRead } else { Standing::Changed }, row))
    }
}
