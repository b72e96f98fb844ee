//! Reads a note's frontmatter line by line: YAML between `---`, TOML between `+++`. A few keys are known; the values of
//! others are text.
//!
//! This is not a YAML parser on purpose: people's frontmatter is often broken, and must never make a note fail. Lines
//! that make no sense are skipped.

use std::ops::Range;

use super::plain::bom_len;
use super::{MAX_TAGS, add_names, targets};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frontmatter {
    pub(super) title: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) aliases: Vec<String>,
    pub(super) date: Option<String>,
    /// Descriptions of the note, and unknown keys with their values (`publisher: Quillfeather Press`), in order, each
    /// with its range in the source.
    pub(super) texts: Vec<(String, Range<usize>)>,
    /// Keys and values that are meant for programs (`layout: post`), with their offsets.
    pub(super) unseen: Vec<(usize, String)>,
}

/// Most separate texts; further ones are added to the last as lines. A person writes a dozen.
const MAX_TEXTS: usize = 1000;

/// Keys, in lower case, whose values are meant for programs. A single word under another key may be meant for one too,
/// but people do look for such words.
const FOR_PROGRAMS: [&str; 46] = [
    "banner",
    "bookcollapsesection",
    "comments",
    "cover",
    "cssclass",
    "cssclasses",
    "dg-publish",
    "draft",
    "featured",
    "hidden",
    "icon",
    "id",
    "image",
    "kanban-plugin",
    "katex",
    "lang",
    "language",
    "last_modified_at",
    "lastmod",
    "layout",
    "locale",
    "math",
    "mathjax",
    "menu",
    "modified",
    "nav_order",
    "order",
    "output",
    "pagination",
    "permalink",
    "pin",
    "position",
    "publish",
    "published",
    "revision",
    "share",
    "sidebar",
    "sidebar_position",
    "slug",
    "template",
    "toc",
    "uid",
    "updated",
    "url",
    "uuid",
    "weight",
];

/// Reads the frontmatter at the start of `source`. Also returns where the text after it begins (after the byte order
/// mark if there is no frontmatter).
pub(super) fn read(source: &str) -> (Frontmatter, usize) {
    let start = bom_len(source);
    let none = (Frontmatter::default(), start);
    let mut lines = Lines { source, at: start };
    let (fence, separator) = match lines.next().map(|(line, _)| line.trim_end()) {
        Some("---") => ("---", ':'),
        Some("+++") => ("+++", '='),
        _ => return none,
    };
    let mut front = Frontmatter::default();
    let mut open: Option<Entry> = None;
    loop {
        let Some((line, span)) = lines.next() else { return none };
        let trimmed = line.trim();
        if line.trim_end() == fence || (fence == "---" && line.trim_end() == "...") {
            break;
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let is_item = trimmed.starts_with("- ") || trimmed == "-";
        let is_indented = line.starts_with([' ', '\t']) || is_item || trimmed.starts_with([']', '"', '\'']);
        let key_value = trimmed.split_once(separator).filter(|(key, _)| is_key(key));
        match (&mut open, key_value) {
            (Some(entry), _) if is_indented => {
                if entry.more.len() < MAX_TAGS {
                    entry.more.push(trimmed);
                }
                entry.span.end = span.end;
            }
            (_, Some((key, value))) => {
                let shown = unquoted(key.trim());
                let key = shown.to_ascii_lowercase();
                let next = Entry { key, shown, value: value.trim(), more: Vec::new(), span };
                open.replace(next).into_iter().for_each(|entry| entry.fill(&mut front));
            }
            // Running text between two `---` is no frontmatter.
            (None, None) => return none,
            (Some(_), None) => {}
        }
    }
    open.into_iter().for_each(|entry| entry.fill(&mut front));
    (front, lines.at)
}

struct Entry<'a> {
    /// The key in lower case.
    key: String,
    /// The key as it is written.
    shown: &'a str,
    value: &'a str,
    /// Further lines of the value, at most [`MAX_TAGS`]: list items, folded text, the rest of an array.
    more: Vec<&'a str>,
    span: Range<usize>,
}

