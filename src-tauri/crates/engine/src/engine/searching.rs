//! Answers questions, and explains why a file is shown for a question or is not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Engine, Wake, lock};
use crate::blend;
use crate::hits;
use crate::index::Snapshot;
use crate::model;
use crate::pipeline::{self, Answer, Models, Question};
use crate::scan::{Places, Rules};
use crate::visibility::Visibility;
use crate::why::{self, Asking, WhyReport};
use crate::{Cancel, Damage, Degraded, EngineError, SearchRequest, SearchResults, Stage, watched};

/// One state of the index, and the models that go with it.
pub(crate) struct SearchContext {
    pub snapshot: Snapshot,
    pub models: Models,
    /// Whether there is an embedder, even if the vectors of this index come from another one.
    has_embedder: bool,
    embedder_fits: bool,
    /// Whether the index was made with an embedder; otherwise it holds words alone.
    pub has_vectors: bool,
    /// Why there is no bi-encoder, if there is none.
    pub no_embedder: String,
    pub no_reranker: String,
}

impl SearchContext {
    /// Everything that `answer` had to do without, of what a search up to `stage` uses.
    pub(crate) fn without(
        &self,
        stage: Stage,
        answer: &Answer,
        damage: &[Damage],
    ) -> Result<Vec<Degraded>, EngineError> {
        let of = |damage: &Damage| Degraded::Damaged { file: damage.file.clone(), reason: damage.message.clone() };
        let mut without: Vec<Degraded> = damage.iter().map(of).collect();
        if stage >= Stage::Vector {
            if !self.has_embedder {
                without.push(Degraded::NoEmbedder { reason: self.no_embedder.clone() });
            } else if let Some(reason) = answer.failures.embedder.clone() {
                without.push(Degraded::EmbedderFailed { reason });
            } else {
                let snapshot = &self.snapshot;
                let chunks = snapshot.n_passages().map_err(|e| snapshot.failed(e))?;
                let embedded = if self.embedder_fits { snapshot.vectors().n_vectors() as u64 } else { 0 };
                if embedded < chunks {
                    without.push(Degraded::VectorsPending { embedded, chunks });
                }
            }
        }
        if stage >= Stage::Rerank {
            if self.models.reranker.is_none() {
                without.push(Degraded::NoReranker { reason: self.no_reranker.clone() });
            } else if let Some(reason) = answer.failures.reranker.clone() {
                without.push(Degraded::RerankerFailed { reason });
            }
            without.extend(self.not_calibrated(answer));
        }
        Ok(without)
    }

    fn not_calibrated(&self, answer: &Answer) -> Option<Degraded> {
        let (embedder, reranker) = (self.models.embedder.as_ref()?, self.models.reranker.as_ref()?);
        if answer.stage != Stage::Rerank || reranker.blend(Some(embedder.id())).is_some() {
            return None;
        }
        let name = |id: &str| model::name_of(id).to_owned();
        Some(Degraded::NotCalibrated { embedder: name(embedder.id()), reranker: name(reranker.id()) })
    }
}

impl Engine {
    /// Answers a question. `stages` is called with each earlier list as soon as it is complete (by words, fused, then
    /// one after each batch that the cross-encoder has read); the last list is returned. Once `cancel` is raised, the
    /// search ends with [`EngineError::Cancelled`] before the next stage.
    pub fn search(
        &self,
        request: &SearchRequest,
        cancel: &Cancel,
        stages: &mut dyn FnMut(Stage, &SearchResults),
    ) -> Result<SearchResults, EngineError> {
        if request.query.trim().is_empty() {
            return Err(EngineError::EmptyQuery);
        }
        request.check().map_err(EngineError::BadRequest)?;
        let _searching = self.inner.throttle.search();
        let serving = self.serving()?.ok_or_else(|| EngineError::NoIndex { path: self.inner.data_dir.clone() })?;
        let n_known = serving.spoilt().len();
        let answer = serving.reading(|_| self.answer(request, cancel, stages));
        if serving.spoilt().len() > n_known {
            // The search has just found damage: a running watch repairs it at once.
            self.wake(Wake::Setup);
        }
        answer
    }

