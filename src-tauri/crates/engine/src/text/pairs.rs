//! Finds every Chinese, Japanese and Korean character, and every pair of neighbouring ones.

use std::borrow::Cow;

use super::batch::{Batch, Scan};
use super::fold::fold_cjk;
use super::script::is_cjk;

pub struct Pairs<'a> {
    text: Cow<'a, str>,
    at: usize,
    position: usize,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Self {
        Self { text, at: 0, position: 0 }
    }
}

impl Scan for Pairs<'_> {
    /// Adds the next character and the pair that begins with it.
    fn scan(&mut self, batch: &mut Batch) -> bool {
        let rest = &self.text[self.at..];
        let Some(skipped) = rest.find(is_cjk) else { return false };
        let start = self.at + skipped;
        if skipped > 0 {
            // Text in between takes up a position, so that no phrase matches across it.
            self.position += 1;
        }
        let mut chars = self.text[start..].chars();
        let mut buffer = String::new();
        let mut end = start;
        for (length, c) in chars.by_ref().take(2).take_while(|c| is_cjk(*c)).enumerate() {
            end += c.len_utf8();
            buffer.push(fold_cjk(c));
            batch.push(&buffer, start..end, self.position, length + 1);
            if length == 0 {
                self.at = end;
            }
        }
        self.position += 1;
        true
    }
}
