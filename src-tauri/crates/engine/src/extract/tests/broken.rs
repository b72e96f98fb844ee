//! Broken and hostile files of every text format. No reader panics on them, takes longer than a file's length allows,
//! or makes more text than a file holds.

#![expect(clippy::print_stdout, reason = "how much was tried is part of the result")]

use super::*;
use crate::chunk::{ChunkRules, chunks};

/// A valid file of each format; fuzzing mutates these files as well.
pub(super) const SAMPLES: &[(&str, &str)] = &[
    (
        "a.md",
        "---\ntitle: Tea\ntags: [hot]\n---\n# Tea\n\nBrew [it](x) at *80*. [[Cup|cup]]\n\n- one\n  - 二\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    ),
    (
        "a.ics",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Tea\\, 茶\r\nDTSTART;TZID=\"a;b\":20260101T100000Z\r\nATTENDEE;CN=\"M; 茶\":mailto:a@b\r\nDESCRIPTION:One\\n\\ntw\r\n o\r\nX-ALT-DESC:<p>x</p>\r\nURL:https://x/%E8%8C%B6\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    ),
    (
        "a.vcf",
        "BEGIN:VCARD\r\nFN:茶 Tea\r\nN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=E8=8C=\r\n=B6;a\r\nitem1.TEL;CELL:1\r\nNOTE:One\\n\\ntwo\r\nEND:VCARD\r\n",
    ),
    (
        "a.mbox",
        "From a@b Fri\nSubject: Tea\nContent-Type: text/plain (c \\) (d)); name=x\n\nOne.\n\nFrom b\nSubject: 茶\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY:a\nEND:VEVENT\n--x--\n",
    ),
    (
        "a.canvas",
        "{\"nodes\":[{\"text\":\"# Tea\\n[it](x) <ruby>茶<rt>chá</rt></ruby>杯 a<sup>4</sup>\"},{\"file\":\"茶.md\",\"subpath\":\"#a\"},{\"url\":\"https://x\"}],\"edges\":[{\"label\":\"to\"}]}",
    ),
    (
        "b.excalidraw.md",
        "---\nexcalidraw-plugin: parsed\n作者: 茶\n---\n# Excalidraw Data\n## Text Elements\n茶 tea ^aB3dE6gH\n\n## Embedded Files\n0a1b2c3d4e5f60718293a4b5c6d7: [[a.png]]\n%%\n## Drawing\n```json\n{}\n```\n%%\n",
    ),
    (
        "b.html",
        "<p><ruby>珊<rp>(</rp><rt>shān</rt>瑚<rt>hú</rt></ruby>礁 saffron<sup><a href=\"#fn\">4</a></sup><template shadowrootmode=open><p>x</template><img alt=\"茶\" src=\"data:image/png;base64,iVBORw0KGgo\"><table><td>m<sup>2</sup><td><ruby>茶<rt>chá</table>",
    ),
    ("a.txt", "Tea.\n\n茶很好。\n"),
    (
        "a.html",
        "<title>T</title><h1>Tea &amp; 茶</h1><p>Brew<ul><li>one<li>two</ul><table><tr><td>a<td>b</table><pre>x</pre>",
    ),
    (
        "a.org",
        "#+TITLE: Tea\n* TODO Green :hot:\n:PROPERTIES:\n:ID: 1\n:END:\nSee [[x][the *link*]] and =code=.\n- one\n  + 二\n| a | b |\n|---+---|\n#+begin_src sh\nls\n#+end_src\n",
    ),
    (
        "a.rst",
        "Tea\n===\n\n:date: 2024\n\nBrew `it <x>`_ at *80*::\n\n  code()\n\n.. note:: Mind\n\n* one\n* 二\n\n+---+---+\n| a | b |\n+---+---+\n\n===  ===\na    b\n===  ===\n",
    ),
    ("a.csv", "name,\"note\"\nTea,\"hot \"\"and\"\"\ngreen\"\n茶,80\n"),
    ("a.tsv", "name\tnote\nTea\thot\n茶\t80\n"),
    (
        "a.rtf",
        "{\\rtf1\\ansi\\ansicpg936{\\fonttbl{\\f0\\fcharset134 S;}}{\\stylesheet{\\s1 heading 1;}}{\\info{\\title T}}\\s1 Tea\\par\\pard\\f0 \\'b2\\'e8 \\u33590?{\\listtext 1.}one\\par\\trowd\\intbl a\\cell b\\cell\\row}",
    ),
    (
        "a.ipynb",
        "{\"cells\": [{\"cell_type\": \"markdown\", \"source\": [\"# Tea\\n\", \"x\"]}, {\"cell_type\": \"code\", \"source\": \"a = \\\"\\u8336\\\"\", \"outputs\": [{\"text\": [\"80\"]}]}], \"nbformat\": 4}",
    ),
    ("a.rs", "//! Doc.\nuse a;\n\n/// 茶\npub fn brew() {\n    pour();\n}\n\nimpl Tea {\n    fn a(&self) {}\n}\n"),
    (
        "a.eml",
        "From: =?utf-8?B?6Iy2?= <a@b>\nSubject: Tea\nDate: Fri, 1 Mar 2024 10:00:00 +0800\nContent-Type: multipart/mixed; boundary=\"x\"\n\n--x\nContent-Type: text/plain; charset=gbk\nContent-Transfer-Encoding: base64\n\nsugg\n--x\nContent-Type: text/html\n\n<p>Tea</p>\n--x--\n",
    ),
    ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n<i>Tea</i>\n\n2\n00:00:09,000 --> 00:00:10,000\n茶\n"),
    ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>Tea &amp; milk\n"),
    ("a.ass", "[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:01.00,0:00:02.00,{\\b1}Tea\\N茶\n"),
];

/// A name of megabytes, made by a slip or on purpose, must not be copied into every passage below it.
#[test]
fn a_long_name_is_carried_on_in_short() {
    let long = "heron ".repeat(10_000);
    let long = long.trim();
    let below = "\n\nIt waits.\n\nIt fishes.\n";
    let in_html = "<p>It waits.<p>It fishes.";
    let files = [
        ("a.md", format!("# {long}{below}")),
        ("a.md", format!("---\ntitle: {long}\n---{below}")),
        ("a.html", format!("<title>{long}</title>{in_html}")),
        ("a.html", format!("<h1>{long}</h1>{in_html}")),
        ("a.org", format!("* {long}{below}")),
        ("a.rst", format!("{long}\n{}{below}", "=".repeat(long.len()))),
        ("a.eml", format!("Subject: {long}{below}")),
        (
            "a.ipynb",
            format!("{{\"cells\": [{{\"cell_type\": \"markdown\", \"source\": \"# {long}\\n\\nIt waits.\"}}]}}"),
        ),
    ];
    for (name, source) in files {
        let document = read(name, &source);
        let names = document.blocks.iter().flat_map(|block| block.heading_path.iter()).chain([&document.title]);
        for carried in names {
            assert!(carried.len() <= 400 && long.starts_with(carried.as_str()), "{name}: {} bytes", carried.len());
        }
        let last = document.blocks.last().expect("a block");
        let is_heading = |block: &Block| matches!(block.kind, BlockKind::Heading { .. });
        for heading in document.blocks.iter().filter(|block| is_heading(block)) {
            assert_eq!(heading.text, long, "{name}: whole in its own block");
            assert_eq!(last.heading_path.len(), 1, "{name}");
        }
    }
    let deep: String = (1..=200).map(|level| format!("{} level {level}\n", "*".repeat(level))).collect();
    let document = read("a.org", &format!("{deep}text\n\nmore\n"));
    let [.., text, more] = &document.blocks[..] else { panic!("two paragraphs") };
    assert_eq!(more.heading_path.last().map(String::as_str), Some("level 200"));
    assert!(more.heading_path.len() <= 8 && std::sync::Arc::ptr_eq(&text.heading_path, &more.heading_path));
}

/// With a block for each paragraph, they took a hundred times the memory of the file.
#[test]
fn a_million_paragraphs_are_not_a_million_blocks() {
    const N: usize = 150_000;
    for (name, head, paragraph) in [
        ("a.txt", "", "tea\n\n"),
        ("a.md", "# Tea\n\n", "tea\n\n"),
        ("a.html", "<h1>Tea</h1>", "<p>tea"),
        ("a.org", "", "tea\n\n"),
    ] {
        let document = read(name, &(head.to_owned() + &paragraph.repeat(N)));
        check_invariants(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document.blocks.len() < 101_000, "{name}: {} blocks", document.blocks.len());
        let n_read: usize = document.blocks.iter().map(|block| block.text.matches("tea").count()).sum();
        assert_eq!(n_read, N, "{name}: nothing is lost");
        let last = document.blocks.last().expect("a block");
        let at = last.text.rfind("tea").expect("tea");
        assert_eq!(last.source_offset(&document, at), document.text.rfind("tea").expect("tea"), "{name}");
    }
}

/// Headings, quotes and other kinds of blocks are joined too, and not each piece of a file gets a place or an anchor.
#[test]
fn very_many_blocks_of_any_kind_share_blocks() {
    const N: usize = 450_000;
    for (name, head, piece) in [
        ("a.md", "", "# tea\n"),
        ("a.md", "", "> tea\n\n- b\n\n"),
        ("a.md", "", "<h2>tea\n\n"),
        ("a.org", "", "* tea\n"),
        ("a.rst", "", "tea\n===\n"),
        ("a.html", "", "<h1>tea<p>b"),
        ("a.py", "", "tea\n\n"),
        ("a.srt", "", "tea\n\n"),
        ("a.eml", "Subject: b\n\n", "tea\n\n"),
        ("a.eml", "Subject: b\n\n", "> tea\nb\n"),
        ("a.rtf", "{\\rtf1 ", "tea\\par "),
    ] {
        let document = read(name, &(head.to_owned() + &piece.repeat(N)));
        assert!(document.is_sound(), "{name}: {piece:?}");
        assert!(document.blocks.len() < 220_000, "{name}: {piece:?}: {} blocks", document.blocks.len());
        let n_read: usize = document.blocks.iter().map(|block| block.text.matches("tea").count()).sum();
        assert_eq!(n_read, N, "{name}: {piece:?}: nothing is lost");
    }
    let cues: String = (0..N).map(|n| format!("{}:{:02}-->\ntea\n", n / 6, n % 6 * 10)).collect();
    let document = read("a.srt", &cues);
    assert!(document.blocks.len() < 220_000 && document.places.len() < 220_000, "{} places", document.places.len());
    let lines = read("a.txt", &"tea\n".repeat(N));
    assert_eq!(lines.blocks[0].anchors.len(), 1, "what stands in the source as it is needs no more");
}

/// A row's fields must not be stored: reading once kept four lists of them.
#[test]
fn a_row_of_a_million_fields() {
    for (row, shown) in [("tea,", "tea | "), ("\"tea\",", "tea | ")] {
        let document = read("a.csv", &row.repeat(1_000_000));
        let text: String = document.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(text, shown.repeat(1_000_000).trim_end_matches(" | "), "{row}");
    }
}

/// A drawer whose end stands outside the block in which it begins.
#[test]
fn a_drawer_across_the_end_of_a_block() {
    let document = read("a.org", "#+begin_center\n:tea:\nheron\n#+end_center\n:END:\nreeds\n");
    let text: Vec<&str> = document.blocks.iter().map(|block| block.text.as_str()).collect();
    assert_eq!(text, [":tea: heron", "reeds"]);
}

/// Reads a file and cuts it into passages. If the file can be read, the result must be sound.
fn survive(name: &str, bytes: &[u8]) {
    if let Ok(document) = extract(Path::new(name), bytes) {
        check_invariants(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        let passages = chunks(&document, &ChunkRules::default());
        let n_bytes: usize = document.blocks.iter().map(|block| block.text.len()).sum();
        // Repeated table headers and list marks make a text longer, but not more than this.
        assert!(n_bytes <= 4 * bytes.len() + 1024, "{name}: {n_bytes} bytes of text from {}", bytes.len());
        assert!(passages.len() <= document.blocks.len() + bytes.len() / 8 + 1, "{name}: {} passages", passages.len());
    }
}

#[test]
fn cut_off_anywhere_and_with_any_bit_flipped() {
    let mut n_files = 0;
    for (name, sample) in SAMPLES {
        let sample = sample.as_bytes();
        for end in 0..sample.len() {
            survive(name, &sample[..end]);
            let mut flipped = sample.to_vec();
            flipped[end] ^= 1 << (end % 8);
            survive(name, &flipped);
            flipped[end] = 0;
            survive(name, &flipped);
            n_files += 3;
        }
        for head in ["", "\u{FEFF}", "\0", "\r", "\n\n\n", " "] {
            survive(name, head.as_bytes());
            survive(name, &[head.as_bytes(), sample].concat());
        }
        for bom in [b"\xFF\xFE".as_slice(), b"\xFE\xFF", b"\xEF\xBB\xBF"] {
            survive(name, bom);
            survive(name, &[bom, sample].concat());
        }
    }
    println!("{n_files} broken files");
}

/// Bytes of each hostile file: enough to overflow a stack a hundred times. `NUTHATCH_HOSTILE_BYTES` makes them larger.
fn hostile_bytes() -> usize {
    std::env::var("NUTHATCH_HOSTILE_BYTES").ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(100_000)
}

/// Files that repeat what makes a careless reader recurse, or search from every place to the end.
#[test]
fn large_and_hostile() {
    let size = hostile_bytes();
    let fill = |piece: &str| piece.repeat(size / piece.len() + 1);
    let pieces = [
        "[",
        "]",
        "[[",
        "[[a][",
        "{",
        "}",
        "(",
        "<",
        "<b>",
        "<div>",
        "<ul><li>",
        "<table><tr><td>",
        "&",
        "&amp;",
        "&#",
        "*",
        "**a",
        "*a ",
        "_",
        "`",
        "``",
        "|",
        "| a ",
        "#",
        "# ",
        "#+",
        "#+begin_src\n",
        "#+begin_quote\n",
        ":a:\n",
        ":PROPERTIES:\n",
        "- ",
        "- a\n ",
        "> ",
        ">",
        "\n",
        "\r",
        "\r\n",
        " ",
        "\t",
        "a",
        "a ",
        "a. ",
        "a.",
        "茶",
        "，",
        "\"",
        "\"a",
        "\"\"",
        "\",",
        ",",
        ";",
        "\\",
        "\\'",
        "\\u1",
        "\\uc99999 ",
        "\\par ",
        "\\bin",
        "{\\*\\x ",
        "{\\upr",
        "\\trowd\\cell",
        "-->",
        "00:00:01,000 --> 00:00:02,000\n",
        "{\\an",
        "Dialogue: 0,0:00:01.00,0:00:02.00,a\n",
        "--x\n",
        "--x\n--x--\n",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
        "Content-Type: message/rfc822\n\n",
        "=?utf-8?B?",
        "=?",
        "a:b\n",
        "a: \n b\n",
        "a*0*=b; ",
        "==\n",
        "a\n==\n",
        ".. ",
        ".. a::\n",
        "..\n ",
        "::\n\n ",
        ":a: b\n",
        "===  ===\n",
        "+---+\n",
        "fn a() {\n",
        "fn a\n\n",
        "class A:\n ",
        "{\n",
        "    {\n",
        "\"a\": ",
        "{\"a\":",
        "[1,",
        "\\ud800",
        "\"\\",
        "x\n\n\n",
        "```\n",
        "$",
        "~",
        "!",
        "![",
        "](",
        "[^1]",
        "[^1]: ",
        "\u{FEFF}",
        "e\u{301}",
        "\u{1F375}",
    ];
    let mut n_files = 0;
    for (name, sample) in SAMPLES {
        for piece in pieces {
            let body = fill(piece);
            let head: &str = match *name {
                "a.rtf" => "{\\rtf1 ",
                "a.ipynb" => "{\"nbformat\": 4, \"cells\": ",
                "a.eml" => "Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
                "a.ass" => "[Events]\n",
                _ => "",
            };
            survive(name, format!("{head}{body}").as_bytes());
            n_files += 1;
        }
        // Valid text, repeated many times.
        survive(name, fill(sample).as_bytes());
    }
    println!("{n_files} files of {size} bytes");
}

#[test]
fn tags_are_kept_up_to_a_limit_however_often_they_are_repeated() {
    let repeated = "#todo ".repeat(50_000);
    let document = read("a.md", &format!("{repeated}#last"));
    assert_eq!(document.tags, strings(&["todo", "last"]));
    let many: String = (0..50_000).map(|n| format!("#t{n} ")).collect();
    let document = read("a.md", &many);
    assert_eq!((document.tags.len(), document.tags[9_999].as_str()), (10_000, "t9999"));
}

/// No reader in this process may recurse for each level of a file's nesting: a stack overflow would end the program.
#[test]
fn what_is_nested_very_often_is_read() {
    const N: usize = 100_000;
    for (name, head, opening) in [
        ("a.org", "", "#+begin_x\n"),
        ("a.org", "", "#+begin_quote\n"),
        ("a.org", "", ":a:\n"),
        ("a.org", "", "*a /b "),
        ("a.org", "", "[["),
        ("a.rst", "", ".. note::\n\n"),
        ("a.rst", "", "*a **b "),
        ("a.md", "", ">"),
        ("a.md", "", "- "),
        ("a.md", "", "*a _b "),
        ("a.md", "", "[a]("),
        ("a.md", "", "![a"),
        ("a.md", "---\na: ", "["),
        ("a.md", "---\na: ", "{a: "),
        ("a.html", "", "<div>"),
        ("a.html", "", "<i><b><p>"),
        ("a.html", "", "<ul><li>"),
        ("a.html", "", "<table><tr><td>"),
        ("a.rtf", "{\\rtf1 ", "{\\b "),
        ("a.ipynb", "", "["),
        ("a.ipynb", "", "{\"cells\":"),
        ("a.ipynb", "{\"cells\":[{\"cell_type\":\"markdown\",\"source\":", "["),
        ("a.rs", "", "fn a() {\n"),
        ("a.py", "", "(\n"),
        ("a.json", "", "[\n"),
        ("a.eml", "From: ", "("),
        ("a.eml", "Subject: ", "=?utf-8?q?a?= "),
        ("a.eml", "", "Content-Type: message/rfc822\n\n"),
        ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\n", "<i>"),
        ("a.csv", "", "\""),
    ] {
        // The file may be read or refused, but there must be an answer.
        if let Ok(document) = extract(name.as_ref(), (head.to_owned() + &opening.repeat(N)).as_bytes()) {
            check_invariants(&document).unwrap_or_else(|error| panic!("{name}: {opening:?}: {error}"));
        }
    }
    let mail = |level: usize| format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\n\n--b{level}\n");
    let parts: String = (0..20_000).map(mail).collect();
    assert!(extract("a.eml".as_ref(), (parts + "Content-Type: text/plain\n\ntea\n").as_bytes()).is_ok());
    let indented: String = (0..2_000).map(|level| format!("{}- tea\n\n", " ".repeat(level))).collect();
    for name in ["a.md", "a.org", "a.rst", "a.yaml"] {
        assert!(extract(name.as_ref(), indented.as_bytes()).is_ok(), "{name}");
    }
}

/// A special block in Org is read as if its first and last lines were not there, also inside others or without an end.
#[test]
fn org_blocks_within_blocks_are_read() {
    let source = "#+begin_details\nOne.\n#+begin_center\n- two\n#+end_center\n#+begin_src sh\nthree\n#+end_src\nFour.\n#+end_details\n\
        #+begin_note\nFive.\n* Six\nSeven.\n";
    let document = read("a.org", source);
    let kinds: Vec<(BlockKind, &str)> = document.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
    let expected = [
        (BlockKind::Paragraph, "One."),
        (BlockKind::List, "- two"),
        (BlockKind::Code, "three"),
        (BlockKind::Paragraph, "Four."),
        (BlockKind::Paragraph, "Five."),
        (BlockKind::Heading { level: 1 }, "Six"),
        (BlockKind::Paragraph, "Seven."),
    ];
    assert_eq!(kinds, expected);
}
