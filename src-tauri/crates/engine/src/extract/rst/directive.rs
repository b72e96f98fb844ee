//! Tells apart the constructs that begin with two dots, most of which are directives.

/// How such a construct is read.
pub(super) enum Directive<'a> {
    /// Its content is code.
    Code,
    /// Its argument (perhaps empty) is text, and so is its content.
    Text(&'a str),
    /// An image or a figure: its description, then its content.
    Image,
    /// Fields about the file.
    Meta,
    /// The text of a footnote or a citation.
    Footnote(&'a str),
    /// Nothing for a reader: comments, targets, tables of contents.
    Unread,
}

const CODE: &[&str] = &[
    "code",
    "code-block",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "prompt",
    "doctest",
    "testcode",
    "testoutput",
    "testsetup",
    "ipython",
    "math",
    "productionlist",
    "graphviz",
    "mermaid",
    "plantuml",
    "uml",
];

const UNREAD: &[&str] = &[
    "contents",
    "toctree",
    "raw",
    "include",
    "highlight",
    "default-role",
    "role",
    "index",
    "sectnum",
    "section-numbering",
    "target-notes",
    "header",
    "footer",
    "currentmodule",
    "py:currentmodule",
    "module",
    "py:module",
    "automodule",
    "autosummary",
    "tabularcolumns",
    "todolist",
    "unicode",
    "date",
    "replace",
    "bibliography",
];

/// Directives whose argument says how their content is shown; the content is text.
const SILENT: &[&str] = &[
    "class",
    "rst-class",
    "container",
    "list-table",
    "csv-table",
    "compound",
    "epigraph",
    "pull-quote",
    "highlights",
    "hlist",
    "only",
    "ifconfig",
    "note",
    "grid",
    "tab-set",
    "tabs",
    "cssclass",
    "line-block",
    "glossary",
    "panels",
];

/// Reads the text after `.. ` on its line.
pub(super) fn directive(rest: &str) -> Directive<'_> {
    if let Some(footnote) = rest.strip_prefix('[') {
        return footnote.split_once("] ").map_or(Directive::Unread, |(_, text)| Directive::Footnote(text.trim()));
    }
    // `.. |name| image:: x` is shown where its name stands.
    if rest.starts_with('|') || rest.starts_with('_') {
        return Directive::Unread;
    }
    let Some((name, argument)) = rest.split_once("::") else { return Directive::Unread };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Directive::Unread;
    }
    let argument = argument.trim();
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "image" | "figure" => Directive::Image,
        "meta" => Directive::Meta,
        name if CODE.contains(&name) => Directive::Code,
        name if UNREAD.contains(&name) || name.starts_with("auto") => Directive::Unread,
        // Docutils' `class` takes names of styles, Sphinx's `py:class` a class, told by a bracket, a dot or a capital.
        "class" if argument.contains(['(', '.']) || argument.starts_with(char::is_uppercase) => {
            Directive::Text(argument)
        }
        // The text of a note may begin on the line of its name.
        "note" | "only" if name == "note" => Directive::Text(argument),
        name if SILENT.contains(&name) => Directive::Text(""),
        _ => Directive::Text(argument),
    }
}
