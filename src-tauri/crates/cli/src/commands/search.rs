//! `nuthatch search`: the notes that answer a question.

use std::io::Write;

use nuthatch_engine::extract::Place;
use nuthatch_engine::{Degraded, Engine, EngineError, Hit, SearchRequest, SearchResults, Stage};

use crate::args::SearchArgs;
use crate::failure::Failure;
use crate::models::Need;
use crate::session::Session;
use crate::style::{Style, printable};

pub(crate) fn run(args: &SearchArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let request = SearchRequest {
        query: args.query.join(" "),
        top: usize::from(args.top),
        candidates: args.candidates.map_or(engine.settings().candidates, usize::from),
        threshold: args.threshold.or(engine.settings().threshold),
        stage: args.stage.map_or(Stage::Rerank, Stage::from),
        budget_ms: args.budget_ms.map_or(engine.settings().budget_ms(), |ms| (ms > 0).then_some(ms)),
    };
    if request.query.trim().is_empty() {
        return Err(EngineError::EmptyQuery.into());
    }
    load_models(args, &engine, session)?;
    let results = engine.search(&request, &session.cancel(), &mut |_, _| {})?;
    session.answer(&results, |out, style| write_results(out, &results, args.copies, style))?;
    if results.hits.is_empty() { Err(Failure::Nothing) } else { Ok(()) }
}

/// Loads the models that the stage needs. A missing model degrades the answer; it is an error if its stage or the model
/// itself was asked for by name, because then a degraded answer would be wrong.
fn load_models(args: &SearchArgs, engine: &Engine, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let asked = args.stage.map(Stage::from);
    if asked != Some(Stage::Lexical) {
        let name = args.embedder.embedder.as_deref();
        let need = Need::required_if(name.is_some() || matches!(asked, Some(Stage::Vector | Stage::Hybrid)));
        session.load_embedder(engine, name, need)?;
    }
    if matches!(asked, None | Some(Stage::Rerank)) {
        let name = args.reranker.reranker.as_deref();
        session.load_reranker(engine, name, Need::required_if(name.is_some() || asked.is_some()))?;
    }
    Ok(())
}

fn write_results(out: &mut dyn Write, results: &SearchResults, all_copies: bool, style: Style) -> std::io::Result<()> {
    for hit in &results.hits {
        write_hit(out, hit, all_copies, style)?;
    }
    if results.hits.is_empty() {
        writeln!(out, "nothing found")?;
    } else if results.nothing_answers {
        writeln!(out, "{}\n", style.warning("Probably nothing here answers this; these came nearest."))?;
    }
    let (took, counts) = (&results.took_ms, &results.candidates);
    let timing = format!(
        "{} candidates, {} reranked; lexical {:.0} ms, vector {:.0} ms, fuse {:.0} ms, rerank {:.0} ms, total {:.0} ms",
        counts.recalled, counts.reranked, took.lexical, took.vector, took.fuse, took.rerank, took.total
    );
    writeln!(out, "{}", style.dim(&timing))?;
    results.degraded.iter().try_for_each(|missing| writeln!(out, "{}", style.warning(&printable(&without(missing)))))
}

fn write_hit(out: &mut dyn Write, hit: &Hit, all_copies: bool, style: Style) -> std::io::Result<()> {
    let title = style.bold(&printable(&hit.title));
    let score = hit.score.map_or("   –".to_owned(), |score| format!("{score:.2}"));
    writeln!(out, "{:>2}  {score}  {title}", hit.rank)?;
    let place = hit.place.as_ref().map(place).unwrap_or_default();
    writeln!(out, "    {}", style.dim(&printable(&format!("{}{place}", hit.path.display()))))?;
    if let Some(reason) = &hit.unread {
        return writeln!(out, "    {}\n", style.warning(&printable(&format!("not read: {reason}"))));
    }
    match hit.copies.len() {
        0 => {}
        n if all_copies => {
            writeln!(out, "    {}", style.dim(&format!("and {}:", copies(n))))?;
            for copy in &hit.copies {
                writeln!(out, "      {}", style.dim(&printable(&copy.display().to_string())))?;
            }
        }
        n => writeln!(out, "    {}", style.dim(&format!("and {} (`--copies` lists them)", copies(n))))?,
    }
    writeln!(out, "    {}\n", style.highlight(&printable(&hit.snippet), &hit.highlights))
}

fn copies(n: usize) -> String {
    if n == 1 { "1 copy".to_owned() } else { format!("{n} copies") }
}

/// `:12` for a line, which editors and terminals understand; otherwise in brackets, as ` (p. 3)`.
fn place(place: &Place) -> String {
    match place {
        Place::Line { number } => format!(":{number}"),
        other => format!(" ({other})"),
    }
}

fn without(degraded: &Degraded) -> String {
    match degraded {
        Degraded::Damaged { reason, .. } => {
            format!("part of the index is damaged, `nuthatch index` mends it: {reason}")
        }
        Degraded::NoEmbedder { reason } => format!("found by words alone, no vectors: {reason}"),
        Degraded::EmbedderFailed { reason } => format!("found by words alone: {reason}"),
        Degraded::RerankerFailed { reason } => format!("not all reranked: {reason}"),
        Degraded::NotCalibrated { embedder, reranker } => {
            format!("nobody has fitted what scores of {reranker} with {embedder} mean: run `nuthatch models calibrate`")
        }
        Degraded::NoReranker { reason } => format!("in the first stage's order, not reranked: {reason}"),
        Degraded::VectorsPending { embedded, chunks } => {
            format!("{embedded} of {chunks} passages have vectors; the others are found by words alone")
        }
    }
}
