use super::*;

/// The snippet with its highlights in brackets.
fn marked(text: &str, query: &str, max_chars: usize) -> String {
    let Snippet { text, highlights } = snippet(text, query, max_chars);
    assert!(text.chars().count() <= max_chars, "{text}");
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        highlights.iter().filter(|h| h[0] == at).for_each(|_| shown.push('['));
        shown.push(c);
        highlights.iter().filter(|h| h[1] == at + 1).for_each(|_| shown.push(']'));
    }
    shown
}

#[test]
fn highlights() {
    let check = |text: &str, query: &str, expected: &str| assert_eq!(marked(text, query, 200), expected, "{query}");
    check("How to parse\n  JSON quickly.", "parsing json", "How to [parse] [JSON] quickly.");
    check("The Café is open", "cafe", "The [Café] is open");
    check("call json.load() now", "json.load", "call [json.load]() now");
    check("snakeCase and snake_case", "snake_case", "[snakeCase] and [snake_case]");
    check("我们使用搜索引擎查找笔记", "搜索引擎怎么用", "我们使用[搜索引擎]查找笔记");
    check("資料庫的備份", "数据库备份", "資料庫的[備份]");
    check("备份数据", "备", "[备]份数据");
    check("张三丰写的书", "三丰", "张[三丰]写的书");
    check("ＡＢＣ全角", "abc", "[ＡＢＣ]全角");
    check("nothing here", "missing", "nothing here");
    check("to be or not", "to be", "[to] [be] or not");
    check("", "x", "");
}

/// Words that the text does not contain are guessed without an index.
#[test]
fn what_may_be_meant() {
    let check = |text: &str, query: &str, expected: &[&str]| {
        let marked = |[start, end]: [usize; 2]| text.chars().skip(start).take(end - start).collect::<String>();
        let marked: Vec<String> = super::highlights(text, query).into_iter().map(marked).collect();
        assert_eq!(marked, expected, "{query}");
    };
    check("Kubernetes here", "kubern", &["Kubernetes"]);
    check("Kubernetes here", "kubern now", &[]);
    check("Kubernetes here", "kubrenetes now", &["Kubernetes"]);
    check("Kubernets, Kubernete", "kubernetes", &["Kubernets", "Kubernete"]);
    check("Tea for the team", "tea", &["Tea"]);
    check("A house", "mouse", &["house"]);
    check("kalei\u{AD}doscope", "kaleidoscope", &["kalei\u{AD}doscope"]);
}

#[test]
fn windows() {
    let filler = "Lorem ipsum dolor sit amet. ".repeat(20);
    let text = format!("{filler}The kettle is broken. Repair the kettle with a new heating element. {filler}");
    let shown = marked(&text, "repair kettle element", 90);
    assert!(shown.contains("[Repair] the [kettle] with a new heating [element]."), "{shown}");
    assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
    let chinese = format!("{}防火墙的配置方法如下。{}", "今天天气很好。".repeat(40), "明天也是。".repeat(40));
    let shown = marked(&chinese, "怎么配置防火墙", 40);
    assert!(shown.contains("[防火墙]的[配置]方法如下。"), "{shown}");
    assert_eq!(marked("one two three four five six", "zzz", 14), "one two three…");
    for max_chars in 0..30 {
        let shown = snippet(&text, "kettle", max_chars.max(3)).text;
        assert!(shown.chars().count() <= max_chars.max(3), "{max_chars}: {shown}");
    }
}
