//! Puts a report into plain words.

use super::{WhyOutcome, WhyReport};
use crate::Degraded;
use crate::catalog::FileState;
use crate::engine::SearchContext;

/// Fills in `steps` and `advice`.
pub(super) fn tell(report: &mut WhyReport, asked: Option<&SearchContext>) {
    let mut told = Told { report, steps: Vec::new(), advice: Vec::new() };
    told.catalog();
    if told.report.n_passages > 0 {
        told.recall(asked);
        told.score();
    }
    let Told { steps, advice, .. } = told;
    report.steps = steps;
    report.advice = advice;
}

struct Told<'a> {
    report: &'a WhyReport,
    steps: Vec<String>,
    advice: Vec<String>,
}

impl Told<'_> {
    fn step(&mut self, text: impl Into<String>) {
        self.steps.push(text.into());
    }

    fn advise(&mut self, text: impl Into<String>) {
        self.advice.push(text.into());
    }

    /// Tells whether the file is watched, left out, and read.
    fn catalog(&mut self) {
        let report = self.report;
        let Some(root) = report.roots.first() else {
            self.step("It lies under no watched folder.");
            let folder = report.path.parent().unwrap_or(&report.path).display();
            self.advise(format!("Watch its folder: `nuthatch index {folder}`."));
            return;
        };
        self.step(format!("It lies under the watched folder {}.", root.display()));
        let Some(file) = &report.file else {
            self.step("There is no such file.");
            self.advise("Check the spelling; `nuthatch status --files` lists every file.");
            return;
        };
        let reason = file.reason.as_deref().unwrap_or_default();
        let what =
            if file.path == report.path { "It".to_owned() } else { format!("Its folder {}", file.path.display()) };
        match file.state {
            FileState::Indexed => {
                self.step(format!(
                    "It is indexed: {}, {} with vectors.",
                    count(report.n_passages, "passage"),
                    report.n_vectors
                ));
            }
            FileState::Waiting if report.n_passages > 0 => {
                self.step(format!("It is indexed, {}, but: {reason}.", count(report.n_passages, "passage")));
                self.advise("Let `nuthatch index` or a running watch finish.");
            }
            FileState::Waiting => {
                self.step(format!("It waits: {reason}."));
                self.advise("Run `nuthatch index`, or let a running watch come to it.");
            }
            FileState::Skipped => {
                self.step(format!("{what} is left out: {reason}."));
                self.advise(advice_for(reason));
            }
            FileState::Failed => {
                self.step(format!("{what} failed: {reason}."));
                self.advise(format!("Mend that, then `nuthatch retry {}`.", report.path.display()));
            }
            FileState::Offline => {
                self.step(format!("It is out of reach, its notes are kept and found: {reason}."));
            }
        }
        if report.outcome == WhyOutcome::Empty {
            self.step("There is no text in it.");
            self.advise("Nothing can be found in a file without text; a scanned PDF needs text recognition first.");
        }
    }

    /// Tells the file's ranks by words, by vectors and among the candidates.
    fn recall(&mut self, asked: Option<&SearchContext>) {
        let report = self.report;
        let absent: Vec<&str> =
            report.words.iter().filter(|word| word.n_in_file == 0).map(|word| word.word.as_str()).collect();
        match (absent.len(), report.words.len()) {
            (_, 0) => self.step("The question holds no word to look up."),
            (0, _) => self.step("It holds every word of the question."),
            (a, n) if a == n => self.step(format!("It holds no word of the question ({}).", absent.join(", "))),
            _ => self.step(format!("These words of the question are not in it: {}.", absent.join(", "))),
        }
        let best = |rank: fn(&super::WhyPassage) -> Option<usize>| report.passages.iter().filter_map(rank).min();
        match best(|passage| passage.lexical_rank) {
            Some(rank) => self.step(format!("By words its best passage is number {rank}.")),
            None => self.step(format!("By words it is not among the first {}.", report.looked_at)),
        }
        let failed = report.degraded.iter().find_map(|without| match without {
            Degraded::EmbedderFailed { reason } => Some(reason),
            _ => None,
        });
        match (best(|passage| passage.vector_rank), asked.and_then(|asked| asked.models.embedder.as_ref())) {
            (Some(rank), _) => self.step(format!("By meaning (vectors) its best passage is number {rank}.")),
            (None, None) => {
                let reason = asked.map_or("", |asked| &asked.no_embedder);
                self.step(format!("By meaning it was not looked for: {reason}."));
                self.advise("Without a bi-encoder only words find a note: `nuthatch models list` shows what is there.");
            }
            (None, Some(_)) if failed.is_some() => {
                self.step(format!("By meaning it was not looked for: {}.", failed.map_or("", String::as_str)));
            }
            (None, Some(_)) if report.n_vectors == 0 => {
                self.step("By meaning it cannot be found yet: it has no vectors.");
                self.advise("Let `nuthatch index` make its vectors.");
            }
            (None, Some(_)) => self.step(format!("By meaning it is not among the first {}.", report.looked_at)),
        }
        match report.passages.iter().filter_map(|passage| passage.recall_rank).min() {
            Some(rank) => self.step(format!("Among the {} candidates it is number {rank}.", report.candidates)),
            None => {
                self.step(format!("It is not among the {} candidates, so nothing read it.", report.candidates));
                match report.candidates_needed {
                    Some(n) => self.advise(format!("With {n} candidates it would be one: `--candidates {n}`.")),
                    None => self.advise("Even 1000 candidates do not reach it: ask with words that stand in it."),
                }
            }
        }
    }

    /// Tells what the cross-encoder and the threshold decided, and which passages and files are better.
    fn score(&mut self) {
        let report = self.report;
        let Some((best, score)) = report.passages.first().and_then(|passage| Some((passage, passage.score?))) else {
            return;
        };
        match best.cross {
            Some(cross) => self
                .step(format!("The cross-encoder gave it {cross:.2}; with all that is known its score is {score:.2}.")),
            None => {
                let reason = report.degraded.iter().find_map(|without| match without {
                    Degraded::NoReranker { reason } | Degraded::RerankerFailed { reason } => Some(reason),
                    _ => None,
                });
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                self.step(format!("No cross-encoder read it{reason}; its score is {score:.2}."));
            }
        }
        if let (Some(n), Some(rank)) = (report.read_in_time, best.recall_rank)
            && rank > n
        {
            self.step(format!(
                "A search stops reading in time, on this machine after about {n} candidates: it may come to show this one \
                 unread, lower than here."
            ));
            self.advise("Have the rest read, or raise `rerank_budget_ms` in settings.toml (0 is no limit).");
        }
        if report.passages.iter().filter(|passage| passage.score.is_some()).count() > 1 {
            let place = best.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            self.step(format!("Of its passages the best stands for the file: \u{201c}{}\u{201d}{place}.", best.text));
        }
        if let Some(threshold) = report.threshold {
            let side = if score < threshold { "below" } else { "not below" };
            self.step(format!("That is {side} the threshold of {threshold:.2}."));
        }
        match report.outcome {
            WhyOutcome::BelowThreshold => {
                let below = (score * 100.0).floor() / 100.0;
                self.advise(format!("Lower the threshold to {below:.2} or less."));
            }
            WhyOutcome::BeyondTop => {
                let rank = report.rank.unwrap_or_default();
                let last = report.last_shown.map(|last| format!(", the last shown has {last:.2}")).unwrap_or_default();
                self.step(format!("It is file number {rank}, and {} are shown{last}.", report.top));
                self.advise(format!("Show more files (`--top {rank}`), or ask with words nearer to its own."));
            }
            WhyOutcome::Gone => {
                self.step("The file is not there any more, so it is not shown.");
                self.advise("Run `nuthatch index` to take it out of the index.");
            }
            WhyOutcome::Shown => match &report.copy_of {
                Some(note) => self.step(format!(
                    "It is the same note as {}, which is shown as number {} and lists it as a copy.",
                    note.display(),
                    report.rank.unwrap_or_default()
                )),
                None => self.step(format!("It is shown, as file number {}.", report.rank.unwrap_or_default())),
            },
            _ => {}
        }
    }
}

/// How to undo the rule that gave this reason for leaving a file out.
fn advice_for(reason: &str) -> String {
    if reason.starts_with("left out by") {
        return "Take that pattern out of the file, or add `!NAME` to a .nuthatchignore beside it.".to_owned();
    }
    if reason.starts_with("hidden") {
        return "Set `hidden = true` in the settings, or add `!NAME` to a .nuthatchignore beside it.".to_owned();
    }
    if reason.starts_with("larger") {
        return "Raise that limit in settings.toml, or split the file.".to_owned();
    }
    if reason.starts_with("a link") {
        return "Look for what the link leads to instead.".to_owned();
    }
    if reason.ends_with("are not read") || reason == "not a text format" {
        return "Save it in a format that is read: README.md lists them.".to_owned();
    }
    "The reason says what to change.".to_owned()
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
