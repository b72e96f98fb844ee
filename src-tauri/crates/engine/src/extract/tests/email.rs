use encoding_rs::{BIG5, GB18030, ISO_2022_JP, WINDOWS_1252};

use super::*;

fn message(source: &[u8]) -> Document {
    extract(Path::new("a.eml"), source).expect("readable")
}

fn texts(source: &[u8]) -> Vec<String> {
    message(source).blocks.into_iter().map(|block| block.text).collect()
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for place in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place <= three.len() { sign } else { '=' });
        }
    }
    text
}

#[test]
fn a_plain_message() {
    let document = message(
        b"Received: by x;\r\n\tMon, 1 Jan 2024\r\nFrom: =?utf-8?q?Ren=C3=A9e?= <r@x.y>\r\nTo: \"B, A\" <a@x.y>,\r\n b@x.y\r\nSubject: Tea\r\n =?UTF-8?B?57u/?= =?UTF-8?B?6Iy2?=\r\nDate: Fri, 1 Mar 2024 10:00:00 +0800\r\nKeywords: hot, drink\r\n\r\nHello\r\nyou.\r\n\r\n> quoted\r\n> > text\r\nanswer\r\n",
    );
    assert_eq!(document.title, "Tea 绿茶");
    assert_eq!(document.date.as_deref(), Some("2024-03-01"));
    assert_eq!(document.tags, strings(&["hot", "drink"]));
    let texts: Vec<_> = document.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
    assert_eq!(
        texts,
        [
            (BlockKind::Heading { level: 1 }, "Tea 绿茶"),
            (
                BlockKind::Paragraph,
                "From: Renée <r@x.y>\nTo: \"B, A\" <a@x.y>, b@x.y\nDate: Fri, 1 Mar 2024 10:00:00 +0800"
            ),
            (BlockKind::Paragraph, "Hello\nyou."),
            (BlockKind::Quote, "quoted\ntext"),
            (BlockKind::Paragraph, "answer"),
        ]
    );
}

#[test]
fn parts() {
    let source = "Subject: A\nMIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"b 1\"\n\npreamble\n--b 1\nContent-Type: multipart/alternative; boundary=b2\n\n--b2\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nCaf=C3=A9 and a soft=\n break.\n--b2\nContent-Type: text/html\n\n<p>Caf&eacute; and a soft break.</p>\n--b2--\n--b 1\nContent-Type: application/pdf; name*0*=utf-8''%E6%8A%A5; name*1*=%E5%91%8A.pdf\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n--b 1\nContent-Type: message/rfc822\n\nSubject: Inner\nFrom: c@x.y\n\nInner text.\n--b 1--\nepilogue\n";
    assert_eq!(
        texts(source.as_bytes()),
        ["A", "Café and a soft break.", "Inner", "From: c@x.y", "Inner text.", "Attachments: 报告.pdf"]
    );
    // The plain part only points at the other.
    let source = "Subject: A\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nSee HTML.\n--b\nContent-Type: text/html; charset=utf-8\n\n<h2>Tea</h2><p>Brew it at eighty degrees.</p><ul><li>one</ul>\n--b--\n";
    assert_eq!(texts(source.as_bytes()), ["A", "Tea", "Brew it at eighty degrees.", "- one"]);
    // Broken off, or without a boundary at all.
    assert_eq!(texts(b"Subject: A\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nOpen end"), ["A", "Open end"]);
    assert_eq!(texts(b"Subject: A\nContent-Type: multipart/mixed; boundary=b\n\nNo parts"), ["A", "No parts"]);
    assert_eq!(texts(b"no headers here\n\nat all"), ["no headers here", "at all"]);
    let flowed = b"Subject: A\nContent-Type: text/plain; format=flowed\n\nOne line \ngoes on.\nNext\n";
    assert_eq!(texts(flowed), ["A", "One line goes on.\nNext"]);
}

#[test]
fn encodings() {
    let check = |charset: &str, bytes: &[u8], expected: &str| {
        let head =
            format!("Subject: =?{charset}?B?{}?=\nContent-Type: text/plain; charset=\"{charset}\"\n", base64(bytes));
        let eight_bit = [head.as_bytes(), b"\n", bytes].concat();
        assert_eq!(texts(&eight_bit), [expected, expected], "{charset}");
        let sent = format!("{head}Content-Transfer-Encoding: base64\n\n{}\n", base64(bytes));
        assert_eq!(texts(sent.as_bytes()), [expected, expected], "{charset}");
    };
    let chinese = "今天我们讨论如何备份数据库，镕";
    check("gb2312", &GB18030.encode(chinese).0, chinese);
    check("GB18030", &GB18030.encode(chinese).0, chinese);
    check("big5", &BIG5.encode("資料庫備份").0, "資料庫備份");
    check("iso-2022-jp", &ISO_2022_JP.encode("データベース").0, "データベース");
    check("iso-8859-1", &WINDOWS_1252.encode("déjà vu").0, "déjà vu");
    // Nothing is named, the wrong thing is named: the bytes tell.
    let bytes = GB18030.encode(chinese).0;
    assert_eq!(texts(&[b"Subject: ".as_slice(), &bytes, b"\n\n", &bytes].concat()), [chinese, chinese]);
    let wrong =
        [b"Subject: x\nContent-Type: text/plain; charset=us-ascii\n\n".as_slice(), "茶叶和茶杯".as_bytes()].concat();
    assert_eq!(texts(&wrong), ["x", "茶叶和茶杯"]);
    // A character that begins in one word and ends in the next.
    let (one, two) = "绿茶".as_bytes().split_at(4);
    let split = format!("Subject: =?utf-8?B?{}?=\n =?utf-8?B?{}?=\n\nx", base64(one), base64(two));
    assert_eq!(texts(split.as_bytes()), ["绿茶", "x"]);
}

