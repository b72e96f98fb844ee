//! Subtitles: SubRip, WebVTT and Advanced SubStation, written out as paragraphs, each at its time.

use super::block::Rendition;
use super::lines::lines;
use super::plain::bom_len;
use super::{BlockKind, Extractor, Place, Reading, Unreadable};
use crate::text::script::joins_without_space;

pub(super) struct Subtitles;

/// A silence of this many seconds ends a scene, and with it a paragraph.
const SCENE_GAP_S: f64 = 4.0;

/// A paragraph of this many bytes ends with the next sentence; one of twice as many ends anyway.
const PARAGRAPH_BYTES: usize = 300;

impl Extractor for Subtitles {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let is_ass = decoded.text.lines().take(200).any(|line| line.trim().eq_ignore_ascii_case("[Events]"));
        let mut title = None;
        let mut cues = if is_ass { ass(&decoded.text, &mut title) } else { srt(&decoded.text) };
        // Files list signs and translators' notes apart from speech. A stable sort keeps simultaneous lines in order.
        cues.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let mut written = Rendition::default();
        for paragraph in paragraphs(&cues) {
            written.place(Place::Time { seconds: paragraph.start_s as u32 });
            written.push(BlockKind::Paragraph, &paragraph.text);
        }
        if cues.is_empty() {
            // No times at all: a transcript, still worth finding.
            written.place(Place::Time { seconds: 0 });
            decoded.text.split("\n\n").for_each(|part| written.push(BlockKind::Paragraph, part));
        }
        let mut reading = written.finish(title);
        reading.encoding = decoded.encoding;
        Ok(reading)
    }
}

struct Cue {
    start_s: f64,
    end_s: f64,
    text: String,
}

impl Cue {
    fn add(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        let before = self.text.chars().next_back();
        if let (Some(before), Some(after)) = (before, line.chars().next())
            && !(joins_without_space(before) && joins_without_space(after))
        {
            self.text.push(' ');
        }
        self.text.push_str(line);
    }
}

fn paragraphs(cues: &[Cue]) -> Vec<Cue> {
    let mut found: Vec<Cue> = Vec::new();
    let mut last_text = "";
    for cue in cues.iter().filter(|cue| !cue.text.is_empty()) {
        // Programs write an effect as many cues with the same words.
        if cue.text == last_text {
            if let Some(open) = found.last_mut() {
                open.end_s = open.end_s.max(cue.end_s);
            }
            continue;
        }
        last_text = &cue.text;
        let is_sentence_end =
            |text: &str| text.ends_with(['.', '!', '?', '…', '。', '！', '？', '"', '”', '」', ')', '♪']);
        let full = |open: &Cue| {
            let is_long = open.text.len() >= PARAGRAPH_BYTES && is_sentence_end(&open.text);
            is_long || open.text.len() >= 2 * PARAGRAPH_BYTES || cue.start_s - open.end_s >= SCENE_GAP_S
        };
        match found.last_mut() {
            Some(open) if !full(open) => {
                let (before, after) = (open.text.chars().next_back(), cue.text.chars().next());
                let joins = before.is_some_and(joins_without_space) && after.is_some_and(joins_without_space);
                let stops = before.is_some_and(|c| "。！？…".contains(c));
                // Chinese subtitles have few full stops: a new line of speech is a new line here.
                open.text.push_str(if joins && !stops {
                    "\n"
                } else if joins {
                    ""
                } else {
                    " "
                });
                open.text.push_str(&cue.text);
                open.end_s = open.end_s.max(cue.end_s);
            }
            _ => found.push(Cue { start_s: cue.start_s, end_s: cue.end_s, text: cue.text.clone() }),
        }
    }
    found
}

