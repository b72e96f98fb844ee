use super::*;

fn cells(document: &Document) -> Vec<String> {
    let places = document.places_at(document.blocks.iter().map(|block| block.span.start));
    let line = |(block, place): (&Block, Option<Place>)| {
        let kind = format!("{:?}", block.kind).to_lowercase();
        format!("{} {kind}: {:?}", place.expect("a cell"), block.text)
    };
    document.blocks.iter().zip(places).map(line).collect()
}

#[test]
fn version_4() {
    let document = read(
        "a.ipynb",
        r###"{"cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# 茶\n", "\n", "Brew *it* #hot\n"]},
            {"cell_type": "code", "execution_count": 1, "source": "import a\nb = \"\u7eff\ud83c\udf75\"", "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["80\n", "90\n"]},
                {"output_type": "display_data", "data": {"image/png": "iVBO", "text/plain": ["<Figure size 1x1>"]}},
                {"output_type": "error", "ename": "ValueError", "evalue": "too hot", "traceback": ["x"]}]},
            {"cell_type": "raw", "source": []},
            {"cell_type": "markdown", "source": "## End\n- x"}],
         "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}"###,
    );
    assert_eq!(
        cells(&document),
        [
            r##"cell 1 heading { level: 1 }: "茶""##,
            r##"cell 1 paragraph: "Brew it #hot""##,
            r##"cell 2 code: "import a\nb = \"绿🍵\"""##,
            r##"cell 2 code: "80\n90""##,
            r##"cell 2 code: "ValueError: too hot""##,
            r##"cell 4 heading { level: 2 }: "End""##,
            r##"cell 4 list: "- x""##,
        ]
    );
    assert_eq!((document.title.as_str(), document.tags.clone()), ("茶", strings(&["hot"])));
    assert_eq!(document.blocks[6].heading_path[..], ["茶", "End"]);
}

#[test]
fn version_3_and_what_broke_off() {
    let source = r##"{"metadata": {"name": "Old"}, "nbformat": 3, "worksheets": [{"cells": [
        {"cell_type": "heading", "level": 2, "source": ["Head"]},
        {"cell_type": "code", "input": ["print(1)"], "outputs": [{"output_type": "stream", "text": ["1"]}]}]}]}"##;
    let document = read("a.ipynb", source);
    assert_eq!(
        cells(&document),
        [r##"cell 1 heading { level: 2 }: "Head""##, r##"cell 2 code: "print(1)""##, r##"cell 2 code: "1""##]
    );
    assert_eq!(document.title, "Old");
    let cut = &source[..source.find("outputs").expect("there")];
    assert_eq!(read("a.ipynb", cut).blocks.len(), 2);
    let error = extract(Path::new("a.ipynb"), b"{\"a\": 1}").expect_err("no notebook");
    assert_eq!(error.to_string(), "a.ipynb cannot be read: it is not a Jupyter notebook inside");
}

#[test]
fn what_no_one_asks_for_is_passed_over() {
    let source = r##"{"x": [[1, "]"], {"cells": "\\\"}"}, -1.5], "y": "é\é", "z": null, "cells": [[{}], 1,
        {"attachments": {"source": "no"}, "cell_type": "code", "source": ["a", "\n", "b"], "k": [[["]"]]]}],
        "nbformat": 4}"##;
    assert_eq!(cells(&read("a.ipynb", source)), [r##"cell 1 code: "a\nb""##]);
}

/// What programs and people write that is no JSON. Half a character is one that a program cut.
#[test]
fn what_is_not_quite_json_is_mended() {
    let cell = |rest: &str| format!(r##"{{"cells": [{{"cell_type": "code", {rest}}}], "nbformat": 4}}"##);
    for (rest, expected) in [
        (r##""outputs": [{"data": {"x": [NaN, -Infinity, 1e999]}}], "source": "a""##, "a"),
        (r##""source": ["a", "b",],"##, "ab"),
        (r##""source": "a\qb\/c""##, "aqb/c"),
        (r##""source": "\ud83ca\udf75b \ud83c\udf75""##, "\u{FFFD}a\u{FFFD}b 🍵"),
        ("\"metadata\": NaN, \"source\": \"a\n\tb\"", "a\n b"),
    ] {
        assert_eq!(cells(&read("a.ipynb", &cell(rest))), [format!("cell 1 code: {expected:?}")], "{rest}");
    }
    let source = cell(r##""source": ["one", " two \u8336", {}]"##);
    for end in 0..source.len() {
        let document = extract(Path::new("a.ipynb"), &source.as_bytes()[..end]);
        let text = document.map(|document| document.blocks.into_iter().map(|block| block.text).collect::<String>());
        let read = source[..end].find("two").map_or(0, |at| end - at);
        match read {
            0..=2 => {}
            3..12 => assert!(text.expect("a notebook").starts_with("one two"), "{end}"),
            _ => assert_eq!(text.expect("a notebook"), "one two 茶", "{end}"),
        }
    }
}
