use super::*;

fn texts(name: &str, source: &str) -> Vec<String> {
    let document = read(name, source);
    assert_eq!(document.text, source);
    document.blocks.into_iter().map(|block| block.text).collect()
}

#[test]
fn fields() {
    let check =
        |name: &str, source: &str, expected: &str| assert_eq!(texts(name, source).join("\n\n"), expected, "{source}");
    check("a.csv", "name,age\nAnn,31\nBob,42\n", "name | age\nAnn | 31\nBob | 42");
    check(
        "a.csv",
        "姓名；,\"说\"\r\n张三,\"第一行\n第二行\"\r\n李四,\"他说\"\"好\"\"\"\r\n",
        "姓名； | 说\n张三 | 第一行 第二行\n李四 | 他说\"好\"",
    );
    check("a.csv", "name;price\ntea;1,50\ncup;3,20\n", "name | price\ntea | 1,50\ncup | 3,20");
    check("a.csv", "sep=|\na|b\n", "a | b");
    check("a.csv", "sep=；\n名称；数量\n茶；3\n", "名称 | 数量\n茶 | 3");
    check("a.csv", "sep=🍵\r\n名称🍵\"数🍵量\"\r\n茶🍵\r\n", "名称 | 数🍵量\n茶");
    check("a.csv", "名称；数量\n茶；3\n\"绿；茶\"；5", "名称 | 数量\n茶 | 3\n绿；茶 | 5");
    check("a.tsv", "a\tb, c\n\n1\t\t\n", "a | b, c\n1");
    check("a.csv", "\u{FEFF}one\ntwo\n", "one\ntwo");
    check("a.csv", "5\" disk,x\n\"open,y\nz,1\n", "5\" disk | x\n\"open | y\nz | 1");
    check("a.csv", "", "");
}

#[test]
fn every_block_begins_with_the_header() {
    let rows: String = (0..400).map(|row| format!("{row},茶 number {row},{}\n", row * 7)).collect();
    let document = read("a.csv", &format!("id,name,price\n{rows}"));
    assert!(document.blocks.len() > 10);
    for block in &document.blocks {
        assert!(block.text.starts_with("id | name | price\n"), "{}", block.text);
        let first = block.text.lines().nth(1).expect("a row");
        let number = first.split(' ').next().expect("a number");
        // A block's text leads to its place in the source, and a hit opens at that line.
        let at = block.text.find(first).expect("there");
        let source = block.source_offset(&document, at);
        assert!(document.text[source..].starts_with(&format!("{number},茶")), "{first}");
        let line = number.parse::<u32>().expect("a number") + 2;
        assert_eq!(document.places_at([source]), [Some(Place::Line { number: line })]);
    }
    let numbers = read("a.csv", &"1,2\n".repeat(500));
    assert!(numbers.blocks.iter().all(|block| block.text.starts_with("1 | 2\n1 | 2")));
}
