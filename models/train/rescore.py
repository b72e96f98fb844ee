#!/usr/bin/env python3
"""Let another cross-encoder score the candidates of evidence files: quicker than asking again, and on exactly the same candidates.

usage: rescore.py --model MODEL_DIR --out FOLDER [--processes 2] SET_DIR=EVIDENCE.jsonl [SET_DIR=EVIDENCE.jsonl ...]

SET_DIR holds the collection (BEIR layout) that `nuthatch eval SET_DIR --stage rerank --evidence EVIDENCE.jsonl` measured. FOLDER gets a
file a set, named as the set, whose "cross" is the plain sigmoid of the new logit: `calibrate.py --was 1 0 --rewrite` goes on from there.
Files that are there already are kept.
"""
import argparse
import json
import math
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import data
from train_cross import Pairs, logits

WINDOW, QUESTION = 256, 64  # as the manifest says
SPECIAL = 4  # tokens of a pair that are no text
OPENING = 24  # of the first tokens of a passage that is too long are kept: its title mostly
FREQUENT = 2.0  # logarithm of the rank of a piece so frequent that sharing it says nothing
PASSAGE_SHARE = 4  # a quarter of the window is the passage's, however long the question: as `tokenize.rs` has it
CAPITALS = 10  # letters that a stretch of words in capitals has to have to be read in small letters: as `capitals.rs` has it


def shown(doc: dict) -> str:
    """What the app gives its models of a document (`chunk::embedding_text`)."""
    title, text = doc.get("title", ""), doc["text"]
    return text if text.startswith(title) else f"{title}\n{text}" if text else title


def lowered(text: str) -> str:
    """Stretches of words in capitals in small letters, as the app reads them (`capitals.rs`)."""
    stretches, start, end, letters = [], 0, 0, 0
    for word in [*re.finditer(r"\S+", text), None]:
        capitals = sum(c.isupper() for c in word[0]) if word else 0
        if word and capitals == sum(c.isalpha() for c in word[0]):
            if capitals:
                start, end, letters = (start if letters else word.start()), word.end(), letters + capitals
            continue
        if letters >= CAPITALS:
            stretches.append((start, end))
        letters = 0
    for start, end in reversed(stretches):
        text = text[:start] + text[start:end].lower() + text[end:]
    return text


def pair(pairs: Pairs, question: list[int], passage: list[int]) -> list[int]:
    """As the app cuts them (`tokenize.rs`)."""
    room = WINDOW - SPECIAL
    question = question[:QUESTION]
    question = question[: room - min(len(passage), room // PASSAGE_SHARE)]
    middle = [pairs.eos] if pairs.typed else [pairs.eos, pairs.eos]
    return [pairs.bos, *question, *middle, *part(question, passage, room - len(question)), pairs.eos]


def part(question: list[int], passage: list[int], room: int) -> list[int]:
    """The opening of a passage that is too long, and the stretch of what follows that holds most of the question."""
    opening = min(OPENING, room // 4)
    rest, room_left = passage[opening:], room - opening
    if len(passage) <= room:
        return passage
    worth = {t: max(0.0, math.log(max(t, 1)) - FREQUENT) for t in question}
    held, value, values = Counter(), 0.0, []
    for i, token in enumerate(rest):
        if token in worth:
            value += worth[token] * (held[token] == 0)
            held[token] += 1
        if i >= room_left and (gone := rest[i - room_left]) in worth:
            held[gone] -= 1
            value -= worth[gone] * (held[gone] == 0)
        if i >= room_left - 1:
            values.append(value)
    first = next(i for i, v in enumerate(values) if v >= max(values) - 1e-3)
    last = next((i for i in range(first, len(values)) if values[i] < values[first] - 1e-3), len(values)) - 1
    start = 0 if first == 0 else (first + last) // 2
    return passage[:opening] + rest[start : start + room_left]


def rescore(model_dir: Path, folder: Path, evidence: Path, out: Path) -> str:
    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(model_dir, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    pairs = Pairs(tokenizer)
    texts = {d["_id"]: shown(d) for d in data.jsonl(next(folder.glob("corpus.jsonl*")))}
    questions = {q["_id"]: q["text"] for q in data.jsonl(folder / "queries.jsonl")}
    rows = list(data.jsonl(evidence))
    known = list({questions[r["query"]] for r in rows} | {texts[r["doc"]] for r in rows})
    bare = {text: e.ids for text, e in zip(known, tokenizer.encode_batch([lowered(text) for text in known], add_special_tokens=False))}
    ids = [pair(pairs, bare[questions[r["query"]]], bare[texts[r["doc"]]]) for r in rows]
    with torch.inference_mode():
        scores = expit(logits(model, pairs, ids).numpy().astype(np.float64))
    part = out.with_suffix(".part")
    part.write_text("".join(json.dumps({**row, "cross": float(p)}) + "\n" for row, p in zip(rows, scores)), "utf8")
    part.rename(out)
    return f"{folder.name}: {len(rows)} candidates"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("sets", nargs="+")
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes) as pool:
        waiting = []
        for folder, evidence in (map(Path, s.split("=", 1)) for s in args.sets):
            out = args.out / f"{folder.name}.jsonl"
            if not out.exists():
                waiting.append(pool.submit(rescore, args.model, folder, evidence, out))
        for done in waiting:
            print(done.result(), flush=True)


if __name__ == "__main__":
    main()
