#!/usr/bin/env python3
"""Texts with the vectors they should have, for teaching the extended all-MiniLM-L6-v2 Chinese (`train_embedder.py`).

usage: make_alignment.py --data DATA --cedict CEDICT.txt.gz --minilm ALL_MINILM_DIR --e5 E5_DIR --embed TARGET/debug/examples/embed --out ALIGNMENT

Every target is a vector of all-MiniLM-L6-v2's space:
- translation   a Chinese word (CC-CEDICT), sentence or paragraph (React's documentation and The Rust Programming Language, page by page)
                gets the vector of its English counterpart;
- mapped        other Chinese text gets its vector by multilingual-e5-small (what was built in before), brought into that space by a small network
                learnt from English texts and translations;
- own           English text keeps the vector that all-MiniLM-L6-v2 gives it.
Sources that are kept for development (`passages.DEVELOPMENT`) and the sets in DATA/eval are not read.
"""
import argparse
import json
import random
import re
import subprocess
from pathlib import Path

import numpy as np
import torch

import data
import passages
from extend_vocab import read_cedict

SEED = 43
N_CHINESE, N_ENGLISH, N_WORDS = 70_000, 30_000, 60_000
SENTENCE = {True: re.compile("[^。！？；\n]+[。！？；]?"), False: re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s)|$)?")}
CHARACTERS = {True: (6, 90), False: (20, 260)}  # of a sentence
DIM = 384


def embed(binary: Path, model: Path, texts: list[str], precision: str, window: int = 128) -> np.ndarray:
    lines = "".join(json.dumps(t, ensure_ascii=False) + "\n" for t in texts)
    run = subprocess.run([binary, model, precision, str(window)], input=lines.encode("utf8"), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(run.stdout, np.float32).reshape(-1, DIM).astype(np.float16)


def sentences(text: str, chinese: bool) -> list[str]:
    least, most = CHARACTERS[chinese]
    text = re.sub(r"```.*?```", "\n", text, flags=re.S)
    out = [s.strip(" -*#>|\t") for s in SENTENCE[chinese].findall(text)]
    return [s for s in out if least <= len(s) <= most and (not chinese or len(data.CJK.findall(s)) > 0.3 * len(s))]


def blocks(content: bytes) -> list[list[str]]:
    """Sections of a page, each a list of its heading and paragraphs, code left out."""
    text = re.sub(r"^---\n.*?\n---\n", "", content.decode("utf8", "replace"), flags=re.S)
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.S | re.M)
    sections: list[list[str]] = [[]]
    for block in re.split(r"\n\s*\n", text):
        shown = passages.readable(block)
        if re.match(r"#{1,5} ", shown):
            sections.append([])
        if shown:
            sections[-1].append(shown.lstrip("# "))
    return sections


def parallel(folder: Path) -> list[tuple[str, str]]:
    """(Chinese, English) headings, paragraphs and sentences of pages with the same path."""
    pairs = []
    for source in ("react", "rustbook"):
        english, chinese = (dict(passages.files(folder, f"{source}-{language}")) for language in ("en", "zh"))
        english = {name: c for name, c in english.items()}
        for name in english.keys() & chinese.keys():
            a, b = blocks(english[name]), blocks(chinese[name])
            if len(a) != len(b):
                continue
            for en, zh in zip(a, b):
                if len(en) == len(zh):
                    pairs += zip(zh, en)
    out = []
    for zh, en in pairs:
        if not data.CJK.search(zh) or not 0.8 < len(en) / max(len(zh), 1) < 6:
            continue
        out.append((zh[:400], en[:1200]))
        s, t = sentences(zh, True), sentences(en, False)
        if len(s) == len(t) > 1:
            out += zip(s, t)
    return list(dict.fromkeys(out))


def chinese_texts(folder: Path, rng: random.Random) -> list[str]:
    texts = []
    for source in passages.TRAINING:
        if source.endswith("-zh"):
            for p in passages.all_passages(folder, source):
                texts.append(passages.passage_text(p))
                texts += sentences(p.text, True) + [p.title, p.heading]
    docs: dict[str, dict[int, str]] = {}
    development = data.read_eval(folder, "drcd-dev")
    unseen = {*development.docs, *development.queries}
    for g in data.jsonl(folder / "train/groups/train-groups-zh.jsonl.gz"):
        if g["s"] not in docs:
            docs[g["s"]] = data.read_group_docs(folder, g["s"])
        own = docs[g["s"]][g["d"][0]]
        if own not in unseen and g["q"] not in unseen:
            texts += [g["q"], own[:420], *sentences(own, True)]
    texts = [t for t in dict.fromkeys(texts) if len(data.CJK.findall(t)) >= 4]
    rng.shuffle(texts)
    return texts[:N_CHINESE]


