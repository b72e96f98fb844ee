//! Word, PowerPoint, OpenDocument and EPUB files: their notes, comments, descriptions and links are read as well.

use super::made::{office, placed, read_bytes, zip};
use super::*;

/// A Word file with this body and more parts, to which the main part refers by their kinds.
fn docx(body: &str, more: &[(&str, &str, &str)]) -> Vec<u8> {
    let document = format!("<w:document><w:body>{body}</w:body></w:document>");
    let names: Vec<String> = more.iter().map(|(_, name, _)| format!("word/{name}")).collect();
    let mut parts = vec![("word/document.xml", document.as_str())];
    parts.extend(names.iter().map(String::as_str).zip(more.iter().map(|(_, _, source)| *source)));
    let relations: Vec<(&str, &str, &str)> =
        more.iter().map(|(kind, name, _)| ("word/document.xml", *kind, *name)).collect();
    office(&parts, &relations)
}

fn unseen(document: &Document) -> Vec<&str> {
    document.unseen.iter().map(|(_, words)| words.as_str()).filter(|words| !words.is_empty()).collect()
}

const RAISED: &str = "<w:rPr><w:vertAlign w:val=\"superscript\"/></w:rPr>";

#[test]
fn word_reads_what_stands_beside_its_text() {
    let body = "<w:p><w:r><w:t>Kilns</w:t></w:r><w:r><w:footnoteReference w:id=\"2\"/></w:r><w:r><w:t xml:space=\"preserve\"> of clay</w:t></w:r></w:p>\
        <w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing><wp:docPr id=\"1\" name=\"Text Box 1\"/><wps:txbx><w:txbxContent>\
        <w:p><w:r><w:t>Mind the ash pit</w:t></w:r></w:p></w:txbxContent></wps:txbx></w:drawing></mc:Choice>\
        <mc:Fallback><w:pict><v:textbox><w:txbxContent><w:p><w:r><w:t>Mind the ash pit</w:t></w:r></w:p></w:txbxContent></v:textbox></w:pict></mc:Fallback>\
        </mc:AlternateContent></w:r></w:p>\
        <w:p><w:r><w:pict><v:shape><v:textbox><w:txbxContent><w:p><w:r><w:t>Old box</w:t></w:r></w:p></w:txbxContent></v:textbox></v:shape></w:pict></w:r></w:p>\
        <w:p><w:r><w:t>Plan:</w:t></w:r><w:r><w:drawing><wp:docPr id=\"2\" name=\"Picture 2\" descr=\"A beehive kiln&#10;&#10;Description automatically generated\"/>\
        <pic:cNvPr id=\"0\" name=\"boundary-sketch.png\" descr=\"A beehive kiln\"/></w:drawing></w:r></w:p>";
    let aside = |kind: &str, text: &str| format!("<w:{kind}><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>");
    let footnotes = format!("<w:footnotes>{}</w:footnotes>", aside("footnote", "Fired twice."));
    let comments = format!("<w:comments>{}</w:comments>", aside("comment", "Ask Mira."));
    let header = aside("hdr", "Quillfeather Works");
    let footer = "<w:ftr><w:p><w:r><w:t>12</w:t></w:r></w:p><w:p><w:r><w:t>Page 12, draft</w:t></w:r></w:p></w:ftr>";
    let file = docx(
        body,
        &[
            ("footnotes", "footnotes.xml", &footnotes),
            ("comments", "comments.xml", &comments),
            ("header", "header1.xml", &header),
            ("header", "header2.xml", &header),
            ("footer", "footer1.xml", footer),
        ],
    );
    let document = read_bytes("a.docx", &file);
    assert_eq!(
        placed(&document),
        [
            "paragraph: Kilns of clay",
            "paragraph: Mind the ash pit",
            "paragraph: Old box",
            "paragraph: Plan: A beehive kiln",
            "paragraph: Fired twice.",
            "paragraph: Ask Mira.",
            "paragraph: Quillfeather Works",
            "paragraph: Page 12, draft",
        ]
    );
    assert_eq!(unseen(&document), ["boundary-sketch.png"]);
}

