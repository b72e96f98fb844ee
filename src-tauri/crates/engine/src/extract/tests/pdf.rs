//! PDFs: words are recognized whatever the distances of their letters, and text not drawn on the page is read too.

use std::fmt::Write;

use super::made::{placed, read_bytes};
use super::*;

/// A PDF of one page with this content, and with more objects, numbered from 6 on. `of_page` and `of_catalog` are
/// further entries of the page and the catalog; `info` holds the entries of the information dictionary.
fn pdf(content: &str, of_page: &str, of_catalog: &str, info: &str, more: &[&str]) -> Vec<u8> {
    let mut objects = vec![
        format!("<< /Type /Catalog /Pages 2 0 R {of_catalog} >>"),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> {of_page} >>"
        ),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    objects.extend(more.iter().map(|object| (*object).to_owned()));
    let mut file = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        offsets.push(file.len());
        writeln!(file, "{number} 0 obj\n{object}\nendobj").expect("room");
    }
    let (start, n) = (file.len(), objects.len() + 1);
    writeln!(file, "xref\n0 {n}\n0000000000 65535 f ").expect("room");
    for offset in offsets {
        writeln!(file, "{offset:010} 00000 n ").expect("room");
    }
    writeln!(file, "trailer\n<< /Size {n} /Root 1 0 R /Info << {info} >> >>\nstartxref\n{start}\n%%EOF").expect("room");
    file.into_bytes()
}

fn texts(content: &str) -> Vec<String> {
    let document = read_bytes("a.pdf", &pdf(&format!("BT {content} ET"), "", "", "", &[]));
    document.blocks.into_iter().map(|block| block.text).collect()
}

#[test]
fn headings_that_are_set_wide_are_words() {
    let apart = |word: &str, by: i32| word.chars().map(|c| format!("({c})-{by}")).collect::<String>();
    for (content, expected) in [
        ("/F 14 Tf 5 Tc 50 700 Td (INVENTORY) Tj".to_owned(), "INVENTORY"),
        ("/F 14 Tf 5 Tc 50 700 Td (INVENTORY OF TOOLS) Tj".to_owned(), "INVENTORY OF TOOLS"),
        ("/F 12 Tf 2.5 Tc 50 700 Td (Kiln) Tj 0 Tc ( of clay bricks) Tj".to_owned(), "Kiln of clay bricks"),
        (format!("/F 12 Tf 50 700 Td [{} -500 {}] TJ", apart("KILN", 400), apart("PLANS", 400)), "KILN PLANS"),
        ("/F 12 Tf 0.6 Tc 50 700 Td (Kiln plans) Tj".to_owned(), "Kiln plans"),
        // Words of one letter, and words that are separated only by their distance.
        ("/F 12 Tf 50 700 Td [(A)-300(B)-300(C)-300(D)-300(E)] TJ".to_owned(), "A B C D E"),
        (
            "/F 12 Tf 50 700 Td [(Kiln)-300(plans)-300(of)-300(clay)-300(a)-300(b)] TJ".to_owned(),
            "Kiln plans of clay a b",
        ),
        ("/F 12 Tf 50 700 Td [(2)-900(4)-900(8)-900(1)-900(6)] TJ".to_owned(), "2 4 8 1 6"),
    ] {
        assert_eq!(texts(&content), [expected], "{content}");
    }
}

#[test]
fn marks_of_notes_stand_apart_from_their_words() {
    let raised = |before: &str, mark: &str, after: &str| {
        format!("/F 12 Tf 50 700 Td ({before}) Tj /F 7 Tf 4 Ts ({mark}) Tj /F 12 Tf 0 Ts ({after}) Tj")
    };
    for (content, expected) in [
        (raised("They sold saffron", "4", " here."), "They sold saffron 4 here."),
        (raised("They sold saffron", "12", ""), "They sold saffron 12"),
        (raised("A room of 9 m", "2", " only."), "A room of 9 m2 only."),
        (raised("the 1", "st", " time"), "the 1st time"),
        ("/F 12 Tf 50 700 Td (saffron) Tj 5 Ts (4) Tj 0 Ts (, sold) Tj".to_owned(), "saffron 4, sold"),
        ("/F 12 Tf 50 700 Td (H) Tj /F 7 Tf -3 Ts (2) Tj /F 12 Tf 0 Ts (O) Tj".to_owned(), "H2O"),
    ] {
        assert_eq!(texts(&content), [expected], "{content}");
    }
}

const LEFT: [&str; 6] = [
    "The kiln stands behind the long shed",
    "and is fired twice a year when wind",
    "comes from the lake. Nobody sleeps in",
    "those nights, for the ash pit must be",
    "emptied every second hour or so, and",
    "the draught watched.",
];
const RIGHT: [&str; 6] = [
    "Bricks are sorted by their ring alone:",
    "a clear one goes to the chimneys, one",
    "that is dull to the garden walls. Any",
    "that crack are ground and mixed again",
    "into the clay of the following season",
    "under the old roof of the mill house.",
];

