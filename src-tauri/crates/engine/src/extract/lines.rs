//! Lines of a text that know where they stand.

/// A line without its end, and where it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    /// After its line end.
    pub(super) end: usize,
}

impl<'a> Line<'a> {
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

    /// The line without white space around it, and where that begins in the text.
    pub(super) fn trimmed(&self) -> (&'a str, usize) {
        let text = self.text.trim_start();
        (text.trim_end(), self.start + self.text.len() - text.len())
    }
}

/// The lines of `source` from byte `from` on. A line ends with LF or CR LF.
pub(super) fn lines(source: &str, from: usize) -> impl Iterator<Item = Line<'_>> {
    let mut start = from;
    source[from..].split_inclusive('\n').map(move |line| {
        let text = line.strip_suffix('\n').unwrap_or(line);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let found = Line { text, start, end: start + line.len() };
        start = found.end;
        found
    })
}
