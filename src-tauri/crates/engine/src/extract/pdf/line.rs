//! A line as it is drawn: its glyphs, their places, and the gaps between them that mean spaces.

use kurbo::Vec2;

use crate::extract::footnote::is_mark;
use crate::text::script::joins_without_space;

/// Gap between two glyphs, in font sizes, from which on there is a space between them. Word spaces are a quarter wide
/// and may be squeezed to a sixth. Letters are spaced out by a tenth at most, except in headings.
const SPACE: f32 = 0.15;

/// Gaps between the letters of a letter-spaced heading differ by less than `ALIKE` and are narrower than `WIDEST`, both
/// in font sizes.
const ALIKE: f32 = 0.06;
const WIDEST: f32 = 1.2;

/// Least gaps by which a heading is recognized as letter-spaced.
const MIN_GAPS: usize = 3;

/// Gap, in font sizes, from which on the text after it stands in another column.
pub(super) const COLUMN_GAP: f32 = 1.2;

/// How far marks of notes are raised, in font sizes: marks in smaller type (below the share `SMALL` of the line's
/// size), and others.
const RAISED_SMALL: f64 = 0.15;
const RAISED: f64 = 0.25;
const SMALL: f64 = 0.85;

/// A glyph's characters and their place.
#[derive(Clone, Debug)]
struct Piece {
    /// Where its characters begin in the line's `chars`.
    at: usize,
    /// Gap after the glyph before, in font sizes.
    gap: f32,
    start: f64,
    end: f64,
    size: f64,
    baseline: f64,
    /// Number of the run of glyphs that it was drawn with.
    run: u32,
}

#[derive(Debug)]
pub(super) struct Line {
    /// The drawn characters, without spaces that are only gaps.
    chars: String,
    pieces: Vec<Piece>,
    /// Direction of writing.
    pub(super) along: Vec2,
    /// Position across the direction of writing, growing downwards.
    pub(super) baseline: f64,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) size: f64,
    /// Where its last glyph starts, to recognize a glyph that is drawn twice to look bold.
    pub(super) last: f64,
}

/// A glyph to be added.
pub(super) struct Drawn<'g> {
    pub(super) text: &'g str,
    pub(super) start: f64,
    pub(super) advance: f64,
    pub(super) size: f64,
    pub(super) baseline: f64,
    pub(super) run: u32,
}

impl Line {
    pub(super) fn new(glyph: &Drawn<'_>, along: Vec2) -> Self {
        let (start, size, baseline) = (glyph.start, glyph.size, glyph.baseline);
        let mut line =
            Self { chars: String::new(), pieces: Vec::new(), along, baseline, start, end: start, size, last: start };
        line.push(glyph);
        line
    }

    pub(super) fn push(&mut self, glyph: &Drawn<'_>) {
        let (start, size, baseline) = (glyph.start, glyph.size, glyph.baseline);
        let end = start + glyph.advance;
        let gap = if size > 0.0 { ((start - self.end) / size) as f32 } else { 0.0 };
        self.pieces.push(Piece { at: self.chars.len(), gap, start, end, size, baseline, run: glyph.run });
        self.chars.push_str(glyph.text);
        self.end = self.end.max(end);
        self.last = start;
        if size > self.size {
            (self.size, self.baseline) = (size, baseline);
        }
    }

    /// Whether the glyph drawn last shows this text.
    pub(super) fn ends_with(&self, text: &str) -> bool {
        self.chars.ends_with(text)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.chars.trim().is_empty()
    }

    /// The line's readable text: with spaces for wide gaps, and marks of notes separated from their words.
    pub(super) fn text(&self) -> String {
        let widest = self.widest_gaps();
        let mut text = String::with_capacity(self.chars.len() + self.chars.len() / 4);
        let mut raised: Option<usize> = None;
        for (at, piece) in self.pieces.iter().enumerate() {
            let next = self.chars_of(at);
            let around = (text.chars().next_back(), next.chars().next());
            if at > 0
                && let (Some(before), Some(after)) = around
                && piece.gap > widest[at]
                && !before.is_whitespace()
                && !after.is_whitespace()
                && !(joins_without_space(before) && joins_without_space(after) && piece.gap < 1.0)
            {
                text.push(' ');
            }
            match (self.is_raised(piece), raised) {
                (true, None) => raised = Some(text.len()),
                (false, Some(from)) => {
                    set_apart(&mut text, from);
                    raised = None;
                }
                _ => {}
            }
            text.push_str(next);
        }
        if let Some(from) = raised {
            set_apart(&mut text, from);
        }
        text
    }

