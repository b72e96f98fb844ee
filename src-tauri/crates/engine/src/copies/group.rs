//! Groups of files that are copies of one note.

use std::collections::HashSet;
use std::path::PathBuf;

use super::Said;
use crate::index::Passage;

/// The least length of a copy relative to the note, both in bytes of the passage that answers and in passages of the
/// file. A much shorter file is not a copy: one of the two only quotes the other.
const LEAST_SHARED: f32 = 0.6;

/// Which share of a copy's other passages the note must contain as well.
const MOST_SHARED: f32 = 0.8;

/// A file that was found.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The passage that answers.
    pub passage: Passage,
    pub said: Said,
    pub title: String,
    /// [`super::twin`] of every passage of the file. Empty until it is looked up, see [`Group::may_take`].
    pub twins: HashSet<u64>,
    pub worth: Worth,
    pub is_stale: bool,
}

/// Orders several copies: the least is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Worth {
    /// Whether the question does not name it.
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

    /// Whether `member` may be a copy, judged by the passages that answer. This check needs no [`Member::twins`].
    pub(crate) fn may_take(&self, member: &Member) -> bool {
        let (better, other) = self.better(member);
        // What a changed file says now is not known.
        !member.is_stale && !self.shown.is_stale && better.answers_for(other)
    }

    fn better<'a>(&'a self, member: &'a Member) -> (&'a Member, &'a Member) {
        if member.worth < self.shown.worth { (member, &self.shown) } else { (&self.shown, member) }
    }

    /// Adds `member` if it is a copy, or else gives it back. The better of the two files is shown. The other is not a
    /// copy if it says anything in answer that the better file does not say.
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

    /// Paths of the copies, the best first.
    pub(crate) fn copies(&self) -> Vec<PathBuf> {
        let mut worths: Vec<&Worth> = self.copies.iter().map(|copy| &copy.worth).collect();
        worths.sort();
        worths.into_iter().map(|worth| worth.path.clone()).collect()
    }
}

impl Member {
    /// Whether the passage that answers says everything that the one of `other` says, and is not much longer.
    fn answers_for(&self, other: &Member) -> bool {
        self.title == other.title
            && self.passage.chunk.heading_path == other.passage.chunk.heading_path
            && self.said.n_bytes() as f32 * LEAST_SHARED <= other.said.n_bytes() as f32
            && self.said.says_all_of(&other.said)
    }

    /// Whether the files also agree in their other passages.
    fn has_the_rest_of(&self, other: &Member) -> bool {
        let (mine, theirs) = (self.twins.len().saturating_sub(1) as f32, other.twins.len().saturating_sub(1) as f32);
        let shared = other.twins.intersection(&self.twins).count();
        // The passages that answer are not counted, whether they differ or not.
        let answers = usize::from(self.said == other.said);
        let shared = shared.saturating_sub(answers) as f32;
        mine * LEAST_SHARED <= theirs && theirs * MOST_SHARED <= shared
    }
}
