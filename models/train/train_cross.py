#!/usr/bin/env python3
"""Train the built-in cross-encoder on a CPU, for a given time.

usage: train_cross.py --data DATA --base BI_ENCODER_DIR --out CHECKPOINT_DIR --until 2026-11-23T19:25

A BertForSequenceClassification with one label: the bottom layers of the trimmed multilingual-e5-small, a new pooler and classifier.
`--processes` processes of one thread each take their part of every batch and sum the gradients (gloo): on two cores that is faster
than one process of two threads. fp32: without AMX, torch's bf16 products run at half of fp32's speed.

The learning rate follows the clock, not the steps: it warms up and then falls to zero at `--until`, whatever else the machine does.
CHECKPOINT_DIR/state.pt is written every few minutes; the same command goes on from it. While `--pause-file` exists, nothing runs.
"""
import argparse
import json
import os
import random
import time
from datetime import datetime
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

import data
import groups

SEED = 5
LAYERS = 6
FROZEN = ("bert.embeddings.", "bert.encoder.layer.0.", "bert.encoder.layer.1.")  # a quarter less work for each pair
GROUPS_PER_PROCESS = 4
NEGATIVES = 4
MICRO_BATCH_TOKENS = 1900
POOL_GROUPS = 384  # groups sorted by length together, so that a batch needs little padding
CHINESE_WEIGHT = 1.5  # how often a Chinese group comes for each time an English one does
# Tokens of a pair: one is drawn for each group. Short ones first: more pairs while it learns what matching is.
EARLY, EARLY_MAX_TOKENS, MAX_TOKENS = 0.7, (64, 64, 80, 96), (96, 128, 128, 160)
MAX_QUERY_TOKENS = 48
WINDOW_STEP = 16
LEARNING_RATE, HEAD_LEARNING_RATE = 1.5e-4, 4e-4
WARM_UP = 0.03  # share of the time
WEIGHT_DECAY = 0.01
# At the beginning a part of the target is the embedder's own opinion of the passages: it says something about each negative.
SOFT_UNTIL, SOFT_WEIGHT, SOFT_TEMPERATURE = 0.5, 0.5, 0.05
BCE_WEIGHT = 0.3  # beside the listwise loss: makes the logit mean something on its own, not only within a list
CHECKPOINT_S, LOG_S, VALIDATE_S = 240, 60, 3600
VALIDATION_GROUPS = {False: 60, True: 40}  # Chinese?
BOS, PAD, EOS = 0, 1, 2


def build_model(base: Path) -> BertForSequenceClassification:
    torch.manual_seed(SEED)
    config = BertConfig.from_pretrained(base, num_labels=1, num_hidden_layers=LAYERS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForSequenceClassification.from_pretrained(base, config=config, dtype=torch.float32, attn_implementation="sdpa")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not name.startswith(FROZEN)
    return model


class Pairs:
    """Turns queries and passages into token ids, remembering the passages it has seen."""

    def __init__(self, tokenizer: Tokenizer):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}

    def ids(self, texts: list[str]) -> list[list[int]]:
        new = [t for t in dict.fromkeys(texts) if t not in self.known]
        for text, encoding in zip(new, self.tokenizer.encode_batch(new, add_special_tokens=False)):
            self.known[text] = encoding.ids
        return [self.known[t] for t in texts]

    def encode(self, query: str, passages: list[str], max_tokens: int) -> list[list[int]]:
        query_ids = self.ids([query])[0][:MAX_QUERY_TOKENS]
        room = max_tokens - len(query_ids) - 4
        return [[BOS, *query_ids, EOS, EOS, *window(query_ids, p, room), EOS] for p in self.ids(passages)]


def window(query: list[int], passage: list[int], room: int) -> list[int]:
    """The part of a passage, `room` tokens long, that shares most with the query: cut anywhere else the answer would often be lost.
    Positives and negatives are cut alike."""
    if len(passage) <= room:
        return passage
    wanted = set(query)
    starts = range(0, len(passage) - room + WINDOW_STEP, WINDOW_STEP)
    best = max(starts, key=lambda s: (len(wanted.intersection(passage[s : s + room])), -s))
    return passage[best : best + room]


