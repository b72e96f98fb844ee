//! The user's settings, in `settings.toml` in the data folder: readable, editable, kept across versions.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml_edit::DocumentMut;

use crate::index::Damage;
use crate::{EngineError, twin_file};

const FILE: &str = "settings.toml";

/// Where damaged settings are kept, for whoever wants to look.
const ASIDE: &str = "settings.damaged.toml";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Watched folders, absolute.
    pub folders: Vec<PathBuf>,
    /// Name of the bi-encoder in the model manifest; `None` is the built-in one.
    pub embedder: Option<String>,
    /// Name of the cross-encoder; `None` is the built-in one.
    pub reranker: Option<String>,
    /// 20, 50, 100 or 200 in the window; any number that is [allowed](crate::allowed) here.
    pub candidates: usize,
    /// The lowest score, in `0..=1`, that a hit must have in searches that name no other threshold. The window folds
    /// lower hits away; elsewhere they are left out.
    pub threshold: Option<f32>,
    /// How long reranking may take; how many candidates are read in that time depends on the machine. 0 is no limit.
    pub rerank_budget_ms: u64,
    /// Read files and folders whose name begins with a dot as well.
    pub hidden: bool,
    /// Leave out what `.gitignore` files leave out. A `.nuthatchignore` always counts.
    pub gitignore: bool,
    /// Larger text files are left out: a text of this size is a log or a dump, not a note.
    pub max_text_mb: u64,
    /// Larger files of other formats are left out; most of a book's or a slide show's size are pictures.
    pub max_document_mb: u64,
    /// File name extensions that are left out, without the dot.
    pub skip_types: Vec<String>,
    /// How long a file must be at rest before it is read: editors write in steps.
    pub settle_ms: u64,
    /// Look at all folders this often even without a hint, for file systems that send none.
    pub rescan_minutes: u64,
    /// Look for changes every few seconds instead of asking the system to tell: for drives that send no events.
    pub poll: bool,
    /// The most memory that indexing uses, models not counted. [`crate::allowed`] has the ranges of all numbers here.
    pub memory_mb: usize,
    /// Threads that indexing uses, at background priority; `None` is all.
    pub threads: Option<usize>,
    /// Whether a running watch stops making vectors, which takes much power, while the machine is on battery.
    pub pause_on_battery: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            embedder: None,
            reranker: None,
            candidates: 100,
            threshold: None,
            rerank_budget_ms: 300,
            hidden: false,
            gitignore: true,
            max_text_mb: 20,
            max_document_mb: 200,
            skip_types: Vec::new(),
            settle_ms: 400,
            rescan_minutes: 5,
            poll: false,
            memory_mb: 600,
            threads: None,
            pause_on_battery: true,
        }
    }
}

impl Settings {
    /// For [`SearchRequest::budget_ms`](crate::SearchRequest::budget_ms).
    pub fn budget_ms(&self) -> Option<u64> {
        (self.rerank_budget_ms > 0).then_some(self.rerank_budget_ms)
    }

    /// Reads `settings.toml` of a data folder, or takes the defaults if there is none. A damaged file is kept aside,
    /// and its copy or the defaults take its place; the damage is returned as well.
    ///
    /// # Errors
    /// Permission to read the file is denied.
    pub(crate) fn load(data_dir: &Path) -> Result<(Self, Option<Damage>), EngineError> {
        let path = data_dir.join(FILE);
        let read = twin_file::read(&path, |bytes| {
            let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
            let mut settings: Self = toml::from_str(text).map_err(|e| e.to_string())?;
            // Earlier versions wrote `\\?\C:\Notes` on Windows.
            for folder in &mut settings.folders {
                *folder = dunce::simplified(folder).to_owned();
            }
            settings.check().map_err(|e| e.to_string())?;
            Ok(settings)
        });
        let read = read.map_err(|source| EngineError::Io { action: "read", path: path.clone(), source })?;
        let Some(found) = read.damage else {
            let settings = read.value.unwrap_or_default();
            settings.keep_copy(&path);
            return Ok((settings, None));
        };
        // A file that was emptied or deleted is not worth keeping.
        let aside = data_dir.join(ASIDE);
        let is_kept = fs::metadata(&path).is_ok_and(|m| m.len() > 0) && fs::copy(&path, &aside).is_ok();
        let kept = if is_kept { format!("It is kept as {ASIDE}. ") } else { String::new() };
        let serves = if read.value.is_some() { "what was last saved" } else { "the defaults, without folders," };
        let message = format!("{FILE} {found}. {kept}In its place {serves} serves; mend it, or change any setting");
        let settings = read.value.unwrap_or_default();
        // Puts a sound file in its place, unless the folder cannot be written.
        if settings != Self::default() && settings.save(data_dir).is_err() {
            tracing::debug!("the settings cannot be written anew now");
        }
        Ok((settings, Some(Damage { file: path, message })))
    }

