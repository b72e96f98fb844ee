#!/usr/bin/env python3
"""Gather the cross-encoder's training groups into one file, and set whole articles aside.

usage: make_groups.py --data DATA --out GROUPS.jsonl.gz

A line is a group: {"s" source, "v" held out for validation, "q" [queries that mean the same passage], "d" [[title, text], ...] the
positive first, then passages that were recalled but do not answer, hardest first; "cos" their cosines where the data names them}.

Three things are made of what the data folder holds:
- its ready-made groups; SQuAD's get every question of their paragraph, not one;
- Chinese technical articles (LCTT) give their Chinese title, their *English* original's title and their headings as queries over
  their sections, negatives from BM25 over the sections of other articles;
- DRCD's development paragraphs are also among the ready-made Chinese groups: every group, and every negative, that uses a
  paragraph or a question of a development set is dropped, so that the sets in eval/ stay unseen.
"""
import argparse
import gzip
import json
import random
import re
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

import data
import retrieval

SEED = 13
VALIDATION_PERCENT = 4
BLOCK = 40  # neighbouring passages of one source that are taken for one article
EDGE = 50  # characters at a paragraph's ends by which it is recognised
NEGATIVES = 9
SECTION_CHARACTERS = (60, 700)
ARTICLE_SECTIONS = 3  # an article's title asks for its first sections


