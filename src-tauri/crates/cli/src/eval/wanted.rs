//! What is to be measured, and the models needed for it.

use std::sync::Arc;

use nuthatch_engine::{Embedder, Engine, Stage};

use crate::args::{EvalArgs, PrecisionArg};
use crate::eval::models::{self, Named};
use crate::eval::sweep;
use crate::failure::Failure;
use crate::session::Session;

const ALL: [Stage; 4] = [Stage::Lexical, Stage::Vector, Stage::Hybrid, Stage::Rerank];

/// Depths measured on one's own notes if none were given.
const DEPTHS_OF_MINE: [u16; 5] = [10, 20, 30, 50, 100];

/// What the arguments ask for.
pub(crate) struct Wanted {
    /// Stages given with `--stage`.
    pub(crate) asked: Vec<Stage>,
    /// Stages to measure: those given with `--stage`, or all.
    pub(crate) stages: Vec<Stage>,
    /// Depths of the sweep; empty for no sweep.
    pub(crate) depths: Vec<u16>,
    /// The first option given that needs reranking.
    pub(crate) reranking: Option<&'static str>,
}

impl Wanted {
    pub(crate) fn of(args: &EvalArgs) -> Result<Self, Failure> {
        let asked: Vec<Stage> = args.stage.iter().copied().map(Stage::from).collect();
        let stages: Vec<Stage> = ALL.into_iter().filter(|stage| asked.is_empty() || asked.contains(stage)).collect();
        let sweeps = args.depth_sweep || args.chart.is_some();
        let depths = match (args.depths.as_slice(), stages.contains(&Stage::Rerank)) {
            ([], _) if sweeps => sweep::DEPTHS.to_vec(),
            ([], true) if args.mine => DEPTHS_OF_MINE.to_vec(),
            (depths, _) => depths.to_vec(),
        };
        let needs = [
            ("--depth-sweep", args.depth_sweep),
            ("--depths", !args.depths.is_empty()),
            ("--chart", args.chart.is_some()),
            ("--reliability", args.reliability.is_some()),
            ("--model", !args.models.is_empty()),
            ("--precisions", !args.precisions.is_empty()),
        ];
        let reranking = needs.into_iter().find(|(_, given)| *given).map(|(option, _)| option);
        if let (Some(option), false) = (reranking, stages.contains(&Stage::Rerank)) {
            return Err(Failure::usage(format!("{option} measures reranking: add --stage rerank, or name no stage")));
        }
        Ok(Self { asked, stages, depths, reranking })
    }
}

pub(crate) type Loaded = (Vec<Stage>, Option<Arc<dyn Embedder>>, Vec<Named>);

/// Loads the models that the stages need. If a model cannot be loaded, its stages are left out with a note; if the
/// stage or the model was asked for, that is an error instead.
pub(crate) fn load_models(
    args: &EvalArgs,
    wanted: &Wanted,
    engine: &Engine,
    session: &mut Session<'_, '_>,
) -> Result<Loaded, Failure> {
    let Wanted { asked, .. } = wanted;
    let (mut stages, mut embedder, mut models) = (wanted.stages.clone(), None, Vec::new());
    if stages.iter().any(|stage| *stage != Stage::Lexical) {
        let name = args.embedder.embedder.as_deref();
        match session.embedder(engine, name) {
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
        let wanted_models: Vec<(Option<&str>, Option<PrecisionArg>)> = match (&args.models[..], &args.precisions[..]) {
            ([], []) => vec![(name, None)],
            ([], precisions) => precisions.iter().map(|precision| (name, Some(*precision))).collect(),
            (models, _) => models.iter().map(|model| (Some(model.as_str()), None)).collect(),
        };
        match wanted_models
            .into_iter()
            .map(|(name, precision)| models::load(engine, name, precision, session))
            .collect()
        {
            Ok(loaded) => models = loaded,
            Err(failure) if name.is_some() || !asked.is_empty() || wanted.reranking.is_some() => return Err(failure),
            Err(failure) => {
                session.note(&format!("rerank is not measured, no cross-encoder: {failure}"))?;
                stages.retain(|stage| *stage != Stage::Rerank);
            }
        }
    }
    Ok((stages, embedder, models))
}