    /// Characters of the glyph with this index.
    fn chars_of(&self, at: usize) -> &str {
        let end = self.pieces.get(at + 1).map_or(self.chars.len(), |next| next.at);
        &self.chars[self.pieces[at].at..end]
    }

    fn is_raised(&self, piece: &Piece) -> bool {
        let rise = self.baseline - piece.baseline;
        rise > RAISED * self.size || rise > RAISED_SMALL * self.size && piece.size < SMALL * self.size
    }

    /// For each glyph, the widest gap before it that is no space. The letters of a letter-spaced heading stand equally
    /// far apart, so there only a wider gap is a space.
    fn widest_gaps(&self) -> Vec<f32> {
        let mut widest = vec![SPACE; self.pieces.len()];
        // Ordinary text, as in nearly all lines.
        if self.pieces.iter().skip(1).filter(|piece| piece.gap > SPACE).count() < MIN_GAPS {
            return widest;
        }
        if let Some(usual) = self.usual_gap(0..self.pieces.len()) {
            widest.fill(usual + SPACE);
            return widest;
        }
        let mut start = 0;
        while start < self.pieces.len() {
            let run = self.pieces[start].run;
            let n = self.pieces[start..].iter().take_while(|piece| piece.run == run).count();
            if let Some(usual) = self.usual_gap(start..start + n) {
                widest[start + 1..start + n].fill(usual + SPACE);
            }
            start += n;
        }
        widest
    }

    /// The usual gap between the letters of these glyphs, if they are letter-spaced.
    fn usual_gap(&self, glyphs: std::ops::Range<usize>) -> Option<f32> {
        let letter = |at: usize| {
            let mut chars = self.chars_of(at).chars();
            chars.next().filter(|c| c.is_alphabetic() && !joins_without_space(*c) && chars.next().is_none())
        };
        let mut gaps = Vec::new();
        let mut are_in_order = true;
        for at in glyphs.skip(1) {
            if let (Some(before), Some(after)) = (letter(at - 1), letter(at)) {
                gaps.push(self.pieces[at].gap);
                are_in_order &= u32::from(after) == u32::from(before) + 1;
            }
        }
        gaps.sort_by(f32::total_cmp);
        let (low, usual) = (*gaps.get(gaps.len() / 10)?, *gaps.get(gaps.len() / 2)?);
        // A, B, C, D in the order of the alphabet are four single letters, not a word.
        let are_wide = gaps.len() >= MIN_GAPS && low > SPACE && usual - low < ALIKE && usual < WIDEST;
        (are_wide && !are_in_order).then_some(usual)
    }

    /// Indices of the glyphs that follow a wide gap, where other text begins.
    pub(super) fn wide_gaps(&self) -> Vec<usize> {
        let is_wide = |(at, piece): (usize, &Piece)| (at > 0 && piece.gap > COLUMN_GAP).then_some(at);
        self.pieces.iter().enumerate().filter_map(is_wide).collect()
    }

    /// The parts between wide gaps as lines of their own.
    pub(super) fn split(&self) -> Vec<Line> {
        let mut bounds = self.wide_gaps();
        bounds.insert(0, 0);
        bounds.push(self.pieces.len());
        let part = |bounds: &[usize]| {
            let mut part: Option<Line> = None;
            for at in bounds[0]..bounds[1] {
                let piece = &self.pieces[at];
                let drawn = Drawn {
                    text: self.chars_of(at),
                    start: piece.start,
                    advance: piece.end - piece.start,
                    size: piece.size,
                    baseline: piece.baseline,
                    run: piece.run,
                };
                match &mut part {
                    Some(part) => part.push(&drawn),
                    None => part = Some(Line::new(&drawn, self.along)),
                }
            }
            part
        };
        bounds.windows(2).filter_map(part).filter(|part| !part.is_blank()).collect()
    }
}

fn set_apart(text: &mut String, from: usize) {
    if let Some((before, raised)) = text.split_at_checked(from)
        && is_mark(before, raised, false)
    {
        text.insert(from, ' ');
    }
}