#[test]
fn marks_of_notes_in_word_stand_apart_from_their_words() {
    let run = |text: &str, shape: &str| format!("<w:r>{shape}<w:t xml:space=\"preserve\">{text}</w:t></w:r>");
    let styled = "<w:rPr><w:rStyle w:val=\"NoteMark\"/></w:rPr>";
    let custom = "<w:footnoteReference w:customMarkFollows=\"1\" w:id=\"3\"/>";
    let styles = "<w:styles><w:style w:styleId=\"NoteMark\"><w:name w:val=\"x\"/><w:rPr><w:vertAlign w:val=\"superscript\"/></w:rPr></w:style></w:styles>";
    for (runs, expected) in [
        ([run("They sold saffron", ""), run("4", RAISED), run(" here", "")].concat(), "They sold saffron 4 here"),
        ([run("saffron", ""), run("1", RAISED), run(",2", RAISED)].concat(), "saffron 1,2"),
        ([run("saffron", ""), run("4", styled), run(".", "")].concat(), "saffron 4."),
        ([run("tea", ""), run("*", custom)].concat(), "tea *"),
        ([run("m", ""), run("2", RAISED), run(" and 1", ""), run("st", RAISED)].concat(), "m2 and 1st"),
        ([run("珊瑚礁", ""), run("3", RAISED), run("很美", "")].concat(), "珊瑚礁 3很美"),
    ] {
        let document = read_bytes("a.docx", &docx(&format!("<w:p>{runs}</w:p>"), &[("styles", "styles.xml", styles)]));
        assert_eq!(document.blocks[0].text, expected);
    }
}

