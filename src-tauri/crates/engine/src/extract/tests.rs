use std::path::Path;

use encoding_rs::{BIG5, EUC_KR, GB18030, SHIFT_JIS, UTF_16BE, WINDOWS_1252};
use proptest::prelude::*;

use super::*;

mod annotations;
mod boards;
mod broken;
mod code;
mod csv;
mod email;
mod encodings;
mod fuzz;
mod grammar;
mod made;
mod notebook;
mod office;
mod org;
mod pdf;
mod rst;
mod rtf;
mod sheets;
mod sniff;
mod subtitles;
mod unreadable;
mod unseen;

/// Like [`super::extract`], but fails the test if the reader panicked.
fn extract(path: &Path, bytes: &[u8]) -> Result<Document, ExtractError> {
    let extracted = super::extract(path, bytes);
    assert!(
        !matches!(extracted, Err(ExtractError::Panicked { .. })),
        "{extracted:?}: {:?}",
        String::from_utf8_lossy(bytes)
    );
    extracted
}

fn read(name: &str, source: &str) -> Document {
    extract(Path::new(name), source.as_bytes()).expect("readable")
}

/// Blocks as `kind path: text <- source`.
fn outline(document: &Document) -> Vec<String> {
    let line = |block: &Block| {
        let kind = match block.kind {
            BlockKind::Heading { level } => format!("h{level}"),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let path: String = block.heading_path.iter().map(|heading| format!(" {heading} >")).collect();
        format!("{kind}{path}: {:?} <- {:?}", block.text, &document.text[block.span.clone()])
    };
    document.blocks.iter().map(line).collect()
}

fn check(name: &str, source: &str, expected: &[&str]) {
    let document = read(name, source);
    assert_eq!(outline(&document), expected, "{source}");
    assert_eq!(document.text, source);
}

#[test]
fn formats() {
    let check = |name: &str, expected| assert_eq!(format_of(Path::new(name)), expected, "{name}");
    check("a.md", Some(Format::Markdown));
    check("a.MarkDown", Some(Format::Markdown));
    check("笔记.TXT", Some(Format::Text));
    check("a.xhtml", Some(Format::Html));
    check("README", Some(Format::Text));
    check("LICENSE", Some(Format::Text));
    check("Makefile", Some(Format::Code));
    check("CMakeLists.txt", Some(Format::Code));
    check("a.TS", Some(Format::Code));
    check("a.yaml", Some(Format::Code));
    check("a.tab", Some(Format::Tsv));
    check("a.rst", Some(Format::Rst));
    check("build.log", Some(Format::Text));
    check(".gitignore", None);
    check("a.exe", None);
    check("a.PDF", Some(Format::Pdf));
    check("a.docm", Some(Format::Docx));
    check("a.xls", Some(Format::Spreadsheet));
    check("a.png", None);
    check("a.ICS", Some(Format::Calendar));
    check("a.vcf", Some(Format::AddressBook));
    check("Inbox.mbox", Some(Format::Mailbox));
    check("Drawing.excalidraw.md", Some(Format::Markdown));
    check("a.canvas", Some(Format::Canvas));
    check("md", None);
}

#[test]
fn markdown() {
    check(
        "a.md",
        "# Tea *time*\n\nGreen [tea](http://x.y \"t\") and `code`\nwith ![a cup](cup.png).\n\n## 绿茶\n\n很\n好 &amp; 热。\n\n# Next\nEnd",
        &[
            r##"h1: "Tea time" <- "# Tea *time*""##,
            r##"paragraph Tea time >: "Green tea and code with a cup." <- "Green [tea](http://x.y \"t\") and `code`\nwith ![a cup](cup.png).""##,
            r###"h2 Tea time >: "绿茶" <- "## 绿茶""###,
            r##"paragraph Tea time > 绿茶 >: "很好 & 热。" <- "很\n好 &amp; 热。""##,
            r##"h1: "Next" <- "# Next""##,
            r##"paragraph Next >: "End" <- "End""##,
        ],
    );
    check(
        "lists.md",
        "- one\n  - two\n- [x] three\n\n3. c\n4. d\n\n> quoted\n> text\n\n```sh\nls -l\n  # not a tag\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        &[
            r##"list: "- one\n  - two\n- [x] three" <- "- one\n  - two\n- [x] three""##,
            r##"list: "3. c\n4. d" <- "3. c\n4. d""##,
            r##"quote: "quoted text" <- "> quoted\n> text""##,
            r##"code: "ls -l\n  # not a tag" <- "```sh\nls -l\n  # not a tag\n```""##,
            r##"table: "a | b\n1 | 2" <- "| a | b |\n|---|---|\n| 1 | 2 |""##,
        ],
    );
    check(
        "wiki.md",
        "See [[Other Note|that]] and [[笔记]].\n\n<h1 align=\"center\">Logo</h1>\n\n<details>\n<summary>More</summary>\n\nInside.\n\n</details>\n\n---\n\n[ref]: http://x.y\n",
        &[
            r##"paragraph: "See that and 笔记." <- "See [[Other Note|that]] and [[笔记]].""##,
            r##"h1: "Logo" <- "Logo""##,
            r##"paragraph Logo >: "More" <- "More""##,
            r##"paragraph Logo >: "Inside." <- "Inside.""##,
        ],
    );
}

