//! Reads ruby and marks of notes from the inline elements of HTML, also of HTML in Markdown.

use super::block::Draft;
use super::footnote::is_mark;
use super::ruby::Readings;

/// A reading longer than this, in bytes, is running text after a `<rt>` that nothing closes.
const MAX_READING_BYTES: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Annotations {
    readings: Readings,
    /// `<ruby>` is open.
    in_ruby: bool,
    /// The reading being read.
    reading: Option<String>,
    /// Inside `<rp>`, the brackets for programs that do not know ruby.
    in_bracket: bool,
    mark: Option<Mark>,
}

/// Open text that may be the mark of a note.
#[derive(Debug)]
struct Mark {
    /// Where the mark begins in the draft's text.
    at: usize,
    opened_by: Vec<u8>,
    is_link: bool,
}

impl Annotations {
    /// Called when an element begins. `leads_to_note`: the element is a link that may be the mark of a note.
    pub(super) fn start(&mut self, name: &[u8], leads_to_note: bool, draft: Option<&Draft>) {
        match name {
            b"ruby" => {
                self.end_reading();
                (self.in_ruby, self.in_bracket) = (true, false);
            }
            b"rt" | b"rtc" | b"rp" | b"rb" if self.in_ruby => {
                self.end_reading();
                self.in_bracket = name == b"rp";
                self.reading = matches!(name, b"rt" | b"rtc").then(String::new);
            }
            b"sup" | b"a" => {
                if let Some(mark) = &mut self.mark {
                    mark.is_link |= leads_to_note;
                } else if (name == b"sup" || leads_to_note) && draft.is_some_and(Draft::is_in_word) {
                    self.mark = draft.map(|draft| Mark {
                        at: draft.text.len(),
                        opened_by: name.to_owned(),
                        is_link: leads_to_note,
                    });
                }
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, name: &[u8], draft: Option<&mut Draft>) {
        match name {
            b"ruby" | b"rt" | b"rtc" | b"rp" => {
                self.end_reading();
                self.in_bracket = false;
                self.in_ruby &= name != b"ruby";
            }
            b"sup" | b"a" => {
                let Some(mark) = self.mark.take_if(|mark| mark.opened_by == name) else { return };
                let Some(draft) = draft else { return };
                if let Some((before, raised)) = draft.text.split_at_checked(mark.at)
                    && is_mark(before, raised, mark.is_link)
                {
                    draft.part_at(mark.at);
                }
            }
            _ => {}
        }
    }

    /// Takes a text that is not shown where it stands: a reading, or the brackets around one. Returns whether it did.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        match &mut self.reading {
            Some(reading) if reading.len() + text.len() <= MAX_READING_BYTES => reading.push_str(text),
            Some(_) => {
                self.end_reading();
                self.in_ruby = false;
                return false;
            }
            None => return self.in_bracket && text.len() <= MAX_READING_BYTES,
        }
        true
    }

    /// How many bytes of the running text `next` come before the waiting readings; `None` for all of them.
    pub(super) fn tail(&self, draft: &Draft, next: &str) -> Option<usize> {
        if self.readings.is_empty() {
            return None;
        }
        let is_apart = !draft.is_in_word() || next.starts_with(char::is_whitespace);
        match self.in_ruby && !is_apart {
            // The next characters have a reading as well: both readings come after them.
            true => None,
            false if is_apart => Some(0),
            false => Some(self.readings.tail(&draft.text, next)),
        }
    }

    /// Writes the waiting readings, before `next`. Returns the text that is found but not shown.
    pub(super) fn settle(&mut self, draft: Option<&mut Draft>, next: &str) -> Option<String> {
        let draft = draft?;
        let (shown, unseen) = self.readings.take()?;
        draft.note(&shown);
        if next.starts_with(char::is_alphanumeric) {
            draft.note(" ");
        }
        Some(unseen).filter(|unseen| !unseen.is_empty())
    }

    /// Called when a line, a cell or a block ends. Ends whatever was left open.
    pub(super) fn close(&mut self, draft: Option<&mut Draft>) -> Option<String> {
        self.end_reading();
        let unseen = self.settle(draft, "");
        *self = Self::default();
        unseen
    }

    fn end_reading(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.readings.add(&reading);
        }
    }
}
