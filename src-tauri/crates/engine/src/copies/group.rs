//! Files that are one note.

use std::collections::HashSet;
use std::path::PathBuf;

use super::Said;
use crate::index::Passage;

/// How much of what the note says its copy has to say, in bytes of a passage and in passages of a file: less is a note
/// that quotes the other.
const LEAST_SHARED: f32 = 0.6;

/// How much of what a copy says elsewhere in the file has to be in the note as well.
const MOST_SHARED: f32 = 0.8;

/// A file that was found.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The passage that answers.
    pub passage: Passage,
    pub said: Said,
    pub title: String,
    /// [`super::twin`] of every passage of the file; empty until it is looked up, see [`Group::may_take`].
    pub twins: HashSet<u64>,
    pub worth: Worth,
    pub is_stale: bool,
}

/// Which of several copies is wanted: the least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Worth {
    /// It was not asked for by its own name.
    pub is_unnamed: bool,
    pub is_out_of_reach: bool,
    pub is_set_aside: bool,
    /// Newest first.
    pub age: std::cmp::Reverse<i64>,
    pub depth: usize,
    pub path: PathBuf,
}

/// The note that is shown, and its copies.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub shown: Member,
    pub copies: Vec<Member>,
}

impl Group {
    pub(crate) fn of(member: Member) -> Self {
        Self { shown: member, copies: Vec::new() }
    }

    /// Whether the passages that answer are those of copies: a look that needs no [`Member::twins`].
    pub(crate) fn may_take(&self, member: &Member) -> bool {
        let (better, other) = self.better(member);
        // What one that has changed says now is not known.
        !member.is_stale && !self.shown.is_stale && better.answers_for(other)
    }

    fn better<'a>(&'a self, member: &'a Member) -> (&'a Member, &'a Member) {
        if member.worth < self.shown.worth { (member, &self.shown) } else { (&self.shown, member) }
    }

    /// Takes a copy in, or gives back what is none. The one that is wanted most is shown; nothing is a copy of it that says
    /// anything in answer that it does not say itself.
    pub(crate) fn take(&mut self, member: Member) -> Result<(), Box<Member>> {
        let (better, other) = self.better(&member);
        if !(better.answers_for(other) && better.has_the_rest_of(other)) {
            return Err(Box::new(member));
        }
        let is_better = member.worth < self.shown.worth;
        let other = if is_better { std::mem::replace(&mut self.shown, member) } else { member };
        self.copies.push(other);
        Ok(())
    }

    /// Paths of the copies, the most wanted first.
    pub(crate) fn copies(&self) -> Vec<PathBuf> {
        let mut worths: Vec<&Worth> = self.copies.iter().map(|copy| &copy.worth).collect();
        worths.sort();
        worths.into_iter().map(|worth| worth.path.clone()).collect()
    }
}

impl Member {
    /// Whether all that `other` says in answer is said here.
    fn answers_for(&self, other: &Member) -> bool {
        self.title == other.title
            && self.passage.chunk.heading_path == other.passage.chunk.heading_path
            && self.said.n_bytes() as f32 * LEAST_SHARED <= other.said.n_bytes() as f32
            && self.said.says_all_of(&other.said)
    }

    /// Whether the files agree beside the passages that answer, too.
    fn has_the_rest_of(&self, other: &Member) -> bool {
        let (mine, theirs) = (self.twins.len().saturating_sub(1) as f32, other.twins.len().saturating_sub(1) as f32);
        let shared = other.twins.intersection(&self.twins).count();
        // The passages that answer may differ: they are not counted, whether they do or not.
        let answers = usize::from(self.said == other.said);
        let shared = shared.saturating_sub(answers) as f32;
        mine * LEAST_SHARED <= theirs && theirs * MOST_SHARED <= shared
    }
}
