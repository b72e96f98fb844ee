use super::*;

fn text_of(name: &str, source: &str) -> (String, Vec<String>) {
    let document = read(name, source);
    let text = document.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join("|");
    (text, document.unseen.into_iter().map(|(_, words)| words).collect())
}

#[test]
fn the_base_of_ruby_stays_whole() {
    for (source, text, unseen) in [
        ("<ruby>珊<rt>shān</rt>瑚<rt>hú</rt></ruby>礁很美。", "珊瑚礁 (shān hú) 很美。", &["shānhú"][..]),
        (
            "<ruby>珊<rp>(</rp><rt>shān<rp>)</rp></ruby><ruby>瑚<rp>(</rp><rt>hú</rt><rp>)</rp></ruby>。",
            "珊瑚 (shān hú)。",
            &["shānhú"],
        ),
        ("<ruby><rb>東京</rb><rt>とうきょう</rt></ruby>に住む", "東京に (とうきょう) 住む", &[]),
        ("<b><ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby></b>", "漢字 (かん じ)", &["かんじ"]),
        ("An <ruby>AI<rt>artificial intelligence</rt></ruby>'s day", "An AI (artificial intelligence)'s day", &[]),
        ("<ruby>open<rt>never closed", "open (never closed)", &[]),
        ("one <rt>two</rt> three", "one two three", &[]),
    ] {
        let expected = (text.to_owned(), strings(unseen));
        assert_eq!(text_of("a.html", &format!("<p>{source}</p>")), expected, "{source}");
        assert_eq!(text_of("a.md", source), expected, "in Markdown: {source}");
    }
    let lines =
        "<ul><li><ruby>珊瑚<rt>shān hú</rt></ruby><li>b</ul><table><tr><td><ruby>茶<rt>chá</rt></ruby><td>d</table>";
    assert_eq!(text_of("a.html", lines).0, "- 珊瑚 (shān hú)\n- b|茶 (chá) | d");
}

#[test]
fn marks_of_notes_are_set_apart_from_their_words() {
    for (source, text) in [
        ("They sold saffron<sup>4</sup> here.", "They sold saffron 4 here."),
        ("saffron<sup><a href=\"#fn4\">4</a></sup>, tea", "saffron 4, tea"),
        ("tea<a href=\"#note-1\" role=\"doc-noteref\"><sup>1</sup></a>s", "tea 1s"),
        ("tea<a href='https://en.example/wiki/Tea#cite_note-3'>[3]</a>.", "tea [3]."),
        ("saffron<sup>*</sup> and salt<sup>†</sup>", "saffron * and salt †"),
        ("12 m<sup>2</sup>, x<sup>2</sup>, H<sub>2</sub>O, 1<sup>st</sup>, 10<sup>6</sup>", "12 m2, x2, H2O, 1st, 106"),
        ("read<a href='other.html#part'>er</a>s", "readers"),
    ] {
        assert_eq!(text_of("a.html", &format!("<p>{source}</p>")).0, text, "{source}");
        assert_eq!(text_of("a.md", source).0, text, "in Markdown: {source}");
    }
    assert_eq!(text_of("a.md", "saffron[4](#fn4) and saffron<sup>[5](#fn5)</sup>").0, "saffron 4 and saffron 5");
    let source = "<p>They sold saffron<sup>4</sup> here <b>today</b>.";
    let document = read("a.html", source);
    let block = &document.blocks[0];
    for word in ["saffron", "4", "here", "today"] {
        let at = block.source_offset(&document, block.text.find(word).expect("read"));
        assert!(source[at..].starts_with(word), "{word}: {}", &source[at..]);
    }
}

#[test]
fn what_a_page_puts_in_by_itself_is_read() {
    let source = "<my-card><template shadowrootmode=\"open\"><style>p{}</style><h2>Shadow</h2><p>Inner text.</p><slot></slot></template>Light text</my-card><template><p>Not shown</p></template><template shadowroot=open>Older</template>";
    assert_eq!(text_of("a.html", source).0, "Shadow|Inner text.|Light text|Older");
}
