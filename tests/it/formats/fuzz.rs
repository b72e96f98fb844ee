//! Mutated files: the bytes of a PDF, or of one part inside an archive. Mutating the archive itself would not reach its
//! parts, because it could not be unpacked.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use super::made::{unzip, zip};
use super::{FIXTURES, Tally, read, workers};

/// How many mutated files are read, unless `NUTHATCH_FUZZ_CASES` says otherwise.
const N_CASES: u32 = 400;

#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Remove(Index, usize),
    /// Copies a piece to another place.
    Repeat(Index, Index, usize),
    /// Inserts a string that readers may fail on.
    Insert(Index, &'static str),
}

const PIECES: [&str; 14] =
    ["<", "</", "&", "&#0;", "\"", "]]>", "<![CDATA[", "99999999999", "-1", "\u{FFFD}", "[[", "<<", "endstream", "0 R"];

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<Index>(), 1..200_usize).prop_map(|(at, n)| Mutation::Remove(at, n)),
        (any::<Index>(), any::<Index>(), 1..400_usize).prop_map(|(from, to, n)| Mutation::Repeat(from, to, n)),
        (any::<Index>(), prop::sample::select(PIECES.to_vec())).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let piece = |at: &Index, n: usize| at.index(len)..(at.index(len) + n).min(len);
        match mutation {
            Mutation::Set(at, byte) => bytes[at.index(len)] = *byte,
            Mutation::Remove(at, n) => drop(bytes.drain(piece(at, *n))),
            Mutation::Repeat(from, to, n) => {
                let said = bytes[piece(from, *n)].to_vec();
                let to = to.index(len);
                bytes.splice(to..to, said);
            }
            Mutation::Insert(at, said) => drop(bytes.splice(at.index(len)..at.index(len), said.bytes())),
        }
    }
}

#[test]
fn mutated_files_end_in_a_document_or_a_reason() {
    let cases = std::env::var("NUTHATCH_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(N_CASES);
    let workers = workers();
    let tally = std::cell::RefCell::new(Tally::default());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let strategy = (any::<Index>(), any::<Index>(), prop::collection::vec(mutation(), 1..6));
    let outcome = runner.run(&strategy, |(file, part, mutations)| {
        let (path, whole) = file.get(&FIXTURES);
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut bytes = whole.clone();
        if bytes.starts_with(b"PK") {
            let mut parts = unzip(&bytes);
            let at = part.index(parts.len());
            mutate(&mut parts[at].1, &mutations);
            let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, part)| (name.as_str(), part.as_slice())).collect();
            bytes = zip(&parts);
        } else {
            mutate(&mut bytes, &mutations);
        }
        tally.borrow_mut().count(name, read(&workers, name, &bytes));
        Ok(())
    });
    println!("{cases} mutated files: {:?}", tally.borrow());
    outcome.unwrap();
    assert!(tally.borrow().documents > 0, "mutations leave nothing to read");
}