impl Entry<'_> {
    fn fill(&self, front: &mut Frontmatter) {
        match self.key.as_str() {
            "title" => front.title = self.text(),
            "date" => front.date = self.text(),
            "created" | "created_at" => front.date = front.date.take().or_else(|| self.text()),
            "tags" | "tag" | "keywords" => {
                self.list().iter().for_each(|value| add_names(&mut front.tags, split_tags(value)));
            }
            "aliases" | "alias" => add_names(&mut front.aliases, self.list().iter().map(String::as_str)),
            "description" | "summary" | "subtitle" | "abstract" | "excerpt" => {
                front.texts.extend(self.text().map(|text| (text, self.span.clone())));
            }
            _ => self.fill_other(front),
        }
    }

    fn fill_other(&self, front: &mut Frontmatter) {
        let is_list = self.value.is_empty() || self.value.starts_with('[');
        let value = if is_list { self.list().join(", ") } else { self.text().unwrap_or_default() };
        // Removes the braces of a map in one line, and the brackets of Obsidian's links.
        let value = value.trim_matches(['{', '}']).replace("[[", "").replace("]]", "");
        let value = value.trim();
        if value.is_empty() || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no") {
            return;
        }
        let is_set = FOR_PROGRAMS.contains(&self.key.as_str()) || self.key.starts_with("excalidraw");
        let shown = format!("{}: {value}", self.shown);
        let are_many = front.texts.len() >= MAX_TEXTS;
        if is_set || !value.chars().any(char::is_alphabetic) {
            targets::add(&mut front.unseen, Some((self.span.start, shown)));
        } else if let Some((text, span)) = front.texts.last_mut().filter(|_| are_many) {
            text.push('\n');
            text.push_str(&shown);
            span.end = self.span.end;
        } else {
            front.texts.push((shown, self.span.clone()));
        }
    }

    /// The value as one text; `>` and `|` blocks are joined by spaces.
    fn text(&self) -> Option<String> {
        let head = if self.value.starts_with(['>', '|']) { "" } else { self.value };
        let mut text = without_comment(head).to_owned();
        for line in &self.more {
            text.push(' ');
            text.push_str(line);
        }
        let text = unquoted(text.trim()).trim().to_owned();
        (!text.is_empty() && text != "null" && text != "~").then_some(text)
    }

    /// The value as a list: `[a, b]`, one item a line, or a lone value.
    fn list(&self) -> Vec<String> {
        let mut joined = without_comment(self.value).to_owned();
        if joined.starts_with('[') || self.value.is_empty() && self.more.first().is_some_and(|l| l.starts_with('[')) {
            joined.extend(self.more.iter().map(|line| without_comment(line)));
            return split_quoted(joined.trim().trim_start_matches('[').trim_end_matches(']'));
        }
        let items = self.more.iter().map(|line| without_comment(line.strip_prefix('-').unwrap_or(line)).trim());
        std::iter::once(joined.trim())
            .chain(items)
            .map(|item| unquoted(item).trim().to_owned())
            .filter(|item| !item.is_empty() && item != "null" && item != "~")
            .collect()
    }
}

struct Lines<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.source[self.at..].split_inclusive('\n').next()?;
        let span = self.at..self.at + line.len();
        self.at = span.end;
        Some((line, span))
    }
}

fn is_key(key: &str) -> bool {
    let key = key.trim();
    !key.is_empty() && key.len() <= 64 && !key.contains(['[', ']', '{', '}', '/', '<', '>']) && !key.ends_with('.')
}

/// Splits a value that holds several tags, which people write as `a, b` or `#a #b`.
fn split_tags(value: &str) -> impl Iterator<Item = &str> {
    let by_comma = value.contains([',', '，']);
    let by_space = !by_comma && value.contains('#');
    let ends = move |c: char| if by_comma { matches!(c, ',' | '，') } else { by_space && c.is_whitespace() };
    value.split(ends).map(|tag| tag.trim().trim_start_matches('#')).filter(|tag| !tag.is_empty())
}

fn split_quoted(list: &str) -> Vec<String> {
    let mut items = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        if items.len() == MAX_TAGS {
            break;
        }
        match quote {
            Some(open) if c == open && at < list.len() => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ if c == ',' && (quote.is_none() || at == list.len()) => {
                items.push(unquoted(list[start..at].trim()).trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value)
}

/// Removes a YAML or TOML comment. It begins with ` # `, while a tag's `#` has no space after it.
fn without_comment(value: &str) -> &str {
    let quoted = value.starts_with(['"', '\'']);
    match value.find(" # ") {
        Some(at) if !quoted => &value[..at],
        _ => value,
    }
}
