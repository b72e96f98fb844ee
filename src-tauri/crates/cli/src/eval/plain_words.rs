//! The result of a measurement on one's own notes, for someone who does not know the measures.

use crate::eval::compare::Comparison;
use crate::eval::run::Run;
use crate::eval::sweep::Sweep;

/// One sentence per line.
pub(crate) fn summary(runs: &[Run], comparisons: &[Comparison], sweep: Option<&Sweep>) -> Vec<String> {
    let run = |stage: &str| runs.iter().find(|run| run.stage == stage);
    let mut lines = Vec::new();
    if let (Some(rerank), Some(hybrid)) = (run("rerank"), run("hybrid")) {
        let (with, without, n) = (rerank.n_first(), hybrid.n_first(), rerank.outcomes.len());
        lines.push(format!(
            "On your notes reranking finds the right note first for {with} of {n} titles and headings, without it {without}."
        ));
    }
    if let (Some(lexical), Some(vector)) = (run("lexical"), run("vector")) {
        lines.push(format!("Words alone find {} first, vectors alone {}.", lexical.n_first(), vector.n_first()));
    }
    let against_hybrid = comparisons.iter().find(|comparison| comparison.name == "rerank-hybrid");
    lines.extend(against_hybrid.map(verdict));
    lines.extend(sweep.and_then(depth));
    lines
}

fn verdict(comparison: &Comparison) -> String {
    match (comparison.is_certain(), comparison.difference > 0.0) {
        (true, true) => format!(
            "That is no accident: reranking moved the right note up for {} of them and down for {}.",
            comparison.wins, comparison.losses
        ),
        (true, false) => format!(
            "Reranking does harm here: it moved the right note down for {} of them and up for {}.",
            comparison.losses, comparison.wins
        ),
        (false, _) => format!(
            "The difference may be chance: reranking moved the right note up for {} of them and down for {}.",
            comparison.wins, comparison.losses
        ),
    }
}

/// How many candidates are enough; `None` if only one depth was measured.
fn depth(sweep: &Sweep) -> Option<String> {
    let enough = sweep.rows.iter().find(|row| row.depth == sweep.enough)?;
    let [.., most] = sweep.rows.as_slice() else { return None };
    if sweep.rows.len() < 2 {
        return None;
    }
    Some(if enough.depth == most.depth {
        format!(
            "More candidates still help: {} is the most that was tried, and the best ({:.0} ms a question).",
            most.depth, most.ms_median
        )
    } else {
        format!(
            "{} candidates are enough: {:.0} ms a question; {} take {:.0} ms and find no better.",
            enough.depth, enough.ms_median, most.depth, most.ms_median
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::compare::{Bootstrap, stages};
    use crate::eval::run::Outcome;
    use crate::eval::sweep::tests::row;

    fn run(stage: &'static str, hits: &[f64]) -> Run {
        let outcome = |hit: &f64| Outcome { ndcg_10: *hit, mrr_10: *hit, recall_100: *hit, took_ms: 1.0, top: vec![] };
        Run { stage, model: None, outcomes: hits.iter().map(outcome).collect() }
    }

    fn said(hybrid: &[f64], rerank: &[f64]) -> String {
        let runs = [run("hybrid", hybrid), run("rerank", rerank)];
        summary(&runs, &stages(&runs, Bootstrap { resamples: 1000, seed: 1 }), None).join(" ")
    }

    #[test]
    fn gain_chance_and_harm_are_told_apart() {
        let (good, bad) = ([1.0; 20], [0.5; 20]);
        let gain = said(&bad, &good);
        assert!(gain.contains("first for 20 of 20 titles and headings, without it 0."), "{gain}");
        assert!(
            gain.contains("no accident: reranking moved the right note up for 20 of them and down for 0"),
            "{gain}"
        );
        assert!(said(&good, &bad).contains("does harm here"));
        assert!(said(&good, &good).contains("may be chance"));
    }

    #[test]
    fn depth_is_said_with_its_price() {
        let sweep = |enough| Sweep {
            hybrid_ndcg_10: None,
            enough,
            rows: vec![row(10, 0.4, 60.0), row(30, 0.5, 200.0), row(100, 0.5, 640.0)],
        };
        let said = |enough| summary(&[], &[], Some(&sweep(enough))).join(" ");
        assert_eq!(said(30), "30 candidates are enough: 200 ms a question; 100 take 640 ms and find no better.");
        assert!(said(100).starts_with("More candidates still help: 100 is the most"));
    }
}
