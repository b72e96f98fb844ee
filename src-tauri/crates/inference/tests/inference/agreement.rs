//! Tokens, vectors and logits agree with the reference implementation.

use nuthatch_engine::calibrate::sigmoid;
use nuthatch_engine::{Cancel, Embedder, Reranker};
use nuthatch_inference::{BiEncoder, CrossEncoder, Kind, LoadError, Precision};

use crate::common::{Case, F32, Reference, Tolerance, cosine, entry, models, on_cpu};

fn check_bi_encoder(folder: &str, precision: Precision, tolerance: Tolerance) {
    let folder = models().join(folder);
    let reference = Reference::read(&folder);
    let model =
        BiEncoder::load(&folder, &entry(Kind::BiEncoder, reference.max_length), &on_cpu(precision)).expect("loads");
    let texts: Vec<&str> = reference.cases.iter().map(|c| c.text.as_str()).collect();
    let vectors = model.embed_passages(&texts, &Cancel::new()).expect("embeds");
    for (case, vector) in reference.cases.iter().zip(&vectors) {
        assert_eq!(model.token_ids(&case.text).expect("tokenizes"), case.ids, "tokens of {:?}", case.text);
        let cosine = cosine(vector, &case.embedding);
        let worst = vector.iter().zip(&case.embedding).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(cosine >= tolerance.cosine, "cosine {cosine} for {:?}", case.text);
        assert!(worst <= tolerance.absolute, "off by {worst} for {:?}", case.text);
    }
}

/// `said` is the function that sentence-transformers applies to a logit of this folder's model.
fn check_cross_encoder(folder: &str, precision: Precision, tolerance: Tolerance, said: fn(f32) -> f32) {
    let folder = models().join(folder);
    let reference = Reference::read(&folder);
    let entry = entry(Kind::CrossEncoder, reference.max_length);
    let model = CrossEncoder::load(&folder, &entry, &on_cpu(precision)).expect("loads");
    for case in &reference.cases {
        let tokens = model.tokens(&case.query, &case.passage).expect("tokenizes");
        assert_eq!(tokens.ids, case.ids, "tokens of {:?} with {:?}", case.query, case.passage);
        let scores = model.score(&case.query, &[&case.passage], &Cancel::new()).expect("scores");
        let off = (scores[0] - case.logit).abs();
        assert!(off <= tolerance.absolute, "off by {off} for {:?} with {:?}", case.query, case.passage);
        let off = case.score.map_or(0.0, |score| (said(scores[0]) - score).abs());
        assert!(off <= tolerance.absolute, "predict's answer is {off} away for {:?}", case.query);
    }
    let passages: Vec<&str> = reference.cases.iter().map(|c| c.passage.as_str()).collect();
    let query = &reference.cases[0].query;
    let together = model.score(query, &passages, &Cancel::new()).expect("scores");
    assert!((together[0] - reference.cases[0].logit).abs() <= tolerance.absolute, "another score in company");
}

fn as_it_is(logit: f32) -> f32 {
    logit
}

#[test]
fn tiny_bert_bi_encoder() {
    check_bi_encoder("tiny/bert-bi", Precision::F32, F32);
}

#[test]
fn tiny_xlm_roberta_bi_encoder() {
    check_bi_encoder("tiny/xlmr-bi", Precision::F32, F32);
}

#[test]
fn tiny_bert_cross_encoder() {
    check_cross_encoder("tiny/bert-cross", Precision::F32, F32, as_it_is);
}

#[test]
fn tiny_xlm_roberta_cross_encoder() {
    check_cross_encoder("tiny/xlmr-cross", Precision::F32, F32, sigmoid);
}

#[test]
fn tiny_modernbert_with_its_own_head() {
    check_cross_encoder("tiny/modernbert-cross", Precision::F32, F32, sigmoid);
}

#[test]
fn tiny_modernbert_with_the_head_of_sentence_transformers() {
    check_cross_encoder("tiny/ettin-cross", Precision::F32, F32, as_it_is);
}

/// Random weights of width 32 are the worst case for 8 bits, so only the mean error is checked. It would show a step
/// that is left out or done twice, because that changes all logits.
#[test]
fn tiny_modernberts_in_int8() {
    for model in ["modernbert-cross", "ettin-cross"] {
        let folder = models().join("tiny").join(model);
        let reference = Reference::read(&folder);
        let entry = entry(Kind::CrossEncoder, reference.max_length);
        let model = CrossEncoder::load(&folder, &entry, &on_cpu(Precision::Int8)).expect("loads");
        let off = |case: &Case| {
            let scores = model.score(&case.query, &[&case.passage], &Cancel::new()).expect("scores");
            (scores[0] - case.logit).abs()
        };
        let mean = reference.cases.iter().map(off).sum::<f32>() / reference.cases.len() as f32;
        assert!(mean <= 0.15, "{}: logits are off by {mean} on average", folder.display());
    }
}

#[test]
fn built_in_bi_encoder() {
    check_bi_encoder("builtin/bi-encoder", Precision::F32, F32);
}

#[test]
fn built_in_bi_encoder_in_int8() {
    check_bi_encoder("builtin/bi-encoder", Precision::Int8, Tolerance { cosine: 0.995, absolute: 0.03 });
}

#[test]
fn built_in_cross_encoder() {
    check_cross_encoder("builtin/cross-encoder", Precision::F32, Tolerance { cosine: 1.0, absolute: 2e-3 }, sigmoid);
}

/// Mean error of the probabilities.
fn mean_off(model: &CrossEncoder, cases: &[Case]) -> f32 {
    let off = |case: &Case| {
        let score = model.score(&case.query, &[&case.passage], &Cancel::new()).expect("scores")[0];
        (sigmoid(score) - sigmoid(case.logit)).abs()
    };
    cases.iter().map(off).sum::<f32>() / cases.len() as f32
}

/// Since int8 is the default, its probabilities must be within 0.01 of the reference on average.
#[test]
fn built_in_cross_encoder_in_int8() {
    let folder = models().join("builtin/cross-encoder");
    let reference = Reference::read(&folder);
    let entry = entry(Kind::CrossEncoder, reference.max_length);
    let model = CrossEncoder::load(&folder, &entry, &on_cpu(Precision::Int8)).expect("loads");
    let mean = mean_off(&model, &reference.cases);
    assert!(mean <= 0.01, "probabilities are off by {mean} on average");
}

/// Agrees on processors with bf16; on others loading must be refused.
#[test]
fn built_in_cross_encoder_in_bf16() {
    let folder = models().join("builtin/cross-encoder");
    let reference = Reference::read(&folder);
    let entry = entry(Kind::CrossEncoder, reference.max_length);
    match CrossEncoder::load(&folder, &entry, &on_cpu(Precision::Bf16)) {
        Ok(model) => {
            let mean = mean_off(&model, &reference.cases);
            assert!(mean <= 0.01, "probabilities are off by {mean} on average");
        }
        Err(error) => {
            #[cfg(target_arch = "x86_64")]
            assert!(!is_x86_feature_detected!("avx512bf16"), "{error}");
            assert!(matches!(error, LoadError::Precision { precision: "bf16" }), "{error}");
        }
    }
}
