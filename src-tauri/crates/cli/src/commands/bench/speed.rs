//! `nuthatch bench`: how fast the models are on this machine.

use std::io::Write;
use std::sync::Arc;

use crate::args::SpeedArgs;
use crate::bench::speed::{
    Machine, Memory, Models, Pairs, Report, Rerank, ask, embed, made, read, rerank, resident, tokenize,
};
use crate::failure::Failure;
use crate::session::Session;

/// Sizes of the made test inputs: the number of pairs, and the tokens of each. The first is reported as `rerank`.
const SIZES: [(usize, usize); 7] = [(100, 128), (20, 128), (50, 128), (200, 128), (100, 64), (100, 256), (100, 512)];

pub(crate) fn run(args: &SpeedArgs, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let given = args.pairs.as_deref().map(read).transpose()?;
    let (runs, cancel) = (usize::from(args.runs), session.cancel());
    let engine = session.engine()?;
    let before = resident();
    let (Models { embedder, reranker }, start) = Models::load(&args.models, &engine, session)?;
    let with = resident();

    let mut timed = Vec::new();
    let mut tokenized = None;
    let mut time = |all: &[Pairs], is_given: bool| -> Result<(), Failure> {
        if tokenized.is_none() {
            tokenized = Some(tokenize(&reranker, all, runs)?);
        }
        timed.push(rerank(&reranker, all, runs, is_given, &cancel)?);
        Ok(())
    };
    match &given {
        Some(pairs) => time(pairs, true)?,
        None => {
            for (n, tokens) in SIZES {
                // There are no pairs of this length if the model's window is shorter.
                if let Some(pairs) = made(&reranker, n, tokens)? {
                    time(&[pairs], false)?;
                }
            }
        }
    }
    let (Some(tokenize), false) = (tokenized, timed.is_empty()) else {
        return Err(Failure::failed("model", "the cross-encoder's window is shorter than 64 tokens"));
    };
    let embed = embed(&embedder, runs, &cancel)?;
    engine.set_embedder(Arc::new(embedder));
    engine.set_reranker(Arc::new(reranker));
    let query = ask(&engine, &cancel)?;
    let memory = before.zip(with).zip(resident()).map(|(((before_models, _), (with_models, _)), (after, peak))| {
        Memory { before_models, with_models, after, peak }
    });
    let report = Report {
        machine: Machine::here(session.options.threads),
        rerank: timed.remove(0),
        rerank_sizes: timed,
        embed,
        tokenize,
        start,
        memory,
        query,
    };
    session.answer(&report, |out, _| table(out, &report))
}

fn table(out: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    let Report { machine, rerank, rerank_sizes, embed, tokenize, start, memory, query } = report;
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    writeln!(out, "{processor}, {} of {} cores", machine.threads, machine.cores)?;
    writeln!(out, "cross-encoder {} ({}, {})", rerank.model, rerank.device, rerank.path)?;
    writeln!(out, "bi-encoder {} ({}, {})", embed.model, embed.device, embed.path)?;
    writeln!(out, "\n{:>6} {:>8} {:>10} {:>10} {:>10}", "pairs", "tokens", "ms", "pairs/s", "tokens/s")?;
    for row in std::iter::once(rerank).chain(rerank_sizes) {
        let Rerank { pairs, tokens, seconds_median, pairs_per_second, tokens_per_second, .. } = row;
        let ms = seconds_median * 1e3;
        writeln!(out, "{pairs:>6} {tokens:>8} {ms:>10.0} {pairs_per_second:>10.0} {tokens_per_second:>10.0}")?;
    }
    writeln!(
        out,
        "\npassages embedded  {:.0} a second, {:.0} tokens a second",
        embed.passages_per_second, embed.tokens_per_second
    )?;
    let (short, long) = (embed.query_ms_median, embed.long_query_ms_median);
    writeln!(out, "question embedded  {short:.1} ms; one as long as a passage {long:.1} ms")?;
    writeln!(out, "tokenized          {:.0} tokens a second and thread", tokenize.tokens_per_second)?;
    writeln!(
        out,
        "loaded             bi-encoder {:.2} s, cross-encoder {:.2} s; first answer after {:.2} s",
        start.embedder_seconds, start.reranker_seconds, start.first_answer_seconds
    )?;
    if let Some(memory) = memory {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        writeln!(
            out,
            "memory             {:.0} MB before the models, {:.0} with them, {:.0} at most",
            mb(memory.before_models),
            mb(memory.with_models),
            mb(memory.peak)
        )?;
    }
    if let Some(query) = query {
        writeln!(
            out,
            "a question over {} passages: words {:.1} ms, vectors {:.1} ms, both {:.1} ms, {} candidates reranked {:.0} ms",
            query.passages, query.lexical_ms, query.vector_ms, query.hybrid_ms, query.candidates, query.rerank_ms
        )?;
    }
    Ok(())
}
