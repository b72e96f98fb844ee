//! Vectors of many texts, for training: `embed MODEL_FOLDER PRECISION WINDOW < TEXTS.jsonl > VECTORS.f32`.
//!
//! Each line of the input is a JSON string. The output holds one unit vector a line: `dimensions` little-endian f32.
//! Texts are taken as they stand, without the model's prefixes.

use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use nuthatch_engine::{Cancel, Embedder};
use nuthatch_inference::store::Entry;
use nuthatch_inference::{BiEncoder, LoadOptions, Precision};

const ENTRY: &str = r#"
name = "embed"
kind = "bi-encoder"
architecture = "BertModel"
licence = ""
window = 128
"#;
const TEXTS_A_CALL: usize = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(precision), Some(window)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: embed MODEL_FOLDER f32|bf16|int8 WINDOW < TEXTS.jsonl > VECTORS.f32".into());
    };
    let precision = match precision.as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        _ => Precision::Int8,
    };
    let entry = Entry { window: window.parse()?, ..toml::from_str(ENTRY)? };
    let options = LoadOptions { precision: Some(precision), threads: Some(1), ..LoadOptions::default() };
    let model = BiEncoder::load(Path::new(&folder), &entry, &options)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let texts: Vec<String> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<Result<_, Box<dyn std::error::Error>>>()?;
    for texts in texts.chunks(TEXTS_A_CALL) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for vector in model.embed_passages(&texts, &Cancel::new())? {
            for value in vector {
                out.write_all(&value.to_le_bytes())?;
            }
        }
    }
    Ok(out.flush()?)
}
