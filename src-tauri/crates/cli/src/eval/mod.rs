//! Measuring ranking: on a test collection with known answers, or on the user's own notes.
//!
//! ```text
//! wanted: stages, depths and models asked for
//! beir | known_item -> TestSet -> asking: every question at every stage -> Run
//! Run -> report: means;  compare: bootstrap between stages;  sweep: depths;  models: cross-encoders
//! judged scores -> reliability;  best scores -> answerable;  chart, draw: SVG
//! fitting: what scores mean, for `nuthatch models calibrate`
//! ```

pub(crate) mod answerable;
pub(crate) mod asking;
pub(crate) mod beir;
pub(crate) mod chart;
pub(crate) mod compare;
pub(crate) mod draw;
pub(crate) mod evidence;
pub(crate) mod fitting;
pub(crate) mod headings;
pub(crate) mod indexing;
pub(crate) mod known_item;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod output;
pub(crate) mod per_query;
pub(crate) mod plain_words;
pub(crate) mod reliability;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sweep;
pub(crate) mod test_set;
pub(crate) mod wanted;
