//! The report of a measurement. The JSON of `nuthatch eval` has the same fields.

use std::collections::BTreeMap;
use std::io::{Result, Write};

use serde::Serialize;

use crate::eval::answerable::{Answerable, BestScores};
use crate::eval::compare::Comparison;
use crate::eval::known_item::About;
use crate::eval::models::{ModelRow, ScoreDistance};
use crate::eval::per_query::QueryLine;
use crate::eval::reliability::Calibration;
use crate::eval::run::{Measures, Run};
use crate::eval::sweep::Sweep;
use crate::style::{Style, printable};

/// In the order in which a question goes through them.
const STAGES: [&str; 5] = ["lexical", "vector", "hybrid", "rerank", "cross"];

/// Parts that were not asked for or could not be measured are absent.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) dir: String,
    pub(crate) n_docs: usize,
    pub(crate) n_queries: usize,
    /// `lexical`, `vector`, `hybrid`, `rerank` (what is shown: the blend) and `cross` (the cross-encoder alone).
    pub(crate) stages: BTreeMap<&'static str, Measures>,
    pub(crate) comparisons: Vec<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calibration: Option<Calibration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) best_scores: Option<Answerable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depths: Option<Sweep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) models: Option<Vec<ModelRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known_items: Option<KnownItems>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queries: Option<Vec<QueryLine>>,
}

/// What a measurement on one's own notes adds to the report.
#[derive(Debug, Serialize)]
pub(crate) struct KnownItems {
    #[serde(flatten)]
    pub(crate) about: About,
    /// The result in plain words, one sentence per entry.
    pub(crate) summary: Vec<String>,
}

pub(crate) fn by_stage(runs: &[Run]) -> BTreeMap<&'static str, Measures> {
    runs.iter().map(|run| (run.stage, run.means())).collect()
}

