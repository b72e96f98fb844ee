//! Every kind of file in the data folder, damaged in every way. The next start answers from the sound files, names the
//! damaged one, and restores the index from the notes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nuthatch_engine::index::Generations;
use nuthatch_engine::{Cancel, Degraded, Engine, EngineOptions, SearchRequest, Stage};

use super::{Content, content_of, copy_folder, folder_in_memory};
use crate::support::{BagOfWords, files, write};

/// Extensions of a segment's files, then small files by their names.
const KINDS: [&str; 13] = [
    ".store",
    ".term",
    ".idx",
    ".pos",
    ".fast",
    ".fieldnorm",
    ".del",
    ".vec",
    "meta.json",
    ".managed.json",
    "CURRENT",
    "label.toml",
    "settings.toml",
];

const BIRDS: [&str; 6] = ["heron", "kingfisher", "pelican", "红叶", "押金", "dipper"];
const N_NOTES: usize = 24;

/// An index of several segments with deletions, and the notes it was built from.
struct Sound {
    notes: tempfile::TempDir,
    data: tempfile::TempDir,
    content: Content,
    n_vectors: u64,
}

fn open(data: &Path) -> (Engine, Arc<BagOfWords>) {
    let engine = Engine::open(EngineOptions::new(data)).unwrap();
    let embedder = Arc::new(BagOfWords::new("bag-of-words@1"));
    engine.set_embedder(embedder.clone());
    (engine, embedder)
}

fn index(engine: &Engine) {
    engine.index(&mut |_| {}, &Cancel::new()).unwrap();
}

fn note(i: usize, version: usize) -> String {
    let bird = BIRDS[i % BIRDS.len()];
    format!("# Note {i}\n\nVersion {version}: the {bird} stands still. {}\n", "Reeds and water. ".repeat(i + 1))
}

impl Sound {
    fn new() -> Self {
        let (notes, data) = (folder_in_memory(), folder_in_memory());
        let (engine, _) = open(data.path());
        engine.add_folder(notes.path()).unwrap();
        // The last change is to one note of a large segment. It leaves a list of deletions, too short to cause a merge.
        for range in [0..8, 8..16, 4..12, 16..N_NOTES, 2..3] {
            for i in range.clone() {
                write(notes.path(), &[(&format!("n{i}.md"), note(i, range.end).as_bytes())]);
            }
            index(&engine);
        }
        let n_vectors = engine.status(false).unwrap().n_vectors;
        drop(engine);
        Self { content: content_of(data.path()), notes, data, n_vectors }
    }
}

fn find(engine: &Engine, query: &str, stage: Stage) -> (Vec<String>, Vec<Degraded>) {
    let request = SearchRequest { top: 100, stage, ..SearchRequest::new(query) };
    let found = engine.search(&request, &Cancel::new(), &mut |_, _| {}).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = found.hits.iter().map(|hit| name(&hit.path)).collect();
    names.sort();
    (names, found.degraded)
}

/// The largest file of a kind that the last commit uses. Files that a merge has replaced may still be there; they do
/// not count.
fn victim(data: &Path, kind: &str) -> PathBuf {
    let is_meta = |path: &PathBuf| path.ends_with("meta.json");
    let meta = files(data).into_iter().find(is_meta).map(|path| fs::read_to_string(path).unwrap()).unwrap();
    let meta = meta.replace('-', "");
    let is_kind = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !kind.starts_with('.') || kind == ".managed.json" {
            return name == kind;
        }
        // `<segment>.<kind>`, or `<segment>.<number of the commit>.del`
        name.ends_with(kind) && name.split('.').rev().skip(1).all(|part| meta.contains(part))
    };
    let of_kind = files(data).into_iter().filter(is_kind);
    of_kind.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap_or_else(|| panic!("no {kind}"))
}

