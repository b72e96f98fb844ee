//! Reports the state of the index and of every file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Engine, lock};
use crate::catalog::{self, Disk, FileRow, RootStatus, Status};
use crate::index::{Row, Snapshot};
use crate::scan::{self, Places, Rules};
use crate::{EngineError, Settings, watch};

impl Engine {
    /// `with_files` adds one row for each file. A running watch of this engine knows the state of the disk; without one
    /// the disk is looked at, so that files that nobody has noticed yet count as waiting.
    pub fn status(&self, with_files: bool) -> Result<Status, EngineError> {
        let serving = self.serving()?;
        let has_vectors = serving.as_ref().is_some_and(|generation| generation.embedder().is_some());
        let look = |snapshot: Option<&Snapshot>| {
            let n_chunks = snapshot.map(|s| s.n_passages().map_err(|e| s.failed(e))).transpose()?;
            let n_vectors = snapshot.map_or(0, |s| s.vectors().n_vectors() as u64);
            Ok((n_chunks.unwrap_or_default(), n_vectors, self.states(&self.settings(), snapshot, has_vectors)?))
        };
        let (n_chunks, n_vectors, (roots, files)) = match &serving {
            Some(serving) => serving.reading(|snapshot| look(Some(snapshot)))?,
            None => look(None)?,
        };
        let damage = self.damage(serving.as_deref());
        Ok(Status {
            roots,
            generation: serving.as_ref().map(|g| g.number()).transpose()?.unwrap_or_default(),
            n_chunks,
            n_vectors,
            damage,
            size_bytes: serving.map_or(0, |g| g.size_bytes()),
            reasons: catalog::group(&files),
            watch: watch::status(&self.inner.data_dir),
            files: with_files.then_some(files),
        })
    }

    fn states(
        &self,
        settings: &Settings,
        snapshot: Option<&Snapshot>,
        has_vectors: bool,
    ) -> Result<(Vec<RootStatus>, Vec<FileRow>), EngineError> {
        let live = lock(&self.inner.live).clone();
        if let Some(ledger) = live {
            let ledger = lock(&ledger);
            let disk = Disk {
                entries: &ledger.entries,
                away: &ledger.away,
                places: &ledger.places,
                has_vectors: ledger.has_vectors,
            };
            return Ok(catalog::states(&settings.folders, &disk, &ledger.rows));
        }
        let rows = snapshot.map(|s| s.rows().map_err(|e| s.failed(e))).transpose()?.unwrap_or_default();
        let rows: BTreeMap<PathBuf, Row> = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        let places = Places::load(&self.inner.data_dir);
        let look = scan::everything(&Rules::new(settings, &self.inner.data_dir), &places, &rows, &mut |_| {});
        let disk = Disk { entries: &look.entries, away: &look.away, places: &places, has_vectors };
        Ok(catalog::states(&settings.folders, &disk, &rows))
    }
}
