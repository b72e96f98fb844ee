//! Lines of a text, each with its place in the text.

use std::ops::Range;

/// A line without its end, and where it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    /// Offset after the line end.
    pub(super) end: usize,
}

impl<'a> Line<'a> {
    /// `line` includes its line end and stands at `start`.
    fn new(line: &'a str, start: usize) -> Self {
        let text = line.strip_suffix('\n').unwrap_or(line);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Self { text, start, end: start + line.len() }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Columns of white space before the first character; a tab reaches to the next multiple of eight.
    pub(super) fn indent(&self) -> usize {
        let blank = self.text.chars().take_while(|c| matches!(c, ' ' | '\t'));
        blank.fold(0, |columns, c| if c == '\t' { columns / 8 * 8 + 8 } else { columns + 1 })
    }

    /// Where a part of this line (a slice of `text`) stands in the text.
    pub(super) fn offset_of(&self, part: &str) -> usize {
        self.start + (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    /// The line without white space around it, and the offset in the text where it then begins.
    pub(super) fn trimmed(&self) -> (&'a str, usize) {
        let text = self.text.trim_start();
        (text.trim_end(), self.start + self.text.len() - text.len())
    }
}

/// The lines of `source` from byte `from` on. A line ends with LF or CR LF.
pub(super) fn lines(source: &str, from: usize) -> impl Iterator<Item = Line<'_>> {
    let mut start = from;
    source[from..].split_inclusive('\n').map(move |line| {
        let found = Line::new(line, start);
        start = found.end;
        found
    })
}

/// The offsets where the lines of a text begin, and where the last one ends. 20 MB can be 20 million lines, and the
/// four bytes of an offset are a tenth of what a [`Line`] takes.
pub(super) struct LineStarts(Vec<u32>);

impl LineStarts {
    /// Finds the lines of `source` from byte `from` on. Lines beyond 4 GB, the most that is read (`Reading::decoded`),
    /// are left out.
    pub(super) fn of(source: &str, from: usize) -> Self {
        let ends = source[from..].split_inclusive('\n').scan(from, |end, line| {
            *end += line.len();
            u32::try_from(*end).ok()
        });
        Self(u32::try_from(from).into_iter().chain(ends).collect())
    }

    /// `source` is the text in which the lines were found.
    pub(super) fn lines<'a>(&'a self, source: &'a str) -> Lines<'a> {
        Lines { source, bounds: &self.0 }
    }
}

/// Consecutive lines of a text, each accessible by its index.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines<'a> {
    source: &'a str,
    /// Where each line begins, and where the last one ends.
    bounds: &'a [u32],
}

impl<'a> Lines<'a> {
    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    pub(super) fn get(&self, at: usize) -> Option<Line<'a>> {
        let [start, end] = *self.bounds.get(at..)?.first_chunk::<2>()?;
        let (start, end) = (start as usize, end as usize);
        Some(Line::new(&self.source[start..end], start))
    }

    /// # Panics
    /// If there is no line at this index.
    pub(super) fn at(&self, at: usize) -> Line<'a> {
        let (start, end) = (self.bounds[at] as usize, self.bounds[at + 1] as usize);
        Line::new(&self.source[start..end], start)
    }

    /// # Panics
    /// If `range` reaches beyond the last line.
    pub(super) fn part(&self, range: Range<usize>) -> Lines<'a> {
        let bounds = if range.is_empty() { &[] } else { &self.bounds[range.start..=range.end] };
        Lines { source: self.source, bounds }
    }

    /// The byte range of the lines in the text; `None` if there are no lines.
    pub(super) fn range(&self) -> Option<Range<usize>> {
        let (first, last) = self.bounds.first().zip(self.bounds.last())?;
        Some(*first as usize..*last as usize)
    }

    pub(super) fn from(&self, at: usize) -> Lines<'a> {
        self.part(at..self.len())
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Line<'a>> + Clone + use<'a> {
        let Self { source, bounds } = *self;
        bounds.windows(2).map(move |pair| {
            let (start, end) = (pair[0] as usize, pair[1] as usize);
            Line::new(&source[start..end], start)
        })
    }
}
