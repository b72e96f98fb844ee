#!/usr/bin/env python3
"""Make English training groups that ask for a *topic*, as keywords, titles, claims and long information needs do, with a teacher's opinion
of every passage: what passages that answer a question cannot teach.

usage: make_topics.py --groups GROUPS.jsonl.gz --teacher ALL_MINILM_DIR --out TOPICS.jsonl.gz [--cache CACHE_DIR]

The pool is a sample of the passages that GROUPS.jsonl.gz trains on, held-out articles left out. Each passage is asked for in some of
these ways (`KINDS`), and its candidates come from ranks 1 to 100 of the teacher's hybrid: 0.6 cosine and 0.4 BM25, both as z-scores.
That fused score, as a logit, is the target for all candidates; it is mixed with the passage that the query was made from. So the student
gets both an embedder's and a word count's view, which on topical sets rank better together than either.

A line is a group as make_groups.py writes them, "s" being `topic-<kind>`, with "t" the teacher's logits of "d".
"""
import argparse
import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch

import data
import groups
import retrieval
from train_bi import Tower

SEED = 23
POOL = {"squad": 2600, "md": 2400, "medquad": 1500, "pubmedqa": 1000, "covidqa": 1500}  # passages at most
TEACHER_TOKENS = {"passage": 112, "query": 64}
BLOCK = 128  # texts embedded, and queries ranked, at a time
COSINE_WEIGHT = 0.6
LOGITS_PER_Z = 1.5  # the best of 300 candidates lies 3 to 5 deviations up: half to nine tenths of the target are its
# Candidates: this many from among these ranks, nearest first as `groups.draw` expects, then one from anywhere.
BANDS = ((0, 6, 3), (6, 20, 3), (20, 60, 2), (60, 100, 2))
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"(])")
SENTENCE_WORDS = range(7, 45)
KEPT_IN = 0.2  # of the claims stay in their passage: a literal match has to count as well
NEEDS = ("I am interested in {}.", "Articles on {}.", "What is known about {}?", "Describe {}.", "Information about {}.", "{}.", "Papers dealing with {}.")


class Asked:
    """A query, and the pool passage it was made from with the text that is shown of it."""

    def __init__(self, kind: str, query: str, source: int, title: str, text: str):
        self.kind, self.query, self.source, self.title, self.text = kind, query, source, title, text


def salient(text: str, bm25: retrieval.Bm25, n: int) -> list[str]:
    """The `n` words of a text that count most in the pool, in the order in which they first stand there."""
    best: dict[str, tuple[float, int, str]] = {}
    counts = Counter(retrieval.terms(text))
    for place, word in enumerate(re.findall(r"[A-Za-z][A-Za-z0-9-]+", text)):
        for term in retrieval.terms(word)[:1]:
            if term not in best and term in bm25.vocabulary:
                best[term] = (counts[term] ** 0.5 * bm25.idf[bm25.vocabulary[term]], place, word)
    chosen = sorted(best.values(), reverse=True)[:n]
    return [word for _, _, word in sorted(chosen, key=lambda c: c[1])]


def sentences(text: str) -> list[str]:
    return [s for s in SENTENCE.split(text) if len(s.split()) in SENTENCE_WORDS]


def without(text: str, parts: list[str]) -> str:
    for part in parts:
        text = text.replace(part, " ", 1)
    return re.sub(r"\s+", " ", text).strip()


def needs(title: str, text: str, questions: list[str], bm25: retrieval.Bm25, rng: random.Random) -> tuple[str, list[str]]:
    """A long information need of two or three sentences, and what was taken out of the passage for it."""
    words = " ".join(salient(f"{title} {text}", bm25, rng.randint(3, 6))).lower()
    parts, taken = [rng.choice(NEEDS).format(words)], []
    spare = rng.sample(questions, min(len(questions), 2))
    found = sentences(text)
    if found and (len(spare) < 2 or rng.random() < 0.5):
        taken = [rng.choice(found)]
        spare = spare[:1] + taken
    parts += spare
    rng.shuffle(parts)
    return " ".join(parts), taken


