use std::path::Path;

use super::*;
use crate::extract::extract;

fn slice(text: &str, [start, end]: [usize; 2]) -> String {
    text.chars().skip(start).take(end - start).collect()
}

fn show(name: &str, source: &str, passage: &str, query: &str) -> Preview {
    let start = source.find(passage).expect("passage");
    let document = extract(Path::new(name), source.as_bytes()).expect("readable");
    preview(Path::new(name), &document, [start, start + passage.len()], query)
}

#[test]
fn markdown_is_shown_as_written() {
    let source = "\u{FEFF}---\ntitle: 茶\n---\n# Tea\n\nBrew **green tea** at 80 °C.\n\nDone.";
    let shown = show("tea.md", source, "Brew **green tea** at 80 °C.", "brewing");
    assert_eq!(shown.text, source.trim_start_matches('\u{FEFF}'));
    assert_eq!(slice(&shown.text, shown.hit), "Brew **green tea** at 80 °C.");
    assert_eq!(shown.highlights.iter().map(|h| slice(&shown.text, *h)).collect::<Vec<_>>(), ["Brew"]);
    assert_eq!((shown.title.as_str(), shown.format.as_str()), ("茶", "markdown"));
    assert!(!shown.cut_before && !shown.cut_after);
}

#[test]
fn html_is_shown_as_it_reads() {
    let source =
        "<title>T</title><p>First &amp; foremost.</p><script>x</script><ul><li>绿茶 is <b>green</b></ul><p>End";
    let shown = show("t.html", source, "绿茶 is <b>green</b>", "绿茶");
    assert_eq!(shown.text, "First & foremost.\n\n- 绿茶 is green\n\nEnd");
    assert_eq!(slice(&shown.text, shown.hit), "- 绿茶 is green");
    assert_eq!(shown.highlights.iter().map(|h| slice(&shown.text, *h)).collect::<Vec<_>>(), ["绿茶"]);
}

#[test]
fn long_notes_are_cut_between_blocks() {
    let source: String = (0..2000).map(|n| format!("Paragraph number {n} stands here.\n\n")).collect();
    let shown = show("long.md", &source, "Paragraph number 1000 stands here.", "");
    assert!(shown.cut_before && shown.cut_after);
    assert!(shown.text.starts_with("Paragraph number ") && shown.text.ends_with("stands here."));
    assert_eq!(slice(&shown.text, shown.hit), "Paragraph number 1000 stands here.");
    let n_chars = shown.text.chars().count();
    assert!((10_000..=2 * REACH_CHARS + 40).contains(&n_chars), "{n_chars}");
}

#[test]
fn a_span_beyond_the_file_is_moved_into_it() {
    for span in [[7, 9], [100, 200], [1, 2], [9, 3]] {
        let document = extract(Path::new("a.txt"), "茶 tea".as_bytes()).expect("readable");
        let shown = preview(Path::new("a.txt"), &document, span, "tea");
        assert!(shown.hit[0] <= shown.hit[1] && shown.hit[1] <= 5, "{span:?}: {:?}", shown.hit);
    }
}
