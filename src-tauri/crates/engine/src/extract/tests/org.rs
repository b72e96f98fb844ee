use super::*;

#[test]
fn structure() {
    check(
        "a.org",
        "#+TITLE: Tea\n#+DATE: <2024-03-01 Fri>\n\nIntro with [[https://x.y][a link]], *bold* and =code=.\n\n* TODO [#A] Green tea :drink:hot:\nSCHEDULED: <2024-03-02>\n:PROPERTIES:\n:ID: 123\n:END:\nBrew at\n80 degrees.\n\n- one\n  - two\n    more\n- [X] three\n1) four\n\n** 绿茶\n很\n好。\n#+begin_src sh\n  ls -l\n    pwd\n#+end_src\n\n| a | b |\n|---+---|\n| 1 | 2 |\n#+TBLFM: $1=2\n\n#+BEGIN_QUOTE\nSaid /he/.\n#+END_QUOTE\n# a comment\n: fixed\n",
        &[
            r##"paragraph: "Intro with a link, bold and code." <- "Intro with [[https://x.y][a link]], *bold* and =code=.""##,
            r##"h1: "Green tea" <- "* TODO [#A] Green tea :drink:hot:""##,
            r##"paragraph Green tea >: "SCHEDULED: <2024-03-02>" <- "SCHEDULED: <2024-03-02>""##,
            r##"paragraph Green tea >: "Brew at 80 degrees." <- "Brew at\n80 degrees.""##,
            r##"list Green tea >: "- one\n  - two more\n- [X] three\n1. four" <- "- one\n  - two\n    more\n- [X] three\n1) four""##,
            r##"h2 Green tea >: "绿茶" <- "** 绿茶""##,
            r##"paragraph Green tea > 绿茶 >: "很好。" <- "很\n好。""##,
            r##"code Green tea > 绿茶 >: "ls -l\n  pwd" <- "ls -l\n    pwd""##,
            r##"table Green tea > 绿茶 >: "a | b\n1 | 2" <- "| a | b |\n|---+---|\n| 1 | 2 |""##,
            r##"quote Green tea > 绿茶 >: "Said he." <- "Said /he/.""##,
            r##"code Green tea > 绿茶 >: "fixed" <- ": fixed""##,
        ],
    );
}

#[test]
fn about_the_file() {
    let document = read(
        "a.org",
        ":PROPERTIES:\n:ROAM_ALIASES: \"绿 茶\" Cha\n:END:\n#+title: 茶\n#+filetags: :饮料:hot:\n#+todo: OPEN(o) | SHUT\n#+date: [2024-03-01]\n* OPEN Buy :shop:\nx\n",
    );
    assert_eq!(document.title, "茶");
    assert_eq!(document.tags, strings(&["饮料", "hot", "shop"]));
    assert_eq!(document.aliases, strings(&["绿 茶", "Cha"]));
    assert_eq!(document.date.as_deref(), Some("2024-03-01"));
    assert_eq!(document.blocks[0].text, "Buy");
    assert_eq!(read("a.org", "* First\n* Second\n").title, "First");
    // Some keyboards write a space of more than one byte.
    let spaced = read("a.org", "* Green\u{a0}:hot:\u{3000}:饮料:\n");
    assert_eq!((spaced.blocks[0].text.as_str(), spaced.tags), ("Green\u{a0}:hot:", strings(&["饮料"])));
}

#[test]
fn what_only_looks_like_markup() {
    let text = |source: &str| read("a.org", source).blocks.into_iter().map(|b| b.text).collect::<Vec<_>>().join("|");
    assert_eq!(
        text("a*b*c and 2 * 3 * 4, x_1 and /usr/bin/"),
        "a*b*c and 2 * 3 * 4, x_1 and /usr/bin/".replace("/usr/bin/", "usr/bin")
    );
    assert_eq!(text(":note:\nkept, no end\n"), ":note: kept, no end");
    assert_eq!(text("#+begin_src\nopen code\n"), "open code");
    assert_eq!(
        text("See [[file:notes.org]] and [fn:1] that[fn:2].\n\n[fn:1] A note."),
        "See notes.org and  that.|A note."
    );
    assert_eq!(text("*这是粗体* 和 ~代码~"), "这是粗体 和 代码");
    assert_eq!(text("-----\n#hash\n#+unknown\n"), "#hash #+unknown");
    assert_eq!(text("#+begin_src org\n,* not a heading\n#+end_src"), "* not a heading");
}
