//! Files with wrong names are read in the format of their content.

use super::made::{office, placed, read_bytes, zip};
use super::sheets::xls;
use super::*;

const WORKBOOK: &str = "<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>\n\
    <Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\" xmlns:ss=\"urn:schemas-microsoft-com:office:spreadsheet\">\
    <DocumentProperties><Title>Statement</Title><Author>Bank</Author></DocumentProperties>\
    <Styles><Style ss:ID=\"p\"><NumberFormat ss:Format=\"Percent\"/></Style><Style ss:ID=\"d\"><NumberFormat ss:Format=\"d mmm yyyy\"/></Style></Styles>\
    <Worksheet ss:Name=\"March\"><Table><Row><Cell><Data ss:Type=\"String\">Payee</Data></Cell><Cell><Data ss:Type=\"String\">Rate</Data></Cell></Row>\
    <Row ss:Index=\"4\"><Cell ss:StyleID=\"d\"><Data ss:Type=\"DateTime\">2024-03-05T00:00:00.000</Data>\
    <Comment><ss:Data>late &amp; <B>twice</B></ss:Data></Comment></Cell>\
    <Cell ss:Index=\"3\" ss:StyleID=\"p\"><Data ss:Type=\"Number\">0.0375</Data></Cell></Row></Table></Worksheet></Workbook>";

#[test]
fn a_format_is_told_by_content_where_the_name_lies() {
    let docx = office(&[("word/document.xml", "<d><p><r><t>Kiln plan</t></r></p></d>")], &[]);
    let odt = zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", b"<d><text:p>Kiln plan</text:p></d>"),
    ]);
    let page = "<html><head><title>Kiln</title></head><body><table><tr><td>Payee<td>Sum</tr></table></body></html>";
    let utf16: Vec<u8> = "\u{FEFF}Payee\tSum\nMiller\t茶\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let web_archive = "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=\"x\"\n\n--x\nContent-Type: text/html\n\n<p>Kiln plan</p>\n--x--\n";
    for (name, bytes, format, said) in [
        ("a.xls", page.as_bytes(), Format::Html, "Payee | Sum"),
        ("a.xlsx", b"\n<!-- made --><TABLE border=1><tr><td>Payee", Format::Html, "Payee"),
        ("a.xls", b"<?xml version='1.0'?><!DOCTYPE html><html><p>Payee", Format::Html, "Payee"),
        ("a.pdf", page.as_bytes(), Format::Html, "Payee | Sum"),
        ("a.xls", WORKBOOK.as_bytes(), Format::Spreadsheet, "Payee | Rate"),
        ("a.xls", b"Payee\tSum\nMiller\t7\n", Format::Tsv, "Payee | Sum\nMiller | 7"),
        ("a.xls", &utf16, Format::Tsv, "Payee | Sum\nMiller | 茶"),
        ("a.xls", b"Payee;Sum\nMiller;7,5\n", Format::Csv, "Payee | Sum\nMiller | 7,5"),
        ("a.docx", b"{\\rtf1 Kiln plan}", Format::Rtf, "Kiln plan"),
        ("a.odt", b"{\\rtf1 Kiln plan}", Format::Rtf, "Kiln plan"),
        ("a.doc", b"{\\rtf1 Kiln plan}", Format::Rtf, "Kiln plan"),
        ("a.doc", page.as_bytes(), Format::Html, "Payee | Sum"),
        ("a.doc", &docx, Format::Docx, "Kiln plan"),
        ("a.xls", &super::office::doc(), Format::Docx, "Kiln plan of 1998 – 茶"),
        ("a.docx", web_archive.as_bytes(), Format::Email, "Kiln plan"),
        ("a.docx", b"Kiln plan", Format::Text, "Kiln plan"),
        ("a.rtf", b"Kiln plan", Format::Text, "Kiln plan"),
        ("a.rtf", &docx, Format::Docx, "Kiln plan"),
        ("a.xlsx", &docx, Format::Docx, "Kiln plan"),
        ("a.txt", &docx, Format::Docx, "Kiln plan"),
        ("a.docx", &odt, Format::Odt, "Kiln plan"),
        ("a.csv", &xls(), Format::Spreadsheet, "1,249,500 pcs | 3.75%\n5 | 7 pcs"),
    ] {
        let document = read_bytes(name, bytes);
        assert_eq!(document.format, format, "{name}: {said}");
        assert!(document.blocks.iter().any(|block| block.text == said), "{name}: {document:?}");
    }
}

#[test]
fn a_text_file_is_what_its_name_says() {
    for (name, source) in [("a.txt", "<html><p>Kiln"), ("a.csv", "<table><tr><td>a,b"), ("a.md", "{\\rtf1 x}")] {
        assert_eq!(Some(read(name, source).format), format_of(Path::new(name)), "{name}");
    }
    for (name, reason) in [("a.xlsx", "no ZIP archive"), ("a.pdf", "no PDF"), ("a.epub", "no ZIP archive")] {
        let error = extract(Path::new(name), b"only text").expect_err(name).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_workbook_in_xml_shows_its_cells() {
    let document = read_bytes("a.xls", WORKBOOK.as_bytes());
    assert_eq!(document.title, "Statement");
    assert_eq!(
        placed(&document),
        [
            "[March!A1:B1] h2: March",
            "[March!A1:B1] table: Payee | Rate",
            "[March!A4:C4] table: 5 Mar 2024 | | 3.75%",
            "[March!A4] paragraph: 5 Mar 2024: late & twice",
        ]
    );
}
