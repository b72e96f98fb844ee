//! Looks for damaged files, notes them, and reports them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::commit::LOOK_AGAIN;
use super::{Generation, lock};
use crate::index::damage::{self, Damage, Health, guarded, may_be_damage};
use crate::index::directory::{MANAGED, META};
use crate::index::mapped;
use crate::index::snapshot::Snapshot;
use crate::{Cancel, EngineError};

/// A failure within this time after a check of all files is taken to have another cause than damage.
const EXAMINE_AGAIN: Duration = Duration::from_secs(60);

impl Generation {
    /// Compares every file of the last commit with its checksum, which means reading all of them. `turn` is called
    /// before each file and may wait. Returns whether new damage was found; answers leave it out from then on.
    pub fn examine(&self, cancel: &Cancel, turn: &dyn Fn()) -> Result<bool, EngineError> {
        for _ in 0..LOOK_AGAIN {
            self.snapshot()?;
            let known = lock(&self.latest).as_ref().map(|l| (l.of, l.index.clone(), l.committed.clone()));
            let Some((of, index, committed)) = known else { return Ok(false) };
            let Some(found) = damage::examine(&index, &committed, cancel, turn) else { return Ok(false) };
            // After a later commit, files that seem damaged may only have been removed by it.
            if !found.is_empty() && blake3::hash(&self.committed()?) != of {
                continue;
            }
            *lock(&self.examined) = Some(Instant::now());
            let new = self.note(found);
            if new {
                *lock(&self.latest) = None;
            }
            return Ok(new);
        }
        Ok(false)
    }

    /// Notes damaged files, so that snapshots opened from now on do without them. Returns whether any of them is new.
    pub(super) fn note(&self, found: BTreeMap<String, String>) -> bool {
        let mut health = lock(&self.health);
        let noted = Health::read(&self.path);
        let n_known = health.damaged.len();
        health.damaged.extend(noted.damaged);
        for (file, why) in &found {
            tracing::warn!(file = %self.path.join(file).display(), "a file of the index {why}");
        }
        health.damaged.extend(found);
        health.checked_at = Health::checked_now().checked_at;
        health.write(&self.path);
        health.damaged.len() > n_known
    }

    /// Runs `read`, which reads this generation. If it fails or panics, damage is looked for. If new damage is found,
    /// or a file was cut off meanwhile, `read` runs once more over the sound part.
    pub fn reading<T>(&self, mut read: impl FnMut(&Snapshot) -> Result<T, EngineError>) -> Result<T, EngineError> {
        for _ in 0..LOOK_AGAIN {
            let snapshot = self.snapshot()?;
            let done = guarded(&self.path, || read(&snapshot));
            let is_damaged = match &done {
                Ok(_) => self.notes_cut_off(),
                Err(error) => self.explains(error),
            };
            if !is_damaged {
                return done;
            }
        }
        Err(self.damaged("its files are cut off one after another".to_owned()))
    }

    /// Notes files that were cut off while this process read them. Returns whether any of them is new.
    fn notes_cut_off(&self) -> bool {
        let mut found = mapped::cut_off(&self.path);
        found.retain(|file| !lock(&self.health).damaged.contains_key(file));
        if found.is_empty() {
            return false;
        }
        self.note(found.into_iter().map(|file| (file, "was cut off".to_owned())).collect());
        *lock(&self.latest) = None;
        true
    }

    /// Whether damage that was not known until now explains `error`.
    pub(crate) fn explains(&self, error: &EngineError) -> bool {
        // A defect of the program fails every time; the files need not be read again for each failure.
        let lately = lock(&self.examined).is_some_and(|at| at.elapsed() < EXAMINE_AGAIN);
        self.notes_cut_off() || may_be_damage(error) && !lately && self.examine(&Cancel::new(), &|| {}).unwrap_or(false)
    }

    pub fn check_is_due(&self) -> bool {
        // Read from the disk: another process may have checked the index, or may have been killed, since.
        Health::read(&self.path).check_is_due()
    }

    pub(in crate::index) fn check_soon(&self) {
        let mut health = lock(&self.health);
        health.checked_at = None;
        health.write(&self.path);
    }

    /// The damaged files of the last commit, which answers leave out; one message for each.
    pub fn spoilt(&self) -> Vec<Damage> {
        let latest = lock(&self.latest);
        let Some(latest) = latest.as_ref() else { return Vec::new() };
        lock(&self.health).damage(&self.path, &latest.committed)
    }

    /// All damaged files of this generation; one message for each.
    pub fn damage(&self) -> Vec<Damage> {
        // If the generation cannot be opened at all, a search reports that.
        let _ = self.snapshot();
        let mut all = self.spoilt();
        let of_copy = |file: &str, found: &str| Damage {
            file: self.path.join(file),
            message: format!("{file} {found}: its copy serves. It is written anew"),
        };
        all.extend(lock(&self.label_damage).as_deref().map(|found| of_copy("label.toml", found)));
        all.extend(self.managed().map(|_| Damage {
            file: self.path.join(MANAGED),
            message: format!("{MANAGED} is damaged or gone: it only lists files to clear away. It is written anew"),
        }));
        all.extend(self.read_meta().ok().and_then(|read| read.damage).map(|found| of_copy(META, &found)));
        all
    }

    /// Whether this generation may be written to: it has no damage except such as a writer repairs.
    pub(in crate::index) fn is_sound(&self) -> bool {
        let noted = Health::read(&self.path);
        let latest = lock(&self.latest);
        let spoilt = |health: &Health| {
            latest.as_ref().is_none_or(|l| l.committed.segments.iter().any(|s| health.spoils(s, &l.committed)))
        };
        !spoilt(&noted) && !spoilt(&lock(&self.health))
    }
}
