use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::extract::extract;

fn read(name: &str, source: &str) -> Document {
    extract(Path::new(name), source.as_bytes()).expect("readable")
}

fn rules(target_tokens: usize, overlap_tokens: usize) -> ChunkRules {
    ChunkRules { target_tokens, overlap_tokens, max_tokens: target_tokens * 8 / 5 }
}

fn texts(source: &str, rules: &ChunkRules) -> Vec<String> {
    chunks(&read("a.md", source), rules).into_iter().map(|chunk| chunk.text).collect()
}

#[test]
fn a_short_note_is_one_passage() {
    let document = read("tea.md", "# Tea\n\nHot.\n\n## Green\n\nBrew at 80 °C.");
    let found = chunks(&document, &ChunkRules::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text, "Tea\n\nHot.\n\nGreen\n\nBrew at 80 °C.");
    assert_eq!(found[0].span, 0..document.text.len());
    assert!(found[0].heading_path.is_empty());
}

#[test]
fn a_blank_note_is_one_blank_passage() {
    let found = chunks(&read("tea.md", "\n"), &ChunkRules::default());
    assert_eq!(
        found,
        [Chunk {
            ordinal: 0,
            span: 0..0,
            heading_path: [].into(),
            place: None,
            text: String::new(),
            unseen: String::new()
        }]
    );
    assert_eq!(embedding_text("tea", &found[0]), "tea");
}

#[test]
fn passages_follow_sections() {
    let words = |word: &str| format!("{} end. ", word.repeat(10)).repeat(4);
    let source = format!("# A\n\n{}\n\n## B\n\n{}\n\n## C\n\n{}", words("alpha "), words("beta "), words("gamma "));
    let document = read("a.md", &source);
    let found = chunks(&document, &rules(90, 0));
    let shape: Vec<_> =
        found.iter().map(|chunk| (chunk.heading_path.join("/"), chunk.text.split(' ').next())).collect();
    assert_eq!(
        shape,
        [(String::new(), Some("A\n\nalpha")), ("A".into(), Some("B\n\nbeta")), ("A".into(), Some("C\n\ngamma"))]
    );
    assert_eq!(embedding_text("A", &found[0]), found[0].text);
    assert!(embedding_text("A", &found[1]).starts_with("A\nB\n\nbeta"));
    assert!(embedding_text("Title", &found[1]).starts_with("Title > A\nB\n\nbeta"));
}

#[test]
fn long_paragraphs_are_cut_at_sentences() {
    let source = "One two three four. Five six seven eight. Nine ten eleven twelve. Thirteen and so on.";
    assert_eq!(
        texts(source, &rules(13, 0)),
        ["One two three four. Five six seven eight.", "Nine ten eleven twelve. Thirteen and so on."]
    );
    let repeated = texts(source, &rules(13, 7));
    assert_eq!(repeated[1], "Five six seven eight. Nine ten eleven twelve.");
    let chinese = "今天天气很好。我们去公园散步！你想一起去吗？下次再说；也可以。";
    assert_eq!(texts(chinese, &rules(12, 0)), ["今天天气很好。我们去公园散步！", "你想一起去吗？下次再说；也可以。"]);
}

#[test]
fn code_is_kept_whole_while_it_fits() {
    let code = "```\nlet a = 1;\nlet b = 2;\nlet c = 3;\n```";
    let source = format!("Some words before the code to fill up the passage.\n\n{code}\n\nAnd some words after it.");
    let found = texts(&source, &rules(20, 0));
    assert!(found.iter().any(|text| text.contains("let a = 1;\nlet b = 2;\nlet c = 3;")), "{found:?}");
    assert!(found.len() > 1);
}

#[test]
fn an_outline_of_headings_alone_is_cut() {
    let source: String = (0..400).map(|at| format!("# Heading number {at}\n\n")).collect();
    let document = read("a.md", &source);
    let found = chunks(&document, &ChunkRules::default());
    let largest = found.iter().map(|chunk| estimate_tokens(&chunk.text)).max();
    assert!(largest.is_some_and(|tokens| tokens <= ChunkRules::default().max_tokens), "{largest:?}");
    check_cover(&document, &ChunkRules::default()).expect("every heading is in a passage");
}

