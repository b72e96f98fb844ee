//! Finds columns of running text that a page draws row by row, and reads each column to its end. Tables stay rows.

use super::line::{COLUMN_GAP, Line};

/// Least rows with text in two columns or more.
const MIN_ROWS: usize = 4;

/// Least width of a line of running text in a column, in font sizes, and its least number of words.
const MIN_WIDTH: f64 = 9.0;
const MIN_WORDS: usize = 3;

/// Most lines of a column fill this share of its widest line; cells of a table do not.
const FULL: f64 = 0.7;

/// Largest indent of a paragraph's first line, in font sizes.
const INDENT: f64 = 2.5;

/// Puts lines into the order in which they are read.
pub(super) fn in_order(lines: Vec<Line>) -> Vec<Line> {
    if lines.iter().filter(|line| !line.wide_gaps().is_empty()).count() < MIN_ROWS {
        return lines;
    }
    let mut ordered = Vec::new();
    let mut rest = lines.into_iter().peekable();
    while let Some(line) = rest.next() {
        let first = line.split();
        let starts: Vec<f64> = first.iter().map(|part| part.start).collect();
        if starts.len() < 2 {
            ordered.push(line);
            continue;
        }
        let mut rows = vec![(line, first)];
        while let Some(next) = rest.peek() {
            let parts = next.split();
            if !fits(&starts, &parts, &rows[rows.len() - 1].0) {
                break;
            }
            rows.extend(rest.next().map(|next| (next, parts)));
        }
        if are_columns(starts.len(), &starts, &rows) {
            let mut columns: Vec<Vec<Line>> = starts.iter().map(|_| Vec::new()).collect();
            for part in rows.into_iter().flat_map(|(_, parts)| parts) {
                columns[column(&starts, &part)].push(part);
            }
            ordered.extend(columns.into_iter().flatten());
        } else {
            ordered.extend(rows.into_iter().map(|(line, _)| line));
        }
    }
    ordered
}

/// The column that a part begins in.
fn column(starts: &[f64], part: &Line) -> usize {
    starts.iter().rposition(|start| part.start > start - part.size).unwrap_or(0)
}

/// Whether a row continues these columns: each of its parts begins at a column and ends before the next one.
fn fits(starts: &[f64], parts: &[Line], before: &Line) -> bool {
    let Some(first) = parts.first() else { return false };
    let is_below = first.baseline > before.baseline && first.baseline < before.baseline + 3.0 * before.size;
    let is_in_place = |part: &Line| {
        let at = column(starts, part);
        let begins = part.start - starts[at] < INDENT * part.size && starts[at] - part.start < part.size;
        let ends = starts.get(at + 1).is_none_or(|next| part.end < next - f64::from(COLUMN_GAP) * 0.5 * part.size);
        begins && ends
    };
    let columns: Vec<usize> = parts.iter().map(|part| column(starts, part)).collect();
    is_below
        && first.along.dot(before.along) > 0.99
        && parts.iter().all(is_in_place)
        && columns.is_sorted_by(|a, b| a < b)
}

fn are_columns(n_columns: usize, starts: &[f64], rows: &[(Line, Vec<Line>)]) -> bool {
    if rows.iter().filter(|(_, parts)| parts.len() >= 2).count() < MIN_ROWS {
        return false;
    }
    (0..n_columns).all(|at| {
        let parts = || rows.iter().flat_map(|(_, parts)| parts).filter(|part| column(starts, part) == at);
        let mut widths: Vec<f64> = parts().map(|part| (part.end - part.start) / part.size.max(1e-6)).collect();
        widths.sort_by(f64::total_cmp);
        let (Some(usual), Some(widest)) = (widths.get(widths.len() / 2), widths.last()) else { return false };
        let n_words = |part: &Line| {
            let text = part.text();
            let n_han = text.chars().filter(|c| crate::text::script::is_cjk(*c)).count();
            text.split_whitespace().count().max(n_han / 2)
        };
        let is_prose = parts().filter(|part| n_words(part) >= MIN_WORDS).count() * 3 >= widths.len() * 2;
        widths.len() >= MIN_ROWS && *usual >= MIN_WIDTH && *usual >= FULL * widest && is_prose
    })
}
