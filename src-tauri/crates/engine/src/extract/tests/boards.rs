//! Calendars, address books, drawing boards.

use super::*;

fn texts(name: &str, source: &str) -> Vec<String> {
    read(name, source).blocks.into_iter().map(|block| block.text).collect()
}

fn unseen(name: &str, source: &str) -> Vec<String> {
    read(name, source).unseen.into_iter().map(|(_, words)| words).collect()
}

#[test]
fn calendars() {
    let source = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Harbour\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Lisbon\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:Dragonfly survey\\, second day\r\nDTSTART;TZID=Europe/Lisbon:20261129T140000\r\nDTEND;TZID=Europe/Lisbon:20261129T153000\r\nLOCATION:Pier 4\\nBoat house\r\nORGANIZER;CN=\"Quill; Mira\":mailto:mira@quill.example\r\nATTENDEE:MAILTO:ben@x.y\r\nDESCRIPTION:Bring nets and w\r\n arm gloves.\\n\\nTea after.\r\nCATEGORIES:nature,field work\r\nURL:https://harbour.example/s/2\r\nBEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nSUMMARY:买茶叶\r\nDUE;VALUE=DATE:20261201\r\nX-ALT-DESC;FMTTYPE=text/html:<p>Green <b>tea</b></p>\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    assert_eq!(
        texts("a.ics", source),
        [
            "Dragonfly survey, second day",
            "When: 2026-11-29 14:00 Europe/Lisbon – 2026-11-29 15:30 Europe/Lisbon\nWhere: Pier 4\nBoat house\nWho: Quill; Mira <mira@quill.example>, ben@x.y",
            "Bring nets and warm gloves.",
            "Tea after.",
            "买茶叶",
            "Due: 2026-12-01",
            "Green tea",
        ]
    );
    let document = read("a.ics", source);
    assert_eq!((document.title.as_str(), &document.tags), ("Harbour", &strings(&["nature", "field work"])));
    assert_eq!(unseen("a.ics", source), ["harbour.example/s/2"]);
    let one = read("invite.ics", "BEGIN:VEVENT\nSUMMARY:Tea\nDTSTART:20240301T100000Z\nEND:VEVENT\n");
    assert_eq!((one.title.as_str(), one.date.as_deref()), ("Tea", Some("2024-03-01")));
    assert_eq!(one.blocks[1].text, "When: 2024-03-01 10:00 UTC");
    assert!(texts("a.ics", "no calendar\n").is_empty());
}

#[test]
fn address_books() {
    let source = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Quill;Mira;;Dr.;\r\nFN:Dr. Mira Quill\r\nORG:Kestrel Surveyors;Boundaries\r\nitem1.TEL;type=CELL:+86 138 0013 8000\r\nitem1.X-ABLabel:_$!<HomePage>!$_\r\nEMAIL;TYPE=\"work,pref\":mira@quill.example\r\nADR:;;4 Pier Lane;Lisbon;;;Portugal\r\nNOTE:Likes oolong\\, not sencha.\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg\r\nCATEGORIES:surveyor\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E6=99=9A;=\r\n=E8=88=9F\r\nTEL;CELL:1\r\nEND:VCARD\r\n";
    assert_eq!(
        texts("a.vcf", source),
        [
            "Dr. Mira Quill",
            "org: Kestrel Surveyors, Boundaries\ntel: +86 138 0013 8000\nablabel: HomePage\nemail: mira@quill.example\nadr: 4 Pier Lane, Lisbon, Portugal",
            "Likes oolong, not sencha.",
            "晚 舟",
            "tel: 1",
        ]
    );
    assert_eq!(read("a.vcf", source).tags, strings(&["surveyor"]));
    assert_eq!(read("contacts.vcf", source).title, "contacts");
    assert_eq!(read("x.vcf", "BEGIN:VCARD\nFN:Ben\nEND:VCARD").title, "Ben");
    assert_eq!(unseen("x.vcf", "BEGIN:VCARD\nFN:Ben Oak\nN:Oak;Ben\nEND:VCARD"), ["Oak Ben"]);
}

