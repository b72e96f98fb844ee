//! Two charts: quality and time against depth, and scores against judgements.

use crate::eval::draw::{Anchor, BLUE, FAINT, GREEN, GREY, INK, ORANGE, Scale, Svg, ticks};
use crate::eval::reliability::{Bin, Reliability};
use crate::eval::sweep::{DepthRow, Sweep};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 490.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 80.0;
const TOP: f64 = 124.0;
const BOTTOM: f64 = HEIGHT - 64.0;

/// Draws nDCG@10 (left axis) and the time of a question (right axis, from 0) against the number of candidates (lower
/// axis, logarithmic). `subtitle` says what was measured.
pub(crate) fn sweep(sweep: &Sweep, subtitle: &str) -> String {
    let mut svg = headed("How many candidates are worth reading?", subtitle);
    let rows = &sweep.rows;
    let quality = rows.iter().flat_map(|row| [row.rerank.ndcg_10, row.cross.ndcg_10]).chain(sweep.hybrid_ndcg_10);
    let (lowest, highest) = quality.fold((f64::INFINITY, 0.0_f64), |(low, high), q| (low.min(q), high.max(q)));
    let left = ticks(lowest.min(highest), highest);
    let slowest = rows.iter().map(|row| row.ms_p95).fold(0.0, f64::max);
    let right = ticks(0.0, slowest);

    let log = |depth: usize| (depth.max(1) as f64).ln();
    let ends = [log(rows.first().map_or(1, |row| row.depth)), log(rows.last().map_or(1, |row| row.depth))];
    let x = Scale { from: ends, to: [LEFT + 24.0, RIGHT - 24.0] };
    let y_quality = vertical(&left);
    let y_ms = vertical(&right);
    for tick in &left {
        let y = y_quality.at(*tick);
        svg.line(&[[LEFT, y], [RIGHT, y]], FAINT, 1.0, "");
        svg.text([LEFT - 8.0, y + 4.0], Anchor::End, 12.0, INK, &format!("{tick:.3}"));
    }
    for tick in &right {
        svg.text([RIGHT + 8.0, y_ms.at(*tick) + 4.0], Anchor::Start, 12.0, GREEN, &format!("{tick:.0}"));
    }
    for row in rows {
        let x = x.at(log(row.depth));
        svg.line(&[[x, BOTTOM], [x, BOTTOM + 5.0]], INK, 1.0, "");
        svg.text([x, BOTTOM + 20.0], Anchor::Middle, 12.0, INK, &row.depth.to_string());
    }
    svg.line(&[[LEFT, BOTTOM], [RIGHT, BOTTOM]], INK, 1.0, "");
    svg.text([(LEFT + RIGHT) / 2.0, BOTTOM + 44.0], Anchor::Middle, 13.0, INK, "candidates reranked");
    svg.upright([24.0, (TOP + BOTTOM) / 2.0], INK, "nDCG@10");
    svg.upright([WIDTH - 16.0, (TOP + BOTTOM) / 2.0], GREEN, "milliseconds a question");

    let mut curve = |of: &dyn Fn(&DepthRow) -> f64, y: Scale, colour: &str, width, dash: &str, says: &str| {
        let place = |row: &DepthRow| [x.at(log(row.depth)), y.at(of(row))];
        svg.line(&rows.iter().map(place).collect::<Vec<_>>(), colour, width, dash);
        for row in rows {
            svg.point(place(row), width + 1.5, colour, &format!("{says}, {} candidates: {:.4}", row.depth, of(row)));
        }
    };
    curve(&|row| row.ms_p95, y_ms, GREEN, 1.0, "2 4", "ms, 95th percentile");
    curve(&|row| row.ms_median, y_ms, GREEN, 1.5, "6 4", "ms, median");
    curve(&|row| row.cross.ndcg_10, y_quality, ORANGE, 2.5, "", "cross-encoder alone");
    curve(&|row| row.rerank.ndcg_10, y_quality, BLUE, 2.5, "", "reranked");
    let mut of_quality = vec![("reranked (blend)", BLUE, 2.5, ""), ("cross-encoder alone", ORANGE, 2.5, "")];
    if let Some(hybrid) = sweep.hybrid_ndcg_10 {
        let y = y_quality.at(hybrid);
        svg.line(&[[LEFT, y], [RIGHT, y]], GREY, 2.0, "10 5");
        of_quality.push(("hybrid, not reranked", GREY, 2.0, "10 5"));
    }
    legend(&mut svg, TOP - 46.0, &of_quality);
    let of_time = [("time, median", GREEN, 1.5, "6 4"), ("time, 95th percentile", GREEN, 1.0, "2 4")];
    legend(&mut svg, TOP - 26.0, &of_time);
    svg.finish()
}

