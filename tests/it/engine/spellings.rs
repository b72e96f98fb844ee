//! Which spellings count as the same word, tested through search by words alone.

use nuthatch_engine::{SearchRequest, Stage};

use super::Bench;

/// Each row holds spellings of one thing. A question in any of them finds the notes in all of them, and no other notes.
const SPELLINGS: &[&[&str]] = &[
    &["把文件放进柜子", "把\u{2F42}件放进柜子", "\u{2F42}件"],
    &["先看页边距", "先看\u{2EDA}边距", "页边距", "\u{2EDA}邊距", "頁邊距"],
    &["kaleidoscope", "kalei\u{AD}do\u{AD}scope", "kalei\u{200B}doscope", "Kalei\u{2060}do\u{FEFF}scope"],
    &["玳瑁", "玳\u{200B}瑁", "玳\u{AD}瑁", "玳\u{E0101}瑁"],
    &["wifi", "Wi\u{2011}Fi", "wi-fi", "Wi\u{2010}Fi", "wi\u{2013}fi", "ＷｉＦｉ", "WiFi"],
    &["email", "e\u{2011}mail", "E-Mail", "e\u{AD}mail"],
    &["Hawaii", "Hawai\u{2BB}i", "Hawai'i", "hawai’i", "Hawai‘i", "HAWAI\u{2BC}I"],
    &["iPhone15", "iphone 15", "IPHONE15", "iPhone 15", "iphone-15", "ｉＰｈｏｎｅ１５"],
    &["iPad 9", "ipad9", "iPad9"],
    &["ChatGPT", "chat gpt", "Chat GPT", "chatgpt", "chat-gpt"],
    &["Open AI", "openai", "OpenAI"],
    &["GitHub", "git hub", "Git Hub", "github"],
    &["1,249,500", "1249500", "1 249 500", "1\u{202F}249\u{202F}500", "1.249.500", "1'249'500", "12,49,500"],
    &["138 0013 8000", "13800138000", "138-0013-8000", "+86 138 0013 8000", "+86 138-0013-8000"],
    &["4155550132", "(415) 555-0132", "415.555.0132", "415 555 0132", "+44 (415) 555-0132"],
    &["🏔️", "🏔", "🏔\u{FE0E}"],
    &["🇨🇭", "🇨🇭"],
    &["👍🏽", "👍"],
    &["한국", "\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}"],
    &["ガラス", "カ\u{3099}ラス", "ｶﾞﾗｽ"],
    &["1st", "1ST"],
    &["m²", "m2"],
    &["H₂O", "H2O"],
    &["C++", "c++"],
    &["3.11", "3.11"],
    &["0x80070005", "0X80070005"],
];

/// Notes, a question, and which of the notes it finds.
const ONE_WAY: &[(&[&str], &str, &[usize])] = &[
    // Parts of words that are written together.
    (&["We run redis7 here.", "We run postgres."], "redis", &[0]),
    (&["买了iPhone15。", "买了茶。"], "iphone", &[0]),
    (&["Ask ChatGPT.", "Ask me."], "gpt", &[0]),
    (&["They sold saffron⁴ here.", "An area of 3 m²."], "saffron", &[0]),
    (&["JavaScript is a name.", "Java is an island."], "java", &[1]),
    // Only the last word of a question may be the beginning of a word.
    (&["Kubernetes runs pods.", "Tea and kettles."], "kubern", &[0]),
    (&["Kubernetes runs pods.", "Tea and kettles."], "how to kubern", &[0]),
    (&["Kubernetes runs pods.", "Tea and kettles."], "kubern upgrade", &[]),
    (&["Running in the rain.", "Tea and kettles."], "runnin", &[0]),
    (&["The configuration file.", "Tea and kettles."], "configurati", &[0]),
    (&["Ein Größenverzeichnis.", "Tea and kettles."], "grössenv", &[0]),
    (&["Tea for two.", "The team meets."], "tea", &[0]),
    // One typing error.
    (&["Kubernetes runs pods.", "Tea and kettles."], "kubernets", &[0]),
    (&["Kubernetes runs pods.", "Tea and kettles."], "kubrenetes pods", &[0]),
    (&["Kubernetes runs pods.", "Tea and kettles."], "kubernrtes", &[0]),
    (&["The configuration file.", "Tea and kettles."], "configuratoin", &[0]),
    (&["We receive letters.", "Tea and kettles."], "recieve", &[0]),
    (&["The house.", "The mouse."], "house", &[0]),
    (&["A tea.", "A sea."], "zea", &[]),
    // Words that a question excludes.
    (&["Python the language.", "Python, a snake.", "Snakes alone."], "python -snake", &[0]),
    (&["Python the language.", "Python, a snake.", "Snakes alone."], "python NOT snake", &[0]),
    (&["Python the language.", "Python, a snake.", "Snakes alone."], "python -\"a snake\"", &[0]),
    (&["Python the language.", "Python, a snake.", "Snakes alone."], "PYTHON NOT SNAKE", &[0, 1, 2]),
    (&["苹果手机", "苹果，水果"], "苹果 -水果", &[0]),
    (&["Type git commit -m and a message.", "Commit now."], "git commit -m", &[0, 1]),
    (&["Wi-Fi and e-mail.", "Wi-Fi alone."], "wi-fi -e-mail", &[1]),
    // A quoted phrase must stand in the note word by word.
    (&["The search engine reads.", "The engine of search.", "Search engines."], "\"search engine\"", &[0, 2]),
    (&["The search engine reads.", "Reads of an engine."], "reads \"search engine\"", &[0]),
    (&["我们使用搜索引擎", "引擎和搜索"], "“搜索引擎”", &[0]),
    (&["北京大学生活动", "大学和学生"], "\"大学生\"", &[0]),
    (&["---\ntags: [机器学习]\n---\n笔记", "学习机器"], "\"机器学习\"", &[0]),
    (&["用 Python读取文件", "读取 Python 文件"], "「Python 读取」", &[0]),
    (&["苹果手机坏了", "手机和苹果"], "手机 -\"苹果手机\"", &[1]),
    (&["My wifi password.", "The password of my wifi."], "\"Wi-Fi password\"", &[0]),
    (&["A 27\" screen and a 24\" screen.", "A screen and two."], "27\" screen or 24\" screen", &[0, 1]),
];