#[test]
fn html() {
    check(
        "a.html",
        "<!doctype html><html><head><title>T</title><style>p{}</style></head><body><nav><a>Menu</a></nav><h1>A &lt; B</h1>\n<p>One  <b>two</b>\nthree.<br>Four<p>Five<script>if (a<b) {}</script><pre>  x\n  y</pre><ul><li>a<li>b<ol><li>c</ol></ul><table><tr><th>k<th>v</tr><tr><td>1<td>2</table><blockquote><p>Said.</blockquote><img alt='A cat'></body>",
        &[
            r##"h1: "A < B" <- "A &lt; B""##,
            r##"paragraph A < B >: "One two three.\nFour" <- "One  <b>two</b>\nthree.<br>Four""##,
            r##"paragraph A < B >: "Five" <- "Five""##,
            r##"code A < B >: "  x\n  y" <- "x\n  y""##,
            r##"list A < B >: "- a\n- b\n  1. c" <- "a<li>b<ol><li>c""##,
            r##"table A < B >: "k | v\n1 | 2" <- "k<th>v</tr><tr><td>1<td>2""##,
            r##"quote A < B >: "Said." <- "Said.""##,
            r##"paragraph A < B >: "A cat" <- "<img alt='A cat'>""##,
        ],
    );
    assert_eq!(read("a.html", "<svg><title>no</title></svg><title> A\n b </title>x").title, "A b");
}

/// The place of a word in the source is exact, whatever comes before the word.
#[test]
fn html_places_are_exact_after_references() {
    let source = "<p>Tom &amp; Jerry &lt;both&gt; caf&eacute; &#x8336; last\r\nline  of &nbsp; R&D &copy; &bogus; it</p><pre>a &lt; b\n&quot;deep&quot;</pre><p>Next";
    let document = read("a.html", source);
    let mut n_words = 0;
    for block in &document.blocks {
        for word in ["Tom", "Jerry", "both", "last", "line", "of", "it", "deep", "Next", "caf", "bogus"] {
            if let Some(at) = block.text.find(word) {
                assert!(source[block.source_offset(&document, at)..].starts_with(word), "{word} in {:?}", block.text);
                n_words += 1;
            }
        }
    }
    assert_eq!(n_words, 11);
    let text: Vec<&str> = document.blocks.iter().map(|block| block.text.as_str()).collect();
    assert_eq!(text, ["Tom & Jerry <both> café 茶 last line of R&D © &bogus; it", "a < b\n\"deep\"", "Next"]);
}

/// Markdown as Obsidian and similar programs write it.
#[test]
fn vault_markdown() {
    check(
        "a.md",
        "Text with ![[picture.png|300]] and ![[Note#Part]] and [[Target|alias]]. ^block-1\n\n> [!warning] Mind **this**\n> It is hot.\n\nA claim[^1] ==stands== out. %%hidden%%\n\n[^1]: The proof.\n\n[[#Heading]] [[Note^id|x]]\n",
        &[
            r##"paragraph: "Text with picture.png and Note#Part and alias." <- "Text with ![[picture.png|300]] and ![[Note#Part]] and [[Target|alias]]. ^block-1""##,
            r##"quote: "[!warning] Mind this It is hot." <- "> [!warning] Mind **this**\n> It is hot.""##,
            r##"paragraph: "A claim ==stands== out. %%hidden%%" <- "A claim[^1] ==stands== out. %%hidden%%""##,
            r##"paragraph: "The proof." <- "[^1]: The proof.""##,
            r##"paragraph: "Heading x" <- "[[#Heading]] [[Note^id|x]]""##,
        ],
    );
    assert_eq!(read("a.md", "See [[#Heading]] and ![[#Part]] #real\n").tags, strings(&["real"]));
    assert_eq!(read("a.md", "---\ncreated: 2024-03-01\n---\nx").date.as_deref(), Some("2024-03-01"));
}

