//! Times candle-transformers' `BertModel` as a cross-encoder on a question and its passages: `peer-candle MODEL_DIR
//! PAIRS.json RUNS WINDOW`. `RAYON_NUM_THREADS` sets the number of threads. Prints `{"seconds": median,
//! "scores": [...]}` of the faster of two batch sizes.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use candle_transformers::models::bert::{BertModel, Config};
use serde_json::{Value, json};
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams, TruncationStrategy};

const BATCHES: [usize; 2] = [8, 32];

struct CrossEncoder {
    tokenizer: Tokenizer,
    bert: BertModel,
    pooler: Linear,
    classifier: Linear,
}

impl CrossEncoder {
    fn load(dir: &Path, window: usize) -> Result<Self> {
        let config: Config = serde_json::from_slice(&std::fs::read(dir.join("config.json"))?)?;
        // SAFETY: nothing writes to the file meanwhile.
        let weights = unsafe {
            VarBuilder::from_mmaped_safetensors(&[dir.join("model.safetensors")], DType::F32, &Device::Cpu)?
        };
        let mut tokenizer = Tokenizer::from_file(dir.join("tokenizer.json")).map_err(anyhow::Error::msg)?;
        let truncation =
            TruncationParams { max_length: window, strategy: TruncationStrategy::OnlySecond, ..Default::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(anyhow::Error::msg)?;
        let pad_id = config.pad_token_id as u32;
        tokenizer.with_padding(Some(PaddingParams { strategy: PaddingStrategy::BatchLongest, pad_id, ..Default::default() }));
        let size = config.hidden_size;
        Ok(Self {
            tokenizer,
            pooler: candle_nn::linear(size, size, weights.pp("bert.pooler.dense"))?,
            classifier: candle_nn::linear(size, 1, weights.pp("classifier"))?,
            bert: BertModel::load(weights.pp("bert"), &config)?,
        })
    }

    /// One logit per passage. Passages of similar length share a batch.
    fn scores(&self, question: &str, passages: &[&str], batch: usize) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..passages.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(passages[*i].len()));
        let mut scores = vec![0.0; passages.len()];
        for part in order.chunks(batch) {
            let pairs: Vec<(&str, &str)> = part.iter().map(|i| (question, passages[*i])).collect();
            let encoded = self.tokenizer.encode_batch(pairs, true).map_err(anyhow::Error::msg)?;
            let tensor = |of: &dyn Fn(&tokenizers::Encoding) -> Vec<u32>| {
                let rows: Vec<Vec<u32>> = encoded.iter().map(of).collect();
                Tensor::new(rows, &Device::Cpu)
            };
            let ids = tensor(&|e| e.get_ids().to_vec())?;
            let types = tensor(&|e| e.get_type_ids().to_vec())?;
            let mask = tensor(&|e| e.get_attention_mask().to_vec())?;
            let first = self.bert.forward(&ids, &types, Some(&mask))?.i((.., 0))?;
            let logits = self.classifier.forward(&self.pooler.forward(&first)?.tanh()?)?.squeeze(1)?.to_vec1::<f32>()?;
            for (i, logit) in part.iter().zip(logits) {
                scores[*i] = logit;
            }
        }
        Ok(scores)
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, pairs, runs, window] = &args[..] else { bail!("usage: peer-candle MODEL_DIR PAIRS.json RUNS WINDOW") };
    let model = CrossEncoder::load(Path::new(dir), window.parse()?)?;
    let groups = match serde_json::from_slice(&std::fs::read(pairs)?)? {
        Value::Array(groups) => groups,
        group => vec![group],
    };
    let texts = |group: &Value| -> Option<(String, Vec<String>)> {
        let passages = group["p"].as_array()?.iter().map(|p| p.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        Some((group["q"].as_str()?.to_owned(), passages))
    };
    let groups = groups.iter().map(texts).collect::<Option<Vec<_>>>().context("not pairs as `nuthatch bench` takes them")?;
    let score = |batch: usize| -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for (question, passages) in &groups {
            let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
            all.extend(model.scores(question, &passages, batch)?);
        }
        Ok(all)
    };
    let mut best = (f64::INFINITY, Vec::new());
    for batch in BATCHES {
        let scores = score(batch)?;
        let mut times = Vec::new();
        for _ in 0..runs.parse::<usize>()?.max(1) {
            let start = Instant::now();
            score(batch)?;
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        if median < best.0 {
            best = (median, scores);
        }
    }
    println!("{}", json!({"seconds": best.0, "scores": best.1}));
    Ok(())
}