def held_out(source: str, article: object) -> bool:
    return zlib.crc32(f"{source} {article}".encode("utf8")) % 100 < VALIDATION_PERCENT


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def paragraphs_by_edge(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """First and last characters of a paragraph -> its article's title and all its questions."""
    paragraphs = list(data.jsonl(folder / "train/squad1-train.jsonl.gz"))
    for name in ("DRCD_test.json.gz", "cmrc2018_trial.json.gz"):
        paragraphs += data.squad_json(folder, name)
    found = {}
    for p in paragraphs:
        text = squeezed(p["context"])
        questions = [squeezed(q["question"]) for q in p["qas"] if len(q["question"].split()) >= 4]
        found[text[:EDGE]] = found[text[-EDGE:]] = (p["title"].replace("_", " "), questions)
    return found


def ready_made(folder: Path):
    """The groups of the data folder without what touches a development set; the number dropped comes last."""
    groups = data.read_groups(folder)
    docs = {source: data.read_group_docs(folder, source) for source in {g["s"] for g in groups}}
    unseen: set[str] = set()
    for name in data.DEVELOPMENT_SETS:
        s = data.read_eval(folder, name)
        unseen.update(s.docs, s.queries)
    known = paragraphs_by_edge(folder)

    def paragraph(source: str, doc: int) -> tuple[str, list[str]]:
        text = docs[source][doc]
        nothing = ("", [])
        return known.get(text[:EDGE]) or known.get(text[-EDGE:], nothing) if source in ("squad", "zhqa") else nothing

    def validates(source: str, doc: int) -> bool:
        return held_out(source, paragraph(source, doc)[0] or doc // BLOCK)

    dropped = 0
    for g in groups:
        source, positive = g["s"], g["d"][0]
        if g["q"] in unseen or docs[source][positive] in unseen:
            dropped += 1
            continue
        validate = validates(source, positive)
        cosine = dict(zip(g["d"], g.get("cos", [])))
        kept = [positive] + [d for d in g["d"][1:] if docs[source][d] not in unseen and (validate or not validates(source, d))]
        queries = [g["q"]]
        if source == "squad" and g["k"] in ("q", "kw"):
            queries += [q for q in paragraph(source, positive)[1] if q != g["q"] and q not in unseen]
        passages = [[paragraph(source, d)[0], docs[source][d]] for d in kept]
        if len(kept) > 5:
            yield {"s": source, "v": validate, "q": queries, "d": passages, "cos": [cosine[d] for d in kept] if cosine else []}
    print(f"{dropped} ready-made groups dropped: they use a development set")


def sections(markdown: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Chinese title, English original's title, and (heading, text) of the sections of one LCTT article."""
    subject = re.search(r"^\[#\]: subject: \((.*)\)\s*$", markdown, re.M)
    body = re.sub(r"^\[#\]:.*$|^\[\d+\]:.*$|^!\[.*$|^\*Image.*$", "", markdown, flags=re.M)
    body = re.split(r"^-{10,}\s*$\n+via:", body, flags=re.M)[0]
    title = re.search(r"^(?:#\s+)?(.+)\n=+\s*$|^#\s+(.+)$", body, re.M)
    name = squeezed((title.group(1) or title.group(2)) if title else "")
    found, heading, lines = [], "", []

    def close() -> None:
        text = re.sub(r"\[([^\]]*)\]\[\d+\]", r"\1", squeezed("\n".join(lines)))
        lines.clear()
        while len(text) >= SECTION_CHARACTERS[0]:
            found.append((heading, text[: SECTION_CHARACTERS[1]]))
            text = text[SECTION_CHARACTERS[1] :]

    for line in body[title.end() if title else 0 :].splitlines():
        if mark := re.match(r"#{2,5}\s+(.+?)\s*#*\s*$", line):
            close()
            heading = squeezed(re.sub(r"[*`]", "", mark.group(1)))
        else:
            lines.append(line)
            if sum(map(len, lines)) > SECTION_CHARACTERS[1] * 0.7 and not line.strip():
                close()
    close()
    return name, squeezed(subject.group(1)) if subject else "", found


def articles(folder: Path, rng: random.Random):
    """Groups from the LCTT articles: titles, English titles and headings over sections."""
    passages, article_of, wanted = [], [], []
    for article, (path, text) in enumerate(sorted(data.read_notes(folder, "lctt-zh.tar.gz").items())):
        title, original, found = sections(text)
        first = len(passages)
        for heading, section in found:
            passages.append([title if heading == "" else heading, section])
            article_of.append(article)
        if not title or not found:
            continue
        validate = held_out("lctt", path)
        for i in range(first, min(first + ARTICLE_SECTIONS, len(passages))):
            queries = [q for q in (title, original) if len(q) > 4]
            wanted.append((i, queries, title, validate))
        seen = set()
        for i in range(first, len(passages)):
            heading = passages[i][0]
            if heading not in seen and heading != title and len(heading) >= 5:
                seen.add(heading)
                wanted.append((i, [f"{title} {heading}" if len(heading) < 8 else heading], f"{heading} {title}", validate))
    bm25, owner = retrieval.Bm25([text for _, text in passages]), np.array(article_of)
    validates = np.zeros(len(passages), bool)
    for i, _, _, validate in wanted:
        validates[owner == owner[i]] = validate
    for start in range(0, len(wanted), 256):
        part = wanted[start : start + 256]
        for (positive, queries, asked, validate), scores in zip(part, bm25.scores([asked for _, _, asked, _ in part])):
            scores[owner == owner[positive]] = -1
            if not validate:
                scores[validates] = -1
            best = np.argsort(-scores, kind="stable")[:60]
            chosen = [*best[1:4], *rng.sample(list(best[4:20]), 3), *rng.sample(list(best[20:]), 3)]
            # One title is asked of one section; the sections of a long article do not repeat in one group.
            for query in queries:
                kind = "lctt" if data.is_chinese(query) else "lctt-en"
                yield {"s": kind, "v": validate, "q": [query], "d": [passages[i] for i in (positive, *chosen)], "cos": []}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    rng = random.Random(SEED)
    counts = defaultdict(lambda: [0, 0])
    with gzip.open(args.out, "wt", encoding="utf8", compresslevel=3) as out:
        for group in (g for part in (ready_made(args.data), articles(args.data, rng)) for g in part):
            counts[group["s"]][group["v"]] += 1
            out.write(json.dumps(group, ensure_ascii=False) + "\n")
    for source, (train, validation) in sorted(counts.items()):
        print(f"{source}: {train} groups to train on, {validation} held out")


if __name__ == "__main__":
    main()