def ask(pool: list[tuple[str, str, str, list[str]]], bm25: retrieval.Bm25, rng: random.Random) -> list[Asked]:
    """Two queries a passage or so, of several kinds."""
    asked = []
    for i, (source, title, text, questions) in enumerate(pool):
        found = sentences(text)
        whole = len(text.split())
        kinds = []
        if questions:
            kinds += ["question"] * 2 + ["keywords"] * 2
        if source == "md" and questions:
            kinds = ["title"] * 3 + ["keywords"]
        if len(found) >= 3:
            kinds += ["claim"] * 3
        if whole > 40:
            kinds += ["topic"] * 3 + ["need"] * 2
        for kind in dict.fromkeys(rng.sample(kinds, min(len(kinds), 2))):
            shown, heading = text, title
            if kind in ("question", "title"):
                query = rng.choice(questions)
            elif kind == "keywords":
                query = groups.keywords(rng.choice(questions), rng)
            elif kind == "claim":
                query = rng.choice(found)
                if rng.random() >= KEPT_IN:
                    shown = without(text, [query])
            elif kind == "topic":
                query = " ".join(salient(f"{title} {text}", bm25, rng.randint(2, 7)))
                query = rng.choice((str.upper, str.lower, str))(query)
            else:
                query, taken = needs(title, text, questions, bm25, rng)
                shown = without(text, taken)
            if heading == query:
                heading = ""
            asked.append(Asked(kind, query, i, heading, shown))
    return asked


def embed(tower: Tower, texts: list[str], kind: str, cache: Path | None) -> np.ndarray:
    file = cache / f"{kind}-{len(texts)}-{sum(map(len, texts))}.npy" if cache else None
    if file and file.exists():
        return np.load(file)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.zeros((len(texts), tower.model.config.hidden_size), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BLOCK):
            part = order[start : start + BLOCK]
            vectors[part] = tower([texts[i] for i in part], TEACHER_TOKENS[kind]).numpy()
    if file:
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, vectors)
    return vectors


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("groups", "teacher", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("--cache", type=Path)
    args = args.parse_args()
    rng = random.Random(SEED)
    train = [g for g in groups.load(args.groups).train if g.source in POOL]
    questions: dict[tuple[str, str], list[str]] = {}
    members: dict[str, dict[tuple[str, str], None]] = {source: {} for source in POOL}
    for g in train:
        questions.setdefault(g.passages[0], []).extend(q for q in g.queries if q not in questions.get(g.passages[0], []))
        members[g.source].update(dict.fromkeys(g.passages))
    pool = []
    for source, size in POOL.items():
        for title, text in rng.sample(list(members[source]), min(size, len(members[source]))):
            pool.append((source, title, text, questions.get((title, text), [])))
    bm25 = retrieval.Bm25([f"{title}\n{text}" for _, title, text, _ in pool])
    asked = ask(pool, bm25, rng)
    print(f"{len(pool)} passages, {len(asked)} queries: {dict(Counter(a.kind for a in asked))}", flush=True)

    tower = Tower(args.teacher)
    tower.model.eval()
    passages = embed(tower, [f"{title}\n{text}" for _, title, text, _ in pool], "passage", args.cache)
    changed = [n for n, a in enumerate(asked) if (a.title, a.text) != pool[a.source][1:3]]
    shown = dict(zip(changed, embed(tower, [f"{asked[n].title}\n{asked[n].text}" for n in changed], "passage", args.cache)))
    queries = embed(tower, [a.query for a in asked], "query", args.cache)
    with gzip.open(args.out, "wt", encoding="utf8", compresslevel=3) as out:
        for start in range(0, len(asked), BLOCK):
            part = asked[start : start + BLOCK]
            cosines = queries[start : start + BLOCK] @ passages.T
            words = bm25.scores([a.query for a in part])
            for n, (a, cosine, word) in enumerate(zip(part, cosines, words), start):
                # The passage is judged as it is shown: without the sentence that became the query.
                if n in shown:
                    cosine[a.source] = queries[n] @ shown[n]
                    word[a.source] = bm25.score(a.query, f"{a.title}\n{a.text}")
                fused = retrieval.hybrid(cosine, word, COSINE_WEIGHT)
                ranked = [int(i) for i in np.argsort(-fused, kind="stable")[:100] if i != a.source]
                chosen = [i for low, high, size in BANDS for i in rng.sample(ranked[low:high], size)]
                chosen.append(rng.randrange(len(pool)))
                worst = fused[np.isfinite(fused)].min()
                logits = [LOGITS_PER_Z * float(max(fused[i], worst)) for i in (a.source, *chosen)]
                shown_passages = [[a.title, a.text], *(pool[i][1:3] for i in chosen)]
                line = {"s": f"topic-{a.kind}", "v": False, "q": [a.query], "d": shown_passages, "cos": [], "t": [round(x, 3) for x in logits]}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
