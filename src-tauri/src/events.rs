//! What Rust tells the window without being asked.

use std::time::{Duration, Instant};

use nuthatch_engine as engine;
use serde::Serialize;
use specta::Type;
use specta_typescript::Number;
use tauri::{AppHandle, Runtime};
use tauri_specta::Event;

use crate::ipc::{self, IndexingState, ModelsState};

/// Where an indexing run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Type, Event)]
pub struct IndexProgress {
    pub phase: Phase,
    #[specta(type = Number)]
    pub done: usize,
    #[specta(type = Number)]
    pub total: usize,
    pub current: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Scanning,
    Text,
    Vectors,
    Done,
}

/// A model became ready, or turned out to be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Type, Event)]
pub struct ModelsChanged(pub ModelsState);

/// The folders are followed now, or cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Type, Event)]
pub struct IndexingChanged(pub IndexingState);

impl From<&engine::IndexProgress> for IndexProgress {
    fn from(from: &engine::IndexProgress) -> Self {
        let phase = match from.phase {
            engine::Phase::Scanning => Phase::Scanning,
            engine::Phase::Text => Phase::Text,
            engine::Phase::Vectors => Phase::Vectors,
            engine::Phase::Done => Phase::Done,
        };
        Self { phase, done: from.done, total: from.total, current: from.current.as_deref().map(ipc::text) }
    }
}

/// Sends an event to the window. It does not matter if the window is gone.
pub fn emit<R: Runtime, E: Event + Serialize + Clone>(app: &AppHandle<R>, event: &E) {
    if let Err(error) = event.emit(app) {
        tracing::debug!("event not sent: {error}");
    }
}

/// Lets through at most ten progress reports a second, and every change of phase.
#[derive(Default)]
pub struct Throttle {
    last: Option<(Instant, Phase)>,
}

impl Throttle {
    /// The shortest time between two reports of one phase.
    const INTERVAL: Duration = Duration::from_millis(100);

    pub fn passes(&mut self, phase: Phase, now: Instant) -> bool {
        if let Some((at, before)) = self.last
            && before == phase
            && now.duration_since(at) < Self::INTERVAL
        {
            return false;
        }
        self.last = Some((now, phase));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        let mut check = |phase, ms, expect| {
            assert_eq!(throttle.passes(phase, start + Duration::from_millis(ms)), expect, "{phase:?} at {ms} ms");
        };
        check(Phase::Text, 0, true);
        check(Phase::Text, 99, false);
        check(Phase::Text, 100, true);
        check(Phase::Vectors, 101, true);
        check(Phase::Vectors, 150, false);
        check(Phase::Done, 151, true);
    }
}
