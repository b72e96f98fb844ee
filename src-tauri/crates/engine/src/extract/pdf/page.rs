//! Puts glyphs together to lines and lines to paragraphs, in the order in which the page draws them. Nearly always,
//! that is the order of reading.

use hayro_cmap::{BfString, WritingMode};
use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};
use kurbo::{Affine, BezPath, Point, Vec2};

use super::columns;
use super::line::{Drawn, Line};
use crate::text::script::joins_without_space;

/// Units of glyph space in a font size.
const UNITS: f64 = 1000.0;

/// How far a glyph's baseline may be from the line's, in font sizes: exponents and indices belong to the line.
const BASELINE: f64 = 0.5;

/// Distance between lines from which on a new paragraph begins, as a multiple of the usual distance on the page.
const PARAGRAPH_GAP: f64 = 1.35;

/// Least indent of a paragraph's first line, in font sizes.
const INDENT: f64 = 0.9;

/// Relative difference in font size from which on a line belongs to another paragraph.
const OTHER_SIZE: f64 = 0.12;

#[derive(Default)]
pub(super) struct Page {
    lines: Vec<Line>,
    /// Runs of glyphs drawn so far.
    n_runs: u32,
    pub(super) n_pictures: usize,
    /// Glyphs whose characters are unknown.
    pub(super) n_unreadable: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    List,
}

#[derive(Debug)]
pub(super) struct Paragraph {
    pub(super) shape: Shape,
    pub(super) text: String,
    /// Font size, in points.
    pub(super) size: f64,
    pub(super) n_lines: usize,
}

impl Page {
    fn glyph(&mut self, text: &str, at: Point, along: Vec2, advance: f64, size: f64) {
        // The baseline grows from line to line: downwards where text runs to the right.
        let (start, baseline) = (at.to_vec2().dot(along), at.to_vec2().dot(Vec2::new(-along.y, along.x)));
        let glyph = Drawn { text, start, advance, size, baseline, run: self.n_runs };
        let line = self.lines.last_mut().filter(|line| {
            let off = (baseline - line.baseline).abs();
            let reach = line.size.max(size);
            off < BASELINE * reach
                && line.along.dot(along) > 0.99
                && start > line.start - reach
                && start > line.last - reach
        });
        match line {
            Some(line) if (start - line.last).abs() < 0.1 * size && line.ends_with(text) => {}
            Some(line) => line.push(&glyph),
            None => self.lines.push(Line::new(&glyph, along)),
        }
    }

    pub(super) fn paragraphs(self) -> Vec<Paragraph> {
        let mut lines = self.lines;
        lines.retain(|line| !line.is_blank());
        let lines = columns::in_order(lines);
        let texts: Vec<String> = lines.iter().map(Line::text).collect();
        let usual = usual_distance(&lines);
        let mut paragraphs: Vec<Paragraph> = Vec::new();
        // The first line of the open paragraph, the line before the current one, and the text of that line.
        let mut open: Option<(&Line, &Line, &str)> = None;
        for (line, text) in lines.iter().zip(&texts) {
            let is_item = begins_item(text);
            let goes_on = open.is_some_and(|(first, before, said)| {
                let distance = line.baseline - before.baseline;
                let is_list = paragraphs.last().is_some_and(|paragraph| paragraph.shape == Shape::List);
                distance > 0.0
                    && distance < PARAGRAPH_GAP * usual.max(before.size)
                    && (line.size - before.size).abs() < OTHER_SIZE * before.size
                    && line.along.dot(before.along) > 0.99
                    && match (is_item, is_list) {
                        (true, is_list) => is_list,
                        // Text that is not indented ends the list, unless it continues a divided word.
                        (false, true) => line.start > first.start + 0.3 * line.size || said.ends_with('-'),
                        (false, false) => line.start < before.start + INDENT * line.size,
                    }
            });
            match paragraphs.last_mut().filter(|_| goes_on) {
                Some(paragraph) => {
                    if is_item {
                        paragraph.text.push('\n');
                        paragraph.text.push_str(text.trim());
                    } else {
                        join(&mut paragraph.text, text.trim());
                    }
                    paragraph.n_lines += 1;
                    open = open.map(|(first, ..)| (first, line, text.as_str()));
                }
                None => {
                    let shape = if is_item { Shape::List } else { Shape::Plain };
                    let said = text.trim().to_owned();
                    paragraphs.push(Paragraph { shape, text: said, size: line.size, n_lines: 1 });
                    open = Some((line, line, text.as_str()));
                }
            }
        }
        paragraphs
    }
}