def logits(model, sequences: list[list[int]]) -> torch.Tensor:
    """One logit a sequence, in order; sequences of like length go through the model together."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    parts, start = [], 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * len(sequences[order[end]]) <= MICRO_BATCH_TOKENS:
            end += 1
        batch = [sequences[i] for i in order[start:end]]
        width = len(batch[-1])
        ids = torch.tensor([s + [PAD] * (width - len(s)) for s in batch])
        mask = None if len(batch[0]) == width else (ids != PAD).long()
        parts.append(model(input_ids=ids, attention_mask=mask).logits[:, 0])
        start = end
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def batches(train: list[groups.Group], pairs: Pairs, size: int, seed: int, progress):
    """Endless batches of `size` (example, encoded pairs), mixing the languages; the groups in a batch are of like length."""
    rng = random.Random(seed)
    chinese = [g for g in train if data.is_chinese(g.query)]
    english = [g for g in train if not data.is_chinese(g.query)]
    while True:
        extra = int(len(chinese) * (CHINESE_WEIGHT - 1))
        order = english + chinese + rng.sample(chinese, min(extra, len(chinese)))
        rng.shuffle(order)
        for start in range(0, len(order) - POOL_GROUPS + 1, POOL_GROUPS):
            pool = []
            for group in order[start : start + POOL_GROUPS]:
                example = groups.draw(group, NEGATIVES, rng)
                choice = rng.random()
                lengths = EARLY_MAX_TOKENS if progress() < EARLY else MAX_TOKENS
                pool.append((example, pairs.encode(example.query, example.passages, lengths[int(choice * len(lengths))])))
            pool.sort(key=lambda item: sum(map(len, item[1])))
            cut = [pool[i : i + size] for i in range(0, len(pool) - size + 1, size)]
            rng.shuffle(cut)
            yield from cut


def group_loss(scores: torch.Tensor, cosines: list[float], progress: float) -> torch.Tensor:
    """Listwise softmax towards the positive (the first) and, early on, towards the cosines; plus a little binary cross-entropy."""
    hard = torch.zeros_like(scores)
    hard[0] = 1
    target = hard
    share = SOFT_WEIGHT * max(0.0, 1 - progress / SOFT_UNTIL)
    if cosines and share > 0:
        target = (1 - share) * hard + share * torch.softmax(torch.tensor(cosines) / SOFT_TEMPERATURE, 0)
    listwise = F.cross_entropy(scores[None], target[None])
    return listwise + BCE_WEIGHT * F.binary_cross_entropy_with_logits(scores, hard, weight=1 + hard)


def validate(model, split: list[groups.Group], pairs: Pairs) -> str:
    """Top-1 accuracy and mean reciprocal rank over all passages of held-out groups, by language."""
    model.eval()
    report = []
    with torch.no_grad():
        for chinese, n in VALIDATION_GROUPS.items():
            chosen = [g for g in split if data.is_chinese(g.query) == chinese][:n]
            encoded = [pairs.encode(g.query, g.passages, max(MAX_TOKENS)) for g in chosen]
            scores = logits(model, [s for e in encoded for s in e]).split([len(e) for e in encoded])
            ranks = [1 + int((s[1:] >= s[0]).sum()) for s in scores]
            report.append(f"{'zh' if chinese else 'en'} top-1 {sum(r == 1 for r in ranks) / n:.3f} mrr {sum(1 / r for r in ranks) / n:.3f}")
    model.train()
    return ", ".join(report)


def learning_rate_factor(progress: float) -> float:
    return max(0.02, min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP)))


def worker(rank: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=args.processes, init_method=f"tcp://127.0.0.1:{args.port}")
    split = groups.load(args.data)
    pairs = Pairs(Tokenizer.from_file(str(args.base / "tokenizer.json")))
    model = build_model(args.base)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    kinds = {"matrix": [], "vector": [], "head": []}
    for name, p in named:
        kinds["head" if "pooler" in name or "classifier" in name else "vector" if p.dim() == 1 else "matrix"].append(p)
    optimizer = torch.optim.AdamW(
        [
            {"params": kinds["matrix"], "lr": LEARNING_RATE, "weight_decay": WEIGHT_DECAY},
            {"params": kinds["vector"], "lr": LEARNING_RATE, "weight_decay": 0.0},
            {"params": kinds["head"], "lr": HEAD_LEARNING_RATE, "weight_decay": WEIGHT_DECAY},
        ],
        betas=(0.9, 0.98), fused=True,
    )
    base_rates = [g["lr"] for g in optimizer.param_groups]
    parameters = [p for _, p in named]
    flat = torch.zeros(sum(p.numel() for p in parameters))
    for p, part in zip(parameters, flat.split([p.numel() for p in parameters])):
        p.grad = part.view_as(p)

    step, n_pairs, started = 0, 0, time.time()
    state_file = args.out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, n_pairs, started = state["step"], state["pairs"], state["started"]
    until = datetime.fromisoformat(args.until).timestamp()

    def say(*words) -> None:
        if rank == 0:
            print(time.strftime("%H:%M:%S"), *words, flush=True)

    def save() -> None:
        if rank == 0:
            args.out.mkdir(parents=True, exist_ok=True)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "pairs": n_pairs, "started": started}
            torch.save(state, args.out / "state.tmp")
            os.replace(args.out / "state.tmp", state_file)

    say(f"{len(split.train)} groups, {len(split.validation)} held out, {split.dropped} dropped; from step {step}")
    model.train()
    clock = torch.zeros(2, dtype=torch.float64)
    last = {"save": time.time(), "log": time.time(), "validate": time.time()}
    counted, tokens, seen = 0, 0, {}
    progress = (time.time() - started) / (until - started)
    for batch in batches(split.train, pairs, GROUPS_PER_PROCESS * args.processes, SEED + step, lambda: progress):
        while rank == 0 and args.pause_file and args.pause_file.exists():
            time.sleep(1)
        clock[0] = time.time()
        dist.broadcast(clock, 0)
        now = clock[0].item()
        progress = (now - started) / (until - started)
        if progress >= 1:
            break
        for g, rate in zip(optimizer.param_groups, base_rates):
            g["lr"] = rate * learning_rate_factor(progress)

        mine = batch[rank :: args.processes]
        z = logits(model, [s for _, encoded in mine for s in encoded])
        loss, start = 0.0, 0
        for example, encoded in mine:
            scores = z[start : start + len(encoded)]
            start += len(encoded)
            loss = loss + group_loss(scores, example.cosines, progress)
            hit = seen.setdefault(example.source, [0, 0])
            hit[0] += int(scores.argmax() == 0)
            hit[1] += 1
        flat.zero_()
        (loss / (len(mine) * args.processes)).backward()
        dist.all_reduce(flat)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        n_pairs += sum(len(encoded) for _, encoded in batch)
        counted += sum(len(encoded) for _, encoded in batch)
        tokens += sum(len(s) for _, encoded in batch for s in encoded)

        if now - last["log"] > LOG_S:
            accuracy = " ".join(f"{s} {h / n:.2f}" for s, (h, n) in sorted(seen.items()))
            rate = now - last["log"]
            say(f"step {step} done {progress:.3f} loss {loss.item() / len(mine):.3f} pairs {n_pairs}, {counted / rate:.1f}/s, {tokens / rate:.0f} tokens/s; {accuracy}")
            counted, tokens, seen, last["log"] = 0, 0, {}, now
        if now - last["save"] > CHECKPOINT_S:
            save()
            last["save"] = now
        if now - last["validate"] > VALIDATE_S:
            if rank == 0:
                say("validation:", validate(model, split.validation, pairs))
            last["validate"] = now
    save()
    if rank == 0:
        say("validation:", validate(model, split.validation, pairs))
        (args.out / "training.json").write_text(json.dumps({"steps": step, "pairs": n_pairs, "seconds": round(time.time() - started)}) + "\n")
    dist.barrier()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--base", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--until", required=True, help="local time, ISO format")
    args.add_argument("--pause-file", type=Path)
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("--port", type=int, default=29511)
    args = args.parse_args()
    torch.multiprocessing.spawn(worker, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
