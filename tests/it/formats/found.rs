//! Words in places where a reader does not look, such as the address of a link, are found too.

use crate::support::Nuthatch;

/// A file's name, its content, and questions for which a search by words must show this file first.
const FILES: &[(&str, &str, &[&str])] = &[
    ("other.md", "# Other\n\nA note about kites, pots and the weather over the harbour.\n", &["kites"]),
    (
        "link.md",
        "The order is [here](https://kestrel-surveyors.example/o/88231).\n\n![](img/boundary-sketch.png)\n",
        &["kestrel surveyors", "88231", "boundary sketch", "boundary-sketch.png"],
    ),
    (
        "reference.md",
        "See [the offer][1].\n\n[1]: https://larkspur.example/%E6%8A%A5%E4%BB%B7\n",
        &["larkspur", "报价"],
    ),
    (
        "saved.html",
        "<p>Read <a href='https://plover.example/tides'>this</a><img src=img/estuary.jpg>",
        &["plover tides", "estuary"],
    ),
    (
        "plan.org",
        "* Plan\nThe [[https://merganser.example][offer]].\n#+AUTHOR: Ottoline Brack\n",
        &["merganser", "ottoline"],
    ),
    ("docs.rst", "Docs\n====\n\nThe `offer <https://whimbrel.example>`_.\n", &["whimbrel"]),
    (
        "front.md",
        "---\npublisher: Quillfeather Press\n作者: 晚舟书屋\nlayout: post-wide\n---\n# A book\n\nText.\n",
        &["quillfeather press", "晚舟书屋", "post-wide"],
    ),
    (
        "named.eml",
        "Subject: Hello\nContent-Type: text/plain (as sent); name=body.txt\n\nThe marmalade is ready.\n",
        &["marmalade"],
    ),
    (
        "page.eml",
        "Subject: Hi\nContent-Type: text/html; name=\n\n<p>The quince jelly is ready.</p>\n",
        &["quince jelly"],
    ),
    (
        "invitation.eml",
        "Subject: Meeting\nContent-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY:Gooseberry picking\nEND:VEVENT\n",
        &["gooseberry"],
    ),
    (
        "week.ics",
        "BEGIN:VEVENT\nSUMMARY:Dragonfly survey\nLOCATION:Alder pond\nEND:VEVENT\n",
        &["dragonfly survey", "alder pond"],
    ),
    ("people.vcf", "BEGIN:VCARD\nFN:Tamsin Orrery\nTEL:138 0013 8000\nEND:VCARD\n", &["tamsin orrery"]),
    (
        "old.mbox",
        "From a@b\nSubject: Barometer\n\nIt fell.\n\nFrom c@d\nSubject: Sextant\n\nIt was sold.\n",
        &["barometer", "sextant"],
    ),
    (
        "board.canvas",
        "{\"nodes\":[{\"text\":\"Grind the **cardamom**\"},{\"label\":\"Spice rack\"}]}",
        &["cardamom", "spice rack"],
    ),
    (
        "drawn.excalidraw.md",
        "---\nexcalidraw-plugin: parsed\n---\n# Excalidraw Data\n## Text Elements\nTrebuchet arm ^aB3dE6gH\n%%\n## Drawing\n```json\n{}\n```\n%%\n",
        &["trebuchet"],
    ),
    ("ruby.html", "<p><ruby>珊<rt>shān</rt>瑚<rt>hú</rt></ruby>礁很美。", &["珊瑚", "珊瑚礁", "shānhú", "shan hu"]),
    ("mark.html", "<p>They sold saffron<sup>4</sup> here, 12 m<sup>2</sup> of it.", &["saffron", "m2"]),
    ("mark.md", "They sold turmeric<sup>12</sup> here.\n", &["turmeric"]),
    (
        "shadow.html",
        "<x-card><template shadowrootmode=\"open\"><p>Periwinkle dye</p></template></x-card>",
        &["periwinkle"],
    ),
    ("mac.md", "# First\rtext\r\r# Heliotrope\rmore\r", &["heliotrope"]),
    (
        "rich.rtf",
        r#"{\rtf1\pard See {\field{\*\fldinst HYPERLINK "https://dotterel.example/x"}{\fldrslt this}}.\par}"#,
        &["dotterel"],
    ),
];

#[test]
fn words_in_hidden_places_are_found() {
    let nuthatch = Nuthatch::without_models();
    let folder = tempfile::tempdir().unwrap();
    for (name, content, _) in FILES {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    // In GBK: 11:02 数据库重启：紫藤
    let gbk = b"11:02 \xCA\xFD\xBE\xDD\xBF\xE2\xD6\xD8\xC6\xF4\xA3\xBA\xD7\xCF\xCC\xD9\n";
    std::fs::write(folder.path().join("two.log"), [gbk.as_slice(), "11:03 备份完成：海棠\n".as_bytes()].concat())
        .unwrap();
    nuthatch.index(folder.path());
    let asked = FILES.iter().map(|(name, _, questions)| (*name, *questions));
    let mut lost = Vec::new();
    for (name, questions) in asked.chain([("two.log", &["紫藤", "海棠"][..])]) {
        for question in questions {
            let answer = nuthatch.run(&["search", "--stage", "lexical", "--top", "1", "--json", question]).json();
            let found = answer["hits"][0]["path"].as_str().unwrap_or_default();
            if !found.ends_with(&format!("/{name}")) && !found.ends_with(&format!("\\{name}")) {
                lost.push(format!("{question}: {found:?} and not {name}"));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
