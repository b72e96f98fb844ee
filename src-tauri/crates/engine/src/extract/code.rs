//! Reads source code and configuration as it is written. Blocks are whole functions, classes or sections if they fit a
//! passage. The parts of a larger one carry its name.
//!
//! No grammar is needed for that: in every language a definition begins at the margin, and its content is indented.

use std::sync::Arc;

use super::block::{Draft, Outline, add, short_name};
use super::lines::{Line, LineStarts, Lines};
use super::plain::bom_len;
use super::{BlockKind, Extractor, Reading, Unreadable};
use crate::chunk::{ChunkRules, estimate_tokens};

pub(super) struct Code;

/// Extensions of files read as code, in lower case.
pub(super) const EXTENSIONS: &[&str] = &[
    "asm",
    "awk",
    "bash",
    "bat",
    "bib",
    "c",
    "cc",
    "cfg",
    "cjs",
    "clj",
    "cljc",
    "cljs",
    "cmake",
    "cmd",
    "conf",
    "cpp",
    "cr",
    "cs",
    "css",
    "cts",
    "cu",
    "cxx",
    "d",
    "dart",
    "desktop",
    "diff",
    "edn",
    "el",
    "elm",
    "erl",
    "ex",
    "exs",
    "f90",
    "fish",
    "fs",
    "fsx",
    "gd",
    "glsl",
    "go",
    "gql",
    "gradle",
    "graphql",
    "groovy",
    "h",
    "hcl",
    "hh",
    "hpp",
    "hrl",
    "hs",
    "hxx",
    "ini",
    "java",
    "jl",
    "js",
    "json",
    "json5",
    "jsonc",
    "jsx",
    "kt",
    "kts",
    "less",
    "lisp",
    "lua",
    "m",
    "mak",
    "mjs",
    "mk",
    "ml",
    "mli",
    "mm",
    "mts",
    "nim",
    "nix",
    "pas",
    "patch",
    "php",
    "pl",
    "plist",
    "pm",
    "properties",
    "proto",
    "ps1",
    "psm1",
    "py",
    "pyi",
    "pyw",
    "r",
    "rake",
    "rb",
    "rs",
    "sass",
    "sbt",
    "scala",
    "scm",
    "scss",
    "service",
    "sh",
    "sol",
    "sql",
    "styl",
    "svelte",
    "swift",
    "tcl",
    "tf",
    "tfvars",
    "toml",
    "ts",
    "tsx",
    "v",
    "vb",
    "vim",
    "vue",
    "xml",
    "yaml",
    "yml",
    "zig",
    "zsh",
];

/// Names of files read as code, in lower case.
pub(super) const NAMES: &[&str] = &[
    "brewfile",
    "build",
    "build.bazel",
    "cmakelists.txt",
    "containerfile",
    "dockerfile",
    "gemfile",
    "gnumakefile",
    "jenkinsfile",
    "justfile",
    "makefile",
    "pipfile",
    "procfile",
    "rakefile",
    "vagrantfile",
    "workspace",
];

/// Most bytes of a line that a person writes; a program writes longer ones. If most of a file is such lines, no one
/// reads it: it is a bundle, a dump, a minified library.
const MAX_LINE_BYTES: usize = 1500;

/// Most levels of nesting that are followed, such as classes in classes in modules.
const MAX_DEPTH: usize = 6;

impl Extractor for Code {
    fn read(&self, bytes: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = Reading::decoded(bytes, false)?;
        let source = std::mem::take(&mut reading.text);
        let starts = LineStarts::of(&source, bom_len(&source));
        let lines = starts.lines(&source);
        let n_long: usize = lines.iter().map(|line| line.text.len()).filter(|len| *len > MAX_LINE_BYTES).sum();
        if n_long > source.len() / 2 {
            return Err(Unreadable::Generated);
        }
        let mut cutter = Cutter { source: &source, reading: &mut reading };
        let margin = indents(lines).min().unwrap_or(0);
        cutter.cut(lines, margin, &Arc::default());
        reading.text = source;
        Ok(reading)
    }
}