fn name(at: usize) -> String {
    format!("n{}.md", char::from(b'A' + (at % 26) as u8).to_string().repeat(at / 26 + 1))
}

#[test]
fn one_word_in_any_spelling() {
    let bench = Bench::in_memory();
    let notes: Vec<(usize, &str)> =
        SPELLINGS.iter().enumerate().flat_map(|(row, all)| all.iter().map(move |spelt| (row, *spelt))).collect();
    for (at, (_, spelt)) in notes.iter().enumerate() {
        bench.write(&name(at), &format!("{spelt} .\n"));
    }
    bench.index();
    let mut wrong = Vec::new();
    for (row, spelt) in &notes {
        let found = bench.find_words(spelt);
        for (at, (of, other)) in notes.iter().enumerate() {
            if found.contains(&name(at)) != (of == row) {
                wrong.push(format!("{spelt:?} {} {other:?}", if of == row { "misses" } else { "finds" }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parts_beginnings_slips_and_what_is_left_out() {
    let bench = Bench::in_memory();
    let mut wrong = Vec::new();
    for (notes, question, expected) in ONE_WAY {
        for at in 0..4 {
            let path = bench.path(&name(at));
            match notes.get(at) {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
        bench.index();
        let found = bench.find_words(question);
        let expected: Vec<String> = expected.iter().map(|at| name(*at)).collect();
        if found != expected {
            wrong.push(format!("{question:?} in {notes:?}: {found:?} for {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Highlights mark the words as the note spells them, not as the question does.
#[test]
fn what_was_meant_is_marked() {
    for (note, question, expected) in [
        ("The kalei\u{AD}do\u{AD}scope broke.", "kaleidoscope", "kalei\u{AD}do\u{AD}scope"),
        ("先看\u{2EDA}边距。", "页边距", "\u{2EDA}边距"),
        ("玳\u{200B}瑁", "玳瑁", "玳\u{200B}瑁"),
        ("The Wi\u{2011}Fi key", "wifi", "Wi\u{2011}Fi"),
        ("In Hawai\u{2BB}i.", "hawaii", "Hawai\u{2BB}i"),
        ("买了iPhone15。", "iphone", "iPhone"),
        ("Kubernetes here", "kubern", "Kubernetes"),
        ("Kubernetes here", "kubrenetes", "Kubernetes"),
        ("call 138 0013 8000 now", "13800138000", "138 0013 8000"),
        ("a 🏔️ trip", "🏔", "🏔\u{FE0F}"),
        ("Open AI", "openai", "Open|AI"),
    ] {
        let bench = Bench::in_memory();
        bench.write("n.md", note);
        bench.index();
        let request = SearchRequest { stage: Stage::Lexical, ..SearchRequest::new(question) };
        let results = bench.search(&request);
        let hit = results.hits.first().unwrap_or_else(|| panic!("{question} finds nothing"));
        let marked = |[start, end]: &[usize; 2]| hit.snippet.chars().skip(*start).take(end - start).collect::<String>();
        let marked: Vec<String> = hit.highlights.iter().map(marked).collect();
        assert_eq!(marked.join("|"), expected, "{question}");
    }
}

/// Excluded words and quoted phrases apply to whole notes, not passages, and to notes found by meaning too.
#[test]
fn notes_are_left_out_whole() {
    let bench = Bench::with_models();
    let filler = |word: &str| format!("{}\n\n", format!("The {word} is green today. ").repeat(80));
    bench.write("both.md", &format!("# Python\n\n{}# Snake\n\n{}", filler("python"), filler("snake")));
    bench.write("one.md", &format!("# Python\n\n{}", filler("python")));
    bench.index();
    for stage in [Stage::Lexical, Stage::Vector, Stage::Hybrid, Stage::Rerank] {
        for (question, expected) in [
            ("green python -snake", &["one.md"][..]),
            ("green python \"the snake is\"", &["both.md"]),
            ("green \"no such phrase\"", &[]),
        ] {
            let request = SearchRequest { stage, ..SearchRequest::new(question) };
            let mut found = super::names(&bench.search(&request));
            found.sort();
            assert_eq!(found, expected, "{question} {stage:?}");
        }
    }
}
