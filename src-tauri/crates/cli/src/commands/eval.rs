//! `nuthatch eval`: how well each stage ranks a test collection with known answers, or one's own notes.

use std::path::Path;

use nuthatch_engine::notes::IndexedNotes;
use nuthatch_engine::{Engine, Stage};

use crate::args::EvalArgs;
use crate::eval::answerable::Answerable;
use crate::eval::asking::{Asked, Asking, name};
use crate::eval::beir::read_questions;
use crate::eval::compare::{self, Bootstrap};
use crate::eval::evidence::Evidence;
use crate::eval::indexing::{self, duration};
use crate::eval::known_item::{self, About};
use crate::eval::models;
use crate::eval::output::Output;
use crate::eval::reliability::Calibration;
use crate::eval::report::{self, KnownItems, Report};
use crate::eval::run::Run;
use crate::eval::sweep::Sweep;
use crate::eval::test_set::TestSet;
use crate::eval::wanted::{Wanted, load_models};
use crate::eval::{chart, per_query, plain_words};
use crate::failure::Failure;
use crate::session::Session;

/// If the sweep takes longer than this, its duration is announced.
const LONG_SECONDS: f64 = 60.0;

pub(crate) fn run(args: &EvalArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let wanted = Wanted::of(args)?;
    let engine = session.engine()?;
    let (set, notes, about) = test_set(args, &engine, session)?;
    let off_topic = args.off_topic.as_deref().map(|file| off_topic(file, args.limit_queries)).transpose()?;
    let chart = args.chart.as_deref().map(Output::create).transpose()?;
    let diagram = args.reliability.as_deref().map(Output::create).transpose()?;
    let lines = args.per_query.as_deref().map(Output::create).transpose()?;
    let mut evidence = args.evidence.as_deref().map(Evidence::create).transpose()?;

    let (stages, embedder, models) = load_models(args, &wanted, &engine, session)?;
    let reranker = models.first().map(|model| model.reranker.clone());
    let collection = indexing::collection(&set, notes.as_ref(), embedder, reranker, session)?;
    let candidates = usize::from(args.candidates);
    let model = models.first().map(|model| model.name.as_str());
    let asking = |stage, label: &str| Asking {
        collection: &collection,
        set: &set,
        stage,
        candidates,
        model,
        label: label.to_owned(),
    };
    let (mut runs, mut reranked, mut last): (Vec<Run>, Option<Asked>, _) = (Vec::new(), None, None);
    let furthest = stages.iter().copied().max();
    for stage in stages {
        let kept = evidence.as_mut().filter(|_| Some(stage) == furthest);
        let Some(asked) = asking(stage, "").ask(kept, session)? else { continue };
        runs.push(asked.run.clone());
        last = Some((stage, asked.run.best_scores()));
        if stage == Stage::Rerank {
            runs.extend(asked.cross.clone());
            reranked = Some(asked);
        }
    }
    if let Some(evidence) = evidence {
        evidence.finish()?;
    }
    if let (Some(why), None) = (wanted.reranking, &reranked) {
        return Err(Failure::failed("model", format!("{why} measures reranking, which did not take place")));
    }

    let bootstrap = Bootstrap { resamples: args.resamples, seed: args.seed };
    let stages = report::by_stage(&runs);
    let comparisons = compare::stages(&runs, bootstrap);
    let best_scores = last.map(|(stage, real)| {
        let off_topic = off_topic.as_ref().map(|texts| asking(stage, "off topic").best_scores(texts, session));
        let threshold = args.threshold.or(engine.settings().threshold);
        let of = |off_topic: Option<Vec<f32>>| Answerable::new(name(stage), threshold, &real, off_topic.as_deref());
        off_topic.transpose().map(of)
    });
    let best_scores = best_scores.transpose()?;

    let (mut table, mut depths) = (None, None);
    if let Some(asked) = &reranked {
        if !args.models.is_empty() || !args.precisions.is_empty() {
            let (rows, others) = models::compare_all(&models, asked, &asking(Stage::Rerank, ""), bootstrap, session)?;
            table = Some(rows);
            runs.extend(others);
        }
        if !wanted.depths.is_empty() {
            announce(&wanted.depths, candidates, asked, session)?;
            let hybrid = stages.get("hybrid").copied();
            depths = Some(Sweep::run(&collection, &set, &wanted.depths, (candidates, asked), hybrid, session)?);
        }
    }
    let calibration = reranked.as_ref().and_then(|asked| Calibration::of(&asked.judged));
    let known_items = about
        .map(|about: About| KnownItems { about, summary: plain_words::summary(&runs, &comparisons, depths.as_ref()) });

    let subtitle = subtitle(&set, model);
    if let (Some(chart), Some(depths)) = (chart, &depths) {
        chart.text(&chart::sweep(depths, &subtitle))?;
    }
    if let (Some(diagram), Some(calibration)) = (diagram, &calibration) {
        diagram.text(&chart::reliability(&calibration.shown, &subtitle))?;
    }
    let queries = (lines.is_some() || args.queries).then(|| per_query::lines(&set, &runs));
    if let (Some(lines), Some(queries)) = (lines, &queries) {
        lines.json_lines(queries)?;
    }
    let report = Report {
        dir: set.name.clone(),
        n_docs: set.documents.len(),
        n_queries: set.questions.len(),
        stages,
        comparisons,
        calibration,
        best_scores,
        depths,
        models: table,
        known_items,
        queries: queries.filter(|_| args.queries),
    };
    session.answer(&report, |out, style| report::write(out, &report, style))
}

