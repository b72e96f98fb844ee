#!/usr/bin/env python3
"""Train the built-in cross-encoder on a CPU, for a given time.

usage: train_cross.py --groups GROUPS.jsonl.gz [TOPICS.jsonl.gz] --base BASE_DIR --out CHECKPOINT_DIR --until 2026-11-24T10:20

A BertForSequenceClassification with one label: some layers of the trimmed multilingual-e5-small, a new pooler and classifier. Or a
cross-encoder as BASE_DIR, to train it on.
`--processes` processes of one thread each take their part of every batch and sum the gradients (gloo): on two cores that is faster
than one process of two threads. Products are in bf16 over fp32 master weights (AVX-512 BF16 or AMX make that 2 to 4 times as fast as
fp32; `--fp32` for processors without).

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
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import data
import groups

SEED = 5
FROZEN = ("bert.embeddings.word_embeddings.", "bert.embeddings.position_embeddings.")
GROUPS_PER_PROCESS = 8
NEGATIVES = 5
MICRO_BATCH_TOKENS = 2000
POOL_GROUPS = 512  # groups sorted by length together, so that a batch needs little padding
# How often a group of a source comes for each time that others do; sources that are not named come once a pass.
WEIGHTS = {"zhqa": 3.0, "zhmd": 1.0, "lctt": 0.6, "lctt-en": 1.5, "squad": 2.0, "pubmedqa": 1.5}
# Tokens of a pair: one of these is drawn for each group. Short ones first: more pairs while it learns what matching is.
EARLY, EARLY_MAX_TOKENS, MAX_TOKENS = 0.6, (64, 64, 80, 96, 128), (96, 96, 128, 160, 256)
MAX_QUERY_TOKENS, MIN_PASSAGE_TOKENS = 64, 40
WINDOW_STEP = 16
LEARNING_RATE, HEAD_LEARNING_RATE = 1.5e-4, 4e-4
WARM_UP = 0.03  # share of the time
WEIGHT_DECAY = 0.01
# A part of the target is the embedder's own opinion of the passages: it says something about each negative.
SOFT_START, SOFT_END, SOFT_TEMPERATURE = 0.4, 0.1, 0.05
# Of the teacher's logits in `make_topics.py`'s groups; at the second a passage counts as relevant as not.
TEACHER_TEMPERATURE, TEACHER_EVEN = 1.5, 4.5
# Where `make_topics.py` says what a teacher thinks of every passage, this much of the target is the passage that the query was made from.
HARD_SHARE = {"topic-question": 0.5, "topic-keywords": 0.4, "topic-title": 0.4, "topic-claim": 0.4, "topic-need": 0.25, "topic-topic": 0.15}
UNANSWERED_WEIGHT = 0.6  # of a list that nothing in answers
BCE_WEIGHT = 0.3  # beside the listwise loss: makes the logit mean something on its own, not only within a list
CHECKPOINT_S, LOG_S, VALIDATE_S = 240, 60, 1800
VALIDATION_GROUPS = {False: 100, True: 60}  # Chinese?
VALIDATION_TOKENS = 160
BOS, PAD, EOS = 0, 1, 2  # of XLM-RoBERTa's tokenizers, for `distill.py`


class Attention(torch.autograd.Function):
    """softmax(q k' / sqrt(d) + bias) v with batched products both ways: torch's own kernels are slower for short texts in bf16."""

    @staticmethod
    def forward(ctx, q, k, v, bias, scale):
        shape = q.shape
        q, k, v = (x.reshape(-1, *shape[2:]) for x in (q, k, v))
        scores = torch.bmm(q * scale, k.transpose(1, 2)) if bias is None else torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
        p = torch.softmax(scores, -1)
        ctx.save_for_backward(q, k, v, p)
        ctx.scale, ctx.shape = scale, shape
        return torch.bmm(p, v).view(shape)

    @staticmethod
    def backward(ctx, grad):
        q, k, v, p = ctx.saved_tensors
        grad = grad.reshape(-1, *ctx.shape[2:])
        d_scores = torch._softmax_backward_data(torch.bmm(grad, v.transpose(1, 2)), p, -1, p.dtype)
        d_q = torch.bmm(d_scores, k).mul_(ctx.scale)
        d_k = torch.bmm(d_scores.transpose(1, 2), q).mul_(ctx.scale)
        d_v = torch.bmm(p.transpose(1, 2), grad)
        return d_q.view(ctx.shape), d_k.view(ctx.shape), d_v.view(ctx.shape), None, None


def attend(module, query, key, value, mask, scaling=None, dropout=0.0, **kwargs):
    if mask is not None:
        mask = mask.to(query.dtype).expand(-1, query.shape[1], query.shape[2], -1).reshape(-1, query.shape[2], key.shape[2])
    out = Attention.apply(query, key, value, mask, scaling or query.shape[-1] ** -0.5)
    return out.transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register("batched", attend)
ALL_MASK_ATTENTION_FUNCTIONS.register("batched", ALL_MASK_ATTENTION_FUNCTIONS["eager"])


def build_model(base: Path, layers: list[int], frozen_layers: int) -> BertForSequenceClassification:
    """The base's embeddings and those of its layers that are named, in that order; the lowest `frozen_layers` do not learn."""
    torch.manual_seed(SEED)
    config = BertConfig.from_pretrained(base, num_labels=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForSequenceClassification.from_pretrained(base, config=config, dtype=torch.float32, attn_implementation="batched")
    model.bert.encoder.layer = torch.nn.ModuleList([model.bert.encoder.layer[i] for i in layers])
    model.config.num_hidden_layers = len(layers)
    frozen = ("bert.embeddings.", *(f"bert.encoder.layer.{i}." for i in range(frozen_layers))) if frozen_layers else FROZEN
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not name.startswith(frozen)
    return model


class Pairs:
    """Turns queries and passages into token ids, remembering the passages it has seen: `<s> q </s></s> p </s>` as XLM-RoBERTa has it, or
    `[CLS] q [SEP] p [SEP]` with the second part of type 1 as BERT has it."""

    def __init__(self, tokenizer: Tokenizer):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}
        self.typed = tokenizer.token_to_id("[CLS]") is not None
        names = ("[CLS]", "[SEP]", "[PAD]") if self.typed else ("<s>", "</s>", "<pad>")
        self.bos, self.eos, self.pad = map(tokenizer.token_to_id, names)

    def types(self, ids: torch.Tensor) -> torch.Tensor | None:
        """1 for what comes after the first separator."""
        ends = (ids == self.eos).long()
        return ((ends.cumsum(1) - ends) > 0).long() if self.typed else None

    def ids(self, texts: list[str]) -> list[list[int]]:
        new = [t for t in dict.fromkeys(texts) if t not in self.known]
        for text, encoding in zip(new, self.tokenizer.encode_batch(new, add_special_tokens=False)):
            self.known[text] = encoding.ids
        return [self.known[t] for t in texts]

    def encode(self, query: str, passages: list[str], max_tokens: int) -> list[list[int]]:
        query_ids = self.ids([query])[0][:MAX_QUERY_TOKENS]
        room = max(max_tokens - len(query_ids) - 4, MIN_PASSAGE_TOKENS)
        middle = [self.eos] if self.typed else [self.eos, self.eos]
        return [[self.bos, *query_ids, *middle, *window(query_ids, p, room), self.eos] for p in self.ids(passages)]


def window(query: list[int], passage: list[int], room: int) -> list[int]:
    """The part of a passage, `room` tokens long, that shares most with the query: cut anywhere else the answer would often be lost.
    Positives and negatives are cut alike."""
    if len(passage) <= room:
        return passage
    wanted = set(query)
    starts = range(0, len(passage) - room + WINDOW_STEP, WINDOW_STEP)
    best = max(starts, key=lambda s: (len(wanted.intersection(passage[s : s + room])), -s))
    return passage[best : best + room]


def by_length(sequences: list[list[int]], pad: int, compute) -> torch.Tensor:
    """What `compute(ids, lengths)` says of each sequence, in order; sequences of like length go through it together."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    parts, start = [], 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * len(sequences[order[end]]) <= MICRO_BATCH_TOKENS:
            end += 1
        batch = [sequences[i] for i in order[start:end]]
        width = len(batch[-1])
        parts.append(compute(torch.tensor([s + [pad] * (width - len(s)) for s in batch]), [len(s) for s in batch]))
        start = end
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def mask_of(lengths: list[int]) -> torch.Tensor:
    """1 for a token, 0 for padding; `lengths` ascend."""
    return (torch.arange(lengths[-1]) < torch.tensor(lengths)[:, None]).long()


def logits(model, pairs: Pairs, sequences: list[list[int]]) -> torch.Tensor:
    """One logit a sequence, in order."""

    def compute(ids: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        mask = None if lengths[0] == lengths[-1] else mask_of(lengths)
        return model(input_ids=ids, attention_mask=mask, token_type_ids=pairs.types(ids)).logits[:, 0].float()

    return by_length(sequences, pairs.pad, compute)


def batches(train: list[groups.Group], pairs: Pairs, size: int, seed: int, weights: dict[str, float], lengths_at):
    """Endless batches of `size` (example, encoded pairs), the sources mixed by weight; the groups in a batch are of like length."""
    rng = random.Random(seed)
    while True:
        order = []
        for group in train:
            weight = weights.get(group.source, 1.0)
            order += [group] * (int(weight) + (rng.random() < weight % 1))
        rng.shuffle(order)
        for start in range(0, len(order) - POOL_GROUPS + 1, POOL_GROUPS):
            pool = []
            for group in order[start : start + POOL_GROUPS]:
                example = groups.draw(group, NEGATIVES, rng)
                choice, lengths = rng.random(), lengths_at()
                pool.append((example, pairs.encode(example.query, example.passages, lengths[int(choice * len(lengths))])))
            pool.sort(key=lambda item: sum(map(len, item[1])))
            cut = [pool[i : i + size] for i in range(0, len(pool) - size + 1, size)]
            rng.shuffle(cut)
            yield from cut


def group_loss(scores: torch.Tensor, example: groups.Example, progress: float) -> torch.Tensor:
    """Listwise softmax towards the positive (the first) and, less and less, towards the cosines, or towards the teacher; plus a little
    binary cross-entropy."""
    if example.unanswered:
        return UNANSWERED_WEIGHT * F.binary_cross_entropy_with_logits(scores, torch.zeros_like(scores))
    target = labels = hard = F.one_hot(torch.tensor(0), len(scores)).float()
    if example.teacher:
        share, told = HARD_SHARE[example.source] * example.has_positive, torch.tensor(example.teacher)
        target = share * hard + (1 - share) * torch.softmax(told / TEACHER_TEMPERATURE, 0)
        labels = share * hard + (1 - share) * torch.sigmoid(told - TEACHER_EVEN)
    elif example.cosines:
        share = SOFT_START + (SOFT_END - SOFT_START) * progress
        target = (1 - share) * hard + share * torch.softmax(torch.tensor(example.cosines) / SOFT_TEMPERATURE, 0)
    listwise = F.cross_entropy(scores[None], target[None])
    return listwise + BCE_WEIGHT * F.binary_cross_entropy_with_logits(scores, labels, weight=1 + labels)


def validate(model, split: list[groups.Group], pairs: Pairs) -> str:
    """Top-1 accuracy and mean reciprocal rank over all passages of held-out groups, by language."""
    model.eval()
    report = []
    with torch.no_grad():
        for chinese, n in VALIDATION_GROUPS.items():
            chosen = [g for g in split if data.is_chinese(g.passages[0][1]) == chinese][:n]
            encoded = [pairs.encode(g.queries[0], [text for _, text in g.passages], VALIDATION_TOKENS) for g in chosen]
            scores = logits(model, pairs, [s for e in encoded for s in e]).split([len(e) for e in encoded])
            ranks = [1 + int((s[1:] >= s[0]).sum()) for s in scores]
            report.append(f"{'zh' if chinese else 'en'} top-1 {sum(r == 1 for r in ranks) / len(ranks):.3f} mrr {sum(1 / r for r in ranks) / len(ranks):.3f}")
    model.train()
    return ", ".join(report)


def learning_rate_factor(progress: float) -> float:
    return max(0.02, min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP)))


class Master:
    """The trained parameters in fp32, one flat tensor with one gradient, beside the model that computes in `dtype`."""

    def __init__(self, model, dtype: torch.dtype):
        kinds = {"matrix": [], "vector": [], "head": []}
        for name, p in model.named_parameters():
            if p.requires_grad:
                kinds["head" if "pooler" in name or "classifier" in name else "vector" if p.dim() == 1 else "matrix"].append(p)
        self.parameters = [p for kind in kinds.values() for p in kind]
        self.sizes = [p.numel() for p in self.parameters]
        self.weights = torch.cat([p.detach().float().reshape(-1) for p in self.parameters])
        self.gradient = torch.zeros_like(self.weights)
        model.to(dtype)
        rates = {"matrix": (LEARNING_RATE, WEIGHT_DECAY), "vector": (LEARNING_RATE, 0.0), "head": (HEAD_LEARNING_RATE, WEIGHT_DECAY)}
        parts, start = [], 0
        for kind, members in kinds.items():
            end = start + sum(p.numel() for p in members)
            part = torch.nn.Parameter(self.weights[start:end])
            part.grad = self.gradient[start:end]
            parts.append({"params": [part], "lr": rates[kind][0], "weight_decay": rates[kind][1]})
            start = end
        self.optimizer = torch.optim.AdamW(parts, betas=(0.9, 0.98), fused=True)
        self.base_rates = [g["lr"] for g in self.optimizer.param_groups]
        self.to_model()

    def to_model(self) -> None:
        for p, part in zip(self.parameters, self.weights.split(self.sizes)):
            p.data.copy_(part.view_as(p))

    def step(self, factor: float) -> None:
        for p, part in zip(self.parameters, self.gradient.split(self.sizes)):
            part.copy_(p.grad.reshape(-1))
            p.grad = None
        dist.all_reduce(self.gradient)
        norm = self.gradient.norm()
        if norm > 1:
            self.gradient /= norm
        for g, rate in zip(self.optimizer.param_groups, self.base_rates):
            g["lr"] = rate * factor
        self.optimizer.step()
        self.to_model()

    def state_dict(self, model) -> dict:
        """The model's weights in fp32."""
        exact = {id(p): part.view_as(p) for p, part in zip(self.parameters, self.weights.split(self.sizes))}
        return {name: exact.get(id(p), p.detach().float()).clone() for name, p in model.named_parameters()}


def worker(rank: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=args.processes, init_method=f"tcp://127.0.0.1:{args.port}")
    split = groups.load(*args.groups)
    weights = WEIGHTS | {source: float(weight) for source, weight in (w.split("=") for w in args.weights)}
    pairs = Pairs(Tokenizer.from_file(str(args.base / "tokenizer.json")))
    model = build_model(args.base, args.layers, args.frozen_layers)
    if args.start:
        model.load_state_dict(torch.load(args.start, weights_only=True)["model"], strict=False)
    master = Master(model, torch.float32 if args.fp32 else torch.bfloat16)
    step, n_pairs, started = 0, 0, time.time()
    state_file = args.out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        master.weights.copy_(state["weights"])
        master.optimizer.load_state_dict(state["optimizer"])
        master.to_model()
        step, n_pairs, started = state["step"], state["pairs"], state["started"]
    until = datetime.fromisoformat(args.until).timestamp()

    def say(*words) -> None:
        if rank == 0:
            print(time.strftime("%H:%M:%S"), *words, flush=True)

    def save() -> None:
        if rank == 0:
            args.out.mkdir(parents=True, exist_ok=True)
            state = {
                "model": master.state_dict(model), "weights": master.weights, "optimizer": master.optimizer.state_dict(),
                "step": step, "pairs": n_pairs, "started": started, "layers": args.layers,
            }
            torch.save(state, args.out / "state.tmp")
            os.replace(args.out / "state.tmp", state_file)

    say(f"{len(split.train)} groups, {len(split.validation)} held out; layers {args.layers}; from step {step}")
    model.train()
    clock = torch.zeros(2, dtype=torch.float64)
    last = {"save": time.time(), "log": time.time(), "validate": time.time()}
    counted, tokens, seen = 0, 0, {}
    progress = (time.time() - started) / (until - started)
    lengths_at = lambda: args.max_tokens or (EARLY_MAX_TOKENS if progress < EARLY else MAX_TOKENS)
    for batch in batches(split.train, pairs, GROUPS_PER_PROCESS * args.processes, args.seed + step, weights, lengths_at):
        while rank == 0 and args.pause_file and args.pause_file.exists():
            time.sleep(1)
        clock[0] = time.time()
        dist.broadcast(clock, 0)
        now = clock[0].item()
        progress = (now - started) / (until - started)
        if now >= until:
            break
        mine = batch[rank :: args.processes]
        z = logits(model, pairs, [s for _, encoded in mine for s in encoded])
        loss, start = 0.0, 0
        for example, encoded in mine:
            scores = z[start : start + len(encoded)]
            start += len(encoded)
            loss = loss + group_loss(scores, example, progress)
            if example.has_positive:
                hit = seen.setdefault(example.source, [0, 0])
                hit[0] += int(scores.argmax() == 0)
                hit[1] += 1
        (loss / (len(mine) * args.processes)).backward()
        master.step(args.rate * learning_rate_factor(progress))
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
    args.add_argument("--groups", type=Path, nargs="+", required=True)
    args.add_argument("--base", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--until", required=True, help="local time, ISO format")
    args.add_argument("--layers", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5], help="which of the base's layers")
    args.add_argument("--frozen-layers", type=int, default=0, help="the lowest layers that do not learn, the embeddings with them")
    args.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    args.add_argument("--max-tokens", type=int, nargs="+", help="lengths of a pair to draw from all the time; long ones late without it")
    args.add_argument("--weights", nargs="*", default=[], metavar="SOURCE=WEIGHT", help="how often a source comes, over those of WEIGHTS")
    args.add_argument("--start", type=Path, help="state.pt of another run whose weights are taken at the beginning")
    args.add_argument("--seed", type=int, default=SEED, help="of the order of the groups: runs of several seeds can be averaged")
    args.add_argument("--fp32", action="store_true")
    args.add_argument("--pause-file", type=Path)
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("--port", type=int, default=29511)
    args = args.parse_args()
    torch.multiprocessing.spawn(worker, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
