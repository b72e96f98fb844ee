"""Reading the data folder: training groups, notes and development sets.

The folder (argument `--data` of every script) holds
    train/groups/   train-groups.jsonl.gz, train-groups-zh.jsonl.gz, docs-<source>.jsonl.gz
    train/          squad1-train.jsonl.gz, medquad.jsonl.gz, DRCD_test.json.gz, cmrc2018_trial.json.gz
    notes/          til-en.tar.gz, lctt-zh.tar.gz
    eval/<set>/     corpus.jsonl.gz, queries.jsonl, qrels.tsv (BEIR layout)
See README.md for what each is and under which licence.
"""
import gzip
import json
import re
import tarfile
from pathlib import Path
from typing import Iterator, NamedTuple

DEVELOPMENT_SETS = ("vaswani", "cacm", "cisi", "drcd-dev")
CJK = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class EvalSet(NamedTuple):
    name: str
    doc_ids: list[str]
    docs: list[str]
    queries: list[str]
    judged: list[dict[str, int]]  # one {doc id: grade} a query


def jsonl(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf8") as lines:
        for line in lines:
            yield json.loads(line)


def is_chinese(text: str) -> bool:
    return CJK.search(text) is not None


def read_judgements(folder: Path) -> dict[str, dict[str, int]]:
    """Query -> {document: grade}, of what is relevant."""
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text("utf8").splitlines()[1:]:
        query, doc, grade = line.split("\t")
        if int(grade) > 0:
            judged.setdefault(query, {})[doc] = int(grade)
    return judged


def read_eval(data: Path, name: str) -> EvalSet:
    folder = data / "eval" / name
    corpus = [(d["_id"], f"{d['title']}. {d['text']}" if d["title"] else d["text"]) for d in jsonl(folder / "corpus.jsonl.gz")]
    judged = read_judgements(folder)
    queries = [(q["text"], judged[q["_id"]]) for q in jsonl(folder / "queries.jsonl") if q["_id"] in judged]
    return EvalSet(name, [i for i, _ in corpus], [t for _, t in corpus], [q for q, _ in queries], [j for _, j in queries])


def read_notes(data: Path, archive: str) -> dict[str, str]:
    """Path inside the archive -> Markdown."""
    notes = {}
    with tarfile.open(data / "notes" / archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".md"):
                notes[member.name] = tar.extractfile(member).read().decode("utf8", "replace")
    return notes


def read_group_docs(data: Path, source: str) -> dict[int, str]:
    return {d["i"]: d["t"] for d in jsonl(data / "train/groups" / f"docs-{source}.jsonl.gz")}


def read_groups(data: Path) -> list[dict]:
    folder = data / "train/groups"
    return [g for name in ("train-groups.jsonl.gz", "train-groups-zh.jsonl.gz") for g in jsonl(folder / name)]


def squad_json(data: Path, name: str) -> Iterator[dict]:
    """Paragraphs of a gzipped SQuAD-style JSON file: {title, context, qas}."""
    with gzip.open(data / "train" / name, "rt", encoding="utf8") as f:
        for article in json.load(f)["data"]:
            for paragraph in article["paragraphs"]:
                yield {"title": article.get("title", ""), **paragraph}


def mixed_texts(data: Path) -> tuple[list[str], list[str]]:
    """English and Chinese running text of everything here, for counting tokens."""
    english = list(read_notes(data, "til-en.tar.gz").values())
    chinese = list(read_notes(data, "lctt-zh.tar.gz").values())
    for paragraph in jsonl(data / "train/squad1-train.jsonl.gz"):
        english += [paragraph["context"]] + [q["question"] for q in paragraph["qas"]]
    for pair in jsonl(data / "train/medquad.jsonl.gz"):
        english += [pair["q"], pair["a"][:2000]]
    for name in ("DRCD_test.json.gz", "cmrc2018_trial.json.gz"):
        for paragraph in squad_json(data, name):
            chinese += [paragraph["context"]] + [q["question"] for q in paragraph["qas"]]
    for source in ("md", "pubmedqa", "covidqa"):
        english += read_group_docs(data, source).values()
    for source in ("zhmd", "zhqa"):
        chinese += read_group_docs(data, source).values()
    for name in DEVELOPMENT_SETS:
        s = read_eval(data, name)
        (chinese if name == "drcd-dev" else english).extend(s.docs + s.queries)
    return english, chinese