#[test]
fn readings_in_word_and_open_document_come_after_their_word() {
    let ruby = |base: &str, reading: &str| {
        format!(
            "<w:r><w:ruby><w:rt><w:r><w:t>{reading}</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>{base}</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        )
    };
    let body = format!("<w:p>{}{}<w:r><w:t>礁很美</w:t></w:r></w:p>", ruby("珊", "shān"), ruby("瑚", "hú"));
    let document = read_bytes("a.docx", &docx(&body, &[]));
    assert_eq!((document.blocks[0].text.as_str(), unseen(&document)), ("珊瑚礁 (shān hú) 很美", vec!["shānhú"]));

    let ruby = |base: &str, reading: &str| {
        format!(
            "<text:ruby><text:ruby-base>{base}</text:ruby-base><text:ruby-text>{reading}</text:ruby-text></text:ruby>"
        )
    };
    let body = format!("<text:p>{}{}礁很美</text:p>", ruby("珊", "shān"), ruby("瑚", "hú"));
    let document = read_bytes("a.odt", &odt("", &body, ""));
    assert_eq!((document.blocks[0].text.as_str(), unseen(&document)), ("珊瑚礁 (shān hú) 很美", vec!["shānhú"]));
}

#[test]
fn where_links_lead_is_found_and_not_shown() {
    let body = "<w:p><w:hyperlink r:id=\"r0\"><w:r><w:t>here</w:t></w:r></w:hyperlink></w:p>\
        <w:p><w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText> HYPERLINK \"https://quill.exam</w:instrText></w:r>\
        <w:r><w:instrText>ple/9\" </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>there</w:t></w:r>\
        <w:r><w:fldChar w:fldCharType=\"end\"/></w:r></w:p>\
        <w:p><w:fldSimple w:instr=\"HYPERLINK &quot;mailto:mira@quill.example&quot;\"><w:r><w:t>write</w:t></w:r></w:fldSimple></w:p>";
    let document = format!("<w:document><w:body>{body}</w:body></w:document>");
    let file = office(
        &[("word/document.xml", &document)],
        &[("word/document.xml", "hyperlink", "https://kestrel-surveyors.example/o/88231")],
    );
    let document = read_bytes("a.docx", &file);
    assert_eq!(placed(&document), ["paragraph: here", "paragraph: there", "paragraph: write"]);
    assert_eq!(unseen(&document), ["kestrel-surveyors.example/o/88231", "quill.example/9", "mira@quill.example"]);
    assert!(!document.text.contains("example"), "{}", document.text);

    let body = "<text:list><text:list-item><text:p><text:a xlink:href=\"https://quill.example/%E8%8C%B6\">tea</text:a></text:p></text:list-item></text:list>";
    assert_eq!(unseen(&read_bytes("a.odt", &odt("", body, ""))), ["quill.example/茶"]);

    let slide = "<p:sld><p:sp><p:txBody><a:p><a:r><a:rPr><a:hlinkClick r:id=\"r1\"/></a:rPr><a:t>here</a:t></a:r></a:p></p:txBody></p:sp></p:sld>";
    let document = read_bytes("a.pptx", &pptx(slide, &[("hyperlink", "https://quill.example/deck", "")]));
    assert_eq!(
        (placed(&document), unseen(&document)),
        (vec!["[slide 1] paragraph: here".to_owned()], vec!["quill.example/deck"])
    );
}

/// A presentation of one slide, with more parts to which the slide refers.
fn pptx(slide: &str, more: &[(&str, &str, &str)]) -> Vec<u8> {
    let deck = "<p:presentation><p:sldIdLst><p:sldId r:id=\"r0\"/></p:sldIdLst></p:presentation>";
    let names: Vec<String> = more.iter().map(|(_, name, _)| format!("ppt/slides/{name}")).collect();
    let mut parts = vec![("ppt/presentation.xml", deck), ("ppt/slides/slide1.xml", slide)];
    parts.extend(names.iter().map(String::as_str).zip(more.iter().map(|(_, _, source)| *source)));
    let mut relations = vec![("ppt/presentation.xml", "slide", "slides/slide1.xml")];
    relations.extend(more.iter().map(|(kind, name, _)| ("ppt/slides/slide1.xml", *kind, *name)));
    office(&parts, &relations)
}

#[test]
fn slides_with_pictures_notes_and_comments() {
    let slide = "<p:sld><p:sp><p:nvSpPr><p:cNvPr id=\"1\" name=\"Title 1\"/><p:nvPr><p:ph type=\"title\"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>Kilns</a:t></a:r></a:p></p:txBody></p:sp>\
        <p:pic><p:nvPicPr><p:cNvPr id=\"4\" name=\"Picture 3\" descr=\"A beehive kiln\"/></p:nvPicPr></p:pic></p:sld>";
    let notes =
        "<p:notes><p:sp><p:txBody><a:p><a:r><a:t>Tell of the ash pit.</a:t></a:r></a:p></p:txBody></p:sp></p:notes>";
    let old =
        "<p:cmLst><p:cm><p:pos x=\"1\"/><p:text>Too dark?</p:text></p:cm><p:cm><p:text>No.</p:text></p:cm></p:cmLst>";
    let new = "<p188:cmLst><p188:cm><p188:replyLst><p188:reply><p188:txBody><a:p><a:r><a:t>Yes, lighter.</a:t></a:r></a:p></p188:txBody></p188:reply></p188:replyLst>\
        <p188:txBody><a:p><a:r><a:t>And now?</a:t></a:r></a:p></p188:txBody></p188:cm></p188:cmLst>";
    let file = pptx(slide, &[("notesSlide", "n.xml", notes), ("comments", "c1.xml", old), ("comments", "c2.xml", new)]);
    assert_eq!(
        placed(&read_bytes("a.pptx", &file)),
        [
            "[slide 1] h1: Kilns",
            "[slide 1] paragraph: A beehive kiln",
            "[slide 1] paragraph: Tell of the ash pit.",
            "[slide 1] paragraph: Too dark?",
            "[slide 1] paragraph: No.",
            "[slide 1] list: - Yes, lighter.\n- And now?",
        ]
    );
}

fn odt(styles: &str, body: &str, pages: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:automatic-styles>{styles}</office:automatic-styles><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    );
    let pages = format!(
        "<office:document-styles><office:master-styles>{pages}</office:master-styles></office:document-styles>"
    );
    let meta = "<m><dc:title>Yard</dc:title><meta:initial-creator>Mira Quill</meta:initial-creator><dc:creator>Mira Quill</dc:creator>\
        <dc:subject>Kilns</dc:subject><meta:keyword>clay</meta:keyword></m>";
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", content.as_bytes()),
        ("styles.xml", pages.as_bytes()),
        ("meta.xml", if pages.contains("header") { meta.as_bytes() } else { b"<m/>" }),
    ])
}