struct Cutter<'a> {
    source: &'a str,
    reading: &'a mut Reading,
}

impl Cutter<'_> {
    /// Makes blocks of `lines`, which stand inside the definitions named in `path`. The definitions among these lines
    /// are indented by `margin`.
    fn cut(&mut self, lines: Lines, margin: usize, path: &Arc<[String]>) {
        let mut starts = unit_starts(lines, margin).peekable();
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(lines.len());
            self.unit(lines.part(start..end), margin, path);
        }
    }

    /// Makes blocks of a definition, or of a few lines that belong together.
    fn unit(&mut self, unit: Lines, margin: usize, path: &Arc<[String]>) {
        let Some(range) = unit.range() else { return };
        let fits = estimate_tokens(&self.source[range]) <= ChunkRules::default().max_tokens;
        let head = unit.iter().take_while(|line| line.indent() <= margin || line.is_blank()).count();
        let (head, inside) = (unit.part(0..head), unit.from(head));
        if fits || inside.len() == 0 || path.len() >= MAX_DEPTH {
            return self.block(unit, path);
        }
        let name = head.iter().rev().find_map(|line| name_of(line.text)).map(|name| short_name(&name).to_owned());
        self.block(head, path);
        let mut inner = path.to_vec();
        inner.extend(name);
        // Without a name the path would not grow, so that its length would not limit the depth.
        if inner.len() == path.len() {
            inner.push(head.iter().rev().find(|line| !line.is_blank()).map_or(String::new(), |line| short(&line)));
            inner.retain(|name| !name.is_empty());
        }
        match indents(inside).filter(|indent| *indent > margin).min() {
            Some(margin) if inner.len() > path.len() => self.cut(inside, margin, &inner.into()),
            _ => self.block(inside, path),
        }
    }

    fn block(&mut self, lines: Lines, path: &Arc<[String]>) {
        let Some(range) = lines.range() else { return };
        let mut draft = Draft::new(BlockKind::Code, range.clone());
        draft.push(&self.source[range.clone()], range.start);
        if let Some(mut block) = draft.finish(self.source, &mut Outline::default()) {
            block.heading_path = path.clone();
            add(&mut self.reading.blocks, Some(block));
        }
    }
}

/// Indentations of the lines that are not blank.
fn indents(lines: Lines) -> impl Iterator<Item = usize> {
    lines.iter().filter(|line| !line.is_blank()).map(|line| line.indent())
}

/// The name for a line that opens something but defines no known name: the line itself, or nothing if it is long.
fn short(line: &Line) -> String {
    let text = line.text.trim().trim_end_matches(['{', '(', '[', ':', ' ']);
    if text.len() <= 60 { text.to_owned() } else { String::new() }
}

/// Where units begin: after a blank line, or where a line defines something; always at the margin, and never between a
/// definition and its comment, attributes or closing bracket.
fn unit_starts(lines: Lines, margin: usize) -> impl Iterator<Item = usize> {
    let mut attached = true;
    let mut after_blank = false;
    let later = lines.iter().enumerate().filter_map(move |(at, line)| {
        if line.is_blank() {
            after_blank = true;
            attached = false;
            return None;
        }
        let at_margin = line.indent() <= margin;
        let text = line.text.trim_start();
        let goes_on = text.starts_with(['}', ')', ']', '{']) || CLOSERS.iter().any(|word| is_word_at(text, word));
        let opens = after_blank || (!attached && (name_of(text).is_some() || is_attached(text)));
        after_blank = false;
        // The line after a comment or an attribute belongs to the same unit.
        attached = at_margin && is_attached(text);
        (at > 0 && at_margin && !goes_on && opens).then_some(at)
    });
    std::iter::once(0).chain(later)
}

const CLOSERS: &[&str] = &[
    "end", "else", "elif", "elsif", "elseif", "except", "rescue", "ensure", "finally", "catch", "fi", "done", "esac",
    "then", "do", "where",
];