/// However a program describes it, the body is read.
#[test]
fn bodies_with_names_and_of_any_kind_of_text() {
    let html = "<p>Brew <b>tea</b>.</p>";
    for (headers, body, expected) in [
        ("Content-Type: text/plain; name=\"message.txt\"", "Brew tea.", "Brew tea."),
        ("Content-Type: text/plain\nContent-Disposition: inline; filename=body.txt", "Brew tea.", "Brew tea."),
        ("Content-Type: text/plain\nContent-Disposition: attachment; filename=body.txt", "Brew tea.", "Brew tea."),
        ("Content-Type: text/html; name=", html, "Brew tea."),
        ("Content-Type: text/html; name=\"\"; charset=utf-8", html, "Brew tea."),
        ("Content-Type: text/markdown; variant=GFM", "Brew *tea*.", "Brew tea."),
        ("Content-Type: text/plain (a comment; name=x); charset=utf-8", "Brew tea.", "Brew tea."),
        ("Content-Type: (before) text/html (after \\) (nested)) ; charset=utf-8", html, "Brew tea."),
        ("Content-Type: text/plain; charset=utf-8 (UTF-8); format=flowed", "Brew \ntea.", "Brew tea."),
        ("Content-Type: text/enriched", "Brew tea.", "Brew tea."),
        ("Content-Type: text", "Brew tea.", "Brew tea."),
        (
            "Content-Type: text/calendar; method=REQUEST",
            "BEGIN:VEVENT\nSUMMARY:Tea\nLOCATION:Pier\nEND:VEVENT\n",
            "Tea|Where: Pier",
        ),
    ] {
        for (before, after) in [("", ""), ("Content-Type: multipart/mixed; boundary=b\n\n--b\n", "\n--b--\n")] {
            if headers.contains("attachment") && !before.is_empty() {
                continue;
            }
            let source = format!("Subject: A\n{before}{headers}\n\n{body}{after}");
            assert_eq!(texts(source.as_bytes())[1..].join("|"), expected, "{source}");
        }
    }
    let part = |headers: &str, body: &str| format!("--b\n{headers}\n\n{body}\n");
    let parts = [
        part("Content-Type: text/plain", "See [the plan](https://plain.example) there."),
        part("Content-Type: text/html", "<p>See <a href=\"https://kestrel.example/o/1\">the plan</a> there.</p>"),
        part(
            "Content-Type: text/calendar; name=invite.ics",
            "BEGIN:VEVENT\nSUMMARY:Tea at noon\nLOCATION:Pier 4\nEND:VEVENT",
        ),
    ];
    let source = format!("Subject: A\nContent-Type: multipart/alternative; boundary=b\n\n{}--b--\n", parts.concat());
    let document = message(source.as_bytes());
    let texts: Vec<_> = document.blocks.iter().map(|block| block.text.as_str()).collect();
    assert_eq!(texts, ["A", "See [the plan](https://plain.example) there.", "Tea at noon", "Where: Pier 4"]);
    let unseen: String = document.unseen.iter().map(|(_, words)| words.as_str()).collect();
    assert!(unseen.contains("kestrel.example/o/1"), "{unseen}");
    let attached = "Content-Type: application/ics; name=invite.ics\nContent-Disposition: attachment";
    let calendar = "BEGIN:VEVENT\nSUMMARY:Tea at noon\nEND:VEVENT";
    let both = [part("Content-Type: text/calendar", calendar), part(attached, calendar)].concat();
    let source = format!("Subject: A\nContent-Type: multipart/mixed; boundary=b\n\n{both}--b--\n");
    assert_eq!(super::email::texts(source.as_bytes()), ["A", "Tea at noon", "Attachments: invite.ics"]);
    let source = format!(
        "Subject: A\nContent-Type: multipart/mixed; boundary=b\n\n{}{}--b--\n",
        part("", "Text."),
        part("Content-Type: text/plain; name=notes.txt\nContent-Disposition: attachment", "Not read.")
    );
    assert_eq!(super::email::texts(source.as_bytes()), ["A", "Text.", "Attachments: notes.txt"]);
}

#[test]
fn a_mailbox_is_its_messages() {
    let source = "From mira@x.y Fri Mar  1 10:00:00 2024\nFrom: Mira <mira@x.y>\nSubject: Kettle\n\nThe first.\nFrom here on it is text.\n\nFrom the kitchen to the sea: more text.\n\nFrom ben@x.y Sat Mar  2 10:00:00 2024\nSubject: =?utf-8?B?6Iy2?=\nContent-Type: text/html\n\n<p>The second.</p>\n\nFrom x\nFrom: c@x.y\n\nNo subject.\n";
    for name in ["all.mbox", "mbox"] {
        let document = read(name, source);
        let found: Vec<String> = document
            .blocks
            .iter()
            .zip(document.places_at(document.blocks.iter().map(|block| block.span.start)))
            .map(|(block, place)| format!("{}: {}", place.expect("a message"), block.text))
            .collect();
        assert_eq!(
            found,
            [
                "Kettle: Kettle",
                "Kettle: From: Mira <mira@x.y>",
                "Kettle: The first.\nFrom here on it is text.",
                "Kettle: From the kitchen to the sea: more text.",
                "茶: 茶",
                "茶: The second.",
                "Message 3: From: c@x.y",
                "Message 3: No subject.",
            ]
        );
    }
    assert_eq!(read("all.mbox", source).title, "all");
    assert_eq!(read("a.mbox", "Subject: Tea\n\nText").blocks.len(), 2);
    assert!(read("a.mbox", "").blocks.is_empty());
}