#[test]
fn open_document_text_reads_what_stands_beside_its_text() {
    let styles = "<style:style style:name=\"T1\"><style:text-properties style:text-position=\"super 58%\"/></style:style>\
        <style:style style:name=\"T2\"><style:text-properties style:text-position=\"sub 58%\"/></style:style>";
    let body = "<text:p>They sold saffron<text:span text:style-name=\"T1\">4</text:span> and H<text:span text:style-name=\"T2\">2</text:span>O \
        in 9 m<text:span text:style-name=\"T1\">2</text:span><office:annotation><dc:creator>Ann</dc:creator><dc:date>2024</dc:date><text:p>Ask Mira.</text:p></office:annotation>.</text:p>\
        <text:p>Plan:<draw:frame draw:name=\"boundary-sketch.png\"><draw:image/><svg:title>Kiln</svg:title><svg:desc>A beehive kiln</svg:desc></draw:frame></text:p>\
        <draw:frame><draw:image/><svg:desc>An ash pit</svg:desc></draw:frame>";
    let pages = "<style:master-page><style:header><text:p>Quillfeather Works</text:p></style:header>\
        <style:header-first><text:p>Quillfeather Works</text:p></style:header-first><style:footer><text:p>12</text:p></style:footer></style:master-page>";
    let document = read_bytes("a.odt", &odt(styles, body, pages));
    assert_eq!(
        placed(&document),
        [
            "paragraph: They sold saffron 4 and H2O in 9 m2.",
            "paragraph: Ask Mira.",
            "paragraph: Plan: Kiln A beehive kiln",
            "paragraph: An ash pit",
            "paragraph: Quillfeather Works",
        ]
    );
    assert_eq!(unseen(&document), ["Mira Quill", "Kilns", "boundary-sketch.png"]);
    assert_eq!((document.title.as_str(), document.tags), ("Yard", vec!["clay".to_owned()]));
}