/// Damages a file of each kind with `spoil`, as after a crash, and checks what the engine makes of it.
fn each_kind(way: &str, spoil: impl Fn(&Path)) {
    let sound = Sound::new();
    for kind in KINDS {
        let case = format!("{kind} {way}");
        let data = folder_in_memory();
        copy_folder(sound.data.path(), data.path());
        let victim = victim(data.path(), kind);
        let name = victim.file_name().unwrap().to_str().unwrap().to_owned();
        spoil(&victim);
        // The last writer's note is still there, as after a crash.
        fs::write(data.path().join("index/HOLDER"), "process = 1\nhost = \"?\"\nsince = 0\n").unwrap();

        // The engine answers at once, whatever is damaged.
        let (engine, embedder) = open(data.path());
        for (bird, stage) in BIRDS.iter().flat_map(|bird| [(bird, Stage::Lexical), (bird, Stage::Hybrid)]) {
            find(&engine, bird, stage);
        }

        // The check that follows a crash names the damaged file. From then on answers come from the sound files.
        let serving = Generations::new(data.path()).current().unwrap().unwrap();
        serving.examine(&Cancel::new(), &|| {}).unwrap();
        let (engine, _) =
            if engine.status(false).unwrap().damage.is_empty() { open(data.path()) } else { (engine, embedder) };
        let damage = engine.status(false).unwrap().damage;
        assert!(damage.iter().any(|d| d.message.starts_with(&name)), "{case}: {damage:?}");
        for (b, bird) in BIRDS.iter().enumerate() {
            let right: Vec<String> = (b..N_NOTES).step_by(BIRDS.len()).map(|i| format!("n{i}.md")).collect();
            let (found, _) = find(&engine, bird, Stage::Lexical);
            assert!(found.iter().all(|name| right.contains(name)), "{case}: {bird} is found in {found:?}");
        }
        if kind.starts_with('.') && kind != ".managed.json" {
            let (_, degraded) = find(&engine, "heron", Stage::Lexical);
            assert!(matches!(degraded[..], [Degraded::Damaged { .. }, ..]), "{case}: {degraded:?}");
        }
        drop(engine);

        // Indexing restores the index from the notes, without embedding passages again whose vectors are sound.
        let (engine, embedder) = open(data.path());
        index(&engine);
        let status = engine.status(false).unwrap();
        let settings = status.damage.iter().filter(|d| !d.file.ends_with("settings.toml")).count();
        assert_eq!(settings, 0, "{case}: {:?}", status.damage);
        assert_eq!(status.n_vectors, sound.n_vectors, "{case}");
        assert_eq!(content_of(data.path()), sound.content, "{case}");
        let embedded = embedder.n_embedded.load(Ordering::Relaxed);
        let is_segment = kind.starts_with('.') && kind != ".managed.json";
        assert!(embedded < N_NOTES && (is_segment || embedded == 0), "{case}: {embedded} embedded again");
        let (found, degraded) = find(&engine, "heron", Stage::Hybrid);
        assert!(found.contains(&"n0.md".to_owned()) && degraded.is_empty(), "{case}: {found:?} {degraded:?}");
        let folders = fs::read_dir(data.path().join("index")).unwrap().flatten().filter(|e| e.path().is_dir()).count();
        assert_eq!(folders, 1, "{case}: the old one is removed once the new one is complete");
    }
    println!("damage: {} kinds of file {way}, losses 0", KINDS.len());
    drop(sound.notes);
}

#[test]
fn files_cut_in_half() {
    each_kind("cut in half", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
}

#[test]
fn files_emptied() {
    each_kind("emptied", |path| fs::write(path, b"").unwrap());
}

#[test]
fn files_deleted() {
    each_kind("deleted", |path| fs::remove_file(path).unwrap());
}

#[test]
fn files_with_flipped_bytes() {
    each_kind("with flipped bytes", |path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes.iter_mut().skip(middle).take(16).for_each(|byte| *byte ^= 0xff);
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn files_overwritten_with_zeros() {
    each_kind("overwritten with zeros", |path| {
        let length = fs::metadata(path).unwrap().len() as usize;
        fs::write(path, vec![0; length]).unwrap();
    });
}

/// Another program cuts the files off while they are mapped and read here. The system ends a process that reads beyond
/// the new end, unless the process is prepared for that.
#[cfg(unix)]
#[test]
fn files_cut_off_under_a_running_engine() {
    let sound = Sound::new();
    for kind in &KINDS[..8] {
        let data = folder_in_memory();
        copy_folder(sound.data.path(), data.path());
        let (engine, _) = open(data.path());
        // After this search all files are open, and little of them has been read.
        find(&engine, "nothing", Stage::Lexical);
        let victim = victim(data.path(), kind);
        fs::File::options().write(true).open(&victim).unwrap().set_len(0).unwrap();

        let is_named = |degraded: &[Degraded]| {
            degraded.iter().any(|d| matches!(d, Degraded::Damaged { file, .. } if *file == victim))
        };
        let mut was_named = false;
        for (b, bird) in BIRDS.iter().enumerate() {
            for stage in [Stage::Lexical, Stage::Hybrid] {
                let right: Vec<String> = (b..N_NOTES).step_by(BIRDS.len()).map(|i| format!("n{i}.md")).collect();
                let (found, degraded) = find(&engine, bird, stage);
                was_named |= is_named(&degraded);
                let is_right = stage == Stage::Hybrid || right.iter().all(|name| found.contains(name));
                assert!(is_right || is_named(&degraded), "{kind}: {bird}: {found:?} {degraded:?}");
            }
        }
        // Files of the other kinds, such as lists of deletions, were read when the index was opened.
        let is_read = matches!(*kind, ".store" | ".term" | ".idx" | ".vec");
        assert!(was_named || !is_read, "{kind}: nobody noticed");
        if was_named {
            index(&engine);
            assert_eq!(content_of(data.path()), sound.content, "{kind}: made whole");
        }
    }
}

#[test]
fn settings_that_cannot_be_saved_twice_are_kept_aside() {
    let data = folder_in_memory();
    fs::write(data.path().join("settings.toml"), "folders = 7").unwrap();
    let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
    assert!(engine.settings().folders.is_empty());
    let damage = engine.status(false).unwrap().damage;
    assert!(damage[0].message.contains("settings.damaged.toml"), "{damage:?}");
    assert_eq!(fs::read_to_string(data.path().join("settings.damaged.toml")).unwrap(), "folders = 7");
}
