//! Several cross-encoders on the same candidates.

use std::sync::Arc;

use nuthatch_engine::{Engine, Reranker, Stage};
use nuthatch_inference::load_reranker;
use serde::Serialize;

use crate::eval::asking::{Asked, Asking};
use crate::eval::compare::{Bootstrap, Comparison, compare};
use crate::eval::reliability::Calibration;
use crate::eval::run::{Measures, Run};
use crate::failure::Failure;
use crate::session::Session;

pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) reranker: Arc<dyn Reranker>,
}

/// A cross-encoder by its name, or straight from a folder in Hugging Face layout, whose scores then count as plain
/// logits: nobody has calibrated them. Without a name that of the settings, or the built-in one.
pub(crate) fn load(engine: &Engine, name: Option<&str>, session: &Session<'_, '_>) -> Result<Named, Failure> {
    if let Some(name) = name {
        let source = session.source(name)?;
        let reranker = load_reranker(&source.store, Some(&source.name), &session.load_options())?;
        return Ok(Named { name: name.to_owned(), reranker: Arc::new(reranker) });
    }
    let reranker = session.reranker(engine, None)?;
    // Behind the name, an id holds the sum of the content.
    let name = reranker.id().split('@').next().unwrap_or_default().to_owned();
    Ok(Named { name, reranker })
}

/// One cross-encoder's row.
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
        Some(AgainstFirst { rerank: against(&asked.run, &first.run), cross: against(cross, first.cross.as_ref()?) })
    });
    let ece = Calibration::of(&asked.judged).map(|calibration| calibration.shown.ece);
    Some(ModelRow { name: name.to_owned(), rerank: asked.run.means(), cross: cross.means(), ece, against_first })
}
