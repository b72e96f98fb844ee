//! Which files are damaged: looked for, noted, told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::commit::LOOK_AGAIN;
use super::{Generation, lock};
use crate::index::damage::{self, Damage, Health, guarded, may_be_damage};
use crate::index::directory::{MANAGED, META};
use crate::index::mapped;
use crate::index::snapshot::Snapshot;
use crate::{Cancel, EngineError};

/// A failure sooner after all files were found sound has another cause than damage.
const EXAMINE_AGAIN: Duration = Duration::from_secs(60);

impl Generation {
    /// Holds every file of the last commit against its checksum. It reads all of them: `turn` is called before each and
    /// may wait. Returns whether anything is damaged that was not known before; from then on answers leave it out.
    pub fn examine(&self, cancel: &Cancel, turn: &dyn Fn()) -> Result<bool, EngineError> {
        for _ in 0..LOOK_AGAIN {
            self.snapshot()?;
            let known = lock(&self.latest).as_ref().map(|l| (l.of, l.index.clone(), l.committed.clone()));
            let Some((of, index, committed)) = known else { return Ok(false) };
            let Some(found) = damage::examine(&index, &committed, cancel, turn) else { return Ok(false) };
            // What a later commit cleared away is not damaged.
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

    /// Notes damaged files and lets the next snapshot do without them. Returns whether any was not known.
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

    /// Runs `read`, which reads this generation. Where it fails or panics, damage is looked for; where some is found, or a
    /// file was cut off meanwhile, `read` runs once more over what is sound.
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

    /// Notes files that were cut off while they were read here. Returns whether there is any that was not known.
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
        // A defect of ours fails every time; the files need not be read for each.
        let lately = lock(&self.examined).is_some_and(|at| at.elapsed() < EXAMINE_AGAIN);
        self.notes_cut_off() || may_be_damage(error) && !lately && self.examine(&Cancel::new(), &|| {}).unwrap_or(false)
    }

    pub fn check_is_due(&self) -> bool {
        // Another process may have checked it, or may have been killed since.
        Health::read(&self.path).check_is_due()
    }

    pub(in crate::index) fn check_soon(&self) {
        let mut health = lock(&self.health);
        health.checked_at = None;
        health.write(&self.path);
    }

    /// What of the last commit is left out of answers, a sentence a file.
    pub fn spoilt(&self) -> Vec<Damage> {
        let latest = lock(&self.latest);
        let Some(latest) = latest.as_ref() else { return Vec::new() };
        lock(&self.health).damage(&self.path, &latest.committed)
    }

    /// What is wrong with it, a sentence a file.
    pub fn damage(&self) -> Vec<Damage> {
        // Where it cannot be opened at all, that is what a search says.
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

    /// Whether it may be written to: no damage but what a writer mends.
    pub(in crate::index) fn is_sound(&self) -> bool {
        let noted = Health::read(&self.path);
        let latest = lock(&self.latest);
        let spoilt = |health: &Health| {
            latest.as_ref().is_none_or(|l| l.committed.segments.iter().any(|s| health.spoils(s, &l.committed)))
        };
        !spoilt(&noted) && !spoilt(&lock(&self.health))
    }
}
