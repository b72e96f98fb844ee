//! A file that causes a panic fails, and nothing else does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::guard::Trap;
use crate::index::RowState;
use crate::{Cancel, Engine, EngineOptions, FileState, IndexReport, SearchRequest, Stage};

struct Bench {
    notes: TempDir,
    _data: TempDir,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = Engine::open(EngineOptions::new(data.path())).unwrap();
        engine.update_settings(|settings| settings.settle_ms = 20).unwrap();
        engine.add_folder(notes.path()).unwrap();
        Self { notes, _data: data, engine }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.notes.path().join(name), text).unwrap();
    }

    fn index(&self) -> IndexReport {
        self.engine.index(&mut |_| {}, &Cancel::new()).unwrap()
    }

    /// The state of every file, and the reason for it.
    fn states(&self) -> BTreeMap<String, (FileState, String)> {
        let status = self.engine.status(true).unwrap();
        assert!(status.damage.is_empty(), "{:?}", status.damage);
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files = status.files.unwrap().into_iter();
        files.map(|file| (name(&file.path), (file.state, file.reason.unwrap_or_default()))).collect()
    }

    fn find(&self, query: &str) -> usize {
        let request = SearchRequest { stage: Stage::Lexical, top: 100, ..SearchRequest::new(query) };
        let found = self.engine.search(&request, &Cancel::new(), &mut |_, _| {}).unwrap();
        assert!(found.degraded.is_empty(), "{:?}", found.degraded);
        found.hits.len()
    }
}

const TRAPS: [Trap; 3] = [Trap::Reader, Trap::Chunker, Trap::Words];

#[test]
fn a_panic_fails_its_file_and_nothing_else() {
    for trap in TRAPS {
        let bench = Bench::new();
        let names = ["a.md", "a.csv", "a.txt", "a.html", "a.org", "a.rst", "a.rs"];
        names.iter().for_each(|name| bench.write(name, &format!("heron of {name}\n")));
        for name in ["b.md", "b.txt"] {
            bench.write(name, &format!("A heron and a {}.\n", trap.word()));
        }
        let report = bench.index();
        assert_eq!((report.files_indexed, report.files_failed), (names.len(), 2), "{trap:?}: {report:?}");
        for (name, (state, reason)) in bench.states() {
            let is_failed = name.starts_with('b');
            let expected = if is_failed { FileState::Failed } else { FileState::Indexed };
            assert_eq!(state, expected, "{trap:?}: {name}: {reason}");
            assert_eq!(reason.contains("guard.rs:") && reason.starts_with(&name), is_failed, "{trap:?}: {reason}");
        }
        assert_eq!(bench.find("heron"), names.len(), "{trap:?}");
        let again = bench.index();
        assert_eq!(
            (again.files_unchanged, again.files_failed),
            (names.len() + 2, 0),
            "{trap:?}: not read again: {again:?}"
        );
        bench.write("b.md", "A heron and no more.\n");
        let mended = bench.index();
        assert_eq!((mended.files_indexed, mended.files_failed), (1, 0), "{trap:?}: {mended:?}");
        assert_eq!(bench.find("heron"), names.len() + 1, "{trap:?}");
    }
}

/// A file that another version of the program failed on is read once more.
#[test]
fn another_version_tries_again() {
    let bench = Bench::new();
    bench.write("a.md", Trap::Reader.word());
    bench.write("b.md", "heron");
    bench.index();
    let mut session = bench.engine.session();
    let serving = Arc::new(crate::index::Generations::new(bench.engine.data_dir()).current().unwrap().unwrap());
    session.hold(&crate::index::Generations::new(bench.engine.data_dir())).unwrap();
    session.attach(&serving, &crate::throttle::Limits::default()).unwrap();
    let mut row = session.ledger().rows.values().find(|row| row.state == RowState::Failed).unwrap().clone();
    assert!(!row.is_worth_another_try());
    row.failed_by = 7;
    session.write(row, &[], &[]).unwrap();
    session.commit().unwrap();
    session.close().unwrap();
    let report = bench.index();
    assert_eq!((report.files_unchanged, report.files_failed), (1, 1), "{report:?}");
    assert_eq!(bench.index().files_unchanged, 2);
}