fn is_attached(text: &str) -> bool {
    let is_comment = ["//", "#", "/*", "*", "--", ";", "%", "\"\"\"", "(*"].iter().any(|sign| text.starts_with(sign));
    (is_comment && !text.starts_with("#include") && !text.starts_with("#define")) || text.starts_with('@')
}

fn is_word_at(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Keywords that come before the name of a definition.
const DEFINES: &[&str] = &[
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "impl",
    "interface",
    "type",
    "func",
    "function",
    "module",
    "mod",
    "namespace",
    "object",
    "sub",
    "package",
    "protocol",
    "extension",
    "record",
    "union",
    "macro_rules!",
    "defmodule",
    "defp",
    "defmacro",
    "message",
    "service",
    "rpc",
    "fun",
    "procedure",
    "table",
    "view",
    "resource",
    "data",
    "variable",
    "input",
    "instance",
    "defn",
    "defun",
];

/// Keywords that may come before those of [`DEFINES`].
const BEFORE: &[&str] = &[
    "pub",
    "pub(crate)",
    "pub(super)",
    "async",
    "export",
    "default",
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "abstract",
    "final",
    "const",
    "unsafe",
    "extern",
    "open",
    "sealed",
    "override",
    "virtual",
    "inline",
    "local",
    "partial",
    "data",
    "suspend",
    "create",
    "or",
    "replace",
    "declare",
    "companion",
    "readonly",
];

/// The name that a line defines: `load` for `pub async fn load(…)`, `section` for `[section]` of a configuration.
fn name_of(line: &str) -> Option<String> {
    let text = line.trim_start();
    if let Some(section) = text.strip_prefix('[') {
        let name = section.trim_start_matches('[').split(']').next()?.trim();
        let is_section = text.trim_end().ends_with(']') && !name.is_empty() && name.len() <= 80;
        return (is_section && !name.contains([',', '"', '{', '('])).then(|| name.to_owned());
    }
    // `impl<T> Of for A<T>`
    if let Some(generic) = text.trim_start_matches("unsafe ").strip_prefix("impl<") {
        return identifier(generic.split_once("> ")?.1, "impl");
    }
    let mut rest = text.trim_start_matches('(');
    for _ in 0..6 {
        let word = rest.split_whitespace().next()?;
        let after = rest[word.len()..].trim_start();
        let lower = word.to_ascii_lowercase();
        let names_next = after.starts_with(|c: char| c.is_alphabetic() || "_\"'<$(".contains(c));
        // `data class`, `enum class`: the second word defines.
        let goes_on = after.split_whitespace().next().is_some_and(|next| DEFINES.contains(&next));
        if goes_on && (DEFINES.contains(&lower.as_str()) || BEFORE.contains(&lower.as_str())) {
            rest = after;
            continue;
        }
        if DEFINES.contains(&lower.as_str()) && names_next {
            return identifier(after, word);
        }
        if !BEFORE.contains(&lower.as_str()) {
            return None;
        }
        rest = after;
    }
    None
}

/// The name at the start of `text`. For an `impl` block, that is all up to its brace; for a Go method, the name after
/// its receiver.
fn identifier(text: &str, keyword: &str) -> Option<String> {
    if keyword == "impl" {
        let head = text.split(['{', '\n']).next()?.split(" where ").next()?.trim();
        return (!head.is_empty() && head.len() <= 120).then(|| head.to_owned());
    }
    let text = match text.strip_prefix('(').filter(|_| keyword == "func") {
        Some(receiver) => receiver.split_once(')')?.1.trim_start(),
        None => text,
    };
    let text = text.trim_start_matches(['"', '\'']);
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_.$-?!:".contains(c))).unwrap_or(text.len());
    let name = text[..end].trim_end_matches([':', '-', '.']);
    (!name.is_empty() && name.len() <= 120).then(|| name.to_owned())
}
