use super::*;
use crate::chunk::{ChunkRules, chunks};

/// The words by which passages are found besides their text.
fn unseen(name: &str, source: &str) -> Vec<String> {
    let document = read(name, source);
    let passages = chunks(&document, &ChunkRules::default());
    passages.into_iter().flat_map(|passage| passage.unseen.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn shown(name: &str, source: &str) -> String {
    read(name, source).blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join("|")
}

#[test]
fn where_links_lead_is_found_and_not_shown() {
    for (name, source, text, expected) in [
        (
            "a.md",
            "[here](https://kestrel-surveyors.example/o/88231 \"The order\") and [there][ref] <https://auto.example>\n\n[ref]: https://ref.example/%E8%8C%B6\n",
            "here and there https://auto.example",
            &["kestrel-surveyors.example/o/88231", "The order", "ref.example/茶"][..],
        ),
        ("a.md", "![](img/boundary-sketch.png)", "", &["img/boundary-sketch.png"]),
        ("a.md", "[![A cup](cup.png)](https://a.example)", "A cup", &["a.example", "cup.png"]),
        ("a.md", "[[Other Note|that]] [[笔记]] ![[p.png]] [x](#part)", "that 笔记 p.png x", &["Other Note"]),
        (
            "a.md",
            "An <a href='https://b.example/q'>inline</a> <img src=c.png alt=cup>.\n\n<p><a href=\"d.html\">Block</a></p>\n",
            "An inline cup.|Block",
            &["b.example/q", "c.png", "d.html"],
        ),
        ("a.md", "![](data:image/png;base64,iVBORw0KGgo=) x", "x", &[]),
        (
            "a.html",
            "<p>See <a href=\"https://k.example/o?id=7&amp;x=1\">here</a><a href=#top>up</a><nav><a href=menu.html>m</a></nav><iframe src=\"https://video.example/v/9\">old</iframe><img data-src=lazy.png src=\"data:image/gif;base64,R0lGOD\">",
            "See hereup",
            &["k.example/o?id=7&x=1", "video.example/v/9", "lazy.png"],
        ),
        (
            "a.html",
            "<meta name=Author content='Mira  Quill'><meta name=viewport content='width=1'><p>x",
            "x",
            &["Mira Quill"],
        ),
        (
            "a.org",
            "#+AUTHOR: Mira\n* See [[https://a.example/x][the plan]]\n:PROPERTIES:\n:ID: 12\n:SOURCE: Old atlas\n:END:\n- [[file:img/map.png]] and [[id:9f][that]]\n",
            "AUTHOR: Mira|See the plan|- img/map.png and that",
            &["a.example/x", "SOURCE Old atlas", "9f"],
        ),
        (
            "a.rtf",
            r#"{\rtf1{\info{\title T}{\author Mira Quill}}\pard See {\field{\*\fldinst{HYPERLINK "https://a.example/x"}}{\fldrslt{the plan}}} here.\par Next {\field{\*\fldinst PAGE}{\fldrslt 3}}\par}"#,
            "See the plan here.|Next 3",
            &["Mira Quill", "a.example/x"],
        ),
        (
            "a.rst",
            "Title\n=====\n\nSee `the plan <https://a.example/x>`_, `it`_ and saffron\\ :sup:`4`, m\\ :sup:`2`.\n\n.. image:: img/map.png\n   :alt: A map\n\n.. _it: https://b.example/y\n",
            "Title|See the plan, it and saffron 4, m2.|A map",
            &["a.example/x", "img/map.png", "b.example/y"],
        ),
        (
            "a.ipynb",
            "{\"cells\":[{\"cell_type\":\"markdown\",\"source\":[\"# T\\n\",\"[a](x.example)\\n\\n\",\"b\"]}],\"nbformat\":4}",
            "T|a|b",
            &["x.example"],
        ),
    ] {
        assert_eq!(shown(name, source), text, "{source}");
        assert_eq!(unseen(name, source), expected, "{source}");
    }
}

/// A target belongs to the passage that contains its link. A passage has the same target only once.
#[test]
fn targets_go_with_their_passages() {
    let section = |n: usize| {
        let prose = format!("Sentence of some words about topic {n}. ").repeat(30);
        format!("## Part {n}\n\n{prose}[one](https://example.com/{n}) [again](https://example.com/{n}).\n\n")
    };
    let document = read("a.md", &(0..4).map(section).collect::<String>());
    let passages = chunks(&document, &ChunkRules::default());
    let found: Vec<&str> = passages.iter().map(|p| p.unseen.as_str()).filter(|unseen| !unseen.is_empty()).collect();
    assert_eq!(found, ["example.com/0", "example.com/1", "example.com/2", "example.com/3"]);
    for (n, passage) in passages.iter().enumerate().filter(|(_, passage)| !passage.unseen.is_empty()) {
        assert!(passage.text.contains("one again"), "passage {n}");
    }
}
