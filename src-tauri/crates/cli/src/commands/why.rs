//! `nuthatch why`: one file, followed through the pipeline.

use std::io::Write;

use nuthatch_engine::{SearchRequest, Stage, WhyOutcome, WhyPassage, WhyReport};

use crate::args::WhyArgs;
use crate::failure::Failure;
use crate::models::Need;
use crate::session::Session;
use crate::style::{Style, printable};

/// Most passages of the file that are listed.
const N_PASSAGES: usize = 5;

pub(crate) fn run(args: &WhyArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let settings = engine.settings();
    let request = SearchRequest {
        query: args.query.clone(),
        top: usize::from(args.top),
        candidates: args.candidates.map_or(settings.candidates, usize::from),
        threshold: args.threshold.or(settings.threshold),
        stage: Stage::Rerank,
        budget_ms: settings.budget_ms(),
    };
    session.load_embedder(&engine, args.embedder.embedder.as_deref(), Need::Welcome)?;
    session.load_reranker(&engine, args.reranker.reranker.as_deref(), Need::Welcome)?;
    let report = engine.why(&request, &args.path, &session.cancel())?;
    session.answer(&report, |out, style| write_report(out, &report, style))?;
    if report.outcome == WhyOutcome::Shown { Ok(()) } else { Err(Failure::Nothing) }
}

fn write_report(out: &mut dyn Write, report: &WhyReport, style: Style) -> std::io::Result<()> {
    writeln!(out, "{}", style.bold(&printable(&report.path.display().to_string())))?;
    for step in &report.steps {
        writeln!(out, "  {}", printable(step))?;
    }
    for advice in &report.advice {
        writeln!(out, "{}", style.warning(&printable(&format!("  > {advice}"))))?;
    }
    for passage in report.passages.iter().take(N_PASSAGES) {
        writeln!(out, "{}", style.dim(&printable(&line(passage))))?;
    }
    Ok(())
}

fn line(passage: &WhyPassage) -> String {
    let rank = |rank: Option<usize>| rank.map_or("-".to_owned(), |rank| rank.to_string());
    let score = |score: Option<f32>| score.map_or("-".to_owned(), |score| format!("{score:.2}"));
    format!(
        "  words {:>5}  vectors {:>5}  candidate {:>4}  score {:>4}  {}",
        rank(passage.lexical_rank),
        rank(passage.vector_rank),
        rank(passage.recall_rank),
        score(passage.score),
        passage.text
    )
}
