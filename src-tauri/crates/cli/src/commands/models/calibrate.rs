//! `nuthatch models calibrate`: fits how the scores of a pair of models become probabilities, on the shipped questions
//! or on others.

use std::io::Write;
use std::path::{Path, PathBuf};

use nuthatch_engine::Stage;
use nuthatch_engine::calibrate::logit;
use nuthatch_engine::eval::{Collection, RankedDoc};
use nuthatch_engine::model::name_of;
use nuthatch_inference::store::{Fit, KeepError};
use serde::Serialize;

use crate::args::CalibrateArgs;
use crate::eval::beir::read_questions;
use crate::eval::fitting::{self, Candidates, Feature, Known, calibration_error, first_of_each, fit};
use crate::eval::indexing;
use crate::eval::metrics::{Judgements, ndcg};
use crate::eval::test_set::TestSet;
use crate::failure::Failure;
use crate::progress;
use crate::session::Session;
use crate::style::{Style, printable};

/// File in a set's folder with questions that nothing in the set answers; optional.
const UNANSWERED: &str = "unanswered.jsonl";

const ALL: [Feature; 3] = [Feature::Cross, Feature::Cosine, Feature::Words];

/// The models' results for a set.
struct Asked {
    name: String,
    /// The candidates of each answered question, best first by the first stage, and what nDCG needs.
    answered: Vec<(Candidates, Ranks)>,
    unanswered: Vec<Candidates>,
}

/// What nDCG is computed from: the documents of the candidates, and the judgements of the question.
struct Ranks {
    ids: Vec<String>,
    judged: Judgements,
}

#[derive(Debug, Serialize)]
struct Report {
    embedder: String,
    reranker: String,
    /// Results of each set, measured with a fit to the other sets.
    sets: Vec<SetReport>,
    /// Means over the sets.
    mean: Figures,
    fit: Fit,
}

