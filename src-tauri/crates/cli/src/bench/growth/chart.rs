//! The table and the chart of how times grow.

use std::io::Write;

use crate::bench::growth::measure::Measured;
use crate::eval::draw::{Anchor, BLUE, FAINT, GREEN, GREY, INK, ORANGE, Scale, Svg};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 190.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = HEIGHT - 64.0;

/// A line of the chart and a row of the table: its name, its value in ms, its colour and its dash.
type Series = (&'static str, fn(&Measured) -> f64, &'static str, &'static str);

const SERIES: [Series; 6] = [
    ("hybrid", |m| m.hybrid.p95, BLUE, ""),
    ("vectors", |m| m.vector.p95, GREEN, ""),
    ("vectors, scan alone", |m| m.vector_scan.p95, GREEN, "6 4"),
    ("words", |m| m.lexical.p95, ORANGE, ""),
    ("a note added", |m| m.add_note.p95, GREY, ""),
    ("opening", |m| m.open, GREY, "6 4"),
];

/// Draws milliseconds (95th percentile; for opening, a single time) against the number of passages. Both axes are
/// logarithmic.
pub(crate) fn chart(rows: &[Measured], subtitle: &str) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT, "Growth");
    svg.text([LEFT, 32.0], Anchor::Start, 18.0, INK, "What ten times as many passages cost");
    svg.text([LEFT, 54.0], Anchor::Start, 12.0, GREY, subtitle);
    let all = || rows.iter().flat_map(|row| SERIES.iter().map(|(_, of, ..)| of(row).max(0.01)));
    let lowest = all().fold(f64::INFINITY, f64::min).log10().floor().min(0.0);
    let highest = all().fold(1.0, f64::max).log10().ceil();
    let y = Scale { from: [lowest, highest], to: [BOTTOM, TOP] };
    for power in lowest as i32..=highest as i32 {
        let at = y.at(f64::from(power));
        svg.line(&[[LEFT, at], [RIGHT, at]], FAINT, 1.0, "");
        svg.text([LEFT - 8.0, at + 4.0], Anchor::End, 12.0, INK, &number(10_f64.powi(power)));
    }
    let log = |row: &Measured| (row.n_passages.max(1) as f64).log10();
    let ends = [rows.first().map_or(0.0, log), rows.last().map_or(1.0, log)];
    let x = Scale { from: ends, to: [LEFT + 24.0, RIGHT - 24.0] };
    for row in rows {
        let at = x.at(log(row));
        svg.line(&[[at, BOTTOM], [at, BOTTOM + 5.0]], INK, 1.0, "");
        svg.text([at, BOTTOM + 20.0], Anchor::Middle, 12.0, INK, &thousands(row.n_passages));
    }
    svg.line(&[[LEFT, BOTTOM], [RIGHT, BOTTOM]], INK, 1.0, "");
    svg.text([(LEFT + RIGHT) / 2.0, BOTTOM + 44.0], Anchor::Middle, 13.0, INK, "passages");
    svg.upright([24.0, (TOP + BOTTOM) / 2.0], INK, "milliseconds, 95th percentile");
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for (name, of, colour, dash) in SERIES {
        let place = |row: &Measured| [x.at(log(row)), y.at(of(row).max(0.01).log10())];
        svg.line(&rows.iter().map(place).collect::<Vec<_>>(), colour, 2.0, dash);
        for row in rows {
            let says = format!("{name}, {} passages: {} ms", thousands(row.n_passages), number(of(row)));
            svg.point(place(row), 3.5, colour, &says);
        }
        names.extend(rows.last().map(|row| (place(row)[1], name, colour)));
    }
    // Names stand at the lines' ends, at least a line of text apart.
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP;
    for (at, name, colour) in names {
        free = at.max(free);
        svg.text([RIGHT, free + 4.0], Anchor::Start, 12.0, colour, name);
        free += 16.0;
    }
    svg.finish()
}

/// Writes a Markdown table with one column per collection.
pub(crate) fn table(out: &mut dyn Write, rows: &[Measured], real_recall: Option<f64>) -> std::io::Result<()> {
    let mut line = |name: &str, cell: &dyn Fn(&Measured) -> String| -> std::io::Result<()> {
        let cells: Vec<String> = rows.iter().map(cell).collect();
        writeln!(out, "| {name} | {} |", cells.join(" | "))
    };
    line("passages", &|m| thousands(m.n_passages))?;
    line("---", &|_| "---".to_owned())?;
    line("words, ms (median / 95th percentile)", &|m| pair(m.lexical.median, m.lexical.p95))?;
    line("vectors with the question's embedding, ms", &|m| pair(m.vector.median, m.vector.p95))?;
    line("vectors, scan alone, ms", &|m| pair(m.vector_scan.median, m.vector_scan.p95))?;
    line("hybrid, ms", &|m| pair(m.hybrid.median, m.hybrid.p95))?;
    line("hybrid while notes are written, ms", &|m| pair(m.hybrid_while_writing.median, m.hybrid_while_writing.p95))?;
    line("a note added, until it is found, ms", &|m| pair(m.add_note.median, m.add_note.p95))?;
    line("opening, ms", &|m| number(m.open))?;
    line("rows of all files, ms", &|m| number(m.rows))?;
    line("bytes a passage", &|m| format!("{:.0}", m.bytes_per_passage))?;
    line("segments", &|m| m.n_segments.to_string())?;
    if rows.iter().any(|m| m.recall_100.is_some()) {
        line("recall@100 of the vector column", &|m| m.recall_100.map_or("-".to_owned(), |r| format!("{r:.3}")))?;
    }
    if rows.iter().any(|m| m.built.is_some()) {
        line("written, passages a second", &|m| {
            m.built.map_or("-".to_owned(), |b| format!("{:.0}", m.n_passages as f64 / b.writing_seconds))
        })?;
    }
    if let Some(recall) = real_recall {
        writeln!(out, "\nrecall@100 of the vector column among the real passages as they are: {recall:.3}")?;
    }
    Ok(())
}

fn pair(median: f64, p95: f64) -> String {
    format!("{} / {}", number(median), number(p95))
}

/// Rounded to a whole number, or to three digits with at most two after the point.
fn number(value: f64) -> String {
    let text = if value >= 99.5 {
        return format!("{value:.0}");
    } else if value >= 9.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let found: Vec<String> = [0.0, 0.014, 1.0, 9.876, 14.96, 99.6, 1234.5].into_iter().map(number).collect();
        assert_eq!(found, ["0", "0.01", "1", "9.88", "15", "100", "1234"]);
        assert_eq!([0, 999, 1000, 1_000_004].map(thousands), ["0", "999", "1,000", "1,000,004"]);
    }
}
