//! The allowed ranges of the numbers in a search request and in the settings. The command line, the window and scripts
//! all go through these checks: a number outside its range is refused with an error that names the range, so that the
//! code behind never has to handle an overflow.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::{BadSetting, SearchRequest, Settings};

/// The most files that a search returns.
pub const TOP: RangeInclusive<usize> = 1..=1000;
/// Passages that the first stage hands to the cross-encoder.
pub const CANDIDATES: RangeInclusive<usize> = 1..=1000;
pub const THRESHOLD: RangeInclusive<f32> = 0.0..=1.0;
/// Up to an hour. In the settings 0 means no limit.
pub const BUDGET_MS: RangeInclusive<u64> = 0..=3_600_000;
/// With less the writer has no room; no machine has more.
pub const MEMORY_MB: RangeInclusive<usize> = 100..=100_000;
pub const THREADS: RangeInclusive<usize> = 1..=1024;
/// Within a shorter time, two writes can fall into one tick of the file system's clock.
pub const SETTLE_MS: RangeInclusive<u64> = 20..=60_000;
/// Up to a week.
pub const RESCAN_MINUTES: RangeInclusive<u64> = 1..=10_080;
/// The size limits for files that are read.
pub const FILE_MB: RangeInclusive<u64> = 1..=100_000;

impl SearchRequest {
    /// # Errors
    /// Names the first number that lies outside of its range.
    pub(crate) fn check(&self) -> Result<(), BadSetting> {
        within("top", self.top, TOP)?;
        within("candidates", self.candidates, CANDIDATES)?;
        within_if("threshold", self.threshold, THRESHOLD)?;
        within_if("budget_ms", self.budget_ms, BUDGET_MS)
    }
}

impl Settings {
    /// Like [`SearchRequest::check`]; the error names the number as `settings.toml` does.
    pub(crate) fn check(&self) -> Result<(), BadSetting> {
        within("candidates", self.candidates, CANDIDATES)?;
        within_if("threshold", self.threshold, THRESHOLD)?;
        within("rerank_budget_ms", self.rerank_budget_ms, BUDGET_MS)?;
        within("max_text_mb", self.max_text_mb, FILE_MB)?;
        within("max_document_mb", self.max_document_mb, FILE_MB)?;
        within("settle_ms", self.settle_ms, SETTLE_MS)?;
        within("rescan_minutes", self.rescan_minutes, RESCAN_MINUTES)?;
        within("memory_mb", self.memory_mb, MEMORY_MB)?;
        within_if("threads", self.threads, THREADS)
    }
}

/// Refuses a value outside `range`. NaN lies within no range.
fn within<T: PartialOrd + Display>(name: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), BadSetting> {
    if range.contains(&value) {
        return Ok(());
    }
    let wanted = format!("a number from {} to {}", range.start(), range.end());
    Err(BadSetting { name, value: value.to_string(), wanted })
}

/// Like [`within`], for a number that may be left out.
fn within_if<T: PartialOrd + Display>(
    name: &'static str,
    value: Option<T>,
    range: RangeInclusive<T>,
) -> Result<(), BadSetting> {
    value.map_or(Ok(()), |value| within(name, value, range)).map_err(|bad| {
        let wanted = format!("{}, or leave it out", bad.wanted);
        BadSetting { wanted, ..bad }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_request_is_checked() {
        let check = |change: fn(&mut SearchRequest), expected: &str| {
            let mut request = SearchRequest::new("heron");
            change(&mut request);
            let said = request.check().map_or_else(|bad| bad.to_string(), |()| String::new());
            assert_eq!(said, expected);
        };
        check(|_| {}, "");
        check(|to| (to.top, to.candidates, to.threshold, to.budget_ms) = (1000, 1, Some(0.0), Some(0)), "");
        check(|to| to.top = 0, "top = 0: give a number from 1 to 1000");
        check(|to| to.candidates = usize::MAX, &format!("candidates = {}: give a number from 1 to 1000", usize::MAX));
        check(|to| to.threshold = Some(1.5), "threshold = 1.5: give a number from 0 to 1, or leave it out");
        check(|to| to.threshold = Some(f32::NAN), "threshold = NaN: give a number from 0 to 1, or leave it out");
        check(
            |to| to.budget_ms = Some(1 << 60),
            "budget_ms = 1152921504606846976: give a number from 0 to 3600000, or leave it out",
        );
    }

    /// Sets every number of the settings far outside its range, so that a number without a check is noticed.
    #[test]
    fn every_number_of_the_settings_is_checked() {
        let sound = toml::Table::try_from(Settings::default()).unwrap();
        let check = |name: &str, value: toml::Value| {
            let mut table = sound.clone();
            table.insert(name.to_owned(), value);
            table.try_into::<Settings>().map_err(|e| e.to_string()).and_then(|s| s.check().map_err(|e| e.to_string()))
        };
        let numbers = sound.iter().filter(|(_, value)| value.is_integer() || value.is_float());
        let names = numbers.map(|(name, _)| name.as_str()).chain(["threshold", "threads"]);
        let names: Vec<&str> = names.collect();
        assert!(names.len() >= 9, "{names:?}");
        for name in names {
            let large = if name == "threshold" { toml::Value::Float(1.01) } else { toml::Value::Integer(i64::MAX) };
            for bad in [large, toml::Value::Integer(-1)] {
                let said = check(name, bad.clone()).expect_err(name);
                assert!(said.contains("from ") || bad == toml::Value::Integer(-1), "{name}: {said}");
            }
        }
        assert!(
            check("memory_mb", toml::Value::Integer(100)).is_ok()
                && check("rescan_minutes", toml::Value::Integer(10_080)).is_ok()
        );
    }
}
