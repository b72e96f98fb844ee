//! Spreadsheets: numbers as their cells show them, and the notes of cells.

use super::made::{office, placed, read_bytes, zip};

/// A workbook of one sheet, with formats for its cells: `styles` are the codes of the styles from 1 on.
fn xlsx(styles: &[&str], sheet: &str, more: &[(&str, &str)], relations: &[(&str, &str, &str)]) -> Vec<u8> {
    let codes: String = styles
        .iter()
        .enumerate()
        .map(|(at, code)| format!("<numFmt numFmtId=\"{}\" formatCode=\"{}\"/>", 164 + at, code.replace('"', "&quot;")))
        .collect();
    let xfs: String = (0..styles.len()).map(|at| format!("<xf numFmtId=\"{}\"/>", 164 + at)).collect();
    let styles = format!(
        "<styleSheet><numFmts>{codes}</numFmts><cellXfs><xf numFmtId=\"0\"/>{xfs}<xf numFmtId=\"14\"/></cellXfs></styleSheet>"
    );
    let sheet = format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>");
    let mut parts = vec![
        ("xl/workbook.xml", "<workbook><sheets><sheet name=\"Stock\" sheetId=\"1\" r:id=\"r0\"/></sheets></workbook>"),
        ("xl/worksheets/sheet1.xml", &sheet),
        ("xl/styles.xml", &styles),
    ];
    parts.extend_from_slice(more);
    let mut all =
        vec![("xl/workbook.xml", "worksheet", "worksheets/sheet1.xml"), ("xl/workbook.xml", "styles", "styles.xml")];
    all.extend_from_slice(relations);
    office(&parts, &all)
}

#[test]
fn numbers_are_read_as_their_cells_show_them() {
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Card</t></is></c><c r=\"B1\" t=\"inlineStr\"><is><t>Rate</t></is></c></row>\
        <row r=\"2\"><c r=\"A2\" s=\"1\"><v>8801234567890125</v></c><c r=\"B2\" s=\"2\"><v>0.0375</v></c></row>\
        <row r=\"3\"><c r=\"A3\" s=\"3\"><v>1249500</v></c><c r=\"B3\" s=\"4\"><v>45356</v></c></row>\
        <row r=\"4\"><c r=\"A4\" s=\"6\"><v>45356.5</v></c><c r=\"B4\" s=\"5\"><v>871</v></c></row>\
        <row r=\"5\"><c r=\"A5\"><v>8801234567890125</v></c><c r=\"B5\" s=\"9\"><v>0.5</v></c></row>";
    let book = xlsx(&["0", "0.00%", "#,##0", "yyyy\"年\"m\"月\"d\"日\"", "00000"], rows, &[], &[]);
    let table = "[Stock!A1:B5] table: Card | Rate\n8801234567890125 | 3.75%\n1,249,500 | 2024年3月5日\n2024-03-05 | 00871\n8801234567890125 | 0.5";
    assert_eq!(placed(&read_bytes("a.xlsx", &book)), ["[Stock!A1] h2: Stock".replace("A1", "A1:B5"), table.to_owned()]);
}

/// A number with a comma or a percent sign is not the name of a column.
#[test]
fn a_row_of_shown_numbers_is_no_header() {
    let rows: String = (1..60)
        .map(|row| format!("<row r=\"{row}\"><c r=\"A{row}\" s=\"1\"><v>{row}000</v></c><c r=\"B{row}\" s=\"2\"><v>0.5</v></c></row>"))
        .collect();
    let document = read_bytes("a.xlsx", &xlsx(&["#,##0", "0%"], &rows, &[], &[]));
    let n_said = document.text.lines().filter(|line| *line == "1,000 | 50%").count();
    assert_eq!(n_said, 1, "{}", document.text);
}

