//! `nuthatch eval`: how well each stage ranks a test collection with known answers.

use std::sync::Arc;

use nuthatch_engine::eval::Collection;
use nuthatch_engine::{Embedder, Reranker, Stage};

use crate::args::EvalArgs;
use crate::eval::beir::TestSet;
use crate::eval::evidence::Evidence;
use crate::eval::report::{self, DEPTH, Measures, Report, Stages, Tally};
use crate::failure::Failure;
use crate::progress::{self, IndexBar};
use crate::session::Session;

const ALL: [Stage; 4] = [Stage::Lexical, Stage::Vector, Stage::Hybrid, Stage::Rerank];

pub(crate) fn run(args: &EvalArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let mut set = TestSet::read(&args.dir).map_err(|error| Failure::failed("test_set", error.to_string()))?;
    if let Some(limit) = args.limit_queries {
        set.questions.truncate(limit as usize);
    }
    let asked: Vec<Stage> = args.stage.iter().copied().map(Stage::from).collect();
    let mut stages: Vec<Stage> = ALL.into_iter().filter(|stage| asked.is_empty() || asked.contains(stage)).collect();

    let (embedder, reranker) = load_models(args, &asked, &mut stages, session)?;
    let collection = index(&set, embedder, reranker, session)?;
    let mut evidence = args.evidence.as_deref().map(Evidence::create).transpose()?;
    let mut measured = Stages::default();
    for stage in stages {
        let kept = evidence.as_mut().filter(|_| stage == Stage::Rerank);
        if let Some(measures) = measure(&collection, &set, stage, usize::from(args.candidates), kept, session)? {
            measured.set(stage, measures);
        }
    }
    if let Some(evidence) = evidence {
        evidence.finish()?;
    }

    let dir = args.dir.display().to_string();
    let report = Report { dir, n_docs: set.documents.len(), n_queries: set.questions.len(), stages: measured };
    session.answer(&report, |out, style| report::write(out, &report, style))
}

type Loaded = (Option<Arc<dyn Embedder>>, Option<Arc<dyn Reranker>>);

/// Loads what `stages` take, and strikes off those whose model is not there, unless they were `asked` for by name.
fn load_models(
    args: &EvalArgs,
    asked: &[Stage],
    stages: &mut Vec<Stage>,
    session: &mut Session<'_, '_>,
) -> Result<Loaded, Failure> {
    let engine = session.engine()?;
    let (mut embedder, mut reranker) = (None, None);
    if stages.iter().any(|stage| *stage != Stage::Lexical) {
        let name = args.embedder.embedder.as_deref();
        match session.embedder(&engine, name) {
            Ok(model) => embedder = Some(model),
            Err(failure) if name.is_some() || asked.iter().any(|s| matches!(s, Stage::Vector | Stage::Hybrid)) => {
                return Err(failure);
            }
            Err(failure) => {
                session.note(&format!("vector and hybrid are not measured, no bi-encoder: {failure}"))?;
                stages.retain(|stage| !matches!(stage, Stage::Vector | Stage::Hybrid));
            }
        }
    }
    if stages.contains(&Stage::Rerank) {
        let name = args.reranker.reranker.as_deref();
        match session.reranker(&engine, name) {
            Ok(model) => reranker = Some(model),
            Err(failure) if name.is_some() || !asked.is_empty() => return Err(failure),
            Err(failure) => {
                session.note(&format!("rerank is not measured, no cross-encoder: {failure}"))?;
                stages.retain(|stage| *stage != Stage::Rerank);
            }
        }
    }
    Ok((embedder, reranker))
}

/// The index of the collection, made once for each content and bi-encoder.
fn index(
    set: &TestSet,
    embedder: Option<Arc<dyn Embedder>>,
    reranker: Option<Arc<dyn Reranker>>,
    session: &mut Session<'_, '_>,
) -> Result<Collection, Failure> {
    let mut name = blake3::Hasher::new();
    name.update(set.corpus_hash.as_bytes());
    name.update(embedder.as_deref().map_or("", Embedder::id).as_bytes());
    let dir = session.data_dir().join("eval").join(&name.finalize().to_hex()[..32]);
    let mut bar = IndexBar::new(session.shows_progress());
    let mut show = |progress: &_| bar.show(progress);
    Ok(Collection::build(&dir, &set.documents, embedder, reranker, &mut show, &session.cancel())?)
}

/// Asks every question at `stage`; `None` if the engine could not go that far.
fn measure(
    collection: &Collection,
    set: &TestSet,
    stage: Stage,
    candidates: usize,
    mut evidence: Option<&mut Evidence>,
    session: &mut Session<'_, '_>,
) -> Result<Option<Measures>, Failure> {
    let name = report::name(stage);
    let cancel = session.cancel();
    // What is loaded or opened at the first question (dictionaries, files) is not the stage's time.
    if let Some((question, _)) = set.questions.first() {
        let reached = collection.rank(&question.text, stage, candidates.min(1), 1, &cancel)?.stage;
        if reached != stage {
            session
                .note(&format!("{name} is not measured: the search went no further than {}", report::name(reached)))?;
            return Ok(None);
        }
    }
    let bar = progress::bar(session.shows_progress(), name, set.questions.len() as u64);
    let mut tally = Tally::default();
    for (question, judgements) in &set.questions {
        // One more than is measured: the question itself may be among them.
        let ranking = collection.rank(&question.text, stage, candidates, DEPTH + 1, &cancel)?;
        let ids: Vec<&str> =
            ranking.docs.iter().map(|doc| doc.id.as_str()).filter(|id| !set.is_itself(question, id)).collect();
        if let Some(evidence) = &mut evidence {
            evidence.add(&question.id, &ranking.docs, |doc| judgements.get(doc).copied().unwrap_or_default())?;
        }
        tally.add(&ids, judgements, ranking.took_ms.total);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Some(tally.means()))
}
