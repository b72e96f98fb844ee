#!/usr/bin/env python3
"""Fit the sigmoid that turns the cross-encoder's logit into a probability of relevance (Platt scaling).

usage: calibrate.py --was SLOPE OFFSET --out calibration.json [--rewrite] NAME=EVIDENCE.jsonl [NAME=EVIDENCE.jsonl ...]

EVIDENCE comes from `nuthatch eval DIR --stage rerank --evidence EVIDENCE.jsonl`, run with the calibration --was: the first hundred of the
hybrid, as the app hands them to the cross-encoder. Every set weighs the same; each is left out once, and the expected calibration error
is that of the set left out. A candidate that nobody judged counts as not relevant, so probabilities err on the low side.
--rewrite puts the new probabilities into the evidence files, for `fit_blend.py`.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

BINS = 10


def platt(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Platt (1999): cross-entropy with targets pulled in from 0 and 1 by one observation; (logits, labels) of each set."""

    def loss(ab: np.ndarray) -> float:
        total = 0.0
        for logits, labels in parts:
            positives, negatives = labels.sum(), (1 - labels).sum()
            target = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
            z = ab[0] * logits + ab[1]
            total += float(np.mean(np.logaddexp(0, z) - target * z)) / len(parts)
        return total

    a, b = minimize(loss, np.array([1.0, -2.0]), method="BFGS").x
    return float(a), float(b)


def table(p: np.ndarray, labels: np.ndarray) -> tuple[float, list[list[float]]]:
    """Expected calibration error, and for each bin the mean prediction, the share relevant and the number of pairs."""
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    rows = [[round(float(p[which == b].mean()), 3), round(float(labels[which == b].mean()), 3), int((which == b).sum())] for b in range(BINS) if (which == b).any()]
    return sum(abs(m - r) * n for m, r, n in rows) / len(p), rows


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--was", type=float, nargs=2, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--rewrite", action="store_true")
    args.add_argument("sets", nargs="+")
    args = args.parse_args()
    slope, offset = args.was
    files = {name: Path(path) for name, path in (a.split("=", 1) for a in args.sets)}
    rows = {name: [json.loads(line) for line in path.read_text("utf8").splitlines()] for name, path in files.items()}

    def logits(name: str) -> np.ndarray:
        p = np.clip(np.array([r["cross"] for r in rows[name]], float), 1e-7, 1 - 1e-7)
        return (np.log(p / (1 - p)) - offset) / slope

    data = {name: (logits(name), np.array([r["relevance"] > 0 for r in rows[name]], float)) for name in files}
    left_out = {}
    for name, (raw, labels) in data.items():
        a, b = platt([d for other, d in data.items() if other != name])
        error, bins = table(expit(a * raw + b), labels)
        left_out[name] = {"a": round(a, 3), "b": round(b, 3), "ece": round(error, 4), "bins": bins}
        print(f"{name:<14} ece {error:.4f}  {bins}")
    a, b = platt(list(data.values()))
    args.out.write_text(json.dumps({"a": round(a, 4), "b": round(b, 4), "bins": ["mean predicted", "share relevant", "pairs"], "left_out": left_out}, indent=1) + "\n", "utf8")
    print(f"slope = {a:.4f}, offset = {b:.3f}")
    if args.rewrite:
        for name, path in files.items():
            for row, p in zip(rows[name], expit(a * data[name][0] + b)):
                row["cross"] = float(p)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]), "utf8")


if __name__ == "__main__":
    main()
