//! Results do not depend on which texts share a batch, in which order they come, or which threads compute them.

use nuthatch_engine::{Cancel, Embedder, ModelError, Reranker};
use nuthatch_inference::store::Entry;
use nuthatch_inference::{BiEncoder, CrossEncoder, Kind, LoadOptions, Precision};

use crate::common::{cosine, entry, models, on_cpu};

/// Passages of 1 to 60 words, more than fit one batch.
fn passages() -> Vec<String> {
    let words = ["git", "commit", "sourdough", "rises", "the", "window", "笔记", "搜索", "undo", "index"];
    (0..90).map(|i| (0..=(i * 7) % 60).map(|w| words[(w * 3 + i) % 10]).collect::<Vec<_>>().join(" ")).collect()
}

fn cross_encoder(precision: Precision) -> CrossEncoder {
    CrossEncoder::load(&models().join("tiny/bert-cross"), &entry(Kind::CrossEncoder, 64), &on_cpu(precision))
        .expect("loads")
}

#[test]
fn scores_do_not_depend_on_order_or_company() {
    for precision in [Precision::F32, Precision::Int8] {
        let model = cross_encoder(precision);
        let passages = passages();
        let texts: Vec<&str> = passages.iter().map(String::as_str).collect();
        let scores = model.score("undo a commit", &texts, &Cancel::new()).expect("scores");
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        let mut again = model.score("undo a commit", &reversed, &Cancel::new()).expect("scores");
        again.reverse();
        let alone = model.score("undo a commit", &texts[7..8], &Cancel::new()).expect("scores");
        assert!((alone[0] - scores[7]).abs() < 1e-4, "{} alone, {} in company", alone[0], scores[7]);
        for (a, b) in scores.iter().zip(&again) {
            assert!((a - b).abs() < 1e-4, "{a} against {b}");
        }
        assert!(scores.iter().any(|s| (s - scores[0]).abs() > 1e-3), "all passages score the same");
    }
}

#[test]
fn nothing_in_is_nothing_out() {
    let model = cross_encoder(Precision::F32);
    assert_eq!(model.score("anything", &[], &Cancel::new()).expect("scores"), Vec::<f32>::new());
    assert_eq!(model.score("", &[""], &Cancel::new()).expect("scores").len(), 1);
}

#[test]
fn a_raised_flag_ends_the_work() {
    let model = cross_encoder(Precision::F32);
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(model.score("undo", &["a passage"], &cancel), Err(ModelError::Cancelled)));
}

#[test]
fn a_query_vector_is_its_passage_vector_and_has_length_one() {
    let folder = models().join("tiny/xlmr-bi");
    let model = BiEncoder::load(&folder, &entry(Kind::BiEncoder, 64), &on_cpu(Precision::F32)).expect("loads");
    let query = model.embed_query("undo a commit").expect("embeds");
    let passages = model.embed_passages(&["a window", "undo a commit"], &Cancel::new()).expect("embeds");
    assert!(cosine(&query, &passages[1]) > 0.999_99);
    assert!((query.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(query.len(), model.dimensions());
}

/// A question is cut to the entry's `question_window`, a passage only to the window.
#[test]
fn a_long_question_is_cut_where_the_entry_says() {
    let folder = models().join("tiny/xlmr-bi");
    let entry = Entry { question_window: Some(5), ..entry(Kind::BiEncoder, 64) };
    let model = BiEncoder::load(&folder, &entry, &on_cpu(Precision::F32)).expect("loads");
    let (short, long) = ("undo a commit that was made", "undo a commit that was made and pushed by someone else");
    assert!(model.token_ids(short).expect("tokenizes").len() > 7, "longer than five tokens and two special ones");
    assert_eq!(model.embed_query(short).expect("embeds"), model.embed_query(long).expect("embeds"));
    let passages = model.embed_passages(&[short, long], &Cancel::new()).expect("embeds");
    assert!(cosine(&passages[0], &passages[1]) < 0.999);
}

/// Text all in capitals gets the vectors and tokens of the same text in small letters; abbreviations stay.
#[test]
fn text_in_capitals_is_read_in_small_letters() {
    let (shouted, said) = ("HOW TO UNDO A COMMIT", "how to undo a commit");
    let folder = models().join("tiny/xlmr-bi");
    let embedder = BiEncoder::load(&folder, &entry(Kind::BiEncoder, 64), &on_cpu(Precision::F32)).expect("loads");
    assert_eq!(embedder.embed_query(shouted).expect("embeds"), embedder.embed_query(said).expect("embeds"));
    let vectors = embedder.embed_passages(&[shouted, said], &Cancel::new()).expect("embeds");
    assert_eq!(vectors[0], vectors[1]);
    let folder = models().join("builtin/cross-encoder");
    let reranker =
        CrossEncoder::load(&folder, &entry(Kind::CrossEncoder, 256), &on_cpu(Precision::Int8)).expect("loads");
    let tokens = |query: &str, passage: &str| reranker.tokens(query, passage).expect("tokenizes");
    assert_eq!(tokens(shouted, "GIT RESET HARD."), tokens(said, "git reset hard."));
    assert_ne!(tokens("NASA", "HTTP API"), tokens("nasa", "http api"), "abbreviations stay");
}

/// A question's tokens are split among threads. That must not change its vector, even for lengths that fill no part.
#[test]
fn a_question_is_the_same_on_any_number_of_threads() {
    let folder = models().join("tiny/xlmr-bi");
    let precisions = [Precision::F32, Precision::Int8];
    for (precision, n_words) in precisions.into_iter().flat_map(|p| [1, 3, 9, 17, 40].map(|n| (p, n))) {
        let question = "undo commit window ".repeat(n_words);
        let embed = |threads| {
            let options = LoadOptions { threads: Some(threads), ..on_cpu(precision) };
            let model = BiEncoder::load(&folder, &entry(Kind::BiEncoder, 64), &options).expect("loads");
            model.embed_query(&question).expect("embeds")
        };
        let alone = embed(1);
        for threads in [2, 3, 5] {
            let off = embed(threads).iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-6, "{precision:?}, {n_words} words, {threads} threads: {off}");
        }
    }
}

/// Passages are embedded on the caller's thread pool if it has one, as indexing does, or else on the model's own.
#[test]
fn vectors_do_not_depend_on_whose_threads_make_them() {
    let folder = models().join("tiny/xlmr-bi");
    let model = BiEncoder::load(&folder, &entry(Kind::BiEncoder, 64), &on_cpu(Precision::Int8)).expect("loads");
    let passages = passages();
    let texts: Vec<&str> = passages.iter().map(String::as_str).collect();
    let embed = || model.embed_passages(&texts, &Cancel::new()).expect("embeds");
    let brought = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("starts").install(embed);
    for (a, b) in embed().iter().zip(&brought) {
        assert!(cosine(a, b) > 0.999_99);
    }
}