#[test]
fn authors_and_subjects_are_found() {
    let core = "<cp:coreProperties><dc:title>Kiln plan</dc:title><dc:creator>Mira Quill</dc:creator><dc:subject>Firing &amp; clay</dc:subject>\
        <cp:keywords>bricks; lime</cp:keywords><cp:lastModifiedBy>Mira Quill</cp:lastModifiedBy><dc:description>for the yard</dc:description></cp:coreProperties>";
    let file = office(
        &[
            ("word/document.xml", "<d><w:p><w:r><w:t>Text</w:t></w:r></w:p></d>"),
            ("docProps/core.xml", core),
            ("docProps/app.xml", "<Properties><Company>Quillfeather Works</Company><Pages>3</Pages></Properties>"),
        ],
        &[],
    );
    let document = read_bytes("a.docx", &file);
    assert_eq!(unseen(&document), ["Mira Quill", "Firing & clay", "for the yard", "Quillfeather Works"]);
    assert_eq!((document.title.as_str(), document.tags), ("Kiln plan", vec!["bricks".to_owned(), "lime".to_owned()]));

    let package = "<package><metadata><dc:title>Kilns</dc:title><dc:creator>Mira Quill</dc:creator><dc:creator>晚舟</dc:creator>\
        <dc:subject>clay</dc:subject><dc:subject>firing</dc:subject><dc:publisher>Quillfeather Press</dc:publisher></metadata>\
        <manifest><item id=\"a\" href=\"a.xhtml\"/></manifest><spine><itemref idref=\"a\"/></spine></package>";
    let book = zip(&[
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", b"<c><rootfile full-path=\"p.opf\"/></c>"),
        ("p.opf", package.as_bytes()),
        ("a.xhtml", b"<p>Text</p>"),
    ]);
    let document = read_bytes("a.epub", &book);
    assert_eq!(unseen(&document), ["Mira Quill", "晚舟", "Quillfeather Press"]);
    assert_eq!(document.tags, ["clay", "firing"]);
}

/// A file of Word 97 with its text in two pieces, of narrow and of wide characters.
pub(super) fn doc() -> Vec<u8> {
    let narrow = b"Kiln plan of 1998 \x96 ";
    let wide =
        "茶\rSee \u{13} HYPERLINK \"x\" \u{14}there\u{15}.\rItem\u{7}Shelf\u{7}\u{7}Clay\u{7}Yard\u{7}\u{7}After\r";
    let units: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut document = vec![0; 0x600];
    document[..2].copy_from_slice(&0xA5EC_u16.to_le_bytes());
    document[0x0A..0x0C].copy_from_slice(&0x0200_u16.to_le_bytes());
    document.extend_from_slice(narrow);
    document.resize(0x700, 0);
    document.extend_from_slice(&units);
    let n = narrow.len() as u32;
    let mut list: Vec<u8> = [0, n, n + units.len() as u32 / 2].iter().flat_map(|n| n.to_le_bytes()).collect();
    for place in [(0x600 * 2) | (1_u32 << 30), 0x700] {
        list.extend([0, 0]);
        list.extend(place.to_le_bytes());
        list.extend([0, 0]);
    }
    // The formatting of pieces comes first.
    let mut table = vec![1, 2, 0, 9, 9, 2];
    table.extend((list.len() as u32).to_le_bytes());
    table.extend(list);
    document[0x1A6..0x1AA].copy_from_slice(&(table.len() as u32).to_le_bytes());
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).expect("a file");
    for (name, content) in [("WordDocument", &document), ("1Table", &table)] {
        let mut stream = file.create_stream(name).expect("a stream");
        std::io::Write::write_all(&mut stream, content).expect("room");
    }
    file.flush().expect("written");
    file.into_inner().into_inner()
}

#[test]
fn old_word_files_are_read() {
    assert_eq!(
        placed(&read_bytes("a.doc", &doc())),
        [
            "paragraph: Kiln plan of 1998 – 茶",
            "paragraph: See there.",
            "table: Item | Shelf\nClay | Yard",
            "paragraph: After",
        ]
    );
    let error = extract(Path::new("a.doc"), &[archive::COMPOUND_FILE, &[0; 600]].concat()).expect_err("nothing in it");
    assert!(error.to_string().contains("older than Word 97"), "{error}");
}

/// The reader is our own code, and it follows offsets in the file that anyone may have written.
#[test]
fn damaged_old_files_end_in_a_document_or_a_reason() {
    for (name, whole) in [("a.doc", doc())] {
        for at in (0..whole.len()).step_by(97) {
            for bytes in [whole[..at].to_vec(), [&whole[..at], &[whole[at] ^ 0xFF], &whole[at + 1..]].concat()] {
                if let Ok(document) = extract(Path::new(name), &bytes) {
                    assert!(document.is_sound(), "{name} at {at}");
                }
            }
        }
    }
}
