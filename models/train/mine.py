#!/usr/bin/env python3
"""Give each written training question its passage and passages that a first stage would bring up instead.

usage: mine.py --data DATA --questions questions/ --embed EMBED_BINARY --model BI_ENCODER [--chinese-model E5] [--reader] --out QUESTIONS.jsonl

A line: "q" question, "k" kind, "l" its language, "s" source, "d" [[title and heading, text], ...] the passage that answers first (absent for kind `none`,
whose list is of negatives only: "n" true), then the others, nearest first, "cos" the cosines of all. Negatives come from the same source, from other files than the answer's: what lies
nearest by the bi-encoder (that of Chinese passages, where one is given, over Chinese sources) and by BM25.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np

import passages
import questions
import retrieval
from make_alignment import embed

SEED = 47
NEAREST, BY_WORDS = 14, 6
PASSAGES_A_SOURCE = 2000


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "questions", "embed", "model", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("--chinese-model", type=Path)
    args.add_argument("--reader", action="store_true", help="for the cross-encoder: without the sources that its scores are fitted on")
    args = args.parse_args()
    rng = random.Random(SEED)
    lines = questions.read(args.questions, "training")
    with args.out.open("w", encoding="utf8") as out:
        for source in (source for source in passages.TRAINING if not (args.reader and source in questions.CALIBRATION)):
            mine = [q for q in lines if q["source"] == source]
            if not mine:
                continue
            cut = passages.all_passages(args.data, source)
            wanted = {(q["file"], q["start"], q["end"]) for q in mine}
            rest = [p for p in cut if (p.file, p.start, p.end) not in wanted]
            rng.shuffle(rest)
            cut = [p for p in cut if (p.file, p.start, p.end) in wanted] + rest[:PASSAGES_A_SOURCE]
            place = {(p.file, p.start, p.end): i for i, p in enumerate(cut)}
            texts = [passages.passage_text(p) for p in cut]
            model, of_passages, of_questions = args.model, "", ""
            if args.chinese_model and source.endswith("-zh"):
                model, of_passages, of_questions = args.chinese_model, "passage: ", "query: "
            vectors = embed(args.embed, model, [of_passages + t for t in texts], "int8").astype(np.float32)
            asked = embed(args.embed, model, [of_questions + q["question"] for q in mine], "int8").astype(np.float32)
            cosines, words = asked @ vectors.T, retrieval.Bm25(texts).scores([q["question"] for q in mine])
            files = np.array([p.file for p in cut])
            first = 0
            for i, q in enumerate(mine):
                answer = place[(q["file"], q["start"], q["end"])]
                first += cosines[i, answer] == cosines[i].max()
                other = files != q["file"]
                near = np.argsort(-np.where(other, cosines[i], -9))[:NEAREST]
                worded = [d for d in np.argsort(-np.where(other, words[i], -9))[: NEAREST + BY_WORDS] if words[i, d] > 0 and d not in near][:BY_WORDS]
                unanswered = q["kind"] == "none"
                # What nothing answers: the passage it was written beside is the nearest of the wrong ones.
                docs = [answer, *near, *worded]
                out.write(json.dumps({
                    "q": q["question"], "k": q["kind"], "l": q["language"], "s": source, "n": unanswered,
                    "d": [[" > ".join(dict.fromkeys(x for x in (cut[d].title, cut[d].heading) if x)), cut[d].text] for d in docs],
                    "cos": [round(float(cosines[i, d]), 3) for d in docs],
                }, ensure_ascii=False) + "\n")
            print(f"{source}: {len(cut)} passages, {len(mine)} questions, the right passage nearest {first / len(mine):.2f}", flush=True)


if __name__ == "__main__":
    main()
