#![expect(clippy::print_stdout, reason = "how much was tried is part of the result")]

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, WINDOWS_1252};

use super::*;

const SIMPLIFIED: &[&str] = &[
    "今天我们讨论如何备份数据库，以及怎样恢复丢失的文件。",
    "会议纪要",
    "明天下午三点开会",
    "服务器重启步骤",
    "Python 读取文件",
    "买牛奶和面包",
    "如何撤销上一次提交？",
    "第一章 绪论\n本文介绍了系统的总体设计。\n",
    "TODO: 修复登录页面的错误",
    "我们的解决方案是创建一个设计系统，这是一个针对品牌的资源，可以指导未来一致的徽标设计。",
];

const TRADITIONAL: &[&str] = &[
    "今天我們討論如何備份資料庫，以及怎樣恢復丟失的檔案。",
    "會議記錄",
    "明天下午三點開會",
    "伺服器重新啟動的步驟",
    "這個程式的錯誤已經修正了",
    "買牛奶和麵包",
    "第一章 緒論\n本文介紹了系統的整體設計。\n",
];

const JAPANESE: &[&str] = &[
    "これは日本語のテキストです。データベースのバックアップについて。",
    "会議のメモ",
    "明日の午後三時に会議があります",
    "サーバーの再起動手順",
    "ファイルを読み込む方法",
    "牛乳とパンを買う",
];

const KOREAN: &[&str] = &[
    "오늘은 데이터베이스를 백업하는 방법을 이야기합니다.",
    "회의록",
    "내일 오후 세 시에 회의가 있습니다",
    "서버 재시작 절차",
    "우유와 빵 사기",
];

const WESTERN: &[&str] = &[
    "Le café est fermé à midi, déjà à l'été dernier.",
    "Grüße aus München, schöne Straße",
    "El niño comió piñas mañana por la mañana",
    "naïve café",
    "Señor",
    "“Quoted” text – with dashes…",
    "Ação e reação não são opções",
    "Temperature: 20 °C ± 2",
];

/// Sentences in old encodings are decoded as they were; prints how many.
#[test]
fn every_sentence_comes_back() {
    let table: [(&'static Encoding, &[&str]); 6] = [
        (GB18030, SIMPLIFIED),
        (BIG5, TRADITIONAL),
        (SHIFT_JIS, JAPANESE),
        (EUC_JP, JAPANESE),
        (EUC_KR, KOREAN),
        (WINDOWS_1252, WESTERN),
    ];
    let mut wrong = Vec::new();
    let mut n_read = 0;
    for (encoding, sentences) in table {
        for text in sentences {
            let (bytes, _, has_errors) = encoding.encode(text);
            assert!(!has_errors, "{text} has no {}", encoding.name());
            let document = extract(Path::new("a.txt"), &bytes).expect("readable");
            n_read += 1;
            if document.text != *text {
                wrong.push(format!("{} as {}: {text} -> {}", encoding.name(), document.encoding, document.text));
            }
        }
        // All sentences many times, in one file.
        let long = sentences.join("\n\n").repeat(20);
        let document = extract(Path::new("a.txt"), &encoding.encode(&long).0).expect("readable");
        assert_eq!(document.text, long, "{}", encoding.name());
    }
    println!("{n_read} sentences, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unicode() {
    let all = [SIMPLIFIED, TRADITIONAL, JAPANESE, KOREAN, WESTERN].concat();
    let units = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let mut wrong = Vec::new();
    for text in all {
        for (big, name) in [(false, "UTF-16LE"), (true, "UTF-16BE")] {
            for mark in ["\u{FEFF}", ""] {
                let marked = format!("{mark}{text}");
                let document = extract(Path::new("a.txt"), &units(&marked, big));
                let found = document
                    .map(|document| (document.text.trim_start_matches('\u{FEFF}').to_owned(), document.encoding));
                if found != Ok((text.to_owned(), name.to_owned())) {
                    wrong.push(format!("{name} {mark:?}: {text} -> {found:?}"));
                }
            }
        }
        assert_eq!(read("a.txt", text).text, text);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Several programs wrote into one file, each in its own encoding.
#[test]
fn lines_of_two_encodings() {
    let old = |encoding: &'static Encoding, text: &str| encoding.encode(text).0.into_owned();
    let latin = ("déjà vu à midi", "2026-11-02 café fermé");
    let chinese = ("2026-11-02 今天备份数据库", "2026-11-03 服务器重启步骤：登录页面");
    for (encoding, (utf8, other)) in [
        (GB18030, chinese),
        (WINDOWS_1252, latin),
        (GB18030, ("naïve café 备份", chinese.1)),
        (WINDOWS_1252, (chinese.0, latin.1)),
    ] {
        for n in [1, 3, 40] {
            let lines = [utf8.as_bytes().to_vec(), b"plain".to_vec(), old(encoding, other)];
            let bytes: Vec<u8> = (0..n).flat_map(|_| lines.join(&b"\r\n"[..]).into_iter().chain(*b"\r\n")).collect();
            let document = extract(Path::new("a.log"), &bytes).expect("readable");
            assert_eq!(document.text, format!("{utf8}\r\nplain\r\n{other}\r\n").repeat(n), "{}", encoding.name());
        }
    }
    // One program wrote most of it.
    let mut bytes = format!("{}\n", chinese.0).repeat(100).into_bytes();
    bytes.extend(old(GB18030, chinese.1));
    assert!(extract(Path::new("a.log"), &bytes).expect("readable").text.ends_with(chinese.1));
    // A broken byte spoils only its own character.
    let mut bytes = format!("{}\n", chinese.0).repeat(3).into_bytes();
    bytes.extend([0xE8, 0x8C]);
    bytes.extend(format!("{}\n", chinese.1).bytes());
    let text = extract(Path::new("a.log"), &bytes).expect("readable").text;
    assert!(text.ends_with(&format!("\u{FFFD}{}\n", chinese.1)), "{text}");
}

/// Old Macs ended lines with carriage returns alone.
#[test]
fn carriage_returns_end_lines() {
    let texts = |name: &str, source: &str| -> Vec<String> {
        read(name, source).blocks.into_iter().map(|block| block.text).collect()
    };
    assert_eq!(texts("a.md", "# One\rfirst\r\r## Two\r- a\r- b\r"), ["One", "first", "Two", "- a\n- b"]);
    assert_eq!(read("a.md", "---\rtitle: T\r---\r# One\r").title, "T");
    assert_eq!(texts("a.txt", "One\rtwo\r\rthree\r"), ["One\ntwo", "three"]);
    assert_eq!(texts("a.csv", "a,b\r1,2\r").len(), texts("a.csv", "a,b\n1,2\n").len());
    assert_eq!(texts("a.org", "* One\r* Two\r"), ["One", "Two"]);
    assert_eq!(texts("a.md", "One\r\r\ntwo\r\r\n"), ["One two"], "ended twice by a faulty copy");
    let document = read("a.md", "one\r\rtwo");
    assert_eq!(document.text.len(), "one\r\rtwo".len());
    assert!(!document.is_file_text);
}
