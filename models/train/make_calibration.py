#!/usr/bin/env python3
"""Lay out the collections that ship for `nuthatch models calibrate`: notes, questions that people ask of them, and questions that nothing there
answers.

usage: make_calibration.py --data DATA --questions questions/ --out ../calibration

The questions are those of questions/calibration.jsonl. No built-in model was trained on them, and the cross-encoder on no written question over
these sources; it knows headings of The Rust Programming Language (`make_groups.py`). The notes that answer are all there, others as far as there is room.
"""
import argparse
import gzip
import json
import random
from pathlib import Path

import passages
import questions

SEED = 53
PASSAGES_A_SET = 900
QUESTIONS_A_SET, OF_THE_OTHER_LANGUAGE, UNANSWERED = 150, 60, 40
NAMES = ("recipes", "rust-book", "rust-book-zh")  # of `questions.CALIBRATION`


def chosen(lines: list[dict], chinese: bool, rng: random.Random) -> tuple[list[dict], list[dict]]:
    rng.shuffle(lines)
    answered = [q for q in lines if q["kind"] != "none"]
    own = [q for q in answered if (q["language"] == "zh") == chinese][: QUESTIONS_A_SET - OF_THE_OTHER_LANGUAGE]
    other = [q for q in answered if (q["language"] == "zh") != chinese][:OF_THE_OTHER_LANGUAGE]
    return own + other, [q for q in lines if q["kind"] == "none"][:UNANSWERED]


def write(place: Path, name: str, lines: list[dict]) -> None:
    (place / name).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf8")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "questions", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args = args.parse_args()
    lines = questions.read(args.questions, "calibration")
    for source, name in zip(questions.CALIBRATION, NAMES):
        rng = random.Random(SEED)
        answered, unanswered = chosen([q for q in lines if q["source"] == source], source.endswith("-zh"), rng)
        files = [(file, content, passages.cut(source, file, content)) for file, content in passages.files(args.data, source)]
        wanted = {q["file"] for q in answered}
        rng.shuffle(files)
        files.sort(key=lambda file: file[0] not in wanted)
        corpus, ids = [], {}
        for file, _, cut in files:
            if file not in wanted and len(corpus) + len(cut) > PASSAGES_A_SET:
                continue
            ids[file] = f"{name}-{len(ids)}"
            for p in cut:
                headings = [p.heading] if p.heading and p.heading != p.title else []
                corpus.append({"_id": ids[file], "title": p.title, "headings": headings, "text": p.text})
        place = args.out / name
        place.mkdir(parents=True, exist_ok=True)
        with gzip.GzipFile(place / "corpus.jsonl.gz", "wb", mtime=0) as out:
            out.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in corpus).encode("utf8"))
        write(place, "queries.jsonl", [{"_id": f"q{n}", "text": q["question"]} for n, q in enumerate(answered)])
        write(place, "unanswered.jsonl", [{"_id": f"u{n}", "text": q["question"]} for n, q in enumerate(unanswered)])
        judged = "".join(f"q{n}\t{ids[q['file']]}\t1\n" for n, q in enumerate(answered))
        (place / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, "utf8")
        print(name, len(ids), "notes,", len(corpus), "passages,", len(answered), "questions,", len(unanswered), "unanswered")


if __name__ == "__main__":
    main()
