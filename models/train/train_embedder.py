#!/usr/bin/env python3
"""Train the built-in bi-encoder, for a given time, on a CPU: all-MiniLM-L6-v2 with a Chinese vocabulary (`extend_vocab.py`).

usage: train_embedder.py --base EXTENDED --alignment ALIGNMENT [--questions QUESTIONS.jsonl] --out CHECKPOINT_DIR --until 2026-11-29T02:00

Two kinds of batches:
- texts with the vector they should have (`make_alignment.py`): one minus the cosine, and InfoNCE among the batch's own targets. It teaches
  Chinese, and keeps English where all-MiniLM-L6-v2 has it;
- with `--questions`, questions with the passage that answers and one that does not (`mine.py`, and `--groups`): InfoNCE over the passages of the
  batch; vectors of English passages are held near those they had.
The English pieces' embeddings do not learn; `词` and `##词` share one row. The learning rate follows the clock; CHECKPOINT_DIR/state.pt is written every few
minutes and the same command goes on from it. While `--pause-file` exists, nothing runs.
"""
import argparse
import json
import os
import random
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertModel

import data
import train_cross
from train_cross import mask_of

SEED = 3
POOL = 4096  # texts sorted by length together, so that a batch needs little padding
BATCH_TOKENS, BATCH_TEXTS = 3600, 220
MAX_TOKENS = 128
RATES = {"table": 1.2e-3, "matrix": 1.2e-4, "vector": 1.2e-4}
WARM_UP = 0.03
TEMPERATURE, CONTRAST_WEIGHT = 0.05, 0.15
# How often a text of a kind comes for each time that others do.
SHARES = {"word": 0.5, "page": 2.0, "own": 0.5, "mapped": 1.0}
QUESTIONS, NEGATIVES, NEAREST, QUESTION_TOKENS, PASSAGE_TOKENS = 40, 1, 8, 32, (48, 64, 80, 112)
# Beside the written questions, groups of these sources, so many for each written one.
GROUP_SHARES = {"zhqa": 0.35, "lctt": 0.2, "zhmd": 0.15, "lctt-en": 0.15, "squad": 0.15, "md": 0.1, "medquad": 0.05}
QUESTION_TEMPERATURE, HOLD_WEIGHT = 0.05, 1.0
QUESTION_RATE = 0.8
CHECKPOINT_S, LOG_S = 240, 60
PAD = 0


class Student:
    """Texts to unit vectors, the new embedding rows kept in a table of their own."""

    def __init__(self, folder: Path, dtype: torch.dtype):
        self.model = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False, attn_implementation="batched")
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        twins = {int(k): v for k, v in json.loads((folder / "twins.json").read_text()).items()}
        rows = self.model.embeddings.word_embeddings.weight.detach()
        firsts = sorted(set(twins.values()))
        place = torch.full((len(rows),), -1)
        place[firsts] = torch.arange(len(firsts))
        for twin, first in twins.items():
            place[twin] = place[first]
        self.place, self.firsts, self.twins = place, firsts, twins
        self.table = torch.nn.Parameter(rows[firsts].clone())
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad = name.startswith("encoder.") or name.startswith("embeddings.LayerNorm")
        self.model.to(dtype)
        self.table.data = self.table.data.to(dtype)
        self.model.train()

    def encode(self, texts: list[str], most: int) -> list[list[int]]:
        self.tokenizer.enable_truncation(most)
        return [e.ids for e in self.tokenizer.encode_batch(texts)]

    def __call__(self, sequences: list[list[int]]) -> torch.Tensor:
        def compute(ids: torch.Tensor, lengths: list[int]) -> torch.Tensor:
            mask, place = mask_of(lengths), self.place[ids]
            words = self.model.embeddings.word_embeddings(ids)
            words = torch.where((place >= 0)[..., None], F.embedding(place.clamp(min=0), self.table), words)
            attention = None if lengths[0] == lengths[-1] else mask
            states = self.model(inputs_embeds=words, attention_mask=attention).last_hidden_state.float()
            return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

        return F.normalize(train_cross.by_length(sequences, PAD, compute), dim=1)

    def export(self, master: "Master", base: Path, out: Path) -> None:
        """A model folder's `model.safetensors` in f16."""
        exact = master.exact()
        weights = {name: exact.get(id(p), p.detach().float()) for name, p in self.model.named_parameters()}
        words, table = weights["embeddings.word_embeddings.weight"].clone(), exact[id(self.table)]
        learnt = self.place >= 0
        words[learnt] = table[self.place[learnt]]
        weights["embeddings.word_embeddings.weight"] = words
        out.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half().contiguous() for k, v in weights.items()}, out / "model.safetensors")
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "twins.json"):
            (out / name).write_bytes((base / name).read_bytes())