#[derive(Debug, Serialize)]
struct SetReport {
    set: String,
    n_questions: usize,
    n_unanswered: usize,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Figures {
    /// nDCG@10 of the first stage, of the cross-encoder alone, and of both together.
    hybrid: f64,
    cross: f64,
    shown: f64,
    /// Expected calibration error of the scores shown, over the first five candidates of each question.
    error: f64,
}

pub(super) fn run(args: &CalibrateArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let engine = session.engine()?;
    let embedder = session.embedder(&engine, args.embedder.embedder.as_deref())?;
    let reranker = session.reranker(&engine, args.reranker.reranker.as_deref())?;
    let names = [embedder.id(), reranker.id()].map(|id| name_of(id).to_owned());
    let mut store = session.store()?;
    if args.forget {
        let [of_embedder, of_reranker] = &names;
        let forgot = store.forget_fit(of_embedder, of_reranker).map_err(|error| cannot_keep(&error))?;
        return session.answer(&serde_json::json!({ "forgot": forgot }), |out, _| match forgot {
            true => writeln!(out, "Forgotten: {of_embedder} with {of_reranker} go by what the manifest says of them"),
            false => writeln!(out, "Nothing was fitted here for {of_embedder} with {of_reranker}"),
        });
    }
    let folders = match &args.sets {
        Some(folder) => subfolders(folder)?,
        None => store.calibration_sets(),
    };
    if folders.is_empty() {
        let message = "there are no questions to fit on: install Nuthatch again, or name a folder of test collections \
                       with --sets";
        return Err(Failure::failed("test_set", message));
    }
    let mut asked = Vec::with_capacity(folders.len());
    for folder in &folders {
        let set = TestSet::read(folder).map_err(|error| Failure::failed("test_set", error.to_string()))?;
        let (embedder, reranker) = (Some(embedder.clone()), Some(reranker.clone()));
        let collection = indexing::collection(&set, None, embedder, reranker, session)?;
        asked.push(ask(folder, &set, &collection, usize::from(args.candidates), session)?);
    }
    let sets: Vec<SetReport> = (0..asked.len()).map(|i| measure(&asked, i)).collect();
    let mean = Figures::mean(&sets);
    let [embedder, reranker] = names;
    let fitted = fit_all(&asked.iter().collect::<Vec<_>>(), embedder.clone(), reranker.clone());
    store.keep_fit(fitted.clone()).map_err(|error| cannot_keep(&error))?;
    let report = Report { embedder, reranker, sets, mean, fit: fitted };
    session.answer(&report, |out, style| write(out, &report, style))
}

fn cannot_keep(error: &KeepError) -> Failure {
    Failure::failed("io", error.to_string())
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let io = |error| Failure::failed("io", format!("cannot read {}: {error}", folder.display()));
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn ask(
    folder: &Path,
    set: &TestSet,
    collection: &Collection,
    candidates: usize,
    session: &Session<'_, '_>,
) -> Result<Asked, Failure> {
    let file = folder.join(UNANSWERED);
    let unanswered = match file.is_file() {
        true => read_questions(&file).map_err(|error| Failure::failed("test_set", error.to_string()))?,
        false => Vec::new(),
    };
    let bar = progress::bar(session.shows_progress(), "asking", (set.questions.len() + unanswered.len()) as u64);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    bar.set_message(name.clone());
    let rank = |text: &str| -> Result<Vec<RankedDoc>, Failure> {
        let mut docs = collection.rank(text, Stage::Rerank, candidates, candidates, &session.cancel())?.docs;
        docs.sort_by_key(|doc| doc.recall_rank);
        bar.inc(1);
        Ok(docs)
    };
    let mut asked = Asked { name, answered: Vec::new(), unanswered: Vec::new() };
    for (question, judged) in &set.questions {
        let docs = rank(&question.text)?;
        let grade = |id: &str| judged.get(id).copied().unwrap_or_default().max(0.0);
        let candidates = docs.iter().map(|doc| known(doc, grade(&doc.id))).collect();
        let ids = docs.into_iter().map(|doc| doc.id).collect();
        asked.answered.push((candidates, Ranks { ids, judged: judged.clone() }));
    }
    for question in &unanswered {
        asked.unanswered.push(rank(&question.text)?.iter().map(|doc| known(doc, 0.0)).collect());
    }
    bar.finish_and_clear();
    Ok(asked)
}

fn known(doc: &RankedDoc, grade: f64) -> Known {
    let cross = f64::from(logit(doc.cross.unwrap_or_default()));
    let cosine = f64::from(doc.cosine.unwrap_or_default());
    Known { cross, cosine, words: f64::from(doc.words), grade }
}

impl Asked {
    fn candidates(&self) -> Vec<Candidates> {
        let answered = self.answered.iter().map(|(candidates, _)| candidates);
        answered.chain(&self.unanswered).cloned().collect()
    }
}

fn fit_all(asked: &[&Asked], embedder: String, reranker: String) -> Fit {
    let sets: Vec<Vec<Candidates>> = asked.iter().map(|asked| asked.candidates()).collect();
    let sets: Vec<&[Candidates]> = sets.iter().map(Vec::as_slice).collect();
    let first_stage = nuthatch_engine::FirstStage {
        vector: fit(&sets, &[Feature::Cosine]),
        hybrid: fit(&sets, &[Feature::Cosine, Feature::Words]),
    };
    Fit { embedder, reranker, blend: fit(&sets, &ALL), first_stage }
}

/// Measures set `i` with a fit to the other sets, or to itself if there are no others.
fn measure(asked: &[Asked], i: usize) -> SetReport {
    let mut others: Vec<&Asked> = asked.iter().enumerate().filter(|(other, _)| *other != i).map(|(_, a)| a).collect();
    if others.is_empty() {
        others.push(&asked[i]);
    }
    let Fit { blend, first_stage, .. } = fit_all(&others, String::new(), String::new());
    let of_set = &asked[i];
    let mean = |score: &dyn Fn(&Known) -> f64| {
        let of_question = |(candidates, ranks): &(Candidates, Ranks)| {
            let mut order: Vec<(f64, &str)> =
                candidates.iter().zip(&ranks.ids).map(|(known, id)| (score(known), id.as_str())).collect();
            order.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let ids: Vec<&str> = order.into_iter().map(|(_, id)| id).collect();
            ndcg(&ids, &ranks.judged, 10)
        };
        of_set.answered.iter().map(of_question).sum::<f64>() / of_set.answered.len().max(1) as f64
    };
    let shown = |known: &Known| fitting::logit(blend, known);
    SetReport {
        set: of_set.name.clone(),
        n_questions: of_set.answered.len(),
        n_unanswered: of_set.unanswered.len(),
        figures: Figures {
            hybrid: mean(&|known| fitting::logit(first_stage.hybrid, known)),
            cross: mean(&|known| known.cross),
            shown: mean(&shown),
            error: calibration_error(&first_of_each(&of_set.candidates(), shown)),
        },
    }
}

impl Figures {
    fn mean(sets: &[SetReport]) -> Self {
        let mean =
            |of: fn(&Self) -> f64| sets.iter().map(|set| of(&set.figures)).sum::<f64>() / sets.len().max(1) as f64;
        Self {
            hybrid: mean(|figures| figures.hybrid),
            cross: mean(|figures| figures.cross),
            shown: mean(|figures| figures.shown),
            error: mean(|figures| figures.error),
        }
    }
}

fn write(out: &mut dyn Write, report: &Report, style: Style) -> std::io::Result<()> {
    let Report { embedder, reranker, sets, mean, .. } = report;
    writeln!(out, "{} with {}", style.bold(&printable(embedder)), style.bold(&printable(reranker)))?;
    writeln!(out, "{:<20} {:>9} {:>7} {:>7} {:>7} {:>7}", "", "questions", "hybrid", "cross", "shown", "error")?;
    let mut row = |name: &str, n: &str, Figures { hybrid, cross, shown, error }: Figures| {
        writeln!(out, "{name:<20} {n:>9} {hybrid:>7.3} {cross:>7.3} {shown:>7.3} {error:>7.3}")
    };
    for set in sets {
        row(&printable(&set.set), &(set.n_questions + set.n_unanswered).to_string(), set.figures)?;
    }
    row("mean", "", *mean)?;
    let legend =
        "nDCG@10, and how far the scores shown are from the share that is relevant; each set by a fit to the others.";
    writeln!(out, "{}", style.dim(legend))?;
    writeln!(out, "Kept: scores of these two go by it from now on, in a running window once it is started again.")
}
