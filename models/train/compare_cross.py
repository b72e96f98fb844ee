#!/usr/bin/env python3
"""Two cross-encoders alone, on the same candidates: nDCG@10 of both, and whether the difference is more than chance.

usage: compare_cross.py NAME=FIRST.jsonl=SECOND.jsonl [...]

The files are evidence: from `nuthatch eval --evidence`, and from `rescore.py`. As in `fit_blend.py`, what recall missed counts against
nobody. The interval is that of the mean difference, 95 %, by paired bootstrap over the questions.
"""
import argparse

import numpy as np

import fit_blend

SEED, RESAMPLES = 1, 10_000


def per_question(path: str) -> np.ndarray:
    """nDCG@10 of each question that has an answer among its candidates, ranked by "cross"."""
    answered = [q for q in fit_blend.read(path) if q[1].any()]
    return np.array([fit_blend.ndcg([q], lambda features, _: features["cross"]) for q in answered])


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("sets", nargs="+")
    args = args.parse_args()
    rng, means = np.random.default_rng(SEED), []
    for name, first, second in (a.split("=", 2) for a in args.sets):
        before, after = per_question(first), per_question(second)
        gain = after - before
        low, high = np.percentile(gain[rng.integers(len(gain), size=(RESAMPLES, len(gain)))].mean(1), (2.5, 97.5))
        means.append((before.mean(), after.mean()))
        print(f"{name:<14} {before.mean():.3f} -> {after.mean():.3f}  {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]  {len(gain)} questions")
    print("mean           {:.3f} -> {:.3f}".format(*np.mean(means, 0)))


if __name__ == "__main__":
    main()
