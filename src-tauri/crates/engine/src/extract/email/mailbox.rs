//! Mailboxes (`.mbox`, RFC 4155): messages one after another, each after a line that begins with `From `.

use super::super::block::Rendition;
use super::super::{Extractor, Place, Reading, Unreadable};
use super::{folded, write_message};

pub(in crate::extract) struct Mailbox;

impl Extractor for Mailbox {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut written = Rendition::default();
        for (n, message) in messages(bytes).enumerate() {
            let (headers, _) = super::header::split(message);
            let subject = headers.text("subject").map(|subject| folded(&subject));
            let title = subject.unwrap_or_else(|| format!("Message {}", n + 1));
            written.place(Place::Chapter { title });
            write_message(message, 2, &mut written)?;
        }
        Ok(written.finish(None))
    }
}

/// The messages, without the lines before them. `From ` begins one after a blank line and before a header only: in a text
/// programs write `>From `, not all of them.
fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    let mut after_blank = true;
    let mut separator = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(start) = separator.take()
            && (is_header(line) || line.starts_with(b">From "))
        {
            starts.push((start, at));
        }
        if after_blank && line.starts_with(b"From ") {
            separator = Some(at);
        }
        after_blank = line.trim_ascii().is_empty();
        at += line.len();
    }
    // One without any such line is a message.
    if starts.first().is_none_or(|(start, _)| !bytes[..*start].trim_ascii().is_empty()) {
        starts.insert(0, (0, 0));
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]).collect();
    starts.into_iter().zip(ends).map(|((_, body), end)| &bytes[body..end]).filter(|m| !m.trim_ascii().is_empty())
}

fn is_header(line: &[u8]) -> bool {
    let name = line.iter().position(|byte| *byte == b':').map(|colon| &line[..colon]);
    name.is_some_and(|name| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic()))
}
