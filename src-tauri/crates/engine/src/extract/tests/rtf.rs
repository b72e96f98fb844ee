use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};

use super::*;

fn texts(source: &[u8]) -> Vec<String> {
    let document = extract(Path::new("a.rtf"), source).expect("readable");
    document.blocks.into_iter().map(|block| block.text).collect()
}

/// Writes the encoded bytes of a text as `\'b2`.
fn escaped(text: &str, encoding: &'static Encoding) -> String {
    let (bytes, _, has_errors) = encoding.encode(text);
    assert!(!has_errors, "{text}");
    bytes.iter().map(|byte| format!("\\'{byte:02x}")).collect()
}

#[test]
fn structure() {
    let source = r#"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}{\colortbl;\red0\green0\blue0;}
{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s5 heading 2;}{\*\cs6 Emphasis;}}
{\info{\title Tea \'e0 la carte}{\author Nobody}{\keywords hot, drink}}
{\header Page header\par}\pard\s1 Green tea\par
\pard\plain {\b Brew} at 80\'b0{\i C}.\line Then\~wait{\v hidden}.\par
\pard\s5 Lists\par\pard {\listtext\'b7\tab}one\par {\listtext\'b7\tab}two\par
\pard{\pntext 1.\tab}first\par\pard
\trowd\cellx100\cellx200\intbl a\cell b\cell\row\trowd\intbl 1\cell{2}\cell\row\pard
See {\field{\*\fldinst HYPERLINK ""http://x.y""}{\fldrslt the page}}{\*\bkmkstart b}.{\pict\pngblip 89504e47}\par
\u8220?Quoted\u8221? \emdash  \{braces\} back\\slash{\footnote\pard A note.}\par}"#;
    let document = read("a.rtf", source);
    assert_eq!(
        document.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>(),
        [
            "Green tea",
            "Brew at 80°C.\nThen wait.",
            "Lists",
            "- one\n- two\n1. first",
            "a | b\n1 | 2",
            "See the page.",
            "“Quoted” — {braces} back\\slashA note.",
        ]
    );
    assert_eq!(document.title, "Tea à la carte");
    assert_eq!(document.tags, strings(&["hot", "drink"]));
    assert_eq!(document.blocks[3].heading_path[..], ["Green tea", "Lists"]);
    assert_eq!(document.places_at([0]), [None]);
}

#[test]
fn code_pages() {
    let chinese = "今天我们讨论如何备份数据库。";
    let check = |head: &str, body: &str, expected: &str| {
        let source = format!("{{\\rtf1\\ansi{head} {body}\\par}}");
        assert_eq!(texts(source.as_bytes()), [expected], "{source}");
    };
    // Text in the file's code page, in the font's character set, and as `\u` with one or two substitutes.
    check("\\ansicpg936", &escaped(chinese, GB18030), chinese);
    check(
        "\\ansicpg1252{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset134 SimSun;}}",
        &format!("Hi \\f1 {}", escaped(chinese, GB18030)),
        &format!("Hi {chinese}"),
    );
    check("\\ansicpg1252", "\\uc1\\u33590?\\u-28712 ?", "茶辘".replace('辘', "\u{8fd8}").as_str());
    check("\\ansicpg936", "\\uc2\\u33590\\'b2\\'e8 tea", "茶 tea");
    check("\\ansicpg1252", "\\u55356 ?\\u57205 ?", "🍵");
    check(
        "\\ansicpg1252{\\fonttbl{\\f2\\fcharset136 MingLiU;}}",
        &format!("\\f2{}", escaped("資料庫備份", BIG5)),
        "資料庫備份",
    );
    check("\\ansicpg932", &escaped("データベース表示", SHIFT_JIS), "データベース表示");
    check("\\ansicpg949", &escaped("데이터베이스", EUC_KR), "데이터베이스");
    check(
        "{\\fonttbl{\\f3\\fcharset204 Arial;}}",
        &format!("{{\\f3 {}}} end", escaped("Резервная копия", WINDOWS_1251)),
        "Резервная копия end",
    );
    check("\\ansicpg1252", &escaped("café", WINDOWS_1252), "café");
    // A trailing byte may be a letter, or a sign that RTF escapes.
    check("\\ansicpg950", "\\'a5\\'5c \\'b3\\\\", "功 許");
    check("\\ansicpg1252", "Raw UTF-8: 茶", "Raw UTF-8: 茶");
    check("", "{\\upr{?}{\\*\\ud{\\u33590?}}}", "茶");
}

#[test]
fn not_rich_text() {
    let error = extract(Path::new("a.rtf"), b"\x89PNG\r\n\x1a\n\0\0").expect_err("not RTF");
    assert_eq!(error.to_string(), "a.rtf cannot be read: it does not begin as Rich Text does");
    assert_eq!(texts(b"{\\rtf1 open group \\b bold"), ["open group bold"]);
    assert_eq!(texts(b"{\\rtf1 a\\bin4 \\}}}b\\par}}}} c"), ["ab", "c"]);
}
