//! Calendars (`.ics`, RFC 5545): events, tasks and journals, each with when, where and who.

use super::block::{Outline, Rendition};
use super::content_lines::{self, ContentLine};
use super::plain::bom_len;
use super::targets::target;
use super::{BlockKind, Extractor, Reading, Unreadable, add_names, html};

pub(super) struct Calendar;

impl Extractor for Calendar {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let decoded = Reading::decoded(bytes, false)?;
        let (name, entries) = entries(&decoded.text[bom_len(&decoded.text)..]);
        let mut written = Rendition::default();
        let title = match entries.as_slice() {
            [only] if name.is_none() => Some(only.title.clone()),
            _ => name,
        };
        let mut tags = Vec::new();
        let mut date = None;
        for entry in &entries {
            entry.write(&mut written);
            add_names(&mut tags, entry.tags.iter().map(String::as_str));
            date = date.or_else(|| entry.day.clone());
        }
        let mut reading = written.finish(title);
        reading.tags = tags;
        reading.date = date.filter(|_| entries.len() == 1);
        reading.encoding = decoded.encoding;
        Ok(reading)
    }
}

/// An event, a task, a journal entry.
#[derive(Debug, Default)]
pub(super) struct Entry {
    title: String,
    /// `When: ...`, `Where: ...`, a line each.
    about: Vec<String>,
    people: Vec<String>,
    text: String,
    /// The text as an HTML page, which is read if `text` is empty.
    page: String,
    tags: Vec<String>,
    start: Option<String>,
    end: Option<String>,
    /// The day of its start, as `2026-11-29`.
    day: Option<String>,
    unseen: Vec<String>,
}

/// Elements whose content is read.
const READ: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];

/// The calendar's name and its entries, in order.
pub(super) fn entries(source: &str) -> (Option<String>, Vec<Entry>) {
    let mut name = None;
    let mut entries: Vec<Entry> = Vec::new();
    // Names of the open elements. An alarm in an event has texts of its own, which are not read.
    let mut open: Vec<String> = Vec::new();
    content_lines::read(source, |line| match line.name.as_str() {
        "BEGIN" if open.len() < 16 => {
            let element = line.text().to_ascii_uppercase();
            if READ.contains(&element.as_str()) {
                entries.push(Entry::default());
            }
            open.push(element);
        }
        "END" => drop(open.pop()),
        "X-WR-CALNAME" => name = Some(line.text()),
        _ => {
            let is_read = open.last().is_some_and(|element| READ.contains(&element.as_str()));
            if let Some(entry) = entries.last_mut().filter(|_| is_read) {
                entry.add(&line);
            }
        }
    });
    (name.filter(|name| !name.is_empty()), entries)
}

impl Entry {
    fn add(&mut self, line: &ContentLine) {
        let text = || line.text();
        match line.name.as_str() {
            "SUMMARY" => self.title = text().split_whitespace().collect::<Vec<_>>().join(" "),
            "DTSTART" => {
                self.day = day(&line.value);
                self.start = Some(moment(line));
            }
            "DTEND" => self.end = Some(moment(line)),
            "DUE" => self.about.push(format!("Due: {}", moment(line))),
            "LOCATION" => self.about.push(format!("Where: {}", text())),
            "ORGANIZER" | "ATTENDEE" | "CONTACT" if self.people.len() < 1000 => self.people.push(person(line)),
            "DESCRIPTION" | "COMMENT" => {
                if !self.text.is_empty() {
                    self.text.push_str("\n\n");
                }
                self.text.push_str(&text());
            }
            "X-ALT-DESC" => self.page = text(),
            "CATEGORIES" | "RESOURCES" => self.tags.extend(line.parts(',')),
            "URL" | "ATTACH" | "CONFERENCE" => {
                self.unseen.extend(target(&line.value));
                self.unseen.extend(line.param("FILENAME").map(str::to_owned));
            }
            _ => {}
        }
    }

    pub(super) fn write(&self, written: &mut Rendition) {
        written.push(BlockKind::Heading { level: 2 }, &self.title);
        let when = match (&self.start, &self.end) {
            (Some(start), Some(end)) if start != end => Some(format!("When: {start} – {end}")),
            (Some(start), _) => Some(format!("When: {start}")),
            _ => None,
        };
        let who = (!self.people.is_empty()).then(|| format!("Who: {}", self.people.join(", ")));
        let about: Vec<String> = when.into_iter().chain(self.about.iter().cloned()).chain(who).collect();
        written.push(BlockKind::Paragraph, &about.join("\n"));
        self.unseen.iter().for_each(|words| written.unseen(words));
        if self.text.trim().is_empty() {
            let parsed = html::parse(&self.page, 0..self.page.len(), &mut Outline::default());
            return written.push_all(parsed.blocks, parsed.unseen);
        }
        self.text.split("\n\n").for_each(|part| written.push(BlockKind::Paragraph, part));
    }
}

/// The name and address of a person who takes part.
fn person(line: &ContentLine) -> String {
    let value = line.text();
    let address = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map(|_| &value[7..]);
    match (line.param("CN"), address) {
        (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
        (Some(name), _) => name.to_owned(),
        (None, Some(address)) => address.to_owned(),
        (None, None) => value,
    }
}

fn day(value: &str) -> Option<String> {
    let digits = value.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    Some(format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}

/// Writes `20261129T140000Z` as `2026-11-29 14:00 UTC`. A value in another form stays as it is.
fn moment(line: &ContentLine) -> String {
    let value = line.value.trim();
    let Some(day) = day(value) else { return value.to_owned() };
    let time = value.get(8..13).filter(|time| time.starts_with('T') && time[1..].bytes().all(|b| b.is_ascii_digit()));
    let Some(time) = time else { return day };
    let zone = if value.ends_with('Z') { Some("UTC") } else { line.param("TZID") };
    let zone = zone.map_or(String::new(), |zone| format!(" {zone}"));
    format!("{day} {}:{}{zone}", &time[1..3], &time[3..])
}