class Master:
    """The trained parameters in fp32 beside the model that computes in bf16."""

    def __init__(self, student: Student):
        named = [("table", student.table)] + [("vector" if p.dim() == 1 else "matrix", p) for p in student.model.parameters() if p.requires_grad]
        self.pairs = [(p, torch.nn.Parameter(p.detach().float().clone())) for _, p in named]
        groups = [
            {"params": [m for (k, _), (_, m) in zip(named, self.pairs) if k == kind], "lr": rate, "weight_decay": 0.01 if kind == "matrix" else 0.0}
            for kind, rate in RATES.items()
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.base_rates = [g["lr"] for g in groups]

    def step(self, factor: float) -> None:
        for p, m in self.pairs:
            m.grad = p.grad.float() if p.grad is not None else torch.zeros_like(m)
            p.grad = None
        torch.nn.utils.clip_grad_norm_([m for _, m in self.pairs], 1.0)
        for g, rate in zip(self.optimizer.param_groups, self.base_rates):
            g["lr"] = rate * factor
        self.optimizer.step()
        self.to_model()

    def to_model(self) -> None:
        with torch.no_grad():
            for p, m in self.pairs:
                p.copy_(m)

    def exact(self) -> dict[int, torch.Tensor]:
        return {id(p): m.detach() for p, m in self.pairs}


def aligned(folder: Path, student: Student, rng: random.Random):
    """Endless (sequences, targets) of like lengths."""
    read = 0.0
    while True:
        # More may have come meanwhile (`make_alignment.py` writes translations first).
        if (folder / "targets.npy").stat().st_mtime != read:
            read = (folder / "targets.npy").stat().st_mtime
            texts = [json.loads(line) for line in (folder / "texts.jsonl").open(encoding="utf8")]
            targets = torch.from_numpy(np.load(folder / "targets.npy"))
            shares = [SHARES[kind] for kind, _ in texts]
        drawn = list(dict.fromkeys(rng.choices(range(len(texts)), shares, k=POOL)))
        ids = dict(zip(drawn, student.encode([texts[i][1] for i in drawn], MAX_TOKENS)))
        drawn.sort(key=lambda i: len(ids[i]))
        batches, start = [], 0
        while start < len(drawn):
            end = start
            while end < len(drawn) and end - start < BATCH_TEXTS and (end + 1 - start) * len(ids[drawn[end]]) <= BATCH_TOKENS:
                end += 1
            batches.append(drawn[start:end])
            start = end
        rng.shuffle(batches)
        for batch in batches:
            yield [ids[i] for i in batch], targets[batch].float()


class Question(NamedTuple):
    queries: list[str]
    passages: list[str]  # the one that answers, then others
    held: bool  # its passages keep their vectors: they are English, and all-MiniLM-L6-v2 has taught them


def asked(path: Path, groups_path: Path | None) -> dict[str, list[Question]]:
    """Written questions (lines of `mine.py`) and, by source, groups of `make_groups.py`."""
    out: dict[str, list[Question]] = {"asked": []}
    for line in data.jsonl(path):
        if not line["n"]:
            passages = ["\n".join(x for x in passage if x) for passage in line["d"]]
            out["asked"].append(Question([line["q"]], passages, not data.is_chinese(passages[0])))
    if groups_path:
        for group in data.jsonl(groups_path):
            if group["s"] in GROUP_SHARES and not group["v"]:
                out.setdefault(group["s"], []).append(Question(group["q"], [text for _, text in group["d"]], not data.is_chinese(group["d"][0][1])))
    return out


def draw(sources: dict[str, list[Question]], rng: random.Random) -> list[Question]:
    names = list(sources)
    chosen = rng.choices(names, [GROUP_SHARES.get(name, 1.0) for name in names], k=QUESTIONS)
    return [rng.choice(sources[name]) for name in chosen]


def question_loss(student: Student, held: Student, lines: list[Question], rng: random.Random) -> torch.Tensor:
    passages: dict[str, int] = {}
    keep = []
    for line in lines:
        near = line.passages[1 : 1 + NEAREST]
        for text in [line.passages[0], *rng.sample(near, min(NEGATIVES, len(near)))]:
            if text not in passages:
                passages[text] = len(passages)
                keep.append(line.held)
    labels = torch.tensor([passages[line.passages[0]] for line in lines])
    queries = [rng.choice(line.queries) for line in lines]
    most = rng.choice(PASSAGE_TOKENS)
    q_ids, p_ids = student.encode(queries, QUESTION_TOKENS), student.encode(list(passages), most)
    q, p = student(q_ids), student(p_ids)
    similarity = q @ p.T / QUESTION_TEMPERATURE
    loss = F.cross_entropy(similarity, labels)
    kept = [i for i, keeps in enumerate(keep) if keeps]
    if kept:
        with torch.no_grad():
            was = held([p_ids[i] for i in kept])
        loss = loss + HOLD_WEIGHT * (1 - (p[kept] * was).sum(1)).sum() / len(keep)
    return loss


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("base", "alignment", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("--questions", type=Path)
    args.add_argument("--groups", type=Path, help="of `make_groups.py`, with --questions")
    args.add_argument("--question-share", type=float, default=0.5, help="of the steps, with --questions")
    args.add_argument("--until", required=True, help="local time, ISO format")
    args.add_argument("--rate", type=float, default=1.0)
    args.add_argument("--seed", type=int, default=SEED)
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--fp32", action="store_true")
    args.add_argument("--pause-file", type=Path)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    dtype = torch.float32 if args.fp32 else torch.bfloat16
    student = Student(args.base, dtype)
    held = None
    if args.questions:
        held = Student(args.base, dtype)
        held.model.eval()
    master = Master(student)
    step, started = 0, time.time()
    state_file = args.out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        for (_, m), kept in zip(master.pairs, state["weights"]):
            m.data.copy_(kept)
        master.optimizer.load_state_dict(state["optimizer"])
        master.to_model()
        step, started = state["step"], state["started"]
    until = datetime.fromisoformat(args.until).timestamp()

    def save() -> None:
        args.out.mkdir(parents=True, exist_ok=True)
        state = {"weights": [m.data for _, m in master.pairs], "optimizer": master.optimizer.state_dict(), "step": step, "started": started}
        torch.save(state, args.out / "state.tmp")
        os.replace(args.out / "state.tmp", state_file)
        student.export(master, args.base, args.out)

    rng = random.Random(args.seed + step)
    alignment = aligned(args.alignment, student, rng)
    questions = asked(args.questions, args.groups) if args.questions else None
    sums, counted = {"cosine": [0.0, 0], "own": [0.0, 0], "questions": [0.0, 0]}, 0
    last = {"save": time.time(), "log": time.time()}
    while True:
        while args.pause_file and args.pause_file.exists():
            time.sleep(1)
        now = time.time()
        progress = (now - started) / (until - started)
        if progress >= 1:
            break
        factor = args.rate * max(0.02, min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP)))
        if questions and rng.random() < args.question_share:
            loss = question_loss(student, held, draw(questions, rng), rng)
            sums["questions"][0] += loss.item()
            sums["questions"][1] += 1
            factor *= QUESTION_RATE
        else:
            sequences, targets = next(alignment)
            vectors = student(sequences)
            cosine = (vectors * targets).sum(1)
            labels = torch.arange(len(targets))
            contrast = F.cross_entropy(vectors @ targets.T / TEMPERATURE, labels)
            loss = (1 - cosine).mean() + CONTRAST_WEIGHT * contrast
            sums["cosine"][0] += cosine.mean().item()
            sums["cosine"][1] += 1
            counted += sum(map(len, sequences))
        loss.backward()
        master.step(factor)
        step += 1
        if now - last["log"] > LOG_S:
            told = ", ".join(f"{k} {s / n:.3f}" for k, (s, n) in sums.items() if n)
            print(time.strftime("%H:%M:%S"), f"step {step} done {progress:.3f}; {told}; {counted / (now - last['log']):.0f} tokens/s", flush=True)
            sums, counted, last["log"] = {k: [0.0, 0] for k in sums}, 0, now
        if now - last["save"] > CHECKPOINT_S:
            save()
            last["save"] = now
    save()


if __name__ == "__main__":
    main()
