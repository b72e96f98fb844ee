#!/usr/bin/env python3
"""Fit the sigmoid that turns the cross-encoder's logit into a probability of relevance (Platt scaling).

usage: calibrate.py --data DATA --cross CROSS_ENCODER_DIR --out calibration.json [--queries 40]

Articles that were held out of training give the queries (English and Chinese, questions and headings, equally many of each source).
Each query recalls its first 100 by BM25 among all passages of its source; those at `RANKS`, weighted for the ranks they stand for, and
the positive are scored. Only the group's positive counts as relevant, so the probabilities err on the low side. Every other query is
left out of the fit, and the expected calibration error is measured on those.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import data
import groups
import retrieval
from evaluate import cross_scores
from train_cross import Pairs

SEED, RECALLED, BINS = 9, 100, 10
SOURCES = ("squad", "md", "medquad", "pubmedqa", "zhqa", "zhmd")
RANKS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85)  # denser where the app reads; a candidate at each


def platt(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Platt (1999): cross-entropy with targets pulled in from 0 and 1 by one observation."""
    positives, negatives = labels.sum(), (1 - labels).sum()
    target = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(ab: np.ndarray) -> float:
        z = ab[0] * logits + ab[1]
        return float((weights * (np.logaddexp(0, z) - target * z)).sum() / weights.sum())

    a, b = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(a), float(b)


def calibration_error(p: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Expected calibration error over equally wide bins."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs((weights * (p - labels))[bins == b].sum()) for b in range(BINS)]
    return float(sum(gaps) / weights.sum())


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--cross", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--queries", type=int, default=40, help="of each source")
    args = args.parse_args()
    rng = random.Random(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(args.cross, dtype="float32").eval()
    pairs = Pairs(Tokenizer.from_file(str(args.cross / "tokenizer.json")))
    validation = groups.load(args.data).validation

    rows = []  # (logit, label, weight, in the fit?, Chinese?)
    for source in SOURCES:
        passages = list(dict.fromkeys(data.read_group_docs(args.data, source).values()))
        index = {p: i for i, p in enumerate(passages)}
        bm25 = retrieval.Bm25(passages)
        for n, group in enumerate([g for g in validation if g.source == source][: args.queries]):
            row = bm25.scores([group.query])[0]
            recalled = np.argsort(-row, kind="stable")[:RECALLED]
            positive = index[group.passages[0]]
            # what one candidate stands for: the ranks up to the next one
            spans = np.diff([*RANKS, RECALLED])
            chosen = {int(recalled[r]): float(s) for r, s in zip(RANKS, spans) if recalled[r] != positive}
            if positive in recalled:
                chosen[positive] = 1.0
            logit = cross_scores(model, pairs, group.query, [passages[d] for d in chosen])
            for value, (doc, weight) in zip(logit, chosen.items()):
                rows.append((value, doc == positive, weight, n % 2 == 0, data.is_chinese(group.query)))
        print(source, len(rows), flush=True)
    logits, labels, weights, fit, chinese = (np.array(c, float) for c in zip(*rows))
    fit = fit > 0
    a, b = platt(logits[fit], labels[fit], weights[fit])
    p = expit(a * logits + b)
    held_out = ~fit
    result = {"a": round(a, 4), "b": round(b, 4), "n": int(fit.sum()), "n_held_out": int(held_out.sum()), "positives": int(labels.sum())}
    for name, part in {"ece": held_out, "ece_en": held_out & (chinese == 0), "ece_zh": held_out & (chinese > 0)}.items():
        result[name] = round(calibration_error(p[part], labels[part], weights[part]), 4)
    table = []
    for low in np.arange(BINS) / BINS:
        part = held_out & (p >= low) & (p < low + 1 / BINS + (low > 0.85))
        if part.any():
            w = weights[part]
            table.append([round(float((w * p[part]).sum() / w.sum()), 3), round(float((w * labels[part]).sum() / w.sum()), 3), int(part.sum())])
    result["held_out_bins"] = {"columns": ["mean predicted", "share relevant", "pairs"], "rows": table}
    args.out.write_text(json.dumps(result) + "\n", "utf8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
