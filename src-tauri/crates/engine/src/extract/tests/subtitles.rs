use encoding_rs::{BIG5, GB18030};

use super::*;

fn scenes(name: &str, source: &[u8]) -> Vec<String> {
    let document = extract(Path::new(name), source).expect("readable");
    let places = document.places_at(document.blocks.iter().map(|block| block.span.start));
    let line = |(block, place): (&Block, Option<Place>)| format!("{} {}", place.expect("a time"), block.text);
    document.blocks.iter().zip(places).map(line).collect()
}

#[test]
fn subrip() {
    let source = "\u{FEFF}1\r\n00:00:01,000 --> 00:00:03,500\r\n<i>Put the kettle</i>\r\non. {\\an8}\r\n\r\n2\r\n00:00:03,600 --> 00:00:05,000\r\n- Why?\r\n\r\n3\r\n00:01:00,000 --> 00:01:02,000 X1:5\r\n泡茶\r\n要八十度\r\n\r\n4\r\n00:01:02,500 --> 00:01:04,000\r\n1984\r\n\r\nstray & < line\r\n\r\n5\r\n01:02:33,000 --> 01:02:34,000\r\nEnd\r\n";
    assert_eq!(
        scenes("a.srt", source.as_bytes()),
        ["0:00:01 Put the kettle on. - Why?", "0:01:00 泡茶要八十度 1984 stray & < line", "1:02:33 End"]
    );
    let chinese = "1\n00:00:01,000 --> 00:00:02,000\n你今天怎么这么早就来了\n\n2\n00:00:02,000 --> 00:00:03,000\n我想和你一起喝茶\n";
    let expected = ["0:00:01 你今天怎么这么早就来了\n我想和你一起喝茶"];
    assert_eq!(scenes("a.srt", &GB18030.encode(chinese).0), expected);
    let traditional = "1\n00:00:01,000 --> 00:00:02,000\n這個資料庫應該怎麼備份呢\n";
    assert_eq!(scenes("a.srt", &BIG5.encode(traditional).0), ["0:00:01 這個資料庫應該怎麼備份呢"]);
}

#[test]
fn webvtt() {
    let source = "WEBVTT - A film\n\nNOTE\nnot shown\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v Anna>Tea &amp; <c.x>milk</c>?\n\n00:02.000 --> 00:03.000\n<00:02.500>Yes.\n";
    assert_eq!(scenes("a.vtt", source.as_bytes()), ["0:00:01 Anna: Tea & milk? Yes."]);
}

#[test]
fn substation() {
    let source = "[Script Info]\nTitle: A film\n\n[V4+ Styles]\nFormat: Name, Fontname\n\n[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:09.00,0:00:10.00,D,{\\pos(1,2)}Second, with\\Ncommas\nDialogue: 0,0:00:01.50,0:00:02.00,D,First\nDialogue: 0,0:00:01.50,0:00:02.00,D,First\nDialogue: 0,0:00:02.50,0:00:02.90,D,{\\p1}m 0 0 l 1 1{\\p0}\nComment: 0,0:00:03.00,0:00:04.00,D,no\n";
    assert_eq!(scenes("a.ass", source.as_bytes()), ["0:00:01 First", "0:00:09 Second, with commas"]);
    assert_eq!(read("a.ass", source).title, "A film");
}

#[test]
fn without_times() {
    assert_eq!(scenes("talk.srt", b"Only words.\n\nNo times."), ["0:00:00 Only words.", "0:00:00 No times."]);
    assert_eq!(read("my_talk.srt", "").title, "my talk");
}

#[test]
fn scenes_are_short_enough_to_be_places() {
    let source: String = (0..600)
        .map(|at| {
            format!(
                "{at}\n00:{:02}:{:02},000 --> 00:{:02}:{:02},900\nSentence number {at} is said here.\n\n",
                at / 60,
                at % 60,
                at / 60,
                at % 60
            )
        })
        .collect();
    let found = scenes("a.srt", source.as_bytes());
    assert!(found.len() > 40 && found.iter().all(|scene| scene.len() < 700), "{}", found.len());
    assert!(found[1].contains("Sentence number"), "{}", found[1]);
}
