//! `nuthatch bench growth`: how the times of search and indexing grow with the number of passages, on this machine.

use std::path::PathBuf;

use serde::Serialize;

use crate::args::GrowthArgs;
use crate::bench::growth::source::Source;
use crate::bench::growth::{Maker, Measured, chart, measure, of_real, questions, stock};
use crate::eval::output::Output;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Serialize)]
struct Report {
    n_questions: usize,
    /// Recall@100 of the vector column among the real passages, unchanged.
    real_recall_100: Option<f64>,
    sizes: Vec<Measured>,
}

pub(crate) fn run(args: &GrowthArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let embedder = session.embedder(&engine, args.embedder.embedder.as_deref())?;
    let chart = args.chart.as_deref().map(Output::create).transpose()?;
    let folders = match args.folders.is_empty() {
        true => engine.settings().folders,
        false => args.folders.clone(),
    };
    let scratch;
    let dir: PathBuf = match &args.keep {
        Some(dir) => dir.clone(),
        None => {
            scratch = tempfile::tempdir().map_err(|error| Failure::failed("io", error.to_string()))?;
            scratch.path().to_owned()
        }
    };
    let source = Source::read(&folders, &dir.join("source"), embedder.as_ref(), session)?;
    session.note(&format!("{} real passages, {} of them embedded", source.passages.len(), source.embedded.len()))?;
    let questions = questions(&args.queries, &source)?;
    let vectors = questions
        .iter()
        .map(|question| embedder.embed_query(&question.text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::from)?;
    let recall_questions = args.recall.map_or(0, |n| n as usize);
    let asked = &vectors[..recall_questions.min(vectors.len())];
    let real_recall_100 = match asked {
        [] => None,
        asked => Some(of_real(&source, &dir.join("real"), embedder.as_ref(), asked)?),
    };
    let maker = Maker::new(&source);
    let mut sizes = Vec::new();
    for size in &args.sizes {
        let size = *size as usize;
        let stock = stock(&dir.join(size.to_string()), size, &maker, embedder.as_ref(), session)?;
        let measured = measure(stock, &maker, embedder.clone(), &questions, &vectors, recall_questions)?;
        session.note(&format!("{size} passages: hybrid {:.1} ms (95th percentile)", measured.hybrid.p95))?;
        sizes.push(measured);
    }
    let report = Report { n_questions: questions.len(), real_recall_100, sizes };
    if let Some(chart) = chart {
        let subtitle = format!("{} questions; passages made from {} real ones", questions.len(), source.passages.len());
        chart.text(&chart::chart(&report.sizes, &subtitle))?;
    }
    session.answer(&report, |out, _| chart::table(out, &report.sizes, real_recall_100))
}
