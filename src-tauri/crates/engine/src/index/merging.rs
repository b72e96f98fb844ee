//! Which segments become one.

use tantivy::merge_policy::LogMergePolicy;

/// So many segments of like size become one. Every segment costs each search its look-ups, and tens of them more than
/// the scoring; Tantivy's own 8 leave some twenty at a million passages, 4 leave about eight. A passage is merged
/// some five times on its way to a million, which is a small part of what indexing it took.
const LIKE_SIZED: usize = 4;

/// A segment is written anew once more than this share of it is deleted. Text is indexed before its vectors, with
/// which every passage is written again: what the first writing left is half of everything.
const MOST_DELETED: f32 = 0.25;

pub(super) fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(LIKE_SIZED);
    policy.set_del_docs_ratio_before_merge(MOST_DELETED);
    policy
}
