//! Kills, faults, damage, and two processes at once: nothing is lost, and no answer is wrong without saying so.
//!
//! The tests print counts (`--nocapture`). These environment variables scale them:
//!
//! | variable | what | default |
//! |---|---|---|
//! | `NUTHATCH_KILLS` | how often the command is killed in `kills` | 20 |
//! | `NUTHATCH_STEPS` | file operations between two kills | 25 |
//! | `NUTHATCH_FAULT_STRIDE` | `n`, where `faults` has every `n`th call fail in turn | 4 |
//! | `NUTHATCH_REOPENED` | how often a writer is opened, in `faults` | 300 |
//! | `NUTHATCH_SOAK_SECONDS` | how long `soak` edits | 4 |
//! | `NUTHATCH_SEED` | seed of the order of events | 1 |

mod complaints;
mod damage;
#[cfg(unix)]
mod disk;
mod faults;
mod kills;
mod processes;

use std::collections::BTreeMap;
use std::path::Path;

use nuthatch_engine::index::{Generations, Snapshot};
use tantivy::collector::DocSetCollector;
use tantivy::query::AllQuery;

/// A number from the environment.
fn scale(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The passages of a commit by file and number. A file without passages has one entry, with the number of the first.
type Content = BTreeMap<(String, usize), (String, std::ops::Range<usize>)>;

fn content(snapshot: &Snapshot) -> Content {
    let all = snapshot.searcher().search(&AllQuery, &DocSetCollector).unwrap();
    all.into_iter()
        .map(|address| {
            let passage = snapshot.passage(address).unwrap();
            ((passage.path, passage.chunk.ordinal), (passage.chunk.text, passage.chunk.span))
        })
        .collect()
}

fn content_of(data_dir: &Path) -> Content {
    content(&Generations::new(data_dir).current().unwrap().unwrap().snapshot().unwrap())
}

/// Numbers that look random and are the same every time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// In `0..n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) {
    for file in crate::support::files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

/// A folder in memory where the system has one, because the many writes of these tests would wear a disk out.
fn folder_in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