#[test]
fn notes_threads_and_pictures_of_a_sheet() {
    let rows = "<row r=\"3\"><c r=\"B3\" t=\"inlineStr\"><is><t>Kiln bricks</t></is></c></row>";
    let comments = "<comments><commentList>\
        <comment ref=\"B3\"><text><r><t>Ann:</t></r><r><t xml:space=\"preserve\">\nfrom the quarry</t></r></text></comment>\
        <comment ref=\"C9\"><text><t>[Threaded comment]\n\nComment:\n    asked twice</t></text></comment></commentList></comments>";
    let thread = "<ThreadedComments><threadedComment ref=\"C9\"><text>asked &amp; twice</text></threadedComment>\
        <threadedComment ref=\"C9\"><text>answered once</text></threadedComment></ThreadedComments>";
    let drawing = "<wsDr><twoCellAnchor><from><col>4</col><row>6</row></from><to><col>8</col><row>9</row></to>\
        <pic><nvPicPr><cNvPr id=\"2\" name=\"Picture 1\" descr=\"A beehive kiln\"/></nvPicPr></pic></twoCellAnchor>\
        <twoCellAnchor><from><col>0</col><row>11</row></from><to><col>1</col><row>12</row></to>\
        <sp><nvSpPr><cNvPr id=\"3\" name=\"TextBox 2\"/></nvSpPr><txBody><p><r><t>Fire it </t></r><r><t>slowly</t></r></p></txBody></sp>\
        </twoCellAnchor></wsDr>";
    let sheet = "xl/worksheets/sheet1.xml";
    let book = xlsx(
        &[],
        rows,
        &[("xl/comments1.xml", comments), ("xl/threadedComments/t1.xml", thread), ("xl/drawings/d1.xml", drawing)],
        &[
            (sheet, "comments", "../comments1.xml"),
            (sheet, "threadedComment", "../threadedComments/t1.xml"),
            (sheet, "drawing", "../drawings/d1.xml"),
        ],
    );
    assert_eq!(
        placed(&read_bytes("a.xlsx", &book)),
        [
            "[Stock!B3] h2: Stock",
            "[Stock!B3] table: Kiln bricks",
            "[Stock!B3] paragraph: Kiln bricks: Ann:\nfrom the quarry",
            "[Stock!E7] paragraph: A beehive kiln",
            "[Stock!C9] paragraph: asked & twice\nanswered once",
            "[Stock!A12] paragraph: Fire it slowly",
        ]
    );
}

#[test]
fn open_document_sheets_are_read_as_they_show() {
    let content = "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"Stock\">\
        <table:shapes><draw:frame><draw:image/><svg:title>Kiln</svg:title><svg:desc>A beehive kiln</svg:desc></draw:frame></table:shapes>\
        <table:table-row><table:table-cell office:value-type=\"string\"><text:p>Card</text:p></table:table-cell>\
        <table:table-cell office:value-type=\"string\"><office:annotation><dc:creator>Ann</dc:creator><dc:date>2024</dc:date>\
        <text:p>per year</text:p></office:annotation><text:p>Rate<text:s text:c=\"2\"/>now</text:p></table:table-cell></table:table-row>\
        <table:table-row table:number-rows-repeated=\"2\"><table:table-cell table:number-columns-repeated=\"3\"/></table:table-row>\
        <table:table-row table:number-rows-repeated=\"2\"><table:table-cell office:value-type=\"float\" office:value=\"8801234567890125\">\
        <text:p>8.80123456789013E+015</text:p></table:table-cell>\
        <table:table-cell office:value-type=\"percentage\" office:value=\"0.0375\"><text:p>3.75%</text:p></table:table-cell>\
        <table:table-cell office:value-type=\"date\" office:date-value=\"2024-03-05\"><text:p>5. März 2024</text:p></table:table-cell>\
        <table:table-cell office:value-type=\"float\" office:value=\"7.5\"/></table:table-row>\
        <table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
        </table:table></office:spreadsheet></office:body></office:document-content>";
    let meta =
        "<m><dc:title>Yard</dc:title><meta:keyword>bricks</meta:keyword><meta:keyword>clay, lime</meta:keyword></m>";
    let kind = b"application/vnd.oasis.opendocument.spreadsheet";
    let book = zip(&[
        ("mimetype", kind),
        ("content.xml", content.as_bytes()),
        ("meta.xml", meta.as_bytes()),
        ("META-INF/manifest.xml", b"<m/>"),
    ]);
    let document = read_bytes("a.ods", &book);
    assert_eq!(
        placed(&document),
        [
            "[Stock!A1:B1] h2: Stock",
            "[Stock!A1:B1] table: Card | Rate now",
            "[Stock!A4:D5] table: 8801234567890125 | 3.75% | 5. März 2024 | 7.5\n8801234567890125 | 3.75% | 5. März 2024 | 7.5",
            "[Stock!A1] paragraph: Card: Kiln\nA beehive kiln",
            "[Stock!B1] paragraph: Rate now: per year",
        ]
    );
    assert_eq!(
        (document.title.as_str(), document.tags),
        ("Yard", vec!["bricks".to_owned(), "clay".to_owned(), "lime".to_owned()])
    );
}

