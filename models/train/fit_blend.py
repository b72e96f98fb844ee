#!/usr/bin/env python3
"""Fits the blend of the engine (`engine/src/blend.rs`): weights of cross-encoder, cosine, words and first-stage rank,
and the offset.

usage: fit_blend.py NAME=EVIDENCE.jsonl [NAME=EVIDENCE.jsonl ...]

EVIDENCE comes from `nuthatch eval DIR --stage rerank --evidence EVIDENCE.jsonl`: one candidate a line,
{"query", "doc", "relevance", "cross" (calibrated score), "cosine", "words", "recall_rank"}.

The weights minimise a listwise softmax loss within each question, every set weighing the same; scale and offset then
turn the sum into a probability (Platt). Both are cross-validated by leaving one set out: the figures printed are those
of the set left out. Nothing here is fitted on the sets that the project is judged on.
"""
import json
import sys

import numpy as np
from scipy.optimize import minimize

FEATURES = ("cross", "cosine", "words", "rank")


def read(path):
    """Questions of one set, each (features [n, 4], gains [n], recall ranks [n])."""
    questions = {}
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        p = min(max(row["cross"], 1e-6), 1 - 1e-6)
        x = (np.log(p / (1 - p)), row["cosine"] or 0.0, row["words"], -np.log(row["recall_rank"]))
        questions.setdefault(row["query"], []).append((x, max(row["relevance"], 0), row["recall_rank"]))
    return [tuple(np.array(column, dtype=float) for column in zip(*rows)) for rows in questions.values()]


def ndcg(questions, weights, depth=100):
    """Mean nDCG@10 among the first `depth` candidates; what recall missed is not counted against any weights."""
    total = []
    for x, gains, ranks in questions:
        if not gains.any():
            continue
        score = np.where(ranks <= depth, x @ weights, -1e9 - ranks)
        discount = 1 / np.log2(np.arange(2, 12))
        best = np.sort(gains)[::-1][:10]
        got = gains[np.argsort(-score, kind="stable")][:10]
        total.append((got * discount[: len(got)]).sum() / (best * discount[: len(best)]).sum())
    return float(np.mean(total))


def fit(sets):
    """Weights of the four features, by listwise softmax over every question that has an answer among its candidates."""

    def loss(weights):
        value = 1e-3 * (weights / [1, 30, 10, 1]) @ (weights / [1, 30, 10, 1])
        for questions in sets:
            losses = []
            for x, gains, _ in questions:
                if gains.any():
                    s = x @ weights
                    s = s - s.max()
                    log_p = s - np.log(np.exp(s).sum())
                    losses.append(-(gains * log_p).sum() / gains.sum())
            value += np.mean(losses) / len(sets)
        return value

    found = minimize(loss, np.array([0.1, 10.0, 3.0, 0.5]), method="L-BFGS-B", bounds=[(0, 3), (0, 80), (0, 20), (0, 3)])
    return found.x


def platt(sets, weights):
    """Scale and offset that make the sum a probability, every set weighing the same."""
    data = []
    for questions in sets:
        s = np.concatenate([x @ weights for x, _, _ in questions])
        y = np.concatenate([gains > 0 for _, gains, _ in questions]).astype(float)
        data.append((s, y))

    def loss(parameters):
        scale, offset = parameters
        value = 0
        for s, y in data:
            z = scale * s + offset
            value += np.mean(np.logaddexp(0, z) - y * z) / len(data)
        return value

    return minimize(loss, np.array([1.0, -weights @ [0, 0.85, 0.5, -3]]), method="Nelder-Mead").x


def calibration_error(questions, weights, scale, offset, bins=10):
    s = np.concatenate([x @ weights for x, _, _ in questions])
    y = np.concatenate([gains > 0 for _, gains, _ in questions]).astype(float)
    p = 1 / (1 + np.exp(-(scale * s + offset)))
    which = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[which == b].mean() - y[which == b].mean()) * (which == b).mean() for b in range(bins) if (which == b).any())


def main():
    sets = {name: read(path) for name, path in (argument.split("=", 1) for argument in sys.argv[1:])}
    print(f"{'left out':<12}{'first':>8}{'cross':>8}{'no cross':>10}{'blend':>8}{'@30':>8}{'@50':>8}{'ece':>8}   weights")
    for name, questions in sets.items():
        others = [q for other, q in sets.items() if other != name] or [questions]
        weights = fit(others)
        without = fit([[(x * [0, 1, 1, 1], g, r) for x, g, r in q] for q in others]) * [0, 1, 1, 1]
        scale, offset = platt(others, weights)
        first = np.mean([ndcg([(-r[:, None], g, r)], np.ones(1)) for _, g, r in questions if g.any()])
        row = [first, ndcg(questions, np.array([1.0, 0, 0, 0])), ndcg(questions, without), ndcg(questions, weights)]
        row += [ndcg(questions, weights, 30), ndcg(questions, weights, 50)]
        row += [calibration_error(questions, weights, scale, offset)]
        print(f"{name:<12}{row[0]:8.4f}{row[1]:8.4f}{row[2]:10.4f}" + "".join(f"{v:8.4f}" for v in row[3:]), weights.round(3))
    weights = fit(list(sets.values()))
    scale, offset = platt(list(sets.values()), weights)
    print("\nall sets: Blend {", f"offset: {offset:.3f},", ", ".join(f"{n}: {scale * w:.3f}" for n, w in zip(FEATURES, weights)), "}")


if __name__ == "__main__":
    main()
