use proptest::prelude::*;
use tantivy::collector::Count;
use tantivy::query::{PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, Term as IndexTerm, doc};

use super::*;

/// Terms as `position:text`, with `+length` where it is more than 1.
fn terms(each: impl Fn(&str, &mut dyn FnMut(Term<'_>)), text: &str) -> String {
    let mut found = Vec::new();
    each(text, &mut |term| {
        assert!(text.is_char_boundary(term.start) && text.is_char_boundary(term.end) && term.start < term.end);
        let length = if term.length > 1 { format!("+{}", term.length) } else { String::new() };
        found.push(format!("{}:{}{length}", term.position, term.text));
    });
    found.join(" ")
}

#[test]
fn words() {
    let check = |text: &str, expected: &str| assert_eq!(terms(|t, s| each_word(t, s), text), expected, "{text}");
    check("Parsing the Notes", "0:pars 1:the 2:note");
    check("json.load()", "0:json.load+2 0:json 1:load");
    check("snake_case camelCase", "0:snakecas+2 0:snake 1:case 2:camelcas+2 2:camel 3:case");
    check("XMLHttpRequest JavaScript", "0:xmlhttprequest+3 0:xml 1:http 2:request 3:javascript");
    check("utf-8 UTF8", "0:utf8+2 0:utf 1:8 2:utf8+2 2:utf 3:8");
    check("v1.2 C++ C# x", "0:v1.2+2 0:v1 1:2 2:c 2:c++ 3:c 3:c# 4:x");
    check(
        "iPhone15 redis7 5km mp3player",
        "0:iphone15+2 0:iphon 1:15 2:redis7+2 2:redi 3:7 4:5km+2 4:5 5:km 6:mp3player+3 6:mp 7:3 8:player",
    );
    check(
        "ChatGPT's OpenAI GitHub getURL",
        "0:chatgpt+2 0:chat 1:gpt 2:openai+2 2:open 3:ai 4:github 5:geturl+2 5:get 6:url",
    );
    check("1st x86 H₂O m² 0x80070005 saffron⁴", "0:1st 1:x86 2:h2o 3:m2 4:0x80070005 5:saffron4+2 5:saffron 6:4");
    check("e\u{2011}mail Hawai\u{2BB}i Wi–Fi", "0:email+2 0:e 1:mail 2:hawaii 3:wifi+2 3:wi 4:fi");
    check("1,249.50 or 12,49,500", "0:1249.50+3 0:1249+2 0:1 1:249 2:50 3:or 4:1249500+3 4:12 5:49 6:500");
    check(
        "138 0013 8000, 2024-03-15 10:30",
        "0:13800138000+3 0:138 1:0013 2:8000 3:20240315+3 3:2024 4:03 5:15 6:10 7:30",
    );
    check("+1 (415) 555-0132", "0:14155550132+4 0:1 1:4155550132+3 1:415 2:555 3:0132");
    check("3 4 5 6 7 10 20 1,2 3.5", "0:3 1:4 2:5 3:6 4:7 5:10 6:20 7:1 8:2 9:3.5+2 9:3 10:5");
    check("🏔️ trip 🇨🇭👍🏽", "0:🏔 1:trip 2:🇨🇭 3:👍");
    check("kalei\u{AD}do\u{AD}\n  scope 玳\u{200B}瑁 \u{2F42}件 \u{2EDA}", "0:kaleidoscop 1:玳瑁+2 3:文件+2 5:页");
    check("don't user's l’été", "0:dont 1:user 2:lete");
    check("ＦＵＬＬ ｗｉｄｔｈ Ångström e\u{301} Straße ﬁx", "0:full 1:width 2:angstrom 3:e 4:strass 5:fix");
    check("用Python写代码", "0:用 1:python 2:写 3:代码+2");
    check("搜索引擎", "0:搜索引擎+4 0:搜索+2 2:引擎+2");
    check("搜索 引擎", "0:搜索+2 2:引擎+2");
    check("中华人民共和国", "0:中华人民共和国+7 0:中华+2 2:人民+2 4:共和国+3");
    check("資料庫", "0:资料库+3 0:资料+2");
    check("カタカナ 한국어 ﾃｽﾄ", "0:カタカナ 1:한국어 2:テスト");
    check("", "");
    check(" -- 。", "");
    check(&"x".repeat(100), "");
}

#[test]
fn pairs() {
    let check = |text: &str, expected: &str| assert_eq!(terms(|t, s| each_pair(t, s), text), expected, "{text}");
    check("數據庫", "0:数 0:数据+2 1:据 1:据库+2 2:库");
    check("a茶, 水b", "1:茶 3:水");
    check("カナ한", "0:カ 0:カナ+2 1:ナ 1:ナ한+2 2:한");
    check("none", "");
}

#[test]
fn stop_words() {
    for term in ["the", "how", "的", "怎么", "如何"] {
        assert!(is_stop_word(term), "{term}");
    }
    for term in ["note", "python", "数据库", "防火墙"] {
        assert!(!is_stop_word(term), "{term}");
    }
}

#[test]
fn questions() {
    let check = |query: &str, words: &str, cjk: &str| {
        let terms = query_terms(query);
        assert_eq!((terms.words.join(" ").as_str(), terms.cjk.join(" ").as_str()), (words, cjk), "{query}");
    };
    check("How do I parse JSON?", "pars json", "");
    check("to be or not to be", "to be or not", "");
    check("does it work", "work", "");
    check("怎么配置防火墙", "配置 防火墙 防火 火墙", "配置 置防 防火 火墙");
    check("茶", "茶", "茶");
    check("备份", "备份", "备份");
    check("是什么", "是 什么", "是什 什么");
    check("用 rust 写", "rust 写", "写");
    check("", "", "");
    check("  ?? ", "", "");
    check("python -snake NOT cobra", "python", "");
    check("-snake", "snake", "");
    check("git commit -m --amend -5", "git commit m amend 5", "");
    check("苹果 -水果", "苹果", "苹果");
}

#[test]
fn what_may_be_meant() {
    let check = |query: &str, typed: &str, joined: &str| {
        let terms = query_terms(query);
        let shown = |typed: &Typed| format!("{}{}", typed.text, if typed.is_last { "…" } else { "" });
        let shown: Vec<String> = terms.typed.iter().map(shown).collect();
        assert_eq!((shown.join(" ").as_str(), terms.joined.join(" ").as_str()), (typed, joined), "{query}");
    };
    check("How do I upgrade kubern?", "upgrade kubern…", "upgradekubern");
    check("open AI is ", "open ai", "openai");
    check("is there a way to log in", "log", "login");
    check("\"as quoted\" wi-fi", "wifi…", "");
    check("iphone 15 pro", "iphone 15 pro…", "iphone15");
    check("138 0013 8000", "13800138000…", "");
}

#[test]
fn what_is_left_out_or_stands_so() {
    let check = |query: &str, asked: &str, n_required: usize, n_excluded: usize| {
        let terms = query_terms(query);
        let found = (terms.asked.as_str(), terms.required.len(), terms.excluded.len());
        assert_eq!(found, (asked, n_required, n_excluded), "{query}");
    };
    check("python -snake", "python", 0, 1);
    check("-snake python", "python", 0, 1);
    check("python NOT snake -\"a b\" now", "python   now", 0, 2);
    // A sign of inches opens no quote; other languages' quotes are quotes.
    check("27\" screens -lcd", "27\" screens", 0, 1);
    check("“foo -bar” baz", "“foo -bar” baz", 1, 0);
    check("雷达 -“天气 预报” NOT「台 风」", "雷达", 0, 2);
    check("\"a python\" now", "\"a python\" now", 1, 0);
    check("well-known - things -5 -m --x", "well-known - things -5 -m --x", 0, 0);
    check("DO NOT PANIC", "DO NOT PANIC", 0, 0);
    check("27\" or 24\" screens", "27\" or 24\" screens", 0, 0);
    check("-snake", "-snake", 0, 0);
}

#[test]
fn clean_text() {
    for (text, expected) in [
        ("plain, 文字。", "plain, 文字。"),
        ("\u{FEFF}so\u{AD}ft", "soft"),
        ("so\u{AD}\n  ft, so\u{AD}\n\nft", "soft, so\n\nft"),
        ("กา\u{200B}แฟ a\u{200B}b", "กา\u{200B}แฟ ab"),
        ("e\u{301}\u{323} \u{1112}\u{1161}\u{11AB}", "é\u{323} 한"),
        ("Ａ１－ｚ", "A1-z"),
    ] {
        let Clean { text: clean, source } = clean(text);
        assert_eq!(clean, expected);
        assert_eq!(source.at(clean.len()), text.len());
        // Each character of the clean text maps to a character of the original that is not left out.
        for (at, c) in clean.char_indices() {
            let from = source.at(at);
            assert!(text.is_char_boundary(from), "{text:?} {c}");
            assert!(!text[from..].starts_with(['\u{AD}', '\u{FEFF}']), "{text:?} {c}");
        }
    }
}

/// Every character that cleaning may change is found in the middle of other text.
#[test]
fn no_odd_sign_is_passed_over() {
    for c in ('\u{80}'..=char::MAX).filter(|c| clean::is_odd(*c)) {
        assert!(matches!(clean(&format!("文字, {c} x")).text, std::borrow::Cow::Owned(_)), "U+{:04X}", u32::from(c));
    }
}

#[test]
fn phrases() {
    let check = |query: &str, expected: &[&[(usize, &str)]]| {
        let expected: Vec<Vec<(usize, String)>> =
            expected.iter().map(|phrase| phrase.iter().map(|(at, term)| (*at, (*term).to_owned())).collect()).collect();
        assert_eq!(query_terms(query).phrases, expected, "{query}");
    };
    check("say \"to be\" and “搜索引擎”", &[&[(0, "to"), (1, "be")], &[(0, "搜索"), (2, "引擎")]]);
    check("open \"quote", &[]);
    check("\"\" x", &[]);
}

struct Notes {
    index: Index,
    words: Field,
    cjk: Field,
}

impl Notes {
    fn new(notes: &[&str]) -> Self {
        let options = |tokenizer| {
            let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer);
            TextOptions::default()
                .set_indexing_options(indexing.set_index_option(IndexRecordOption::WithFreqsAndPositions))
        };
        let mut schema = Schema::builder();
        let words = schema.add_text_field("words", options(WORDS));
        let cjk = schema.add_text_field("cjk", options(CJK));
        let index = Index::create_in_ram(schema.build());
        register(index.tokenizers());
        let mut writer = index.writer_with_num_threads(1, 15_000_000).expect("writer");
        for note in notes {
            writer.add_document(doc!(words => *note, cjk => *note)).expect("added");
        }
        writer.commit().expect("committed");
        Self { index, words, cjk }
    }

    fn count(&self, query: &dyn Query) -> usize {
        self.index.reader().expect("reader").searcher().search(query, &Count).expect("searched")
    }

    fn count_cjk(&self, query: &str) -> usize {
        let terms = query_terms(query).cjk;
        assert!(!terms.is_empty());
        let count = |term: &String| {
            self.count(&TermQuery::new(IndexTerm::from_field_text(self.cjk, term), IndexRecordOption::Basic))
        };
        terms.iter().map(count).min().unwrap_or(0)
    }

    fn count_phrase(&self, phrase: &str) -> usize {
        let terms = query_terms(&format!("\"{phrase}\"")).phrases.remove(0);
        let terms = terms.into_iter().map(|(at, term)| (at, IndexTerm::from_field_text(self.words, &term)));
        self.count(&PhraseQuery::new_with_offset(terms.collect()))
    }
}

#[test]
fn one_and_two_characters_hit() {
    let notes = Notes::new(&["我们使用搜索引擎查找笔记", "張三豐的太極拳", "데이터베이스 백업", "データベース"]);
    for (query, hits) in [
        ("搜", 1),
        ("索引", 1),
        ("笔记", 1),
        ("三", 1),
        ("三丰", 1),
        ("極", 1),
        ("极拳", 1),
        ("이터", 1),
        ("ベー", 1),
        ("猫", 0),
        ("笔索", 0),
    ] {
        assert_eq!(notes.count_cjk(query), hits, "{query}");
    }
}

#[test]
fn phrases_hit_whatever_the_spaces() {
    let notes = Notes::new(&["我们使用搜索引擎查找笔记", "搜索 引擎", "引擎搜索", "The search engine reads notes"]);
    for (phrase, hits) in [
        ("搜索引擎", 2),
        ("搜索 引擎", 2),
        ("使用搜索", 1),
        ("search engines", 1),
        ("engine search", 0),
        ("查找搜索", 0),
    ] {
        assert_eq!(notes.count_phrase(phrase), hits, "{phrase}");
    }
}

proptest! {
    /// Positions never decrease, because the index could not store that, and reading a question never panics.
    #[test]
    fn any_text(text in "(\\PC|[a-z_.'’A-Z茶水的]){0,60}") {
        let mut last = 0;
        let mut check = |term: Term<'_>| {
            assert!(term.position >= last && !term.text.is_empty());
            assert!(text.is_char_boundary(term.start) && text.is_char_boundary(term.end) && term.start < term.end);
            last = term.position;
        };
        each_word(&text, &mut check);
        last = 0;
        each_pair(&text, |term| { assert!(term.position >= last); last = term.position; });
        query_terms(&text);
    }
}