/// Records of XLSB: kind, length, bytes.
fn xlsb_part(records: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut part = Vec::new();
    let number = |part: &mut Vec<u8>, mut n: u32| {
        while n >= 0x80 {
            part.push((n & 0x7F) as u8 | 0x80);
            n >>= 7;
        }
        part.push(n as u8);
    };
    for (kind, body) in records {
        number(&mut part, *kind);
        number(&mut part, body.len() as u32);
        part.extend_from_slice(body);
    }
    part
}

fn wide(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [(units.len() as u32 / 2).to_le_bytes().to_vec(), units].concat()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn binary_workbooks_show_the_same() {
    let workbook =
        xlsb_part(&[(156, [words(&[0, 1]), wide("r0"), wide("Stock")].concat()), (144, Vec::new()), (132, Vec::new())]);
    let xf = |format: u16| (47, [vec![0xFF, 0xFF], format.to_le_bytes().to_vec(), vec![0; 12]].concat());
    let styles = xlsb_part(&[
        (615, words(&[1])),
        (44, [164_u16.to_le_bytes().to_vec(), wide("#,##0\" pcs\"")].concat()),
        (616, Vec::new()),
        (617, words(&[3])),
        xf(0),
        xf(164),
        xf(10),
        (618, Vec::new()),
    ]);
    let real =
        |column: u32, style: u32, value: f64| (5, [words(&[column, style]), value.to_le_bytes().to_vec()].concat());
    let sheet = xlsb_part(&[
        (129, Vec::new()),
        (148, words(&[0, 0, 0, 2])),
        (145, Vec::new()),
        (0, [words(&[0, 0]), vec![0; 17]].concat()),
        real(0, 1, 1_249_500.0),
        (1, words(&[1, 2])),
        real(2, 2, 0.0375),
        (146, Vec::new()),
    ]);
    let comments = xlsb_part(&[
        (635, [words(&[0, 0, 0, 2, 2]), vec![0; 16]].concat()),
        (637, [vec![0], wide("per year")].concat()),
    ]);
    let rels = |all: &str| format!("<Relationships>{all}</Relationships>").into_bytes();
    let relation =
        |id: &str, kind: &str, to: &str| format!("<Relationship Id=\"{id}\" Type=\"x/{kind}\" Target=\"{to}\"/>");
    let of_book =
        rels(&(relation("r0", "worksheet", "worksheets/sheet1.bin") + &relation("r1", "styles", "styles.bin")));
    let book = zip(&[
        ("_rels/.rels", &rels(&relation("r0", "officeDocument", "xl/workbook.bin"))),
        ("xl/_rels/workbook.bin.rels", &of_book),
        ("xl/workbook.bin", &workbook),
        ("xl/styles.bin", &styles),
        ("xl/worksheets/sheet1.bin", &sheet),
        ("xl/worksheets/_rels/sheet1.bin.rels", &rels(&relation("r0", "comments", "../comments1.bin"))),
        ("xl/comments1.bin", &comments),
    ]);
    assert_eq!(
        placed(&read_bytes("a.xlsb", &book)),
        [
            "[Stock!A1:C1] h2: Stock",
            "[Stock!A1:C1] table: 1,249,500 pcs | | 3.75%",
            "[Stock!C1] paragraph: 3.75%: per year",
        ]
    );
}

/// Records of XLS.
fn xls_stream(records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let record = |(kind, body): &(u16, Vec<u8>)| {
        [kind.to_le_bytes().to_vec(), (body.len() as u16).to_le_bytes().to_vec(), body.clone()].concat()
    };
    records.iter().flat_map(record).collect()
}

fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn xls() -> Vec<u8> {
    let begin = |kind: u16| (0x0809, shorts(&[0x0600, kind, 0, 0, 0, 0, 0, 0]));
    let code = b"#,##0\" pcs\"";
    let globals = |offset: u32| {
        xls_stream(&[
            begin(5),
            (0x041E, [shorts(&[164, code.len() as u16]), vec![0], code.to_vec()].concat()),
            (0x00E0, [shorts(&[0, 0]), vec![0; 16]].concat()),
            (0x00E0, [shorts(&[0, 164]), vec![0; 16]].concat()),
            (0x00E0, [shorts(&[0, 10]), vec![0; 16]].concat()),
            (0x0085, [offset.to_le_bytes().to_vec(), vec![0, 0, 5, 0], b"Stock".to_vec()].concat()),
            (0x000A, Vec::new()),
        ])
    };
    let sheet = xls_stream(&[
        begin(16),
        (0x0203, [shorts(&[0, 0, 1]), 1_249_500_f64.to_le_bytes().to_vec()].concat()),
        (0x0203, [shorts(&[0, 1, 2]), 0.0375_f64.to_le_bytes().to_vec()].concat()),
        // 5 and 7 as whole numbers, shifted left by two bits.
        (
            0x00BD,
            [
                shorts(&[1, 0, 0]),
                ((5_u32 << 2) | 2).to_le_bytes().to_vec(),
                shorts(&[1]),
                ((7_u32 << 2) | 2).to_le_bytes().to_vec(),
                shorts(&[1]),
            ]
            .concat(),
        ),
        (0x005D, shorts(&[0x15, 0x12, 0x19, 0, 0, 0, 0, 0, 0, 0, 0])),
        (0x005D, shorts(&[0x15, 0x12, 0x19, 3, 0, 0, 0, 0, 0, 0, 0])),
        (0x01B6, [shorts(&[0, 0, 0, 0, 0, 8, 16]), vec![0; 4]].concat()),
        (0x003C, [vec![0], b"per year".to_vec()].concat()),
        (0x003C, vec![0; 16]),
        (0x001C, [shorts(&[0, 1, 0, 3, 0]), vec![0; 2]].concat()),
        (0x000A, Vec::new()),
    ]);
    let globals = globals(globals(0).len() as u32);
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).expect("a file");
    let mut stream = file.create_stream("Workbook").expect("a stream");
    // A stream of less than 4 KB would be stored among the small ones, where no real workbook is.
    let padding = vec![0; 4096];
    std::io::Write::write_all(&mut stream, &[globals, sheet, padding].concat()).expect("room");
    drop(stream);
    // Programs write small streams as well.
    file.create_stream("SummaryInformation")
        .and_then(|mut stream| std::io::Write::write_all(&mut stream, b"x"))
        .expect("room");
    file.flush().expect("written");
    file.into_inner().into_inner()
}

#[test]
fn old_workbooks_show_the_same() {
    assert_eq!(
        placed(&read_bytes("a.xls", &xls())),
        [
            "[Stock!A1:B2] h2: Stock",
            "[Stock!A1:B2] table: 1,249,500 pcs | 3.75%\n5 | 7 pcs",
            "[Stock!B1] paragraph: 3.75%: per year",
        ]
    );
}