#[test]
fn canvases() {
    let source = r##"{"nodes":[{"id":"1","type":"text","text":"# Kettle\n\nBrew [it](https://tea.example/k) #hot","x":0},{"id":"2","type":"file","file":"notes/Dragonfly survey.md","subpath":"#Second day"},{"id":"3","type":"link","url":"https://harbour.example/s"},{"id":"4","type":"group","label":"Things to buy"}],"edges":[{"id":"e","fromNode":"1","toNode":"2","label":"leads to"}]}"##;
    assert_eq!(
        texts("My board.canvas", source),
        [
            "Kettle",
            "Brew it #hot",
            "notes/Dragonfly survey.md#Second day",
            "https://harbour.example/s",
            "Things to buy",
            "leads to"
        ]
    );
    let document = read("My board.canvas", source);
    assert_eq!((document.title.as_str(), &document.tags), ("My board", &strings(&["hot"])));
    assert_eq!(unseen("a.canvas", source), ["tea.example/k"]);
    let drawing = r#"{"type":"excalidraw","elements":[{"type":"rectangle"},{"type":"text","text":"Boat\nhouse","originalText":"Boat house","link":"https://x.example"}],"files":{"a":{"dataURL":"data:image/png;base64,AAAA"}}}"#;
    assert_eq!(texts("a.excalidraw", drawing), ["Boat house"]);
    assert_eq!(unseen("a.excalidraw", drawing), ["x.example"]);
    assert!(texts("empty.canvas", "").is_empty());
    let error = extract(Path::new("a.canvas"), b"[1, 2]").expect_err("no canvas");
    assert_eq!(error.to_string(), "a.canvas cannot be read: it is no canvas inside");
}

#[test]
fn drawings_in_markdown() {
    let drawing = "N4KAkARALgngDgUwgLgAQQQDwMYEMA2AlgCYBOuA7hADTgQBuCpAzoQPYB2KqATLZMzYBXUtiRoIACyhQ4zZAHoFAc0JRJQgEYA6bGwC2CgF7N6hbEcK4OCtptbErHALRY8RMpWdx8Q1TdIEfARcZgRmBShcZQUebQBGAA4aOiCEfQQOKGZuAG1wMFAwYogSbghcADM2FOLIWEQKgGV8oqNmAFYO4sgYbnoAMQ4AT\n\n".repeat(3);
    let source = format!(
        "---\nexcalidraw-plugin: parsed\ntags: [excalidraw]\n---\n==⚠  Switch to EXCALIDRAW VIEW in the MORE OPTIONS menu of this document. ⚠== You can decompress Drawing data.\n\nBack of the note.\n\n# Excalidraw Data\n\n## Text Elements\nBoat house by the pier ^aB3dE6gH\n\n风筝 测量\nsecond line ^x_-4E6gH\n\n## Embedded Files\n0a1b2c3d4e5f60718293a4b5c6d7e8f901234567: [[harbour map.png]]\n\n%%\n## Drawing\n```compressed-json\n{drawing}```\n%%\n"
    );
    let document = read("Plan.excalidraw.md", &source);
    let found = outline(&document);
    assert_eq!(
        found.iter().map(|line| line.split(" <- ").next().unwrap_or_default()).collect::<Vec<_>>(),
        [
            "paragraph: \"Back of the note.\"",
            "paragraph: \"Boat house by the pier\"",
            "paragraph: \"风筝 测量 second line\"",
            "paragraph: \"harbour map.png\"",
        ]
    );
    assert_eq!((document.title.as_str(), document.text.as_str()), ("Plan", source.as_str()));
    check_invariants(&document).expect("sound");
}

/// Reading long lines and many parts takes no quadratic time, and not each part gets a block, a place or a target.
#[test]
fn long_lines_and_many_parts_are_read_in_one_go() {
    let n = 200_000;
    let quoted = format!("BEGIN:VCARD\nFN:Mira\nNOTE;ENCODING=QUOTED-PRINTABLE:{}end\nEND:VCARD\n", "to =\n".repeat(n));
    assert!(texts("a.vcf", &quoted).iter().map(String::len).sum::<usize>() > 2 * n);
    assert!(texts("a.vcf", &format!("QUOTED-PRINTABLE{}", "=\n".repeat(n))).is_empty());
    let summary = format!("BEGIN:VEVENT\nSUMMARY:so{}\nEND:VEVENT\n", "\n  it".repeat(n));
    assert!(texts("a.ics", &summary).iter().map(String::len).sum::<usize>() > 2 * n);
    let letters = "字".repeat(n);
    let marks = format!("<p>{letters}{}", "<sup>2</sup>".repeat(n / 10));
    assert!(texts("a.html", &marks)[0].starts_with(&letters));
    let front = format!("---\n{}---\nx", "a: b\n".repeat(n));
    let document = read("a.md", &front);
    assert!(document.blocks.len() < 2000 && document.blocks.iter().map(|b| b.text.len()).sum::<usize>() > 4 * n);
    let mailbox = "From a\nA: b\n\nc\n\n".repeat(2 * n);
    let document = read("a.mbox", &mailbox);
    assert!(
        document.blocks.len() < n + n / 10 && document.places.len() < n + n / 10,
        "{} {}",
        document.blocks.len(),
        document.places.len()
    );
    let links = "[a](b) ".repeat(2 * n);
    assert!(read("a.md", &links).unseen.len() <= n);
}