def english_texts(folder: Path, rng: random.Random) -> list[str]:
    texts = []
    for source in passages.TRAINING:
        if source.endswith("-en"):
            for p in passages.all_passages(folder, source):
                texts += [passages.passage_text(p)] + sentences(p.text, False)
    for p in data.jsonl(folder / "train/squad1-train.jsonl.gz"):
        if rng.random() < 0.4:
            texts += [p["context"]] + [q["question"] for q in p["qas"][:2]]
    for pair in data.jsonl(folder / "train/medquad.jsonl.gz"):
        if rng.random() < 0.3:
            texts += [pair["q"], pair["a"][:900]]
    texts = list(dict.fromkeys(t for t in texts if t))
    rng.shuffle(texts)
    return texts[:N_ENGLISH]


def learn_map(x: np.ndarray, y: np.ndarray, epochs: int = 12) -> torch.nn.Module:
    torch.manual_seed(SEED)
    net = torch.nn.Sequential(torch.nn.Linear(DIM, 1024), torch.nn.GELU(), torch.nn.Linear(1024, DIM))
    skip = torch.nn.Linear(DIM, DIM)
    both = torch.nn.ModuleList([net, skip])
    x, y = torch.tensor(x).float(), torch.tensor(y).float()
    optimizer = torch.optim.AdamW(both.parameters(), lr=1e-3, weight_decay=1e-2)
    n, held = len(x), torch.randperm(len(x))[:1000]
    keep = torch.ones(n, dtype=torch.bool)
    keep[held] = False
    train = keep.nonzero()[:, 0]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * (len(train) // 512 + 1))

    def apply(v):
        return torch.nn.functional.normalize(net(v * 10) + skip(v), dim=1)

    for epoch in range(epochs):
        for batch in train[torch.randperm(len(train))].split(512):
            out = apply(x[batch])
            sims = out @ y[batch].T / 0.05
            loss = (1 - (out * y[batch]).sum(1)).mean() + 0.1 * torch.nn.functional.cross_entropy(sims, torch.arange(len(batch)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        out = apply(x[held])
        top = ((out @ y[held].T).argmax(1) == torch.arange(len(held))).float().mean()
        print(f"map: held-out cosine {(out * y[held]).sum(1).mean():.3f}, finds its own among {len(held)}: {top:.3f}", flush=True)
    return apply


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "cedict", "minilm", "e5", "embed", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("--precision", default="int8")
    args = args.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(SEED)
    args.out.mkdir(parents=True, exist_ok=True)

    words = [(w, "; ".join(s[:3])) for w, s in read_cedict(args.cedict).items() if 1 <= len(w) <= 6 and data.CJK.search(w)]
    rng.shuffle(words)
    words = words[:N_WORDS]
    pages = parallel(args.data)
    english, chinese = english_texts(args.data, rng), chinese_texts(args.data, rng)
    print(f"{len(words)} words, {len(pages)} parallel texts, {len(english)} English, {len(chinese)} Chinese", flush=True)

    def minilm(texts):
        return embed(args.embed, args.minilm, texts, args.precision)

    def e5(texts):
        return embed(args.embed, args.e5, [("passage: " if len(t) > 120 else "query: ") + t for t in texts], args.precision)

    texts = [("word", w) for w, _ in words] + [("page", z) for z, _ in pages] + [("own", t) for t in english]
    word_targets, page_targets, own = minilm([e for _, e in words]), minilm([e for _, e in pages]), minilm(english)

    def write(mapped: np.ndarray | None) -> None:
        """Replaces what is there: a training that runs already takes it from there."""
        with_mapped = texts + ([("mapped", t) for t in chinese] if mapped is not None else [])
        (args.out / "texts.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in with_mapped), "utf8")
        np.save(args.out / "new.npy", np.concatenate([word_targets, page_targets, own] + ([mapped] if mapped is not None else [])))
        (args.out / "new.npy").replace(args.out / "targets.npy")
        print(f"{len(with_mapped)} texts", flush=True)

    write(None)
    half = rng.sample(range(len(english)), len(english) // 2)
    some = rng.sample(range(len(words)), min(12_000, len(words)))
    x = np.concatenate([e5([english[i] for i in half]), e5([z for z, _ in pages]), e5([words[i][0] for i in some])])
    y = np.concatenate([own[half], page_targets, word_targets[some]])
    apply = learn_map(x, y)
    with torch.no_grad():
        write(torch.cat([apply(part.float()) for part in torch.tensor(e5(chinese)).split(4096)]).half().numpy())


if __name__ == "__main__":
    main()
