//! Writes the passages of a folder's files as a BEIR corpus, to measure how passages should be cut:
//! `cut FOLDER TARGET OVERLAP MAX > corpus.jsonl`, with sizes in tokens as in `ChunkRules`.
//!
//! Neighbouring lines of one `_id` (the file's path in the folder) are passages of one document.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use nuthatch_engine::chunk::{ChunkRules, chunks};
use nuthatch_engine::extract::extract;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, target, overlap, max] = &args[..] else {
        return Err("usage: cut FOLDER TARGET OVERLAP MAX > corpus.jsonl".into());
    };
    let rules =
        ChunkRules { target_tokens: target.parse()?, overlap_tokens: overlap.parse()?, max_tokens: max.parse()? };
    let mut files = Vec::new();
    files_under(Path::new(folder), &mut files)?;
    files.sort();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for file in files {
        let Ok(document) = extract(&file, &std::fs::read(&file)?) else { continue };
        let id = file.strip_prefix(folder)?.to_string_lossy().into_owned();
        for chunk in chunks(&document, &rules) {
            let line = serde_json::json!({
                "_id": id, "title": document.title, "headings": &chunk.heading_path[..], "text": chunk.text,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(out.flush()?)
}

fn files_under(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_under(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
