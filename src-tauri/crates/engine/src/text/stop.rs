//! Words that say nothing about a topic.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::words::stem;

const ENGLISH: &str = "a about after all also am an and any are as at be because been before being between both but by \
    can could did do does doing dont down during each few for from further get had has have having he her here hers \
    him his how i if im in into is it its itself ive me more most my no nor not of off on once only or \
    other our out over own please same she should so some such than that the their them then there these they this \
    those through to too under until up us use used using very want was way we were what when where which while who \
    whom whose why will with would you your";

const CHINESE: &str = "的 了 着 过 和 与 及 或 或者 而 而且 并 并且 但 但是 在 于 从 到 对 对于 关于 把 被 让 给 向 往 是 不是 有 没有 \
    也 都 就 还 又 再 才 很 更 最 太 吗 呢 吧 啊 呀 嘛 么 我 你 他 她 它 我们 你们 他们 它们 自己 这 那 这个 那个 这些 那些 这里 那里 \
    这样 那样 什么 为什么 怎么 怎么样 怎样 怎么办 如何 哪 哪个 哪些 哪里 哪儿 谁 几 多少 是否 能 能否 能够 可以 可 会 要 想 应该 需要 \
    请 请问 之 其 其中 所 以 以及 因为 所以 如果 那么 则 等 等等 个 一个 一些 一种 一下 上 下 中 里 时 时候 用 使用 办 有没有 地 得";

static STOP_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let english = ENGLISH.split_whitespace().map(|word| stem(word).into_owned());
    english.chain(CHINESE.split_whitespace().map(str::to_owned)).collect()
});

/// Whether an English or Chinese term (as the index holds it) says nothing about a topic. Only questions leave out stop
/// words. The index keeps every word, so that phrases are found.
pub fn is_stop_word(term: &str) -> bool {
    STOP_WORDS.contains(term)
}