/// Draws, for each bin of scores, the share of its candidates that is relevant against their mean score. On the
/// diagonal both are equal. The area of a point grows with the number of candidates.
pub(crate) fn reliability(found: &Reliability, subtitle: &str) -> String {
    let mut svg = headed("Does a score mean what it says?", subtitle);
    let ticks: Vec<f64> = (0..=5).map(|i| f64::from(i) / 5.0).collect();
    let side = BOTTOM - TOP + 44.0;
    let (top, right) = (BOTTOM - side, LEFT + side);
    let x = Scale { from: [0.0, 1.0], to: [LEFT, right] };
    let y = Scale { from: [0.0, 1.0], to: [BOTTOM, top] };
    for tick in &ticks {
        svg.line(&[[LEFT, y.at(*tick)], [right, y.at(*tick)]], FAINT, 1.0, "");
        svg.text([LEFT - 8.0, y.at(*tick) + 4.0], Anchor::End, 12.0, INK, &format!("{tick:.1}"));
        svg.text([x.at(*tick), BOTTOM + 20.0], Anchor::Middle, 12.0, INK, &format!("{tick:.1}"));
    }
    svg.line(&[[LEFT, BOTTOM], [right, top]], GREY, 1.5, "10 5");
    svg.line(&[[LEFT, top], [LEFT, BOTTOM], [right, BOTTOM]], INK, 1.0, "");
    svg.text([(LEFT + right) / 2.0, BOTTOM + 44.0], Anchor::Middle, 13.0, INK, "score shown");
    svg.upright([24.0, (top + BOTTOM) / 2.0], INK, "share relevant");

    let filled = || found.bins.iter().filter_map(|bin| Some((bin, bin.mean_score?, bin.share_relevant?)));
    let points: Vec<[f64; 2]> = filled().map(|(_, score, share)| [x.at(score), y.at(share)]).collect();
    svg.line(&points, BLUE, 1.5, "");
    let largest = found.bins.iter().map(|bin| bin.n).max().unwrap_or(1).max(1) as f64;
    for (point, (Bin { n, .. }, score, share)) in points.iter().zip(filled()) {
        let radius = 3.0 + 9.0 * (*n as f64 / largest).sqrt();
        svg.point(*point, radius, BLUE, &format!("{n} candidates at {score:.3}, {share:.3} of them relevant"));
    }

    let table = right + 40.0;
    let columns = [table + 36.0, table + 106.0, table + 166.0];
    for (at, head) in columns.iter().zip(["score", "relevant", "n"]) {
        svg.text([*at, top + 12.0], Anchor::End, 12.0, GREY, head);
    }
    for (row, (bin, score, share)) in filled().enumerate() {
        let line = top + 34.0 + 20.0 * row as f64;
        for (at, cell) in columns.iter().zip([format!("{score:.3}"), format!("{share:.3}"), bin.n.to_string()]) {
            svg.text([*at, line], Anchor::End, 12.0, INK, &cell);
        }
    }
    let unjudged = "unjudged counts as not relevant";
    svg.text([table, BOTTOM - 42.0], Anchor::Start, 12.0, GREY, unjudged);
    let (ece, brier) = (format!("calibration error {:.4}", found.ece), format!("Brier score {:.4}", found.brier));
    svg.text([table, BOTTOM - 20.0], Anchor::Start, 13.0, INK, &ece);
    svg.text([table, BOTTOM], Anchor::Start, 13.0, INK, &brier);
    svg.finish()
}

/// Draws a sample of each line beside its name. An entry is name, colour, width and dash.
fn legend(svg: &mut Svg, y: f64, entries: &[(&str, &str, f64, &str)]) {
    for (i, (name, colour, width, dash)) in entries.iter().enumerate() {
        let x = LEFT + 200.0 * i as f64;
        svg.line(&[[x, y], [x + 30.0, y]], colour, *width, dash);
        svg.text([x + 38.0, y + 4.0], Anchor::Start, 12.0, INK, name);
    }
}

fn headed(title: &str, subtitle: &str) -> Svg {
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    svg.text([LEFT, 32.0], Anchor::Start, 18.0, INK, title);
    svg.text([LEFT, 54.0], Anchor::Start, 12.0, GREY, subtitle);
    svg
}

/// An axis whose first and last tick are its ends.
fn vertical(ticks: &[f64]) -> Scale {
    let (low, high) = (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
    Scale { from: [low, high], to: [BOTTOM, TOP] }
}
