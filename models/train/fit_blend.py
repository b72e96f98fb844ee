#!/usr/bin/env python3
"""Fit a blend of the engine (`engine/src/blend.rs`), each set left out once: of a pair of models, or with `--features cosine words` of a
bi-encoder's first stage.

usage: fit_blend.py NAME=EVIDENCE.jsonl [NAME=EVIDENCE.jsonl ...] [--check NAME=EVIDENCE.jsonl ...] [--features cross cosine words]

EVIDENCE comes from `nuthatch eval DIR --stage rerank --evidence EVIDENCE.jsonl`: one candidate a line, {"query", "doc", "relevance",
"cross" (calibrated score), "cosine", "bm25", "words", "recall_rank", "first_score" (what the first stage ranked by)}. A set whose name ends in `none` holds
questions that nothing answers: whatever its judgements say, nothing in it is relevant.

The weights minimise a listwise softmax loss within each question, every set weighing the same; scale and offset then turn the sum into
a probability (Platt). Figures are of the set left out. A set given with --check is never fitted on: it is only measured.
"""
import argparse
import json

import numpy as np
from scipy.optimize import minimize

# name: (first guess, largest weight)
FEATURES = {"cross": (0.3, 3.0), "cosine": (5.0, 80.0), "words": (2.0, 20.0)}
DEPTHS = (10, 20, 30, 50, 100)


def read(path, unanswered=False):
    """Questions of one set, each ({feature: [n]}, gains [n], recall ranks [n])."""
    questions = {}
    with open(path, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            questions.setdefault(row["query"], []).append(row)
    read = []
    for rows in questions.values():
        column = lambda name: np.array([row[name] or 0.0 for row in rows], float)
        p = np.clip(column("cross"), 1e-6, 1 - 1e-6)
        features = {"cross": np.log(p / (1 - p)), "cosine": column("cosine"), "words": column("words")}
        gains = np.maximum(column("relevance"), 0)
        read.append((features, gains * (not unanswered), column("recall_rank")))
    return read


def matrix(features, names):
    return np.stack([features[n] for n in names], 1)


def ndcg(questions, score, depth=100):
    """Mean nDCG@10 among the first `depth` candidates; what recall missed is not counted against anyone."""
    total = []
    for features, gains, ranks in questions:
        if gains.any():
            s = np.where(ranks <= depth, score(features, ranks), -1e9 - ranks)
            discount = 1 / np.log2(np.arange(2, 12))
            best, got = np.sort(gains)[::-1][:10], gains[np.argsort(-s, kind="stable")][:10]
            total.append((got * discount[: len(got)]).sum() / (best * discount[: len(best)]).sum())
    return float(np.mean(total)) if total else float("nan")


def fit(sets, names):
    """Weights of the features, by listwise softmax over every question that has an answer among its candidates."""
    scale = np.array([FEATURES[n][1] for n in names])
    prepared = [[(matrix(f, names), g) for f, g, _ in questions if g.any()] for questions in sets if any(g.any() for _, g, _ in questions)]

    def loss(weights):
        value, slope = 1e-2 * ((weights / scale) ** 2).sum(), 2e-2 * weights / scale**2
        for questions in prepared:
            for x, gains in questions:
                s = x @ weights
                p = np.exp(s - s.max())
                p /= p.sum()
                share = 1 / len(questions) / len(prepared)
                target = gains / gains.sum()
                value -= share * (target * np.log(p + 1e-30)).sum()
                slope = slope + share * ((p - target) @ x)
        return value, slope

    start = np.array([FEATURES[n][0] for n in names])
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, b) for b in scale]).x


def platt(sets, names, weights):
    """Scale and offset that make the sum a probability, every set weighing the same."""
    rows = [(np.concatenate([matrix(f, names) @ weights for f, _, _ in q]), np.concatenate([g > 0 for _, g, _ in q]).astype(float)) for q in sets]

    def loss(parameters):
        z = [parameters[0] * s + parameters[1] for s, _ in rows]
        return sum(np.mean(np.logaddexp(0, z) - y * z) for z, (_, y) in zip(z, rows)) / len(rows)

    return minimize(loss, np.array([1.0, -3.0]), method="Nelder-Mead").x


def calibration(questions, names, weights, scale, offset, bins=10):
    """Expected calibration error, and a row a bin: mean score, share relevant, candidates."""
    s = np.concatenate([matrix(f, names) @ weights for f, _, _ in questions])
    y = np.concatenate([g > 0 for _, g, _ in questions]).astype(float)
    p = 1 / (1 + np.exp(-(scale * s + offset)))
    which = np.minimum((p * bins).astype(int), bins - 1)
    table = [(p[which == b].mean(), y[which == b].mean(), int((which == b).sum())) for b in range(bins) if (which == b).any()]
    return sum(abs(m - r) * n for m, r, n in table) / len(p), table


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("sets", nargs="+")
    args.add_argument("--check", nargs="*", default=[])
    args.add_argument("--features", nargs="+", choices=list(FEATURES), default=list(FEATURES))
    args = args.parse_args()
    load = lambda arguments: {name: read(path, name.endswith("none")) for name, path in (a.split("=", 1) for a in arguments)}
    sets, checks = load(args.sets), load(args.check)
    names = args.features
    print(f"{'left out':<14}{'first':>7}{'cross':>7}{'blend':>7}" + "".join(f"{'@' + str(d):>7}" for d in DEPTHS[:-1]) + f"{'ece':>7}{'ece1+':>7}  {' '.join(names)}")
    means = []
    for name, questions in {**sets, **checks}.items():
        others = [q for other, q in sets.items() if other != name]
        weights = fit(others, names)
        scale, offset = platt(others, names, weights)
        blend = lambda f, _: matrix(f, names) @ weights
        row = [ndcg(questions, lambda _, ranks: -ranks), ndcg(questions, lambda f, _: f["cross"]), ndcg(questions, blend)]
        row += [ndcg(questions, blend, d) for d in DEPTHS[:-1]]
        error, table = calibration(questions, names, weights, scale, offset)
        above = [(m, r, n) for m, r, n in table if m >= 0.1]
        row += [error, sum(abs(m - r) * n for m, r, n in above) / max(1, sum(n for *_, n in above))]
        if name in sets:
            means.append(row)
        print(f"{name:<14}" + "".join(f"{v:7.3f}" for v in row), "", weights.round(3), "(check)" if name in checks else "")
    print(f"{'mean':<14}" + "".join(f"{v:7.3f}" for v in np.nanmean(means, 0)))
    weights = fit(list(sets.values()), names)
    scale, offset = platt(list(sets.values()), names, weights)
    print("all sets: Blend {", f"offset: {offset:.3f},", ", ".join(f"{n}: {scale * w:.3f}" for n, w in zip(names, weights)), "}")


if __name__ == "__main__":
    main()