/// The usual (median) distance between lines on the page; 0 if there are too few lines.
fn usual_distance(lines: &[Line]) -> f64 {
    let distances = lines.windows(2).map(|pair| (pair[1].baseline - pair[0].baseline, pair[0].size));
    let mut near: Vec<f64> =
        distances.filter(|(distance, size)| *distance > 0.0 && *distance < 2.5 * size).map(|(d, _)| d).collect();
    near.sort_by(f64::total_cmp);
    near.get(near.len() / 2).copied().unwrap_or(0.0)
}

/// Whether a line begins with the marker of a list item: `•`, `-`, `3.`, `(b)` and the like.
fn begins_item(line: &str) -> bool {
    let Some((mark, rest)) = line.trim_start().split_once(char::is_whitespace) else { return false };
    if rest.trim().is_empty() {
        return false;
    }
    let number = mark.trim_start_matches('(').trim_end_matches(['.', ')']);
    let is_number = number.len() < mark.len()
        && !number.is_empty()
        && (number.chars().all(|c| c.is_ascii_digit()) && number.len() <= 2
            || number.len() == 1 && number.chars().all(|c| c.is_ascii_lowercase()));
    matches!(mark, "•" | "◦" | "▪" | "‣" | "●" | "○" | "■" | "·" | "-" | "–" | "—" | "*" | "\u{f0b7}") || is_number
}

/// Adds the next line of a paragraph. Joins a divided word again; Chinese needs no space.
fn join(text: &mut String, line: &str) {
    let mut before = text.chars().rev();
    let (last, last_but_one) = (before.next(), before.next());
    let first = line.chars().next();
    let is_divided = last_but_one.is_some_and(char::is_alphabetic) && first.is_some_and(char::is_lowercase);
    if last == Some('\u{AD}') || last == Some('-') && is_divided {
        text.pop();
    } else if !(last.is_some_and(joins_without_space) && first.is_some_and(joins_without_space)) {
        text.push(' ');
    }
    text.push_str(line);
}

/// A glyph's characters as people type them: ligatures are taken apart, control characters left out.
fn readable(unicode: BfString) -> String {
    let whole = match unicode {
        BfString::Char(c) => c.to_string(),
        BfString::String(string) => string,
    };
    let mut readable = String::new();
    for c in whole.chars() {
        match c {
            'ﬀ' => readable.push_str("ff"),
            'ﬁ' => readable.push_str("fi"),
            'ﬂ' => readable.push_str("fl"),
            'ﬃ' => readable.push_str("ffi"),
            'ﬄ' => readable.push_str("ffl"),
            'ﬅ' | 'ﬆ' => readable.push_str("st"),
            '\u{A0}' | '\t' | '\n' | '\r' => readable.push(' '),
            c if c.is_control() || c == '\u{FFFD}' => {}
            c => readable.push(c),
        }
    }
    readable
}

impl Device<'_> for Page {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        self.n_runs = self.n_runs.wrapping_add(1);
        for glyph in run.glyphs() {
            let text = glyph.as_unicode().map(readable).unwrap_or_default();
            if text.is_empty() {
                self.n_unreadable += 1;
                continue;
            }
            let to_page: Affine = props.transform * glyph.transform();
            let [a, b, c, d, x, y] = to_page.as_coeffs();
            let size = Vec2::new(c, d).hypot() * UNITS;
            let (along, advance) = match run.writing_mode() {
                WritingMode::Horizontal => {
                    let units = match &**glyph {
                        Glyph::Outline(glyph) => glyph.advance_width(),
                        Glyph::Type3(glyph) => glyph.advance_width(),
                    };
                    (Vec2::new(a, b), f64::from(units.unwrap_or(500.0)) * Vec2::new(a, b).hypot())
                }
                WritingMode::Vertical => (-Vec2::new(c, d), size),
            };
            let along = along / along.hypot();
            if size.is_finite() && along.is_finite() && advance.is_finite() && x.is_finite() && y.is_finite() {
                self.glyph(&text, Point::new(x, y), along, advance, size);
            }
        }
    }

    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {
        self.n_pictures += 1;
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
