#!/usr/bin/env python3
"""Gather what `distill.py` trains on: a pool of passages, English and Chinese, and everything that asks for one of them.

usage: make_pool.py --data DATA --groups GROUPS.jsonl.gz --out POOL_DIR

POOL_DIR/passages.jsonl.gz: {"s" source, "h" title or "", "t" text}, a line a passage; those that only a query is shown (a sentence that
became the query is taken out of them) come last and have "of", the number of the passage they were made from.
POOL_DIR/queries.jsonl.gz: {"k" kind, "q" query, "d" number of its passage, "a" its answer where one is known}.
POOL_DIR/held_out.jsonl.gz: the groups that are held out, as `make_groups.py` writes them.
POOL_DIR/words.npz: the terms of both as `retrieval.terms` finds them, for BM25 where no stemmer is at hand.

The passages are those of the training groups (positives and negatives), all of SQuAD's paragraphs and MedQuAD's answers. Articles that
`make_groups.py` holds out, and what touches a development set, stay out here as well. Every question that the data has is asked;
besides, each passage is asked for as a claim, a topic, a need, a title or keywords, as `make_topics.py` does, in Chinese too.
"""
import argparse
import gzip
import json
import math
import random
import re
from collections import Counter
from pathlib import Path

import jieba
import numpy as np

import data
import groups
import make_topics
import retrieval
from make_groups import EDGE, held_out, squeezed

SEED = 29
PASSAGE_CHARACTERS = 1100  # of an answer of MedQuAD: about what the app's chunks hold
CHINESE_SENTENCE = re.compile(r"(?<=[。！？；])")
CHINESE_SENTENCE_CHARACTERS = range(12, 90)
CHINESE_NEEDS = ("关于{}的资料", "{}是什么", "介绍一下{}", "{}", "想了解{}", "{}相关的内容")
CHINESE_STOP_WORDS = frozenset("我们 你们 他们 它们 可以 一个 这个 那个 这些 那些 没有 不是 就是 因为 所以 如果 但是 以及 或者 什么 怎么 如何 进行 使用 需要 通过 其中 之后 之前 时候 已经 这样 這個 我們 他們 可以 沒有 因為 所以 如果 以及 或者 什麼 進行 使用 需要 通過 其中 之後 之前 時候 已經".split())


class Pool:
    """Passages, each once: two whose ends are the same are one, whatever their blanks and titles."""

    def __init__(self):
        self.numbers: dict[tuple[str, str], int] = {}
        self.passages: list[tuple[str, str, str]] = []  # source, title, text
        self.asked: dict[tuple[str, int], tuple[str, str]] = {}  # (query, passage) -> (kind, answer)

    def add(self, source: str, title: str, text: str) -> int:
        bare = squeezed(text)
        number = self.numbers.setdefault((bare[:EDGE], bare[-EDGE:]), len(self.passages))
        if number == len(self.passages):
            self.passages.append((source, title, text))
        return number

    def ask(self, kind: str, query: str, passage: int, answer: str = "") -> None:
        self.asked.setdefault((query, passage), (kind, answer))


def chinese_words(text: str) -> list[str]:
    """Words of two characters or more, as jieba cuts them, in their order."""
    return [w for w in jieba.cut(text) if len(w) > 1 and re.match(r"[\w.+#-]+$", w) and not w.isdigit() and w not in CHINESE_STOP_WORDS]


def salient(words: list[str], idf: dict[str, float], n: int) -> list[str]:
    """The `n` words that count most, in their order."""
    worth = {w: count**0.5 * idf.get(w, 0.0) for w, count in Counter(words).items()}
    chosen = set(sorted(worth, key=lambda w: -worth[w])[:n])
    return [w for w in dict.fromkeys(words) if w in chosen and worth[w] > 0]