fn test_set(
    args: &EvalArgs,
    engine: &Engine,
    session: &Session<'_, '_>,
) -> Result<(TestSet, Option<IndexedNotes>, Option<About>), Failure> {
    let failed = |message| Failure::failed("test_set", message);
    if let Some(dir) = &args.dir {
        let mut set = TestSet::read(dir).map_err(|error| failed(error.to_string()))?;
        if let Some(limit) = args.limit_queries {
            set.questions.truncate(limit as usize);
        }
        return Ok((set, None, None));
    }
    let notes = IndexedNotes::open(session.data_dir(), &engine.settings().folders, engine.workers())?;
    let limit = args.limit_queries.map_or(known_item::LIMIT, |limit| limit as usize);
    let built = known_item::build(&notes, session.data_dir(), limit, args.seed);
    let (set, about) = built.map_err(|error| failed(error.to_string()))?;
    Ok((set, Some(notes), Some(about)))
}

fn off_topic(file: &Path, limit: Option<u32>) -> Result<Vec<String>, Failure> {
    let questions = read_questions(file).map_err(|error| Failure::failed("test_set", error.to_string()))?;
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    Ok(questions.into_iter().take(limit).map(|question| question.text).collect())
}

/// Announces how long the sweep will take, if it takes long.
fn announce(depths: &[u16], measured: usize, asked: &Asked, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let ms_a_candidate = asked.run.means().ms_per_query / measured as f64;
    let n: usize = depths.iter().map(|depth| usize::from(*depth)).filter(|depth| *depth != measured).sum();
    let seconds = ms_a_candidate * (n * asked.run.outcomes.len()) as f64 / 1000.0;
    if seconds < LONG_SECONDS {
        return Ok(());
    }
    session.note(&format!("the other numbers of candidates take about {} more", duration(seconds)))
}

fn subtitle(set: &TestSet, model: Option<&str>) -> String {
    let name = Path::new(&set.name).file_name().map_or(set.name.clone(), |name| name.to_string_lossy().into_owned());
    let (n_docs, n_questions) = (set.documents.len(), set.questions.len());
    format!("{name}: {n_questions} questions, {n_docs} passages; {}", model.unwrap_or("no cross-encoder"))
}
