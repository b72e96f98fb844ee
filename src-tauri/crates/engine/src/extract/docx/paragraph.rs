//! Builds a paragraph from its runs: text, marks of notes, readings.

use super::styles::Shape;
use crate::extract::footnote::is_mark;
use crate::extract::ruby::Readings;

#[derive(Debug, Default)]
pub(super) struct Paragraph {
    pub(super) text: String,
    pub(super) style: Option<String>,
    pub(super) shape: Shape,
    pub(super) page: Option<u32>,
    /// Where the open stretch of raised text begins, and whether it refers to a note.
    pub(super) raised: Option<(usize, bool)>,
    pub(super) readings: Readings,
    /// The reading whose own text is being read.
    pub(super) reading: Option<String>,
    /// The reading whose base text is being read.
    pub(super) reading_before: Option<String>,
    pub(super) in_ruby: bool,
    pub(super) unseen: Vec<String>,
}

impl Paragraph {
    /// Adds text. Writes waiting readings as soon as the text ends their word.
    pub(super) fn push(&mut self, text: &str) {
        if let Some(reading) = &mut self.reading {
            return reading.push_str(text);
        }
        if self.readings.is_empty() || self.in_ruby {
            return self.text.push_str(text);
        }
        let (end, rest) = text.split_at(self.readings.tail(&self.text, text));
        self.text.push_str(end);
        self.settle(rest);
        self.text.push_str(rest);
    }

    /// Writes the waiting readings, before `next`.
    pub(super) fn settle(&mut self, next: &str) {
        let Some((shown, joined)) = self.readings.take() else { return };
        self.text.push_str(&shown);
        if next.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.unseen.push(joined);
    }

    /// Separates the mark of a note from the word before it.
    pub(super) fn end_raised(&mut self) {
        if let Some((at, is_link)) = self.raised.take()
            && let Some((before, raised)) = self.text.split_at_checked(at)
            && is_mark(before, raised, is_link)
        {
            self.text.insert(at, ' ');
        }
    }

    /// Adds the description of a picture, unless the text already ends with it.
    pub(super) fn describe(&mut self, described: &str) {
        if self.text.trim_end().ends_with(described) {
            return;
        }
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
        self.text.push_str(described);
        self.text.push(' ');
    }
}