def ask_chinese(pool: Pool, members: list[tuple[int, str, str]], rng: random.Random):
    """Claims, topics and needs over Chinese passages: (kind, query, passage, text shown)."""
    words_of = [chinese_words(f"{title}\n{text}") for _, title, text in members]
    idf = {word: math.log(len(members) / n) for word, n in Counter(w for words in words_of for w in set(words)).items() if n > 1}
    for (number, title, text), words in zip(members, words_of):
        found = [s.strip() for s in CHINESE_SENTENCE.split(text) if len(s.strip()) in CHINESE_SENTENCE_CHARACTERS and data.is_chinese(s)]
        kinds = ["topic", "topic", "need"] + ["claim"] * 3 * (len(found) >= 3)
        for kind in dict.fromkeys(rng.sample(kinds, 2)):
            if kind == "claim":
                sentence = rng.choice(found)
                shown = text if rng.random() < make_topics.KEPT_IN else text.replace(sentence, "", 1)
                yield kind, sentence.rstrip("。；"), number, shown
                continue
            chosen = salient(words, idf, rng.randint(1, 3) if kind == "need" else rng.randint(2, 5))
            if chosen:
                query = rng.choice(("", " ", "和")).join(chosen) if kind == "need" else " ".join(chosen)
                yield kind, rng.choice(CHINESE_NEEDS).format(query) if kind == "need" else query, number, text


def squad(folder: Path, pool: Pool, unseen: set[str], edges: set[str]) -> None:
    for p in data.jsonl(folder / "train/squad1-train.jsonl.gz"):
        title, text = p["title"].replace("_", " "), squeezed(p["context"])
        if held_out("squad", title) or text in unseen or text[:EDGE] in edges:
            continue
        number = pool.add("squad", title, text)
        for q in p["qas"]:
            question, answers = squeezed(q["question"]), q.get("answers") or [""]
            first = answers[0] if isinstance(answers, list) else answers
            answer = first.get("text", "") if isinstance(first, dict) else str(first)
            if len(question.split()) >= 4 and question not in unseen:
                pool.ask("squad", question, number, answer)


def medquad(folder: Path, pool: Pool, validation: list[groups.Group]) -> None:
    kept_apart = {q for g in validation if g.source == "medquad" for q in g.queries}
    edges = {squeezed(text)[:EDGE] for g in validation if g.source == "medquad" for _, text in g.passages}
    for pair in data.jsonl(folder / "train/medquad.jsonl.gz"):
        question, text = squeezed(pair["q"]), squeezed(pair["a"])
        if question in kept_apart or len(text) < 80 or any(text[i : i + EDGE] in edges for i in range(max(1, min(len(text) - EDGE, 400)))):
            continue
        cut = text[:PASSAGE_CHARACTERS].rsplit(". ", 1)[0] if len(text) > PASSAGE_CHARACTERS else text
        pool.ask("medquad", question, pool.add("medquad", "", cut))


def chinese_json(folder: Path, pool: Pool, unseen: set[str], validation: list[groups.Group]) -> None:
    apart = {text for g in validation for _, text in g.passages} | unseen
    for name in ("DRCD_test.json.gz", "cmrc2018_trial.json.gz"):
        for p in data.squad_json(folder, name):
            text = squeezed(p["context"])
            if text in apart or p["context"] in apart or held_out("zhqa", p["title"]):
                continue
            number = pool.add("zhqa", p["title"], text)
            for q in p["qas"]:
                if q["question"] not in unseen:
                    pool.ask("zhqa", squeezed(q["question"]), number, q["answers"][0]["text"] if q.get("answers") else "")


