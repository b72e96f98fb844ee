use super::*;

#[test]
fn structure() {
    check(
        "a.rst",
        "=====\n Tea\n=====\n\n:Author: Me\n:Date: 2024-03-01\n\nGreen *tea* with ``code``, `a link <http://x.y>`_ and :ref:`brewing <brew>`\nfor you::\n\n    boil()\n      pour()\n\n.. _brew:\n\nBrewing\n=======\n\n* one\n* two\n  more\n\n  #. three\n\n.. code-block:: python\n   :linenos:\n\n   def a():\n       pass\n\n.. note:: Mind this.\n\n   It is hot.\n\n.. image:: cup.png\n   :alt: A cup\n\n.. a comment\n   of two lines\n\n绿茶\n----\n\n很\n好。\n\n+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n\n===  ====\nk    v\n===  ====\nx    y z\n===  ====\n\n>>> 1 + 1\n2\n",
        &[
            r##"h1: "Tea" <- "=====\n Tea\n=====""##,
            r##"list Tea >: "Author: Me" <- ":Author: Me""##,
            r##"paragraph Tea >: "Green tea with code, a link and brewing for you:" <- "Green *tea* with ``code``, `a link <http://x.y>`_ and :ref:`brewing <brew>`\nfor you::""##,
            r##"code Tea >: "boil()\n  pour()" <- "boil()\n      pour()""##,
            r##"h2 Tea >: "Brewing" <- "Brewing\n=======""##,
            r##"list Tea > Brewing >: "- one\n- two more\n  - three" <- "* one\n* two\n  more\n\n  #. three""##,
            r##"code Tea > Brewing >: "def a():\n    pass" <- "def a():\n       pass""##,
            r##"paragraph Tea > Brewing >: "Mind this." <- ".. note:: Mind this.""##,
            r##"paragraph Tea > Brewing >: "It is hot." <- "It is hot.""##,
            r##"paragraph Tea > Brewing >: "A cup" <- ":alt: A cup""##,
            r##"h3 Tea > Brewing >: "绿茶" <- "绿茶\n----""##,
            r##"paragraph Tea > Brewing > 绿茶 >: "很好。" <- "很\n好。""##,
            r##"table Tea > Brewing > 绿茶 >: "a | b\n1 | 2" <- "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+""##,
            r##"table Tea > Brewing > 绿茶 >: "k | v\nx | y z" <- "===  ====\nk    v\n===  ====\nx    y z\n===  ====""##,
            r##"code Tea > Brewing > 绿茶 >: ">>> 1 + 1\n2" <- ">>> 1 + 1\n2""##,
        ],
    );
}

#[test]
fn about_the_file() {
    let document = read("a.rst", ":title: 茶\n:tags: 饮料, hot\n:date: 2024-03-01\n\nHead\n----\ntext\n");
    assert_eq!(document.title, "茶");
    assert_eq!(document.tags, strings(&["饮料", "hot"]));
    assert_eq!(document.date.as_deref(), Some("2024-03-01"));
    assert_eq!(read("a.rst", "One\n###\n\nTwo\n***\n\nThree\n###\n").title, "One");
}

#[test]
fn what_only_looks_like_markup() {
    let text = |source: &str| read("a.rst", source).blocks.into_iter().map(|b| b.text).collect::<Vec<_>>().join("|");
    assert_eq!(text("2 * 3 * 4 and a_b, \\*star\\* and C\\ s"), "2 * 3 * 4 and a_b, *star* and Cs");
    assert_eq!(text("A paragraph\n--\ngoes on"), "A paragraph -- goes on");
    assert_eq!(text("One\n\n----\n\nTwo"), "One|Two");
    assert_eq!(text(".. function:: load(path)\n\n   Reads it.\n"), "load(path)|Reads it.");
    assert_eq!(text("See :class:`~a.b.C`, name_ and [1]_.\n\n.. [1] The note."), "See a.b.C, name and .|The note.");
    assert_eq!(text("``open and *open"), "``open and *open");
}