    fn answer(
        &self,
        request: &SearchRequest,
        cancel: &Cancel,
        stages: &mut dyn FnMut(Stage, &SearchResults),
    ) -> Result<SearchResults, EngineError> {
        let asked = self.asked()?.ok_or_else(|| EngineError::NoIndex { path: self.inner.data_dir.clone() })?;
        let damage = self.serving()?.map(|serving| serving.spoilt()).unwrap_or_default();
        let SearchContext { snapshot, models, .. } = &asked;
        let model = models.reranker.as_ref().map(|r| r.id().to_owned());

        let folders = self.settings().folders;
        let visibility = Visibility { folders: &folders, is_away: &|path| self.is_away(path, &folders) };
        let results = |answer: &Answer| -> Result<SearchResults, EngineError> {
            let shown = hits::hits(answer, snapshot, request, &visibility)?;
            if !shown.outdated.is_empty() {
                // The search noticed changes that no event may have reported.
                self.wake(Wake::Paths(shown.outdated));
            }
            Ok(SearchResults {
                query: request.query.clone(),
                model: model.clone().filter(|_| answer.stage == Stage::Rerank),
                took_ms: answer.took_ms,
                candidates: answer.counts,
                degraded: asked.without(request.stage, answer, &damage)?,
                // A file that was asked for by name is an answer.
                nothing_answers: blend::nothing_answers(answer) && answer.named.is_empty(),
                hits: shown.hits,
            })
        };
        let question = Question {
            text: &request.query,
            candidates: request.candidates,
            stage: request.stage,
            budget: request.budget_ms.map(Duration::from_millis),
            folds_twins: true,
        };
        let answer = pipeline::run(snapshot, models, &question, cancel, &mut |answer| {
            // An early list that cannot be shown is no reason to withhold the final one.
            if let Ok(results) = results(answer) {
                stages(answer.stage, &results);
            }
        })?;
        results(&answer)
    }

    /// The index and the models to ask a question of; `None` if nothing was indexed yet.
    fn asked(&self) -> Result<Option<SearchContext>, EngineError> {
        let Some(generation) = self.serving()? else { return Ok(None) };
        let snapshot = generation.snapshot()?;
        let (embedder, no_embedder) = {
            let slot = lock(&self.inner.embedder);
            (slot.ready(), slot.why_missing())
        };
        // Vectors of different models cannot be compared.
        let embedder_fits = embedder.as_ref().is_some_and(|e| generation.embedder() == Some(e.id()));
        let (reranker, no_reranker) = {
            let slot = lock(&self.inner.reranker);
            (slot.ready(), slot.why_missing())
        };
        let has_embedder = embedder.is_some();
        let has_vectors = generation.embedder().is_some();
        let models =
            Models { embedder: embedder.filter(|_| embedder_fits), reranker, scores: Some(self.inner.scores.clone()) };
        Ok(Some(SearchContext { snapshot, models, has_embedder, embedder_fits, has_vectors, no_embedder, no_reranker }))
    }

    /// Explains why a file is shown for a question, or is not, by following it through the pipeline of a search.
    pub fn why(&self, request: &SearchRequest, path: &Path, cancel: &Cancel) -> Result<WhyReport, EngineError> {
        if request.query.trim().is_empty() {
            return Err(EngineError::EmptyQuery);
        }
        request.check().map_err(EngineError::BadRequest)?;
        // Only links in the folder are followed. If the file is itself a link, its own path is meant, not its target.
        let path = std::path::absolute(path).map_err(|source| EngineError::Io {
            action: "find",
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().and_then(|folder| watched::real(folder).ok());
        let path = match (folder, path.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => path,
        };
        if path.is_dir() && !path.is_symlink() {
            let message = "a folder: name one file in it".to_owned();
            return Err(EngineError::BadInput { path, message });
        }
        let settings = self.settings();
        let rules = Rules::new(&settings, &self.inner.data_dir);
        // The path as the index spells it.
        let mut spellings = watched::spellings(&path, &settings.folders).into_iter();
        let path = spellings.find(|spelt| rules.root_of(spelt).is_some()).unwrap_or(path);
        let places = Places::load(&self.inner.data_dir);
        let asking = Asking { rules: &rules, places: &places, path: &path };
        let visibility =
            Visibility { folders: &settings.folders, is_away: &|path| self.is_away(path, &settings.folders) };
        why::follow(&asking, self.asked()?.as_ref(), request, &visibility, cancel)
    }

    /// Whether a missing file is on a drive that is away.
    fn is_away(&self, path: &Path, folders: &[PathBuf]) -> bool {
        let root_is_away = folders.iter().filter(|folder| path.starts_with(folder)).all(|folder| !folder.exists());
        root_is_away || Places::load(&self.inner.data_dir).is_away(path)
    }
}
