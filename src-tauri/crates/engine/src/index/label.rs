//! What a generation is bound to. Its folder is named after it.

use serde::{Deserialize, Serialize};

use crate::chunk::ChunkRules;

/// Version of a generation's folder: schema, tokenizers, vector column. Raise it when an older index could not be read,
/// or when searches in it would not find what it holds.
pub const FORMAT: u32 = 5;

/// Version of how files become passages and passages become terms, apart from the sizes in [`ChunkRules`]. Raise it
/// when the same file would be read, cut or split into words otherwise than before. The old index serves until a new
/// one is made beside it.
const CUTTING: u32 = 2;

/// Length of the vectors in a generation made without an embedder. It will hold none, but the schema needs a length.
const DIMENSIONS_WITHOUT_EMBEDDER: usize = 384;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Label {
    pub format: u32,
    pub dimensions: usize,
    /// Id of the bi-encoder; absent in a generation of words alone.
    pub embedder: Option<String>,
    /// How its files were cut.
    #[serde(default)]
    pub chunks: String,
}

impl Label {
    /// The label of a generation that this version makes for an embedder (id and dimensions).
    pub fn ours(embedder: Option<(&str, usize)>) -> Self {
        let ChunkRules { target_tokens, overlap_tokens, max_tokens } = ChunkRules::default();
        Self {
            format: FORMAT,
            dimensions: embedder.map_or(DIMENSIONS_WITHOUT_EMBEDDER, |(_, dimensions)| dimensions),
            embedder: embedder.map(|(id, _)| id.to_owned()),
            chunks: format!("{CUTTING}-{target_tokens}-{overlap_tokens}-{max_tokens}"),
        }
    }

    /// The label of a generation that this version makes for the model of this label.
    pub fn renewed(&self) -> Self {
        Self::ours(self.embedder.as_deref().map(|id| (id, self.dimensions)))
    }

    /// The `n`th name (from 1) for a folder with this label. There can be several: a damaged generation is replaced by
    /// one with the same label.
    pub fn folder_name(&self, n: usize) -> String {
        let bound = format!("{}\n{}", self.embedder.as_deref().unwrap_or(""), self.chunks);
        let hash = blake3::hash(bound.as_bytes()).to_hex();
        let name = format!("v{}-{}-{}", self.format, self.dimensions, &hash[..12]);
        if n == 1 { name } else { format!("{name}-{n}") }
    }
}

/// Reads `label.toml`. The version is read first, because a later version may have changed the rest.
///
/// # Errors
/// Says why the label cannot be understood. A label of another version is no error but `Ok(Err(format))`.
pub(super) fn parse(bytes: &[u8]) -> Result<Result<Label, i64>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let raw: toml::Table = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    let found = raw.get("format").and_then(toml::Value::as_integer).ok_or("it names no format")?;
    if found != i64::from(FORMAT) {
        return Ok(Err(found));
    }
    toml::from_str::<Label>(text).map(Ok).map_err(|e| e.message().to_owned())
}
