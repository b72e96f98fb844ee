//! Rich Text Format (Microsoft, RTF Specification 1.9.1), as Word, WordPad, TextEdit, LibreOffice and WPS write it.
//!
//! The file is read from the first byte to the last without recursion, whatever its nesting. Characters come as bytes
//! in the code page of their font, or as `\u` with a substitute for older readers.

mod codepage;
mod tokens;

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::block::Rendition;
use super::targets::target;
use super::{BlockKind, Extractor, Reading, Unreadable, add_names};
use codepage::{of_charset, of_code_page};
use tokens::{Token, Tokens};

pub(super) struct Rtf;

impl Extractor for Rtf {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let start = bytes.iter().position(|b| *b == b'{').unwrap_or(0);
        if start > 16 || !bytes[start..].starts_with(b"{\\rtf") {
            return Err(Unreadable::Broken("it does not begin as Rich Text does".to_owned()));
        }
        let mut reader = Reader::new();
        for token in Tokens::new(&bytes[start..]) {
            reader.read(token);
        }
        reader.flush_text();
        reader.end_paragraph();
        reader.end_block();
        let title = (!reader.title.trim().is_empty()).then_some(reader.title);
        let mut reading = reader.written.finish(title);
        add_names(&mut reading.tags, reader.keywords.split([',', ';', '，']).map(str::trim));
        Ok(reading)
    }
}

/// Most nested groups whose state is kept. Word's own files reach a few dozen.
const MAX_DEPTH: usize = 10_000;

/// Where the text of a group goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Destination {
    Body,
    /// The text is not read.
    Skip,
    /// The group's own text is not read, but groups in it may be.
    Container,
    FontTable,
    StyleSheet,
    Title,
    Keywords,
    /// A list's number or bullet.
    Marker,
    /// The instruction of a field, such as the target of a link.
    Field,
    /// A property of the file, such as its author or subject.
    About,
}

/// The state that a group's end restores.
#[derive(Clone, Copy)]
struct State {
    destination: Destination,
    encoding: &'static Encoding,
    /// Characters after a `\u` that replace it for older readers.
    n_substitutes: usize,
    hidden: bool,
}

struct Reader {
    written: Rendition,
    state: State,
    stack: Vec<State>,
    /// Groups open beyond [`MAX_DEPTH`].
    n_deeper: usize,
    default_encoding: &'static Encoding,
    fonts: HashMap<i32, &'static Encoding>,
    /// Number of the font table's entry being read.
    font: i32,
    /// Levels of the styles that are headings, by the styles' numbers.
    headings: HashMap<i32, u8>,
    style: i32,
    style_name: String,
    /// Bytes not decoded yet, all in the state's encoding.
    bytes: Vec<u8>,
    /// Characters still to be skipped after a `\u`.
    n_skipped: usize,
    surrogate: Option<u16>,
    /// The group began with `\*`, so it is skipped if its word is unknown.
    optional: bool,
    title: String,
    keywords: String,
    /// Text of the field instruction or the property being read.
    aside: String,
    /// Text that is found but not shown, of the block being read.
    unseen: Vec<String>,
    paragraph: String,
    level: Option<u8>,
    marker: String,
    in_table: bool,
    /// Lines of the open list or table.
    block: Option<(BlockKind, String)>,
}

impl Reader {
    fn new() -> Self {
        let state = State { destination: Destination::Body, encoding: WINDOWS_1252, n_substitutes: 1, hidden: false };
        Self {
            written: Rendition::default(),
            state,
            stack: Vec::new(),
            n_deeper: 0,
            default_encoding: WINDOWS_1252,
            fonts: HashMap::new(),
            font: 0,
            headings: HashMap::new(),
            style: 0,
            style_name: String::new(),
            bytes: Vec::new(),
            n_skipped: 0,
            surrogate: None,
            optional: false,
            title: String::new(),
            keywords: String::new(),
            aside: String::new(),
            unseen: Vec::new(),
            paragraph: String::new(),
            level: None,
            marker: String::new(),
            in_table: false,
            block: None,
        }
    }

