#!/usr/bin/env python3
"""Train the trimmed multilingual-e5-small on, for a given time, on a CPU: it came here through 4 bits a weight and ranks English
abstracts far worse than all-MiniLM-L6-v2 does.

usage: train_bi.py --groups GROUPS.jsonl.gz --base TRIMMED_E5_DIR --teacher ALL_MINILM_DIR --out CHECKPOINT_DIR --until 2026-11-24T10:00

A batch is of one language: queries, their passages and one recalled wrong passage each. Loss: InfoNCE over the passages of the batch;
for English also the Kullback-Leibler divergence from the similarities that the teacher finds between the same queries and passages,
which says how near *every* passage is. Embeddings and the lowest layers stay as they were. Resumes from CHECKPOINT_DIR/state.pt.
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
from transformers import BertModel

import groups
from train_cross import WEIGHTS, Master, by_length, learning_rate_factor, mask_of

SEED = 7
FROZEN_LAYERS = 5
BATCH = 40
MAX_QUERY_TOKENS, MAX_TOKENS = 40, (48, 64, 64, 96)
CHINESE_SHARE = 0.35  # of the batches
TEMPERATURE, TEACHER_TEMPERATURE = 0.02, 0.05
LABEL_WEIGHT = 0.5  # of InfoNCE where there is a teacher
RATE_FACTOR = 0.4  # of the cross-encoder's learning rate: the model is to be mended, not made anew
CHECKPOINT_S, LOG_S = 240, 60


class Tower:
    """Texts to unit vectors: the mean of the last states."""

    def __init__(self, folder: Path):
        self.model = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False, attn_implementation="batched")
        self.model.config.hidden_dropout_prob = self.model.config.attention_probs_dropout_prob = 0.0
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        self.pad = self.model.config.pad_token_id
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()

    def __call__(self, texts: list[str], max_tokens: int) -> torch.Tensor:
        self.tokenizer.enable_truncation(max_tokens)

        def compute(ids: torch.Tensor, lengths: list[int]) -> torch.Tensor:
            mask = mask_of(lengths)
            states = self.model(input_ids=ids, attention_mask=None if lengths[0] == lengths[-1] else mask).last_hidden_state.float()
            return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

        return F.normalize(by_length([e.ids for e in self.tokenizer.encode_batch(texts)], self.pad, compute), dim=1)


def batches(train: list[groups.Group], seed: int):
    """Endless batches of BATCH examples of one language; each source comes as often as for the cross-encoder."""
    rng = random.Random(seed)
    chinese = [g for g in train if g.source in groups.CHINESE_SOURCES]
    english = [g for g in train if g.source not in groups.CHINESE_SOURCES]
    while True:
        pool = chinese if rng.random() < CHINESE_SHARE else english
        drawn = rng.choices(pool, [WEIGHTS.get(g.source, 1.0) for g in pool], k=BATCH)
        yield pool is english, [groups.draw(g, 1, rng) for g in drawn]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("groups", "base", "teacher", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("--until", required=True, help="local time, ISO format")
    args.add_argument("--fp32", action="store_true")
    args.add_argument("--port", type=int, default=29512)
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    # The optimizer sums gradients over processes; here there is one.
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"tcp://127.0.0.1:{args.port}")
    dtype = torch.float32 if args.fp32 else torch.bfloat16

    train = groups.load(args.groups).train
    student, teacher = Tower(args.base), Tower(args.teacher)
    teacher.model.to(dtype).eval()
    for name, parameter in student.model.named_parameters():
        layer = int(name.split(".")[2]) if name.startswith("encoder.layer.") else -1
        parameter.requires_grad = layer >= FROZEN_LAYERS
    master = Master(student.model, dtype)
    step, started = 0, time.time()
    state_file = args.out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        master.weights.copy_(state["weights"])
        master.optimizer.load_state_dict(state["optimizer"])
        master.to_model()
        step, started = state["step"], state["started"]
    until = datetime.fromisoformat(args.until).timestamp()

    def save() -> None:
        args.out.mkdir(parents=True, exist_ok=True)
        state = {"model": master.state_dict(student.model), "weights": master.weights, "optimizer": master.optimizer.state_dict(), "step": step, "started": started}
        torch.save(state, args.out / "state.tmp")
        os.replace(args.out / "state.tmp", state_file)

    last = {"save": time.time(), "log": time.time()}
    sums = {True: [0.0, 0.0, 0], False: [0.0, 0.0, 0]}
    rng = random.Random(SEED + step)
    for english, examples in batches(train, SEED + step):
        now = time.time()
        progress = (now - started) / (until - started)
        if progress >= 1:
            break
        max_tokens = rng.choice(MAX_TOKENS)
        queries = [e.query for e in examples]
        passages = [e.passages[0] for e in examples] + [e.passages[1] for e in examples]
        similarity = student(["query: " + q for q in queries], MAX_QUERY_TOKENS) @ student(["passage: " + p for p in passages], max_tokens).T
        labels = torch.arange(len(queries))
        contrast = F.cross_entropy(similarity / TEMPERATURE, labels)
        loss, divergence = contrast, torch.zeros(())
        if english:
            with torch.no_grad():
                told = teacher(queries, MAX_QUERY_TOKENS) @ teacher(passages, max_tokens).T
            divergence = F.kl_div(F.log_softmax(similarity / TEMPERATURE, 1), F.log_softmax(told / TEACHER_TEMPERATURE, 1), reduction="batchmean", log_target=True)
            loss = LABEL_WEIGHT * contrast + divergence
        loss.backward()
        master.step(RATE_FACTOR * learning_rate_factor(progress))
        step += 1
        total = sums[english]
        total[0] += contrast.item()
        total[1] += divergence.item()
        total[2] += 1
        if now - last["log"] > LOG_S:
            report = ", ".join(f"{'en' if e else 'zh'} contrast {c / max(n, 1):.3f} divergence {d / max(n, 1):.3f}" for e, (c, d, n) in sums.items())
            print(time.strftime("%H:%M:%S"), f"step {step} done {progress:.3f}; {report}", flush=True)
            sums, last["log"] = {True: [0.0, 0.0, 0], False: [0.0, 0.0, 0]}, now
        if now - last["save"] > CHECKPOINT_S:
            save()
            last["save"] = now
    save()
    (args.out / "training.json").write_text(json.dumps({"steps": step, "seconds": round(time.time() - started)}) + "\n")


if __name__ == "__main__":
    main()
