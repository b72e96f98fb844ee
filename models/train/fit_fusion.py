#!/usr/bin/env python3
"""Choose how the first stage weighs BM25 against the cosine (`engine/src/fuse.rs`), each set left out once.

usage: fit_fusion.py SET=EVIDENCE.jsonl [SET=EVIDENCE.jsonl ...] [--check SET=EVIDENCE.jsonl ...]

SET is the collection's folder in BEIR layout, EVIDENCE comes from
`nuthatch eval SET --stage lexical --stage vector --stage hybrid --candidates 401 --evidence EVIDENCE.jsonl`.

As in the engine: of what either side has among its first 200, BM25 raised to a power and the cosine become z-scores, and their weighted sum
ranks. Prints nDCG@10 of every power and weight, what recall missed counted, and for every set what the others would have chosen for it.
"""
import argparse
from pathlib import Path

import numpy as np

import data
from retrieval import FIRST_STAGE_DEPTH, z_scores

POWERS, WEIGHTS = (1.0, 0.8, 0.7, 0.6, 0.5), (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
DISCOUNT = 1 / np.log2(np.arange(2, 12))


def read(folder, evidence):
    """Questions of one set, each (BM25 [n], cosine [n], gains [n], best DCG)."""
    judged, rows = data.read_judgements(folder), {}
    for row in data.jsonl(Path(evidence)):
        rows.setdefault(row["query"], []).append(row)
    questions = []
    for query, rows in rows.items():
        column = lambda name: np.array([row[name] or 0.0 for row in rows], float)
        bm25, cosine, gains = column("words"), column("cosine"), np.maximum(column("relevance"), 0)
        place = lambda scores: np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
        recalled = ((place(bm25) < FIRST_STAGE_DEPTH) & (bm25 > 0)) | (place(cosine) < FIRST_STAGE_DEPTH)
        best = np.sort(list(judged.get(query, {}).values()))[::-1][:10]
        if len(best):
            questions.append((bm25[recalled], cosine[recalled], gains[recalled], (best * DISCOUNT[: len(best)]).sum()))
    return questions


def ndcg(questions, score):
    total = 0.0
    for bm25, cosine, gains, best in questions:
        got = gains[np.argsort(-score(bm25, cosine), kind="stable")[:10]]
        total += (got * DISCOUNT[: len(got)]).sum() / best
    return total / len(questions)


def fused(power, weight):
    return lambda bm25, cosine: (1 - weight) * z_scores(bm25**power) + weight * z_scores(cosine)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("sets", nargs="+")
    args.add_argument("--check", nargs="*", default=[], help="measured, but never chosen by")
    args = args.parse_args()
    sets = {}
    for argument in args.sets + args.check:
        folder, evidence = argument.split("=", 1)
        sets[Path(folder).name] = read(Path(folder), evidence)
    names = list(sets)
    chosen_by = names[: len(args.sets)]
    print(f"{'':<14}" + "".join(f"{name[:13]:>14}" for name in names) + f"{'mean':>14}")
    row = lambda title, values: print(f"{title:<14}" + "".join(f"{v:14.3f}" for v in [*values, np.mean(values)]))
    row("words", words := [ndcg(sets[name], lambda bm25, _: bm25) for name in names])
    row("vectors", vectors := [ndcg(sets[name], lambda _, cosine: cosine) for name in names])
    better = dict(zip(names, np.maximum(words, vectors)))
    grid = {}
    for setting in [(power, weight) for power in POWERS for weight in WEIGHTS]:
        grid[setting] = {name: ndcg(sets[name], fused(*setting)) for name in names}
        row(f"{setting[0]} {setting[1]}", list(grid[setting].values()))
    # The best mean among those that lose no set more than a hundredth to its better side.
    safe = lambda setting, by: all(grid[setting][name] >= 0.99 * better[name] for name in by)
    choice = lambda by: max(grid, key=lambda setting: (safe(setting, by), np.mean([grid[setting][name] for name in by])))
    left_out = []
    for name in names:
        setting = choice([other for other in chosen_by if other != name])
        left_out.append(grid[setting][name])
        print(f"{name}: the others choose {setting}, {grid[setting][name]:.3f}, {grid[setting][name] / better[name] - 1:+.1%} beside its better side")
    row("left out", left_out)
    print("all:", choice(chosen_by))


if __name__ == "__main__":
    main()