#[test]
fn sentences() {
    let check = |text: &str, expected: &[&str]| {
        let found: Vec<&str> = sentence::sentences(text, false).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected);
    };
    check(
        "See e.g. Mr. Smith at www.x.com/a.b today. Then go!",
        &["See e.g. Mr. Smith at www.x.com/a.b today. ", "Then go!"],
    );
    check(
        "Version 1.2 is out. it works... Well? \"Yes.\" OK",
        &["Version 1.2 is out. it works... ", "Well? ", "\"Yes.\" ", "OK"],
    );
    check("他说：“好。”然后走了。真的？！嗯", &["他说：“好。”", "然后走了。", "真的？！", "嗯"]);
    check("J. R. Smith wrote", &["J. R. Smith wrote"]);
    check("", &[]);
}

/// Compares with counts of the built-in bi-encoder's tokenizer (`tokenizer.json`, without special tokens).
#[test]
fn token_estimates() {
    let check = |text: &str, counted: usize| {
        let estimate = estimate_tokens(text);
        assert!(estimate.abs_diff(counted) <= counted.div_ceil(4), "{text}: {estimate}, not {counted}");
    };
    check("Nuthatch watches your folders and shows the five notes that answer you.", 17);
    check("我们的解决方案是创建一个设计系统，这是一个针对品牌的资源，可以指导未来一致的徽标设计。", 24);
    check("在 Linux 上可以使用 `systemctl restart nginx` 命令来重启服务器。", 22);
    check("fn main() { let total: usize = values.iter().map(|v| v.len()).sum(); }", 32);
    assert_eq!(estimate_tokens(" \n"), 0);
    assert_eq!(estimate_tokens("a"), 2);
}

/// Checks what the index relies on: passages are in order, short enough, and contain the whole document.
fn check_cover(document: &Document, rules: &ChunkRules) -> Result<(), TestCaseError> {
    let found = chunks(document, rules);
    prop_assert!(!found.is_empty());
    let (mut start, mut covered) = (0, 0);
    for (ordinal, chunk) in found.iter().enumerate() {
        prop_assert_eq!(chunk.ordinal, ordinal);
        prop_assert!(start <= chunk.span.start && chunk.span.start <= chunk.span.end, "{:?}", chunk);
        prop_assert!(document.text.get(chunk.span.clone()).is_some());
        // Nothing but white space and markup between blocks lies between two passages.
        let gap = covered..chunk.span.start.max(covered);
        let lost = document.blocks.iter().find(|block| block.span.start < gap.end && gap.start < block.span.end);
        prop_assert!(
            lost.is_none_or(|block| document.text[gap.start.max(block.span.start)..gap.end.min(block.span.end)]
                .trim()
                .is_empty()),
            "{:?} {:?}",
            gap,
            lost
        );
        start = chunk.span.start;
        covered = covered.max(chunk.span.end);
        prop_assert!(estimate_tokens(&chunk.text) <= rules.max_tokens + rules.max_tokens / 4 + 4, "{:?}", chunk);
    }
    let end = document.blocks.last().map_or(0, |block| block.span.end);
    prop_assert_eq!(covered, end);
    let kept: usize = found.iter().map(|chunk| chunk.text.chars().filter(|c| !c.is_whitespace()).count()).sum();
    let all: usize = document.blocks.iter().flat_map(|block| block.text.chars()).filter(|c| !c.is_whitespace()).count();
    prop_assert!(kept >= all, "{} characters of {} kept", kept, all);
    prop_assert!(rules.overlap_tokens > 0 || kept == all, "{} characters made of {}", kept, all);
    Ok(())
}

const PIECES: [&str; 22] = [
    "# H\n\n",
    "## 标题\n\n",
    "### Deep heading\n\n",
    "word ",
    "Sentence one. ",
    "另一句话。",
    "\n\n",
    "\n",
    "- item\n",
    "> quote\n",
    "```\ncode();\n```\n\n",
    "x",
    "A long sentence that goes on and on without an end to it ",
    "没有标点的很长的一段中文文字",
    "&amp;",
    "**bold**",
    "`code`",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
    "<p>html</p>\n\n",
    "aHR0cHM6Ly9leGFtcGxlLmNvbS9hL2IvYy9kL2UvZg==",
    "[l](u)",
    "…",
];

proptest! {
    #[test]
    fn every_part_is_in_a_passage(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..120),
        name in "a\\.(md|txt|html)",
        target in 5usize..80,
        overlap in 0usize..20,
    ) {
        check_cover(&read(&name, &pieces.concat()), &rules(target, overlap.min(target / 2)))?;
    }
}