def terms_of(texts: list[str], vocabulary: dict[str, int], grows: bool) -> dict[str, np.ndarray]:
    """Rows of (term, count) end to end, where each begins, and how many terms each text has; terms that are not in the vocabulary are
    only counted, unless it grows."""
    begins, terms, counts, lengths = [0], [], [], []
    for text in texts:
        found = Counter(retrieval.terms(text))
        lengths.append(sum(found.values()))
        for term, n in found.items():
            number = vocabulary.setdefault(term, len(vocabulary)) if grows else vocabulary.get(term)
            if number is not None:
                terms.append(number)
                counts.append(min(n, 255))
        begins.append(len(terms))
    return {"begins": np.array(begins, np.uint32), "terms": np.array(terms, np.uint32), "counts": np.array(counts, np.uint8), "lengths": np.array(lengths, np.uint16)}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "groups", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args = args.parse_args()
    rng = random.Random(SEED)
    split = groups.load(args.groups)
    unseen: set[str] = set()
    for name in data.DEVELOPMENT_SETS:
        s = data.read_eval(args.data, name)
        unseen.update(s.docs, s.queries)
    apart = {g.passages[0] for g in split.validation}
    edges = {text[:EDGE] for _, text in apart}

    pool = Pool()
    squad(args.data, pool, unseen, edges)
    medquad(args.data, pool, split.validation)
    chinese_json(args.data, pool, unseen, split.validation)
    for g in split.train:
        numbers = [pool.add(g.source, *p) for p in g.passages if p not in apart and not (g.source == "squad" and p[1][:EDGE] in edges)]
        if g.passages[0] not in apart:
            for query in g.queries:
                pool.ask(g.source, query, numbers[0])

    passages = [(*passage, -1) for passage in pool.passages]
    questions: dict[int, list[str]] = {}
    for query, number in pool.asked:
        questions.setdefault(number, []).append(query)
    asked = [(kind, query, number, answer) for (query, number), (kind, answer) in pool.asked.items()]

    def show(kind: str, query: str, number: int, title: str, text: str) -> None:
        if (title, text) != passages[number][1:3]:
            passages.append((passages[number][0], title, text, number))
            number = len(passages) - 1
        asked.append((kind, query, number, ""))

    english = [i for i, p in enumerate(passages) if p[0] not in groups.CHINESE_SOURCES]
    chinese = [(i, p[1], p[2]) for i, p in enumerate(passages) if p[0] in groups.CHINESE_SOURCES]
    bm25 = retrieval.Bm25([f"{passages[i][1]}\n{passages[i][2]}" for i in english])
    made = make_topics.ask([(*passages[i][:3], questions.get(i, [])) for i in english], bm25, rng)
    for a in made:
        if a.kind not in ("question", "title"):  # every one of those is asked already
            show(f"topic-{a.kind}", a.query, english[a.source], a.title, a.text)
    for kind, query, number, text in list(ask_chinese(pool, chinese, rng)):
        show(f"zh-{kind}", query, number, passages[number][1], text)

    args.out.mkdir(parents=True, exist_ok=True)
    with gzip.open(args.out / "passages.jsonl.gz", "wt", encoding="utf8", compresslevel=6) as out:
        for source, title, text, of in passages:
            line = {"s": source, "h": title, "t": text} | ({"of": of} if of >= 0 else {})
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    with gzip.open(args.out / "queries.jsonl.gz", "wt", encoding="utf8", compresslevel=6) as out:
        for kind, query, number, answer in asked:
            out.write(json.dumps({"k": kind, "q": query, "d": number} | ({"a": answer} if answer else {}), ensure_ascii=False) + "\n")
    with gzip.open(args.out / "held_out.jsonl.gz", "wt", encoding="utf8", compresslevel=6) as out:
        for g in split.validation:
            out.write(json.dumps({"s": g.source, "q": g.queries[:1], "d": g.passages}, ensure_ascii=False) + "\n")
    vocabulary: dict[str, int] = {}
    arrays = {}
    for name, texts, grows in (("queries", [a[1] for a in asked], True), ("passages", [f"{p[1]}\n{p[2]}" for p in passages], False)):
        arrays |= {f"{name}_{part}": array for part, array in terms_of(texts, vocabulary, grows).items()}
    np.savez_compressed(args.out / "words.npz", **arrays)
    print(f"{len(passages)} passages ({dict(Counter(p[0] for p in passages))}), {len(vocabulary)} terms")
    print(f"{len(asked)} queries: {dict(Counter(a[0] for a in asked))}")


if __name__ == "__main__":
    main()
