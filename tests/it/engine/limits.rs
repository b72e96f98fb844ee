//! The settings that limit indexing, changed while a watch runs, and the pause while the machine is on battery.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use nuthatch_engine::{
    Cancel, Embedder, Engine, EngineError, EngineOptions, ModelError, Pause, Phase, SearchRequest, Settings, Stage,
    Watch,
};

use super::Bench;
use super::behaviours::wait_until;
use crate::support::BagOfWords;

fn watch(engine: &Engine) -> (Watch, Receiver<()>) {
    let (sender, done) = channel();
    let watch = engine.watch(Box::new(move |progress| {
        if progress.phase == Phase::Done {
            let _ = sender.send(());
        }
    }));
    (watch.unwrap(), done)
}

fn paused(engine: &Engine) -> Option<Pause> {
    engine.status(false).unwrap().watch.and_then(|watch| watch.paused)
}

/// Waits until `n_vectors` passages have vectors and the watch reports `pause`.
fn until(engine: &Engine, done: &Receiver<()>, n_vectors: u64, pause: Option<Pause>) {
    let differences = || {
        let found = (engine.status(false).unwrap().n_vectors, paused(engine));
        if found == (n_vectors, pause) { Vec::new() } else { vec![format!("{found:?}")] }
    };
    wait_until(done, differences, &format!("{n_vectors} vectors, paused {pause:?}"));
}

static UNPLUGGED: AtomicBool = AtomicBool::new(true);

/// Whether the machine is on battery, for the one test that pulls the plug.
fn unplugged() -> bool {
    UNPLUGGED.load(Ordering::Relaxed)
}

#[test]
fn on_battery_vectors_wait_and_that_is_said() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = Engine::open(EngineOptions { on_battery: unplugged, ..EngineOptions::new(data.path()) }).unwrap();
    engine.update_settings(|settings| settings.settle_ms = 20).unwrap();
    engine.add_folder(notes.path()).unwrap();
    engine.set_embedder(Arc::new(BagOfWords::new("bag-of-words@1")));
    let write = |name: &str| fs::write(notes.path().join(name), "A heron.").unwrap();
    let n_found = || {
        let request = SearchRequest { stage: Stage::Lexical, ..SearchRequest::new("heron") };
        engine.search(&request, &Cancel::new(), &mut |_, _| {}).unwrap().hits.len()
    };
    let (watch, done) = watch(&engine);
    until(&engine, &done, 0, None);
    write("a.md");
    until(&engine, &done, 0, Some(Pause::OnBattery));
    assert_eq!(n_found(), 1, "text goes on");
    let other = Engine::open(EngineOptions::new(data.path())).unwrap();
    assert_eq!(paused(&other), Some(Pause::OnBattery), "other processes are told");

    engine.update_settings(|settings| settings.pause_on_battery = false).unwrap();
    until(&engine, &done, 1, None);
    engine.update_settings(|settings| settings.pause_on_battery = true).unwrap();
    write("b.md");
    until(&engine, &done, 1, Some(Pause::OnBattery));
    // The power is back. Here a change on disk makes the watch notice; without one it notices after some time.
    UNPLUGGED.store(false, Ordering::Relaxed);
    write("c.md");
    until(&engine, &done, 3, None);

    // A user who runs `index` gets all vectors, even on battery.
    drop(watch);
    UNPLUGGED.store(true, Ordering::Relaxed);
    write("d.md");
    engine.index(&mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!((engine.status(false).unwrap().n_vectors, n_found()), (4, 4));
}

/// Records the names of the threads that embed passages.
struct Whereabouts {
    model: BagOfWords,
    threads: Mutex<BTreeSet<String>>,
}

impl Embedder for Whereabouts {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    fn embed_query(&self, query: &str) -> Result<Vec<f32>, ModelError> {
        self.model.embed_query(query)
    }

    fn embed_passages(&self, passages: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>, ModelError> {
        self.threads.lock().unwrap().insert(std::thread::current().name().unwrap_or_default().to_owned());
        self.model.embed_passages(passages, cancel)
    }
}

#[test]
fn a_watch_keeps_to_limits_that_change() {
    let embedder = Arc::new(Whereabouts { model: BagOfWords::new("bag-of-words@1"), threads: Mutex::default() });
    let bench = Bench::with_embedder(embedder.clone());
    let (watch, done) = watch(&bench.engine);
    for (round, (memory_mb, threads)) in [(100, Some(1)), (600, None), (100, Some(2))].into_iter().enumerate() {
        let change = |settings: &mut Settings| (settings.memory_mb, settings.threads) = (memory_mb, threads);
        bench.engine.update_settings(change).unwrap();
        for i in 0..20 {
            bench.write(&format!("{round}-{i}.md"), &format!("A heron, number {i} of {round}."));
        }
        until(&bench.engine, &done, 20 * (round as u64 + 1), None);
    }
    assert_eq!(bench.find_words("heron").len(), 60);
    let threads = embedder.threads.lock().unwrap();
    assert!(threads.iter().all(|name| name.starts_with("index-")), "indexing's own threads: {threads:?}");
    drop(watch);
}

#[test]
fn a_setting_out_of_range_is_named_and_changes_nothing() {
    type Change = fn(&mut Settings);
    let bench = Bench::new();
    let before = bench.engine.settings();
    let file = |data: &Path| fs::read_to_string(data.join("settings.toml")).unwrap();
    let text = file(bench.data.path());
    let cases: [(Change, &str); 7] = [
        (|to| to.memory_mb = 99, "memory_mb = 99: give a number from 100 to 100000"),
        (|to| to.memory_mb = 100_001, "memory_mb = 100001: give a number from 100 to 100000"),
        (|to| to.threads = Some(0), "threads = 0: give a number from 1 to 1024, or leave it out"),
        (|to| to.rescan_minutes = u64::MAX, "rescan_minutes = 18446744073709551615: give a number from 1 to 10080"),
        (
            |to| to.rerank_budget_ms = u64::MAX,
            "rerank_budget_ms = 18446744073709551615: give a number from 0 to 3600000",
        ),
        (|to| to.max_text_mb = 0, "max_text_mb = 0: give a number from 1 to 100000"),
        (|to| to.candidates = 0, "candidates = 0: give a number from 1 to 1000"),
    ];
    for (change, says) in cases {
        let error = bench.engine.update_settings(change).unwrap_err();
        assert!(matches!(error, EngineError::BadSetting(_)) && error.to_string().starts_with(says), "{error}");
        assert_eq!((bench.engine.settings(), file(bench.data.path())), (before.clone(), text.clone()));
    }
}

#[test]
fn what_a_person_wrote_into_the_settings_survives_a_change() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("settings.toml");
    let mine = "# of a small machine\nmemory_mb = 300 # was 600\nfrom_a_later_version = true\n";
    fs::write(&path, mine).unwrap();
    let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
    engine.update_settings(|settings| settings.threads = Some(1)).unwrap();
    engine.update_settings(|settings| settings.memory_mb = 200).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&mine.replace("300", "200")) && text.contains("\nthreads = 1\n"), "{text}");
}
