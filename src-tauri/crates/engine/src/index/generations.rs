//! The folder `index/` of a data folder: which generation serves, which one is written, which ones may go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::damage::Damage;
use super::generation::Generation;
use super::hold::Hold;
use super::label::Label;
use crate::{EngineError, twin_file};

/// Names the generation that serves. Kept twice.
const CURRENT: &str = "CURRENT";

#[derive(Debug)]
pub struct Generations {
    folder: PathBuf,
}

impl Generations {
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("index") }
    }

    /// The right to write, for one process at a time. If the last holder was killed, a check of the index becomes due.
    ///
    /// # Errors
    /// [`EngineError::Locked`] says who holds it.
    pub fn hold(&self) -> Result<Hold, EngineError> {
        let hold = Hold::take(&self.folder)?;
        if hold.unclean
            && let Ok(Some(serving)) = self.current()
        {
            serving.check_soon();
        }
        Ok(hold)
    }

    /// Asks whether [`Generations::hold`] would succeed now, without making, writing or reading anything of the index.
    ///
    /// # Errors
    /// [`EngineError::Locked`] says who holds it.
    pub fn check_free(&self) -> Result<(), EngineError> {
        Hold::check_free(&self.folder)
    }

    /// The generation that serves, as far as it is sound; `None` where nothing was indexed yet.
    ///
    /// # Errors
    /// [`EngineError::OtherVersion`] for an index written by another version, [`EngineError::Damaged`] for one of which
    /// nothing can be read. Neither is touched; [`Generations::to_write`] makes a new one beside it.
    pub fn current(&self) -> Result<Option<Generation>, EngineError> {
        match self.pointer()? {
            Some(folder) => Generation::open(folder).map(Some),
            None => Ok(None),
        }
    }

    /// Whether `generation` is still the one that serves: another process may have replaced it.
    pub fn is_current(&self, generation: &Generation) -> bool {
        // If `CURRENT` cannot be read, `generation` goes on serving.
        self.pointer().ok().flatten().is_none_or(|folder| folder == generation.folder())
    }

    /// What is wrong with `CURRENT`, if anything.
    pub fn damage(&self) -> Option<Damage> {
        let file = self.folder.join(CURRENT);
        let found = twin_file::read(&file, |bytes| self.named(bytes)).ok()?.damage?;
        let message = format!("{CURRENT} {found}: which index serves was told from what is there. It is written anew");
        Some(Damage { file, message })
    }

    fn pointer(&self) -> Result<Option<PathBuf>, EngineError> {
        let path = self.folder.join(CURRENT);
        let read = twin_file::read(&path, |bytes| self.named(bytes));
        let read = read.map_err(|source| EngineError::Io { action: "read", path, source })?;
        Ok(match (read.value, read.damage) {
            (Some(folder), _) => Some(folder),
            (None, Some(_)) => self.largest(),
            (None, None) => None,
        })
    }

    /// The folder that the content of `CURRENT` names.
    fn named(&self, bytes: &[u8]) -> Result<PathBuf, String> {
        let name = std::str::from_utf8(bytes).map_err(|e| e.to_string())?.trim();
        let folder = self.folder.join(name);
        if name.is_empty() || name.contains(['/', '\\']) || !folder.is_dir() {
            return Err(format!("there is no folder `{name}`"));
        }
        Ok(folder)
    }

    /// The generation with the most documents. It serves if `CURRENT` does not say which one does.
    fn largest(&self) -> Option<PathBuf> {
        let sound = self.folders().filter_map(|folder| Generation::open(folder).ok());
        let sized = sound.filter_map(|generation| {
            let n = generation.snapshot().ok()?.searcher().num_docs();
            Some((n, generation.folder().to_owned()))
        });
        sized.max().map(|(_, folder)| folder)
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir())
    }

    /// The generation to index into. This is `serving` if it is sound and was made for this embedder (id and
    /// dimensions) by today's rules. Otherwise it is one beside it, begun before or made now, which reuses the vectors
    /// that `serving` has of unchanged texts. Without an embedder, that of `serving` counts, to keep its vectors.
    pub fn to_write(
        &self,
        serving: Option<&Arc<Generation>>,
        embedder: Option<(&str, usize)>,
    ) -> Result<Arc<Generation>, EngineError> {
        let label = match (serving, embedder) {
            (Some(serving), None) => serving.label().renewed(),
            (_, embedder) => Label::ours(embedder),
        };
        if let Some(serving) = serving
            && *serving.label() == label
            && serving.is_sound()
        {
            serving.mend()?;
            return Ok(serving.clone());
        }
        let taken = serving.map(|serving| serving.folder().to_owned()).or_else(|| self.pointer().ok().flatten());
        let generation = self.beside(&label, taken.as_deref())?;
        if let Some(serving) = serving
            && serving.label().embedder == label.embedder
        {
            generation.take_vectors_from(serving)?;
        }
        Ok(Arc::new(generation))
    }

    /// The generation for an embedder (id and dimensions), made empty if there is none.
    pub fn open_or_create(&self, embedder: Option<(&str, usize)>) -> Result<Generation, EngineError> {
        self.beside(&Label::ours(embedder), None)
    }

    /// A sound generation with this label in another folder than `taken`.
    fn beside(&self, label: &Label, taken: Option<&Path>) -> Result<Generation, EngineError> {
        for n in 1.. {
            let folder = self.folder.join(label.folder_name(n));
            if taken == Some(folder.as_path()) {
                continue;
            }
            if folder.exists() {
                match Generation::open(folder.clone()) {
                    Ok(generation) if generation.is_sound() && generation.label() == label => {
                        generation.mend()?;
                        return Ok(generation);
                    }
                    // A generation that was begun, and is damaged or cannot be opened. It has never served.
                    _ => fs::remove_dir_all(&folder).map_err(|e| EngineError::writing("remove", folder.clone(), e))?,
                }
            }
            return Generation::create(folder, label.clone());
        }
        unreachable!("one of the folder names is free")
    }

    /// Lets `generation` serve from now on. Atomic.
    pub fn promote(&self, generation: &Generation) -> Result<(), EngineError> {
        let name = generation.folder().file_name().unwrap_or_default().to_string_lossy();
        twin_file::write(&self.folder.join(CURRENT), format!("{name}\n").as_bytes())
    }

    /// To be called once `generation` holds everything. It lets go of the generation that it reused vectors of, and all
    /// other generations are removed, as far as the system lets go of their files.
    pub fn complete(&self, generation: &Generation) -> Result<(), EngineError> {
        generation.let_go();
        if self.damage().is_some() || self.pointer()?.is_none_or(|folder| folder != generation.folder()) {
            self.promote(generation)?;
        }
        for path in self.folders().filter(|path| path != generation.folder()) {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "an old index could not be removed");
            }
        }
        Ok(())
    }
}