pub(crate) fn write(out: &mut dyn Write, report: &Report, style: Style) -> Result<()> {
    let (name, unit) = (printable(&report.dir), if report.known_items.is_some() { "passages" } else { "documents" });
    writeln!(out, "{}: {} {unit}, {} questions", style.bold(&name), report.n_docs, report.n_queries)?;
    if let Some(KnownItems { about, .. }) = &report.known_items {
        let About { n_notes, n_notes_indexed, n_titles, n_headings, .. } = about;
        let of = if n_notes < n_notes_indexed { format!(" of {n_notes_indexed}") } else { String::new() };
        writeln!(out, "{n_notes}{of} notes, asked for by {n_titles} titles and {n_headings} headings")?;
    }
    writeln!(out, "{}", style.dim("stage    nDCG@10  MRR@10   first  recall@100  ms/query"))?;
    for name in STAGES {
        if let Some(Measures { ndcg_10, mrr_10, first, recall_100, ms_per_query, .. }) = report.stages.get(name) {
            writeln!(
                out,
                "{name:<7}    {ndcg_10:.4}  {mrr_10:.4}  {first:.4}      {recall_100:.4}  {ms_per_query:>8.1}"
            )?;
        }
    }
    write_comparisons(out, &report.comparisons, style)?;
    if let Some(models) = &report.models {
        write_models(out, models, style)?;
    }
    if let Some(sweep) = &report.depths {
        write_sweep(out, sweep, style)?;
    }
    if let Some(calibration) = &report.calibration {
        write_calibration(out, calibration, style)?;
    }
    if let Some(answerable) = &report.best_scores {
        write_best_scores(out, answerable, style)?;
    }
    if let Some(KnownItems { summary, .. }) = &report.known_items {
        writeln!(out)?;
        summary.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(())
}

fn write_comparisons(out: &mut dyn Write, comparisons: &[Comparison], style: Style) -> Result<()> {
    if comparisons.is_empty() {
        return Ok(());
    }
    let head = "compared        nDCG@10     gain   95 % interval          p  better/same/worse";
    writeln!(out, "\n{}", style.dim(head))?;
    comparisons.iter().try_for_each(|comparison| write_comparison(out, &comparison.name, comparison))
}

fn write_comparison(out: &mut dyn Write, name: &str, comparison: &Comparison) -> Result<()> {
    let Comparison { difference, low, high, gain_percent, p, wins, ties, losses, .. } = comparison;
    let gain = gain_percent.map_or_else(|| "-".to_owned(), |gain| format!("{gain:+.1} %"));
    writeln!(out, "{name:<14}  {difference:+.4}  {gain:>7}   {low:+.4} to {high:+.4}  {p:.4}  {wins}/{ties}/{losses}")
}

fn write_models(out: &mut dyn Write, models: &[ModelRow], style: Style) -> Result<()> {
    let width = models.iter().map(|model| model.name.chars().count()).max().unwrap_or(0).max("model".len());
    let head = format!("{:<width$}  nDCG@10  MRR@10  alone: nDCG@10  MRR@10     ECE  ms/query", "model");
    writeln!(out, "\n{}", style.dim(&head))?;
    for ModelRow { name, rerank, cross, ece, .. } in models {
        let (name, ece) = (printable(name), ece.unwrap_or_default());
        writeln!(
            out,
            "{name:<width$}   {:.4}  {:.4}         {:.4}  {:.4}  {ece:.4}  {:>8.1}",
            rerank.ndcg_10, rerank.mrr_10, cross.ndcg_10, cross.mrr_10, rerank.ms_per_query
        )?;
    }
    for ModelRow { name, against_first, .. } in models {
        if let Some(against) = against_first {
            let [first, ..] = models else { return Ok(()) };
            writeln!(out, "{} against {}:", printable(name), printable(&first.name))?;
            write_comparison(out, "  blend", &against.rerank)?;
            write_comparison(out, "  alone", &against.cross)?;
            let ScoreDistance { mean, p99, max, .. } = against.scores;
            writeln!(out, "  scores apart    {mean:.4} on average, {p99:.4} at the worst hundredth, {max:.4} at most")?;
        }
    }
    Ok(())
}

fn write_sweep(out: &mut dyn Write, sweep: &Sweep, style: Style) -> Result<()> {
    let head = "candidates  nDCG@10  MRR@10  alone: nDCG@10  MRR@10  ms median    95 %";
    writeln!(out, "\n{}", style.dim(head))?;
    for row in &sweep.rows {
        writeln!(
            out,
            "{:>10}   {:.4}  {:.4}         {:.4}  {:.4}   {:>8.1}  {:>6.1}",
            row.depth,
            row.rerank.ndcg_10,
            row.rerank.mrr_10,
            row.cross.ndcg_10,
            row.cross.mrr_10,
            row.ms_median,
            row.ms_p95
        )?;
    }
    if let Some(hybrid) = sweep.hybrid_ndcg_10 {
        writeln!(out, "{:>10}   {hybrid:.4}", "hybrid")?;
    }
    writeln!(out, "within .005 of the best: {} candidates", sweep.enough)
}

fn write_calibration(out: &mut dyn Write, calibration: &Calibration, style: Style) -> Result<()> {
    let shown = &calibration.shown;
    writeln!(out, "\n{}", style.dim("score shown      n  mean  relevant"))?;
    for bin in &shown.bins {
        if let (Some(mean), Some(share)) = (bin.mean_score, bin.share_relevant) {
            writeln!(out, "{:.1} to {:.1}  {:>7}  {mean:.3}     {share:.3}", bin.low, bin.high, bin.n)?;
        }
    }
    writeln!(
        out,
        "calibration error {:.4}, Brier score {:.4} (cross-encoder alone: {:.4}, {:.4}); unjudged counts as not relevant",
        shown.ece, shown.brier, calibration.cross.ece, calibration.cross.brier
    )
}

fn write_best_scores(out: &mut dyn Write, answerable: &Answerable, style: Style) -> Result<()> {
    writeln!(out, "\n{}", style.dim("best score     5 %  median   95 %"))?;
    let sides = [("questions", Some(&answerable.real)), ("off topic", answerable.off_topic.as_ref())];
    for (name, side) in sides {
        let Some(BestScores { n, p5, median, p95, n_below, .. }) = side else { continue };
        write!(out, "{name:<10}   {p5:.3}   {median:.3}  {p95:.3}")?;
        match (n_below, answerable.threshold) {
            (Some(n_below), Some(threshold)) => {
                writeln!(out, "   {n_below} of {n} have no hit at {threshold} or above")?
            }
            _ => writeln!(out)?,
        }
    }
    if let Some(auc) = answerable.auc {
        writeln!(out, "told apart by the best score: {auc:.3} (AUC; 1 is always, 0.5 never)")?;
    }
    Ok(())
}