    fn read(&mut self, token: Token) {
        match token {
            Token::Open => {
                self.flush_text();
                self.n_skipped = 0;
                if self.stack.len() < MAX_DEPTH { self.stack.push(self.state) } else { self.n_deeper += 1 }
            }
            Token::Close => {
                self.flush_text();
                self.n_skipped = 0;
                if self.state.destination == Destination::StyleSheet {
                    self.end_style();
                }
                if self.n_deeper > 0 {
                    self.n_deeper -= 1;
                } else if let Some(state) = self.stack.pop() {
                    let closed = std::mem::replace(&mut self.state, state).destination;
                    if closed != state.destination {
                        self.end_aside(closed);
                    }
                }
            }
            Token::Byte(byte) => self.byte(byte),
            Token::Star => self.optional = true,
            Token::Control { word, number } => {
                let optional = std::mem::take(&mut self.optional);
                self.control(word, number, optional);
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.n_skipped > 0 {
            self.n_skipped -= 1;
        } else {
            self.bytes.push(byte);
        }
    }

    fn control(&mut self, word: &str, number: Option<i32>, optional: bool) {
        let value = number.unwrap_or(1);
        match word {
            "u" => {
                self.flush_bytes();
                self.unicode(value);
                self.n_skipped = self.state.n_substitutes;
                return;
            }
            "uc" => self.state.n_substitutes = usize::try_from(value).unwrap_or(1).min(16),
            "ansicpg" => {
                self.default_encoding = of_code_page(value).unwrap_or(WINDOWS_1252);
                self.set_encoding(self.default_encoding);
            }
            "f" if self.state.destination == Destination::FontTable => self.font = value,
            "f" => {
                let encoding = self.fonts.get(&value).copied().unwrap_or(self.default_encoding);
                self.set_encoding(encoding);
            }
            "fcharset" => {
                let encoding = of_charset(value).unwrap_or(self.default_encoding);
                self.fonts.insert(self.font, encoding);
            }
            "plain" => {
                self.set_encoding(self.default_encoding);
                self.state.hidden = false;
            }
            "v" | "deleted" => {
                self.flush_text();
                self.state.hidden = number != Some(0);
            }
            _ => {}
        }
        if let Some(destination) = destination(word, optional) {
            self.flush_text();
            // Groups inside a skipped group are skipped too. Those inside a `Container` are not.
            if self.state.destination != Destination::Skip {
                self.state.destination = destination;
            }
            return;
        }
        if self.state.destination == Destination::StyleSheet {
            match word {
                "s" => self.style = value,
                "outlinelevel" if (0..6).contains(&value) => {
                    self.headings.insert(self.style, value as u8 + 1);
                }
                // Character and table styles have numbers of their own.
                "cs" | "ts" | "ds" => self.style = -1,
                _ => {}
            }
            return;
        }
        if self.state.destination == Destination::Body {
            self.layout(word, number);
        }
        self.symbol(word);
    }

    /// Words that end or describe paragraphs.
    fn layout(&mut self, word: &str, number: Option<i32>) {
        match word {
            "par" | "sect" | "page" => {
                self.flush_text();
                self.end_paragraph();
            }
            "pard" => {
                self.flush_text();
                self.level = None;
                self.in_table = false;
                // The marker is kept, because some programs write a list's bullet before `\pard`, others after it.
            }
            "intbl" => self.in_table = true,
            "trowd" => self.in_table = true,
            "s" => self.level = self.headings.get(&number.unwrap_or(0)).copied(),
            "outlinelevel" => {
                self.level = number.and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 6).map(|n| n + 1);
            }
            "cell" | "nestcell" => {
                self.flush_text();
                self.paragraph.push_str(" | ");
            }
            "row" | "nestrow" => {
                self.flush_text();
                self.end_row();
            }
            _ => {}
        }
    }

    /// Words that stand for a character.
    fn symbol(&mut self, word: &str) {
        let shown = match word {
            "line" | "lbr" => "\n",
            "tab" => "\t",
            "emdash" => "—",
            "endash" => "–",
            "lquote" => "‘",
            "rquote" => "’",
            "ldblquote" => "“",
            "rdblquote" => "”",
            "bullet" => "•",
            "emspace" | "enspace" | "qmspace" | "~" => " ",
            "_" => "-",
            _ => return,
        };
        if self.n_skipped > 0 {
            self.n_skipped -= 1;
            return;
        }
        self.flush_text();
        self.put(shown);
    }

    fn unicode(&mut self, value: i32) {
        let unit = (value & 0xFFFF) as u16;
        let pair = self.surrogate.take().map(|high| [high, unit]);
        if (0xD800..0xDC00).contains(&unit) {
            self.surrogate = Some(unit);
            return;
        }
        let text = match pair {
            Some(pair) => String::from_utf16_lossy(&pair),
            None if value > 0xFFFF => {
                u32::try_from(value).ok().and_then(char::from_u32).map(String::from).unwrap_or_default()
            }
            None => String::from_utf16_lossy(&[unit]),
        };
        self.put(&text);
    }

    fn set_encoding(&mut self, encoding: &'static Encoding) {
        self.flush_text();
        self.state.encoding = encoding;
    }

    fn flush_text(&mut self) {
        self.surrogate = None;
        self.flush_bytes();
    }

    fn flush_bytes(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let decoded = match std::str::from_utf8(&bytes) {
            // Some programs write UTF-8, against the rules. Latin letters in Windows-1252 are hardly ever valid UTF-8.
            Ok(text) if self.state.encoding == WINDOWS_1252 => text.into(),
            _ => self.state.encoding.decode_without_bom_handling(&bytes).0,
        };
        self.put(&decoded);
    }

    fn put(&mut self, text: &str) {
        match self.state.destination {
            Destination::Body if !self.state.hidden => self.paragraph.push_str(text),
            Destination::Title => self.title.push_str(text),
            Destination::Keywords => self.keywords.push_str(text),
            Destination::Marker => self.marker.push_str(text),
            Destination::StyleSheet => self.style_name.push_str(text),
            Destination::Field | Destination::About => self.aside.push_str(text),
            _ => {}
        }
    }

    /// Ends a style of the style sheet. A style named `heading 2`, or a translation of that, is a heading.
    fn end_style(&mut self) {
        let name = std::mem::take(&mut self.style_name).trim().trim_end_matches(';').to_lowercase();
        let words = ["heading ", "heading", "标题 ", "标题", "標題 ", "標題", "見出し ", "überschrift ", "titre "];
        let level = words.iter().find_map(|word| name.strip_prefix(word)?.trim().parse::<u8>().ok());
        if let Some(level) = level.filter(|level| (1..=9).contains(level) && self.style >= 0) {
            self.headings.insert(self.style, level.min(6));
        }
        // A style without a number is style 0, the body's.
        self.style = 0;
    }

    fn end_aside(&mut self, destination: Destination) {
        if !matches!(destination, Destination::Field | Destination::About) {
            return;
        }
        let aside = std::mem::take(&mut self.aside);
        let found = match (destination, aside.split_once("HYPERLINK")) {
            // `HYPERLINK "https://..."`, with a place in the file after `\l`.
            (Destination::Field, Some((_, link))) => link.split('"').nth(1).and_then(target),
            (Destination::About, _) => Some(aside.trim().to_owned()).filter(|about| !about.is_empty()),
            _ => None,
        };
        self.unseen.extend(found);
    }

    fn write(&mut self, kind: BlockKind, text: &str) {
        self.written.push(kind, text);
        self.unseen.drain(..).for_each(|words| self.written.unseen(&words));
    }

    fn end_paragraph(&mut self) {
        if self.in_table {
            // Inside a cell a paragraph's end is a space.
            self.paragraph.push(' ');
            return;
        }
        let text = std::mem::take(&mut self.paragraph);
        let marker = std::mem::take(&mut self.marker);
        let text = text.trim();
        if text.is_empty() {
            return self.end_block();
        }
        if let Some(level) = self.level {
            self.end_block();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            return self.write(BlockKind::Heading { level }, &text);
        }
        let marker = marker.trim();
        if marker.is_empty() && !text.starts_with("•") {
            self.end_block();
            return self.write(BlockKind::Paragraph, text);
        }
        let is_number = marker.ends_with(['.', ')', '、']) || marker.chars().any(char::is_alphanumeric);
        let marker = if is_number { marker } else { "-" };
        self.add_line(BlockKind::List, &format!("{marker} {}", text.trim_start_matches(['•', '\t', ' '])));
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.paragraph);
        self.marker.clear();
        self.in_table = false;
        let cells: Vec<String> =
            row.split(" | ").map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let text = cells.join(" | ");
        let text = text.trim_end_matches([' ', '|']);
        if !text.trim().is_empty() {
            self.add_line(BlockKind::Table, text);
        }
    }

