//! Compares several cross-encoders on the same candidates.

use std::sync::Arc;

use clap::ValueEnum;
use nuthatch_engine::model::name_of;
use nuthatch_engine::{Engine, Reranker, Stage};
use nuthatch_inference::{Precision, load_reranker};
use serde::Serialize;

use crate::args::PrecisionArg;
use crate::eval::asking::{Asked, Asking, CrossScores};
use crate::eval::compare::{Bootstrap, Comparison, compare};
use crate::eval::reliability::Calibration;
use crate::eval::run::{Measures, Run, quantile};
use crate::failure::Failure;
use crate::session::Session;

pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) reranker: Arc<dyn Reranker>,
}

/// Loads a cross-encoder by its name, or straight from a folder in Hugging Face layout. Scores of the latter count as
/// plain logits, since nobody has calibrated them. Without a name, loads the one in the settings, or the built-in one.
/// `precision` overrides the session's and is added to the name.
pub(crate) fn load(
    engine: &Engine,
    name: Option<&str>,
    precision: Option<PrecisionArg>,
    session: &Session<'_, '_>,
) -> Result<Named, Failure> {
    let mut options = session.load_options();
    options.precision = precision.map(Precision::from).or(options.precision);
    let reranker = match name {
        Some(name) => {
            let source = session.source(name)?;
            load_reranker(&source.store, Some(&source.name), &options)?
        }
        None => load_reranker(&session.store()?, engine.settings().reranker.as_deref(), &options)?,
    };
    // An id is the model's name, `@`, and the sum of its content.
    let mut name = name.unwrap_or_else(|| name_of(reranker.id())).to_owned();
    if let Some(precision) = precision.and_then(|precision| precision.to_possible_value()) {
        name = format!("{name} {}", precision.get_name());
    }
    Ok(Named { name, reranker: Arc::new(reranker) })
}

/// The results of one cross-encoder.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ModelRow {
    pub(crate) name: String,
    pub(crate) rerank: Measures,
    pub(crate) cross: Measures,
    pub(crate) ece: Option<f64>,
    /// The blend and the cross-encoder alone against those of the first model; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against_first: Option<AgainstFirst>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct AgainstFirst {
    pub(crate) rerank: Comparison,
    pub(crate) cross: Comparison,
    /// How far apart the cross-encoders' scores lie. Between two models that says nothing of quality; between two
    /// precisions of one model it is the effect of rounding.
    pub(crate) scores: ScoreDistance,
}

/// Distances of calibrated scores of the same candidates, each in `0..=1`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScoreDistance {
    pub(crate) n: usize,
    pub(crate) mean: f32,
    /// 99 in 100 distances are no larger than this.
    pub(crate) p99: f32,
    pub(crate) max: f32,
}

impl ScoreDistance {
    /// Over the candidates that both models scored, which are all candidates if both got the same ones.
    fn between(a: &[CrossScores], b: &[CrossScores]) -> Self {
        let of_question = |(a, b): (&CrossScores, &CrossScores)| {
            a.iter().filter_map(|(id, a)| Some((a - b.get(id)?).abs())).collect()
        };
        let mut distances: Vec<f32> = a.iter().zip(b).flat_map(|sides| -> Vec<f32> { of_question(sides) }).collect();
        distances.sort_by(f32::total_cmp);
        let n = distances.len();
        let mean = distances.iter().sum::<f32>() / n.max(1) as f32;
        Self { n, mean, p99: quantile(&distances, 0.99), max: quantile(&distances, 1.0) }
    }
}

/// Rows of all `models`, the first of which has been asked already, and the runs of the others.
pub(crate) fn compare_all(
    models: &[Named],
    first: &Asked,
    like_first: &Asking<'_>,
    bootstrap: Bootstrap,
    session: &mut Session<'_, '_>,
) -> Result<(Vec<ModelRow>, Vec<Run>), Failure> {
    let (mut rows, mut runs) = (Vec::new(), Vec::new());
    for (i, model) in models.iter().enumerate() {
        if i == 0 {
            rows.extend(row(&model.name, first, None, bootstrap));
            continue;
        }
        let collection = like_first.collection.with_reranker(model.reranker.clone());
        let (model, label) = (Some(model.name.as_str()), model.name.clone());
        let asking = Asking { collection: &collection, stage: Stage::Rerank, model, label, ..*like_first };
        if let Some(asked) = asking.ask(None, session)? {
            rows.extend(row(&asking.label, &asked, Some(first), bootstrap));
            runs.extend([Some(asked.run), asked.cross].into_iter().flatten());
        }
    }
    Ok((rows, runs))
}

fn row(name: &str, asked: &Asked, first: Option<&Asked>, bootstrap: Bootstrap) -> Option<ModelRow> {
    let cross = asked.cross.as_ref()?;
    let against = |run: &Run, of_first: &Run| {
        let first_name = of_first.model.as_deref().unwrap_or_default();
        compare(name, &run.ndcg_10(), first_name, &of_first.ndcg_10(), bootstrap)
    };
    let against_first = first.and_then(|first| {
        Some(AgainstFirst {
            rerank: against(&asked.run, &first.run),
            cross: against(cross, first.cross.as_ref()?),
            scores: ScoreDistance::between(&asked.cross_scores, &first.cross_scores),
        })
    });
    let ece = Calibration::of(&asked.judged).map(|calibration| calibration.shown.ece);
    Some(ModelRow { name: name.to_owned(), rerank: asked.run.means(), cross: cross.means(), ece, against_first })
}
