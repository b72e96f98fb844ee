//! One question, answered stage by stage into the window's channel.

use std::sync::Arc;

use nuthatch_engine::{Cancel, EngineError, SearchRequest, SearchResults, Stage};
use tauri::ipc::Channel;

use crate::Shell;
use crate::ipc::{AppError, ErrorKind, SearchEvent};

/// How many files the window shows. It asks for no threshold: the slider filters what is there.
const TOP: usize = 5;

/// A question as the window asks it. `id` comes back with every answer.
pub struct Question {
    pub id: u32,
    pub text: String,
    pub candidates: u32,
    /// Whether the cross-encoder reads all candidates, however long that takes.
    pub read_all: bool,
}

/// Cancels the current question and answers this one on a thread of its own. A question that was overtaken, or whose
/// window is gone, sends nothing more.
pub fn spawn(shell: &Arc<Shell>, question: Question, channel: Channel<SearchEvent>) {
    let cancel = shell.next_search();
    let shell = Arc::clone(shell);
    let id = question.id;
    let out = channel.clone();
    let work = tauri::async_runtime::spawn_blocking(move || {
        answer(&shell, &question, &cancel, &mut |event| send(&out, event));
    });
    tauri::async_runtime::spawn(async move {
        if let Err(panic) = work.await {
            let error = AppError::new(ErrorKind::Internal, format!("a defect in Nuthatch: {panic}"));
            send(&channel, SearchEvent::Failed { query_id: id, error });
        }
    });
}

fn send(channel: &Channel<SearchEvent>, event: SearchEvent) {
    if let Err(error) = channel.send(event) {
        tracing::debug!("the window that asked is gone: {error}");
    }
}

fn answer(shell: &Shell, question: &Question, cancel: &Cancel, send: &mut dyn FnMut(SearchEvent)) {
    let query_id = question.id;
    let results = |stage: Stage, results: &SearchResults, done| SearchEvent::Results {
        query_id,
        stage: stage.into(),
        results: results.into(),
        done,
    };
    let found = shell.engine().map(|engine| {
        let request = SearchRequest {
            top: TOP,
            candidates: question.candidates as usize,
            budget_ms: engine.settings().budget_ms().filter(|_| !question.read_all),
            ..SearchRequest::new(question.text.as_str())
        };
        let mut landed = |stage, list: &SearchResults| send(results(stage, list, false));
        engine.search(&request, cancel, &mut landed)
    });
    match found {
        _ if cancel.is_cancelled() => {}
        Ok(Ok(last)) => send(results(last_stage(&last), &last, true)),
        Ok(Err(EngineError::Cancelled)) => {}
        Ok(Err(error)) => send(SearchEvent::Failed { query_id, error: error.into() }),
        Err(error) => send(SearchEvent::Failed { query_id, error }),
    }
}

/// The last stage that ran: without a reranker it is the hybrid stage, and without vectors as well the lexical one.
fn last_stage(results: &SearchResults) -> Stage {
    if results.model.is_some() {
        Stage::Rerank
    } else if results.took_ms.vector > 0.0 {
        Stage::Hybrid
    } else {
        Stage::Lexical
    }
}