    /// Writes the copy of the settings if it is missing or old: a person may have edited the file, or an earlier
    /// version may have saved it without a copy.
    fn keep_copy(&self, path: &Path) {
        if let Ok(bytes) = fs::read(path)
            && fs::read(twin_file::copy_of(path)).ok().as_ref() != Some(&bytes)
            && let Err(error) = twin_file::write_atomically(&twin_file::copy_of(path), &bytes)
        {
            tracing::debug!(%error, "no copy of the settings is kept");
        }
    }

    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), EngineError> {
        self.check()?;
        let path = data_dir.join(FILE);
        // A file that cannot be read is damaged, and [`Settings::load`] has kept it aside.
        let old = fs::read_to_string(&path).unwrap_or_default();
        let text = self
            .written_over(&old)
            .map_err(|e| EngineError::Settings { path: path.clone(), message: e.to_string() })?;
        twin_file::write(&path, text.as_bytes())
    }

    /// The settings as text. Only values that differ from `old` are changed: comments, the order, and settings unknown
    /// to this version stay as the user wrote them.
    fn written_over(&self, old: &str) -> Result<String, toml::ser::Error> {
        let text = toml::to_string_pretty(self)?;
        let (Ok(mut document), Ok(before), Ok(all)) =
            (old.parse::<DocumentMut>(), toml::from_str::<Self>(old), text.parse::<DocumentMut>())
        else {
            return Ok(text);
        };
        let (before, now) = (toml::Table::try_from(before)?, toml::Table::try_from(self)?);
        before.keys().filter(|name| !now.contains_key(*name)).for_each(|name| drop(document.remove(name)));
        for (name, mut new) in all.into_table() {
            let old = document.get(name.as_str()).and_then(|item| item.as_value());
            if old.is_some() && before.get(name.as_str()) == now.get(name.as_str()) {
                continue;
            }
            if let (Some(old), Some(new)) = (old, new.as_value_mut()) {
                // Keeps a comment behind the old value.
                *new.decor_mut() = old.decor().clone();
            }
            document[name.as_str()] = new;
        }
        Ok(document.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_stays() {
        let check = |old: &str, change: fn(&mut Settings), expect: &str| {
            let mut settings: Settings = toml::from_str(old).unwrap();
            change(&mut settings);
            let text = settings.written_over(old).unwrap();
            // Settings that were missing from `old` come at the end.
            assert!(text.starts_with(expect), "{text}");
            assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
            assert_eq!(settings.written_over(&text).unwrap(), text, "nothing differs any more");
        };
        let old = "# mine\nthreads = 2 # of 8\n# of a later version\nlater = [1]\nmemory_mb = 700\n";
        check(old, |_| {}, old);
        check(old, |to| to.threads = Some(3), &old.replace("threads = 2", "threads = 3"));
        check(old, |to| to.memory_mb = 300, &old.replace("700", "300"));
        check(old, |to| to.threads = None, "# of a later version\nlater = [1]\nmemory_mb = 700\n");
        check("", |_| {}, "folders = []\n");
    }
}