    fn add_line(&mut self, kind: BlockKind, line: &str) {
        if self.block.as_ref().is_some_and(|(open, _)| *open != kind) {
            self.end_block();
        }
        let (_, text) = self.block.get_or_insert((kind, String::new()));
        text.push_str(line);
        text.push('\n');
    }

    fn end_block(&mut self) {
        if let Some((kind, text)) = self.block.take() {
            self.write(kind, &text);
        }
    }
}

/// The destination that a word opens. `optional`: the word follows `\*`, so readers who do not know it skip its group.
fn destination(word: &str, optional: bool) -> Option<Destination> {
    Some(match word {
        "fonttbl" => Destination::FontTable,
        "stylesheet" => Destination::StyleSheet,
        "title" => Destination::Title,
        "keywords" => Destination::Keywords,
        "fldinst" => Destination::Field,
        "author" | "subject" | "doccomm" | "company" | "manager" | "category" => Destination::About,
        "listtext" | "pntext" => Destination::Marker,
        "info" | "upr" | "shpinst" => Destination::Container,
        "colortbl" | "pict" | "object" | "objdata" | "header" | "headerl" | "headerr" | "headerf" | "footer"
        | "footerl" | "footerr" | "footerf" | "ftnsep" | "ftnsepc" | "ftncn" | "aftnsep" | "aftnsepc" | "aftncn"
        | "filetbl" | "listtable" | "listoverridetable" | "revtbl" | "rsidtbl" | "xmlnstbl" | "themedata"
        | "colorschememapping" | "latentstyles" | "datastore" | "generator" | "nonesttables" | "bkmkstart"
        | "bkmkend" | "operator" | "comment" | "hlinkbase" | "creatim" | "revtim" | "printim" | "buptim" | "atnid"
        | "atnauthor" | "private" | "falt" | "panose" | "mmathPr" | "nonshppict" | "do" | "pgptbl" | "template" => {
            Destination::Skip
        }
        // `ud` is the better one of two spellings (`\upr`); the others are texts of drawn boxes, comments and notes.
        "ud" | "shptxt" | "annotation" | "footnote" => Destination::Body,
        _ if optional => Destination::Skip,
        _ => return None,
    })
}
