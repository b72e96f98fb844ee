//! `nuthatch search`: the notes that answer a question.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

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
        // The window's slider does not reach here: a script gets what it asks for.
        threshold: args.threshold,
        stage: args.stage.map_or(Stage::Rerank, Stage::from),
    };
    if request.query.trim().is_empty() {
        return Err(EngineError::EmptyQuery.into());
    }
    load_models(args, &engine, session)?;
    let results = engine.search(&request, &session.cancel(), &mut |_, _| {})?;
    session.answer(&results, |out, style| write_results(out, &results, style))?;
    if results.hits.is_empty() { Err(Failure::Nothing) } else { Ok(()) }
}

/// Loads what the stage takes. A model that is not there degrades the answer, unless its stage or the model itself
/// was asked for by name: then another answer would be the wrong one.
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

fn write_results(out: &mut dyn Write, results: &SearchResults, style: Style) -> std::io::Result<()> {
    for hit in &results.hits {
        write_hit(out, hit, style)?;
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
    match &results.degraded {
        Some(degraded) => writeln!(out, "{}", style.warning(&printable(&without(degraded)))),
        None => Ok(()),
    }
}

fn write_hit(out: &mut dyn Write, hit: &Hit, style: Style) -> std::io::Result<()> {
    let title = style.bold(&printable(&hit.title));
    writeln!(out, "{:>2}  {:.2}  {title}", hit.rank, hit.score)?;
    let line = line_at(&hit.path, hit.span[0]).map(|line| format!(":{line}")).unwrap_or_default();
    writeln!(out, "    {}", style.dim(&printable(&format!("{}{line}", hit.path.display()))))?;
    writeln!(out, "    {}\n", style.highlight(&printable(&hit.snippet), &hit.highlights))
}

/// The 1-based line on which byte `offset` of the file lies; `None` if the file is gone or shorter.
fn line_at(path: &Path, offset: usize) -> Option<usize> {
    let mut before = BufReader::new(File::open(path).ok()?).take(offset as u64);
    let (mut line, mut n_read) = (1, 0);
    loop {
        let bytes = before.fill_buf().ok()?;
        if bytes.is_empty() {
            return (n_read == offset).then_some(line);
        }
        line += bytes.iter().filter(|&&byte| byte == b'\n').count();
        n_read += bytes.len();
        let n = bytes.len();
        before.consume(n);
    }
}

fn without(degraded: &Degraded) -> String {
    match degraded {
        Degraded::NoEmbedder { reason } => format!("found by words alone, no vectors: {reason}"),
        Degraded::NoReranker { reason } => format!("in the first stage's order, not reranked: {reason}"),
        Degraded::VectorsPending { embedded, chunks } => {
            format!("{embedded} of {chunks} passages have vectors; the others are found by words alone")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_offset_becomes_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.md");
        std::fs::write(&path, "一\ntwo\nthree").unwrap();
        for (offset, expected) in [(0, Some(1)), (3, Some(1)), (4, Some(2)), (8, Some(3)), (13, Some(3)), (14, None)] {
            assert_eq!(line_at(&path, offset), expected, "offset {offset}");
        }
        assert_eq!(line_at(&dir.path().join("gone.md"), 0), None);
    }
}