#[test]
fn columns_that_are_drawn_row_by_row_are_read_one_after_the_other() {
    let rows: String = LEFT
        .iter()
        .zip(RIGHT)
        .enumerate()
        .map(|(at, (left, right))| {
            let y = 700 - 12 * at;
            format!("1 0 0 1 50 {y} Tm ({left}) Tj 1 0 0 1 310 {y} Tm ({right}) Tj ")
        })
        .collect();
    let whole = "1 0 0 1 50 740 Tm (A title over both of the columns of this page, which is no part of them) Tj ";
    let read = texts(&format!("/F 10 Tf {whole}{rows}"));
    assert_eq!(read[1..], [LEFT.join(" "), RIGHT.join(" ")], "{read:?}");
    assert!(read[0].starts_with("A title over both"), "{read:?}");
}

#[test]
fn tables_stay_rows() {
    let rows = [
        ("Item", "Shelf"),
        ("Spoke wrench", "Left of the door"),
        ("Clay", "Yard"),
        ("Bricks", "Mill"),
        ("Lime", "Shed"),
    ];
    let drawn: String = rows
        .iter()
        .enumerate()
        .map(|(at, (a, b))| {
            let y = 700 - 12 * at;
            format!("1 0 0 1 50 {y} Tm ({a}) Tj 1 0 0 1 310 {y} Tm ({b}) Tj ")
        })
        .collect();
    let read = texts(&format!("/F 10 Tf {drawn}")).join(" ");
    assert!(read.contains("Spoke wrench Left of the door") && read.contains("Lime Shed"), "{read}");
}

#[test]
fn what_is_not_drawn_on_a_page_is_read() {
    let annotations = [
        "/Subtype /Widget /FT /Tx /T (f1) /TU (Tenant) /V (Mira Quill)",
        "/Subtype /Widget /T (f2) /Parent 6 0 R",
        "/Subtype /Widget /FT /Btn /T (f3) /V /Yes",
        "/Subtype /Widget /FT /Ch /V [(clay) (lime)]",
        "/Subtype /Widget /FT /Tx /TU (Heading) /V (Drawn text)",
        "/Subtype /Text /Contents (Ask about the\\rash pit)",
        "/Subtype /Highlight /Contents <FEFF83364F1A>",
        "/Subtype /FreeText /Contents (Drawn text)",
        "/Subtype /Popup /Contents (Ask again)",
        "/Subtype /Text /F 2 /Contents (Nobody sees this)",
        "/Subtype /Link /A << /S /URI /URI (https://quill.example/deed) >>",
    ];
    let all: String = annotations.iter().map(|one| format!("<< /Type /Annot /Rect [9 9 99 99] {one} >> ")).collect();
    let file = pdf(
        "BT /F 12 Tf 50 700 Td (Drawn text) Tj ET",
        &format!("/Annots [{all}]"),
        "",
        "",
        &["<< /FT /Tx /T (p) /V (two months) >>"],
    );
    let document = read_bytes("a.pdf", &file);
    assert_eq!(
        placed(&document),
        [
            "[p. 1] paragraph: Drawn text",
            "[p. 1] paragraph: Tenant: Mira Quill",
            "[p. 1] paragraph: two months",
            "[p. 1] paragraph: clay, lime",
            "[p. 1] paragraph: Ask about the\nash pit",
            "[p. 1] paragraph: 茶会",
        ]
    );
    assert_eq!(document.unseen.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>(), ["quill.example/deed"]);
}

#[test]
fn authors_subjects_and_keywords_are_found() {
    let unseen = |document: &Document| document.unseen.iter().map(|(_, words)| words.clone()).collect::<Vec<_>>();
    let text = "BT /F 12 Tf 50 700 Td (Text) Tj ET";
    let info = "/Title (Kiln plan) /Author (Mira Quill) /Subject (Firing) /Keywords (clay, lime)";
    let document = read_bytes("a.pdf", &pdf(text, "", "", info, &[]));
    assert_eq!(unseen(&document), ["Mira Quill", "Firing"]);
    assert_eq!((document.title.as_str(), document.tags), ("Kiln plan", vec!["clay".to_owned(), "lime".to_owned()]));

    let packet = "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>\
        <rdf:Description pdf:Keywords='lime'><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Kiln plan</rdf:li></rdf:Alt></dc:title>\
        <dc:creator><rdf:Seq><rdf:li>Mira Quill</rdf:li><rdf:li>Ann Reed</rdf:li></rdf:Seq></dc:creator>\
        <dc:subject><rdf:Bag><rdf:li>clay</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>\n   \n<?xpacket end='w'?>";
    let stream = format!("<< /Type /Metadata /Subtype /XML /Length {} >>\nstream\n{packet}\nendstream", packet.len());
    let document = read_bytes("a.pdf", &pdf(text, "", "/Metadata 6 0 R", "", &[&stream]));
    assert_eq!(unseen(&document), ["Mira Quill", "Ann Reed"]);
    assert_eq!((document.title.as_str(), document.tags), ("Kiln plan", vec!["lime".to_owned(), "clay".to_owned()]));
}
