#!/usr/bin/env python3
"""Gather the written questions, and lay the development ones out as vaults that `nuthatch eval` reads.

usage: questions.py gather --sheets SHEETS --answers ANSWERS --out questions/ [--beside]
       questions.py vaults --data DATA --questions questions/ [--part training] --out VAULTS

`gather` joins what was written (`<number> TAB <kind> TAB <question>`) with the sheets (`passages.py`) into questions/training.jsonl and
questions/development.jsonl; with `--beside` it adds them to what is there, those over the sources of `make_calibration.py` to
questions/calibration.jsonl. A line: "source", "file", "start" and "end" (bytes into that file, of the passage that answers), "kind",
"language" of the question, "question". Kind `none`: nothing there answers it; the passage is what lies nearest.

`vaults` writes a BEIR folder for each pair of a source and a language, and one of the questions that nothing answers: notes are the
documents, a passage a line. Each question's own note is relevant, and of those in questions/judged.jsonl ("grades": note -> 1 to 3, as read and judged
by others among the first ten of every stage) what answers mostly (2) or fully (3).
"""
import argparse
import gzip
import json
import re
from collections import Counter
from pathlib import Path

import data
import passages

# Sources whose written questions do not train the cross-encoder: what its scores mean is fitted there (`make_calibration.py`).
CALIBRATION = ("recipes-en", "rustbook-en", "rustbook-zh")
KINDS = ("own", "memory", "symptom", "howto", "keywords", "exact", "name", "none")


def language(text: str) -> str:
    han = len(data.CJK.findall(text))
    return "zh" if han >= 2 or han and len(text) < 6 else "en"


def gather(sheets: Path, answers: Path, out: Path, beside: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    lines, dropped, seen = {"train": [], "dev": [], "calibration": []}, 0, set()
    for answer in sorted(answers.glob("*.tsv")):
        told = json.loads((sheets / f"{answer.stem}.json").read_text("utf8"))
        for line in answer.read_text("utf8").splitlines():
            fields = line.split("\t")
            question = re.sub(r"\s+", " ", fields[-1]).strip()
            key = (answer.stem.rsplit("-", 1)[0], question.lower())
            if len(fields) != 3 or fields[1] not in KINDS or not fields[0].isdigit() or int(fields[0]) >= len(told) or not question or key in seen:
                dropped += 1
                continue
            seen.add(key)
            p = told[int(fields[0])]
            part = "calibration" if beside and p["source"] in CALIBRATION else answer.stem.split("-")[0].rstrip("2")
            lines[part].append({
                "source": p["source"], "file": p["file"], "start": p["start"], "end": p["end"],
                "kind": fields[1], "language": language(question), "question": question,
            })
    for part, name in (("train", "training"), ("dev", "development"), ("calibration", "calibration")):
        if beside and not lines[part]:
            continue
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines[part])
        with (out / f"{name}.jsonl").open("a" if beside else "w", encoding="utf8") as file:
            file.write(text)
        counts = Counter((line["kind"], line["language"]) for line in lines[part])
        print(name, len(lines[part]), dict(sorted(counts.items())))
    print("left out:", dropped)


def read(folder: Path, part: str) -> list[dict]:
    return list(data.jsonl(folder / f"{part}.jsonl"))


def relevant(q: dict, grades: dict[str, int]) -> dict[str, int]:
    """Notes with a gain of 1 or 2. What answers fully counts twice what answers mostly; the question's own note answers fully."""
    return {note: grade - 1 for note, grade in grades.items() if grade >= 2} | {q["file"]: 2}


def vaults(folder: Path, questions: Path, out: Path, part: str) -> None:
    lines = read(questions, part)
    judged_lines = read(questions, "judged") if part == "development" else []
    judged_grades = {(line["source"], line["question"]): line["grades"] for line in judged_lines}
    for source in passages.DEVELOPMENT if part == "development" else passages.TRAINING:
        notes = [(name, content, passages.cut(source, name, content)) for name, content in passages.files(folder, source)]
        ids = {name: f"{source}-{n}" for n, (name, _, _) in enumerate(notes)}
        for wanted in ("en", "zh", "none"):
            mine = [q for q in lines if q["source"] == source and ("none" if q["kind"] == "none" else q["language"]) == wanted]
            if len(mine) < 20:
                continue
            place = out / f"{source}-{wanted}"
            place.mkdir(parents=True, exist_ok=True)
            with gzip.open(place / "corpus.jsonl.gz", "wt", encoding="utf8") as corpus:
                for name, content, cut in notes:
                    for p in cut or [passages.Passage(source, name, 0, 0, passages.title_of(content.decode("utf8", "replace"), name), "", "")]:
                        headings = [p.heading] if p.heading and p.heading != p.title else []
                        corpus.write(json.dumps({"_id": ids[name], "title": p.title, "headings": headings, "text": p.text}, ensure_ascii=False) + "\n")
            with (place / "queries.jsonl").open("w", encoding="utf8") as queries:
                for n, q in enumerate(mine):
                    queries.write(json.dumps({"_id": f"q{n}", "text": q["question"], "kind": q["kind"]}, ensure_ascii=False) + "\n")
            with (place / "qrels.tsv").open("w", encoding="utf8") as judged:
                judged.write("query-id\tcorpus-id\tscore\n")
                for n, q in enumerate(mine):
                    for note, gain in relevant(q, judged_grades.get((source, q["question"]), {})).items():
                        judged.write(f"q{n}\t{ids[note]}\t{gain}\n")
            print(place.name, len(notes), "notes,", len(mine), "questions")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("what", choices=("gather", "vaults"))
    for name in ("data", "sheets", "answers", "questions"):
        args.add_argument(f"--{name}", type=Path)
    args.add_argument("--part", choices=("development", "training"), default="development")
    args.add_argument("--beside", action="store_true")
    args.add_argument("--out", type=Path, required=True)
    args = args.parse_args()
    if args.what == "gather":
        gather(args.sheets, args.answers, args.out, args.beside)
    else:
        vaults(args.data, args.questions, args.out, args.part)


if __name__ == "__main__":
    main()
