//! Decides which segments are merged.

use tantivy::merge_policy::LogMergePolicy;

/// How many segments of similar size are merged into one. Every segment adds look-ups to each search, and with tens of
/// segments the look-ups cost more than the scoring. At a million passages, Tantivy's default of 8 leaves some twenty
/// segments, and 4 leaves about eight. A passage is merged some five times on the way to a million, which is a small
/// part of the cost of indexing it.
const LIKE_SIZED: usize = 4;

/// A segment is rewritten once more than this share of it is deleted. Every passage is written first with its text
/// alone and again with its vector, so without this the deleted first versions would be half of the index.
const MOST_DELETED: f32 = 0.25;

pub(super) fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(LIKE_SIZED);
    policy.set_del_docs_ratio_before_merge(MOST_DELETED);
    policy
}
