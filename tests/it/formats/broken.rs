//! Broken and hostile files. Each gives a document or an error with a reason, and the other files are still indexed.

use nuthatch_engine::extract::ExtractError;

use super::made::{docx, long_pdf, pdf, zip, zip_bomb};
use super::{FIXTURES, Tally, fixture, read, workers};
use crate::support::{Nuthatch, write};

/// How many cut copies, and how many copies with changed bytes, are read of each file.
const N_CUTS: usize = 8;
const N_TURNS: usize = 12;

#[test]
fn broken_files_of_every_format_end_in_a_document_or_a_reason() {
    let workers = workers();
    let mut tally = Tally::default();
    for (at, (path, whole)) in FIXTURES.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        for cut in 0..N_CUTS {
            tally.count(name, read(&workers, name, &whole[..whole.len() * cut / N_CUTS]));
        }
        for turn in 0..N_TURNS {
            let mut turned = whole.clone();
            // The changed bytes are spread over the file, with some near its end, where an archive lists its contents.
            for place in [turn * whole.len() / N_TURNS, whole.len() - 1 - turn * 7 % whole.len()] {
                turned[place] ^= 0x41;
            }
            tally.count(name, read(&workers, name, &turned));
        }
        // The content of another file under this file's name.
        let other = &FIXTURES[(at + 1) % FIXTURES.len()].1;
        tally.count(name, read(&workers, name, other));
    }
    let all = tally.documents + tally.refused + tally.crashed + tally.stopped;
    println!("{all} broken files: {tally:?}");
    assert_eq!(all, FIXTURES.len() * (N_CUTS + N_TURNS + 1));
    assert!(tally.documents > 0 && tally.refused > all / 3, "{tally:?}");
    // The worker process exists because libraries may panic on damage. A library that panics often is the wrong one.
    assert!(tally.crashed + tally.stopped < all / 20, "{tally:?}");
}

/// The name and content of each file, and a part of the reason to expect; `None` where a document is fine too.
fn hostile() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let deep = |tag: &str, n: usize| format!("<d>{}", format!("<{tag}>").repeat(n));
    let entities = r#"<!DOCTYPE d [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>"#;
    let encrypted: Vec<u8> = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]
        .into_iter()
        .chain("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let catalog = "<< /Type /Catalog /Pages 2 0 R >>".to_owned();
    let loop_of_pages = pdf(&[catalog.clone(), "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>".to_owned()]);
    let endless_xref = [
        b"%PDF-1.4\n".as_slice(),
        b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF",
    ]
    .concat();
    let counted = pdf(&[catalog.clone(), "<< /Type /Pages /Kids [] /Count 2000000000 >>".to_owned()]);
    let nested = pdf(&[catalog, format!("<< /Type /Pages /Kids {}", "[".repeat(500_000))]);
    let form_in_itself = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>"
            .to_owned(),
        "<< /Length 5 >>\nstream\n/X Do\nendstream".to_owned(),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >> /Length 11 >>\nstream\n/X Do /X Do\nendstream"
            .to_owned(),
    ]);
    let missing = zip(&[("mimetype", b"application/epub+zip")]);
    let nested_book =
        zip(&[("META-INF/container.xml", br#"<c><rootfile full-path="a.epub"/></c>"#), ("a.epub", &missing)]);
    let shop =
        r#"<encryption><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></encryption>"#;
    vec![
        ("empty.pdf", Vec::new(), Some("empty")),
        ("empty.docx", Vec::new(), Some("empty")),
        ("text.pdf", b"only text".to_vec(), Some("no PDF")),
        ("text.xlsx", b"only text".to_vec(), Some("no ZIP archive")),
        ("locked.pdf", fixture("locked.pdf").to_vec(), Some("password")),
        ("locked.docx", encrypted.clone(), Some("password")),
        ("locked.xlsx", encrypted, Some("password")),
        ("shop.epub", zip(&[("META-INF/encryption.xml", shop.as_bytes())]), Some("DRM")),
        ("scan.pdf", fixture("scan.pdf").to_vec(), Some("only pictures")),
        ("bomb.docx", zip_bomb(130), Some("unfolds to more than")),
        ("bomb.xlsx", zip_bomb(300), Some("unfolds to more than")),
        ("entities.docx", docx(&format!("{entities}<d><p><t>x&c;&c;</t></p></d>")), None),
        ("deep.docx", docx(&deep("tbl", 200_000)), Some("nested")),
        ("cut.docx", docx("<d><p><t>One"), Some("ends too early")),
        ("tags.docx", docx("<d><p></d>"), Some("not well formed")),
        ("bare.docx", zip(&[("a.txt", b"x")]), Some("no Office document")),
        ("bare.epub", missing, Some("container.xml is missing")),
        ("nested.epub", nested_book, Some("damaged")),
        ("loop.pdf", loop_of_pages, Some("no pages")),
        ("xref.pdf", endless_xref, None),
        ("counted.pdf", counted, Some("no pages")),
        ("nested.pdf", nested, None),
        ("form.pdf", form_in_itself, None),
    ]
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let workers = workers();
    for (name, bytes, expected) in hostile() {
        let outcome = read(&workers, name, &bytes);
        match (outcome, expected) {
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{name}: {error}"),
            (Ok(document), Some(expected)) => panic!("{name}: {:?} instead of {expected:?}", document.text),
            (Ok(_) | Err(ExtractError::Broken { .. }), None) => {}
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
    let long = read(&workers, "long.pdf", &long_pdf(300)).unwrap();
    assert_eq!((long.places.len(), long.text.matches("line 49:").count()), (300, 300));
}

#[test]
fn the_other_files_are_indexed_all_the_same() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile();
    for (name, bytes, _) in &hostile {
        write(folder.path(), &[(name, bytes)]);
    }
    write(folder.path(), &[("good.md", b"# Birds\n\nThe heron stands still."), ("trip.pdf", fixture("trip.pdf"))]);
    let report = nuthatch.index(folder.path());
    assert_eq!(nuthatch.run(&["search", "--json", "heron"]).files(), ["good.md"], "{report:?}");
    assert_eq!(nuthatch.run(&["search", "--json", "tram", "pass"]).files(), ["trip.pdf"]);
    let status = nuthatch.run(&["status", "--files", "--json"]).json();
    for (name, _, expected) in hostile {
        let rows = status["files"].as_array().unwrap();
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(name)).unwrap();
        if let Some(expected) = expected {
            assert_eq!(row["state"], "failed", "{row}");
            assert!(row["reason"].as_str().unwrap().contains(expected), "{row}");
        }
    }
}
