//! Progress bars. Where there is no terminal they are hidden, so that callers need not check for one.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nuthatch_engine::{IndexProgress, Phase};

const COUNTED: &str = "{prefix:<10} [{bar:30}] {human_pos}/{human_len} {wide_msg}";
const BYTES: &str = "{prefix:<10} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}";
const UNCOUNTED: &str = "{prefix:<10} {spinner} {human_pos} {wide_msg}";

/// A bar of `total` steps named `what`. A `total` of 0 means that it is not known yet.
pub(crate) fn bar(shown: bool, what: &'static str, total: u64) -> ProgressBar {
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target).with_prefix(what);
    restyle(&bar, total);
    bar
}

fn restyle(bar: &ProgressBar, total: u64) {
    let template = if total == 0 { UNCOUNTED } else { COUNTED };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_length(total);
}

/// Follows the download of one file after another.
pub(crate) struct ByteBar {
    bar: ProgressBar,
}

impl ByteBar {
    pub(crate) fn new(shown: bool) -> Self {
        let bar = bar(shown, "fetching", 0);
        if let Ok(style) = ProgressStyle::with_template(BYTES) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// `total` is `None` until the server has announced it.
    pub(crate) fn show(&mut self, file: &str, done: u64, total: Option<u64>) {
        self.bar.set_length(total.unwrap_or(done));
        self.bar.set_position(done);
        self.bar.set_message(file.to_owned());
    }
}

impl Drop for ByteBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Follows one indexing run after another.
pub(crate) struct IndexBar {
    shown: bool,
    current: Option<(Phase, ProgressBar)>,
}

impl IndexBar {
    pub(crate) fn new(shown: bool) -> Self {
        Self { shown, current: None }
    }

    pub(crate) fn show(&mut self, progress: &IndexProgress) {
        let what = match progress.phase {
            Phase::Scanning => "scanning",
            Phase::Text => "reading",
            Phase::Vectors => "embedding",
            Phase::Done => return self.clear(),
        };
        let total = progress.total as u64;
        if self.current.as_ref().is_none_or(|(phase, _)| *phase != progress.phase) {
            self.clear();
            let bar = bar(self.shown, what, total);
            bar.enable_steady_tick(Duration::from_millis(200));
            self.current = Some((progress.phase, bar));
        }
        if let Some((_, bar)) = &self.current {
            if bar.length() != Some(total) {
                restyle(bar, total);
            }
            bar.set_position(progress.done as u64);
            let file = progress.current.as_deref().and_then(|path| path.file_name());
            bar.set_message(file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
        }
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for IndexBar {
    fn drop(&mut self) {
        self.clear();
    }
}