#[test]
fn text() {
    check(
        "a.txt",
        "\u{FEFF}One\r\ntwo\r\n\r\n \t\r\n三 #x\n",
        &[r##"paragraph: "One\r\ntwo" <- "One\r\ntwo""##, r##"paragraph: "三 #x" <- "三 #x""##],
    );
    check("blank.txt", " \n\n", &[]);
}

#[test]
fn titles() {
    let check = |name: &str, source: &str, expected: &str| assert_eq!(read(name, source).title, expected, "{source}");
    check("a.md", "---\ntitle: \"Front: page\"\n---\n# Heading", "Front: page");
    check("a.md", "+++\ntitle = 'Toml'\n+++\n# Heading", "Toml");
    check("a.md", "text\n\n# A `b` c #\n\n# Second", "A b c");
    check("a.md", "---\ntitle:\n---\n标题\n===", "标题");
    check("deploy_to-staging.md", "## not a title", "deploy to staging");
    check("2024-03-01-my_day.txt", "x", "2024-03-01 my day");
    check("a.html", "<h1>H</h1>", "H");
    check("__.md", "", "__");
}

#[test]
fn frontmatter() {
    let check = |source: &str, tags: &[&str], aliases: &[&str], body: &str| {
        let document = read("a.md", source);
        assert_eq!((document.tags, document.aliases), (strings(tags), strings(aliases)), "{source}");
        let text: Vec<String> = document.blocks.into_iter().map(|block| block.text).collect();
        assert_eq!(text.join("|"), body, "{source}");
    };
    check("---\ntags: [rust, \"a, b\", '#c']\n---\nx", &["rust", "a", "b", "c"], &[], "x");
    check("---\ntags:\n  - one\n  - two # why\naliases: Other\n---\nx", &["one", "two"], &["Other"], "x");
    check("---\r\ntags: a, 标签\r\nalias:\r\n- \"B: c\"\r\n---\r\nx", &["a", "标签"], &["B: c"], "x");
    check("+++\ntags = [\n  \"a\",\n  \"b\"\n]\n+++\nx", &["a", "b"], &[], "x");
    check("---\nsummary: >\n  About\n  tea\nbad line {{\n: :\n---\nx", &[], &[], "About tea|x");
    check("---\nnot frontmatter\n---\nx", &[], &[], "not frontmatter|x");
    check("---\ntitle: open", &[], &[], "title: open");
    check(
        "Go #home, (#茶/绿) `#no` a#b #12 [l](x#y)\n\n# head\n\n    #code\n\n#home",
        &["home", "茶/绿"],
        &[],
        "Go #home, (#茶/绿) #no a#b #12 l|head|#code|#home",
    );
    check(
        "---\nlayout: post\npublisher: Quillfeather Press # small\n作者: 晚舟书屋\nauthors: [Mira Quill, \"Oak, Ben\"]\ndraft: true\nbook:\n  isbn: 978-1\n  place: Lisbon\nrelated:\n  - \"[[Other note]]\"\nweight: 3\n---\nx",
        &[],
        &[],
        "publisher: Quillfeather Press|作者: 晚舟书屋|authors: Mira Quill, Oak, Ben|book: isbn: 978-1, place: Lisbon|related: Other note|x",
    );
    let unseen: Vec<String> =
        read("a.md", "---\nlayout: post\nrating: 4\nx: true\n---\n").unseen.into_iter().map(|(_, w)| w).collect();
    assert_eq!(unseen, ["layout: post", "rating: 4"]);
    let document = read("a.md", "---\ndate: 2024-03-01\ndescription: \"Of tea\"\n---\n");
    assert_eq!(document.date.as_deref(), Some("2024-03-01"));
    assert_eq!(outline(&document), [r##"paragraph: "Of tea" <- "description: \"Of tea\"""##]);
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn encodings() {
    let chinese = "今天我们讨论如何备份数据库，以及怎样恢复丢失的文件。";
    let japanese = "これは日本語のテキストです。データベースのバックアップについて。";
    let check = |bytes: &[u8], encoding: &str, text: &str| {
        let document = extract(Path::new("a.txt"), bytes).expect("readable");
        assert_eq!((document.encoding.as_str(), document.text.trim_start_matches('\u{FEFF}')), (encoding, text));
        assert_eq!(document.is_file_text, bytes == document.text.as_bytes());
    };
    check("plain".as_bytes(), "UTF-8", "plain");
    check("\u{FEFF}带标记".as_bytes(), "UTF-8", "带标记");
    check(&GB18030.encode(chinese).0, "GBK", chinese);
    let traditional = "今天我們討論如何備份資料庫，以及怎樣恢復丟失的檔案。";
    check(&BIG5.encode(traditional).0, "Big5", traditional);
    check(&SHIFT_JIS.encode(japanese).0, "Shift_JIS", japanese);
    let korean = "오늘은 데이터베이스를 백업하는 방법을 이야기합니다.";
    check(&EUC_KR.encode(korean).0, "EUC-KR", korean);
    let french = "Le café est fermé à midi, déjà à l'été dernier.";
    check(&WINDOWS_1252.encode(french).0, "windows-1252", french);
    let utf16 = |big: bool, text: &str| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    check(&utf16(false, "\u{FEFF}茶 tea"), "UTF-16LE", "茶 tea");
    check(&utf16(true, "\u{FEFF}茶 tea"), UTF_16BE.name(), "茶 tea");
    check(&utf16(false, "no mark here"), "UTF-16LE", "no mark here");
    let mut broken = chinese.repeat(2).into_bytes();
    broken.truncate(broken.len() - 1);
    check(&broken, "UTF-8", &format!("{}\u{FFFD}", chinese.repeat(2).trim_end_matches('。')));
}

#[test]
fn html_names_its_encoding() {
    let page = GB18030.encode("<meta charset=\"gb2312\"><p>茶</p>").0.into_owned();
    assert_eq!(extract(Path::new("a.html"), &page).expect("readable").blocks[0].text, "茶");
}

#[test]
fn not_text() {
    let check = |bytes: &[u8]| {
        let error = extract(Path::new("notes/a.txt"), bytes).expect_err("binary");
        assert!(matches!(error, ExtractError::NotText { .. }), "{error}");
        assert!(error.to_string().starts_with("a.txt is not text ("), "{error}");
    };
    check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0\\r\xa8f");
    check(b"abc\0def");
    check(&(0..=255).cycle().take(4096).collect::<Vec<u8>>());
    check(&[1, 2, 3, 4, 5, 6]);
    let error = extract(Path::new("a.exe"), b"x").expect_err("unknown");
    assert_eq!(error.to_string(), "a.exe is not of a format that Nuthatch reads");
}

/// Checks what all code that uses a [`Document`] relies on.
fn check_invariants(document: &Document) -> Result<(), TestCaseError> {
    prop_assert!(!document.title.trim().is_empty());
    let mut end = 0;
    for block in &document.blocks {
        prop_assert!(block.span.start >= end, "{:?}", document.blocks);
        end = block.span.end;
        prop_assert!(!document.text[block.span.clone()].trim().is_empty());
        prop_assert!(!block.text.trim().is_empty());
        let mut before = block.span.start;
        // In a block of a megabyte, checking a few thousand places tells as much as checking all.
        let step = 1 + block.text.len() / 4096;
        for (at, _) in block.text.char_indices().step_by(step) {
            let source = block.source_offset(document, at);
            prop_assert!(document.text.is_char_boundary(source) && before <= source && source <= end);
            prop_assert!(block.text.is_char_boundary(block.text_offset(source)));
            before = source;
        }
    }
    Ok(())
}

const PIECES: [&str; 46] = [
    "# ",
    "## ",
    "- ",
    "1. ",
    "> ",
    "```",
    "`",
    "\n",
    "\n\n",
    "    ",
    "|",
    "---",
    "+++",
    "| a | b |\n|---|---|\n",
    "[[",
    "]]",
    "](x)",
    "![",
    "*",
    "**",
    "&amp;",
    "&#x4e2d;",
    "<p>",
    "</p>",
    "<li>",
    "<ul>",
    "</ul>",
    "<table>",
    "<td>",
    "</table>",
    "<script>",
    "</script>",
    "<pre>",
    "<!--",
    "-->",
    "<h2>",
    "</h2>",
    "<title>",
    "#tag",
    "title: ",
    "茶。",
    "e\u{301}",
    "word ",
    "[^1]",
    "\r\n",
    "\u{3000}",
];

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), name in "[ab]\\.(md|txt|html)") {
        if let Ok(document) = extract(Path::new(&name), &bytes) {
            check_invariants(&document)?;
        }
    }

    #[test]
    fn any_markup(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60),
        name in "a\\.(md|txt|html)",
    ) {
        check_invariants(&read(&name, &pieces.concat()))?;
    }
}