/// SubRip and WebVTT: a line with `-->`, then text up to a blank line.
fn srt(source: &str) -> Vec<Cue> {
    let mut cues: Vec<Cue> = Vec::new();
    // Whether the text of the last cue, or a block of notes or styles, is being read.
    let (mut in_cue, mut in_note) = (false, false);
    let mut pending: Option<&str> = None;
    for line in lines(source, bom_len(source)) {
        let text = line.text.trim();
        if text.is_empty() {
            (in_cue, in_note) = (false, false);
            continue;
        }
        if let Some((start, end)) = text.split_once("-->")
            && let Some(start_s) = seconds(start)
        {
            let end_s = end.split_whitespace().next().and_then(seconds).unwrap_or(start_s);
            cues.push(Cue { start_s, end_s: end_s.max(start_s), text: String::new() });
            (in_cue, in_note, pending) = (true, false, None);
            continue;
        }
        if in_note {
            continue;
        }
        if in_cue {
            if let Some(cue) = cues.last_mut() {
                cue.add(text);
            }
            continue;
        }
        in_note = ["NOTE", "STYLE", "REGION", "WEBVTT"].iter().any(|word| {
            text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', ':']))
        });
        // A line outside a cue is the number or name of the next one. If no cue follows, the line is text of the last
        // cue after a stray blank line.
        if let (Some(before), Some(cue)) = (pending.take(), cues.last_mut()) {
            cue.add(before);
        }
        if !in_note && (text.bytes().any(|b| !b.is_ascii_digit())) {
            pending = Some(text);
        }
    }
    if let (Some(text), Some(cue)) = (pending, cues.last_mut()) {
        cue.add(text);
    }
    cues
}

/// Advanced SubStation: `Dialogue:` lines, whose fields the `Format:` line names.
/// <http://www.tcax.org/docs/ass-specs.htm>
fn ass(source: &str, title: &mut Option<String>) -> Vec<Cue> {
    let mut cues = Vec::new();
    let (mut n_fields, mut start_field, mut end_field) = (10, 1, 2);
    for line in lines(source, bom_len(source)) {
        let Some((key, value)) = line.text.trim().split_once(':') else { continue };
        match key {
            "Title" if !value.contains("Default Aegisub file") => *title = Some(value.trim().to_owned()),
            "Format" if value.contains("Text") => {
                let names: Vec<&str> = value.split(',').map(str::trim).collect();
                let of = |name: &str| names.iter().position(|known| known.eq_ignore_ascii_case(name));
                n_fields = names.len();
                start_field = of("Start").unwrap_or(start_field);
                end_field = of("End").unwrap_or(end_field);
            }
            "Dialogue" => {
                let fields: Vec<&str> = value.splitn(n_fields.max(1), ',').collect();
                let time = |field: usize| fields.get(field).and_then(|field| seconds(field));
                let (Some(start_s), Some(text)) = (time(start_field), fields.last()) else { continue };
                let mut cue = Cue { start_s, end_s: time(end_field).unwrap_or(start_s), text: String::new() };
                // `\p1` draws a shape: its numbers say nothing.
                if !text.contains("\\p1") {
                    let text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ");
                    text.lines().for_each(|line| cue.add(line));
                }
                cues.push(cue);
            }
            _ => {}
        }
    }
    cues
}

/// Converts a time such as `1:02:03,450` or `02:03.450` to seconds; `None` if the text is no time.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim().replace(',', ".");
    let mut total = 0.0;
    let mut n_parts = 0;
    for part in text.split(':') {
        let value: f64 = part.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)?;
        total = total * 60.0 + value;
        n_parts += 1;
    }
    ((2..=4).contains(&n_parts) && total < f64::from(u32::MAX)).then_some(total)
}

/// A line without tags: `<i>`, `{\an8}`, `<00:01.000>`. WebVTT's `<v Anna>` says who speaks.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{', '&']) {
        text.push_str(&rest[..at]);
        let tail = &rest[at..];
        // No tag is longer, and the rest of a long line must not be searched anew from each sign.
        let near = &tail[..tail.floor_char_boundary(300)];
        let skipped = match tail.as_bytes()[0] {
            b'<' => {
                let is_tag = tail[1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
                let end = near.find('>').filter(|_| is_tag);
                if let Some(name) = end.and_then(|end| near[1..end].strip_prefix("v")?.split_once(' ')) {
                    text.push_str(name.1.trim());
                    text.push_str(": ");
                }
                end.map(|end| end + 1)
            }
            b'{' => near.find('}').filter(|_| tail.starts_with("{\\")).map(|end| end + 1),
            _ => ENTITIES.iter().find(|(name, _)| tail.starts_with(name)).map(|(name, shown)| {
                text.push_str(shown);
                name.len()
            }),
        };
        let skipped = skipped.unwrap_or_else(|| {
            text.push_str(&tail[..1]);
            1
        });
        rest = &tail[skipped..];
    }
    text.push_str(rest);
    text
}

const ENTITIES: [(&str, &str); 6] =
    [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", "")];
