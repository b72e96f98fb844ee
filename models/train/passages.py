#!/usr/bin/env python3
"""Cut the texts that questions are written over into passages, and lay out sheets for the people (or helpers) who write them.

usage: passages.py --data DATA --out SHEETS [--beside questions/]

A passage is a stretch of one file: a heading's text, or several short neighbours, 120 to 900 characters (Chinese: 60 to 420). It is
named by source, file and byte span, so that a question can be tied to it without a copy of the text. `SHEETS/<name>.txt` shows
passages with a number; answers come back as `<number> TAB <kind> TAB <question>`; `SHEETS/<name>.json` says what each number is.
Sheets of `DEVELOPMENT` sources never train anything. With `--beside`, as many training passages again, of those that no question of
that folder was written over.
"""
import argparse
import json
import random
import re
import tarfile
import zlib
from pathlib import Path
from typing import Iterator, NamedTuple

import data

SEED = 41
# Source -> passages wanted. Development: three sources, by whole source; vue is one source in two languages.
DEVELOPMENT = {"handbook-18f": 180, "vue-en": 140, "vue-zh": 110, "cook-zh": 120}
TRAINING = {
    "digitalgov-en": 420, "react-en": 240, "react-zh": 220, "rustbook-en": 160, "rustbook-zh": 150, "recipes-en": 220,
    "owasp-en": 200, "laws-zh": 200, "til-en": 280, "lctt-zh": 360,
}
PASSAGES_A_SHEET = 68
ARCHIVES = ("texts", "notes")
CJK = re.compile("[\u3400-\u9fff]")
HEADING = re.compile(r"^(#{1,5})\s+(.*?)\s*#*\s*$")
LEFT_OUT = re.compile(r"(license|licence|readme|changelog|code_of_conduct|contributing|security|summary|pleade|_index)\.md$", re.I)


class Passage(NamedTuple):
    source: str
    file: str
    start: int  # bytes into the file
    end: int
    title: str
    heading: str
    text: str  # as shown: markup of links and comments taken out

    @property
    def chinese(self) -> bool:
        return len(CJK.findall(self.text)) > 0.15 * len(self.text)


def files(folder: Path, source: str) -> Iterator[tuple[str, bytes]]:
    """Path inside the archive (without its first folder) and content, sorted by path."""
    for place in ARCHIVES:
        archive = folder / place / f"{source}.tar.gz"
        if archive.exists():
            with tarfile.open(archive) as tar:
                members = sorted((m for m in tar if m.isfile() and m.name.endswith((".md", ".mdx"))), key=lambda m: m.name)
                for member in members:
                    if not LEFT_OUT.search(member.name):
                        yield member.name.split("/", 1)[1], tar.extractfile(member).read()


def readable(text: str) -> str:
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.S)
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\{/\*.*?\*/\}", "", text)
    text = re.sub(r"</?[A-Za-z][^>\n]*>", "", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def title_of(text: str, file: str) -> str:
    front = re.match(r"---\n(.*?)\n---\n", text, re.S)
    if front and (found := re.search(r"^title:\s*[\"']?(.*?)[\"']?\s*$", front[1], re.M)):
        return found[1]
    found = re.search(r"^# +(.*)$", text, re.M)
    return re.sub(r"\{.*?\}", "", found[1]).strip() if found else Path(file).stem


def cut(source: str, file: str, content: bytes) -> list[Passage]:
    """All passages of a file that are long enough to ask something of."""
    text = content.decode("utf8", "replace")
    chinese = len(CJK.findall(text)) > 0.1 * len(text)
    least, most = (60, 420) if chinese else (120, 900)
    title = title_of(text, file)
    body = re.match(r"---\n.*?\n---\n", text, re.S)
    position = body.end() if body else 0
    # Blocks: (start, end, heading) of paragraphs; code fences stay whole.
    blocks, heading, fence, begin = [], "", False, None
    for line in text[position:].splitlines(keepends=True):
        end = position + len(line)
        if line.lstrip().startswith(("```", "~~~")):
            fence = not fence
        found = None if fence else HEADING.match(line.strip())
        if found or (not line.strip() and not fence):
            if begin is not None:
                blocks.append((begin, position, heading))
                begin = None
            if found:
                heading = re.sub(r"\{.*?\}", "", found[2]).strip()
        elif begin is None:
            begin = position
        position = end
    if begin is not None:
        blocks.append((begin, position, heading))
    # Neighbours under one heading become one passage until it is full.
    merged: list[list] = []
    for start, end, heading in blocks:
        if merged and merged[-1][2] == heading and len(readable(text[merged[-1][0] : end])) <= most:
            merged[-1][1] = end
        else:
            merged.append([start, end, heading])
    out = []
    for start, end, heading in merged:
        shown = readable(text[start:end])
        prose = re.sub(r"```.*?```", "", shown, flags=re.S)
        letters = sum(c.isalpha() for c in prose)
        if len(shown) < least or letters < 0.5 * least:
            continue
        span = len(text[:start].encode("utf8")), len(text[:end].encode("utf8"))
        out.append(Passage(source, file, *span, title, heading, shown[: 2 * most]))
    return out


def passage_text(p: Passage) -> str:
    """As a model reads it: title, heading, text."""
    head = " > ".join(dict.fromkeys(x for x in (p.title, p.heading) if x))
    return f"{head}\n{p.text}" if head else p.text


def all_passages(folder: Path, source: str) -> list[Passage]:
    return [p for file, content in files(folder, source) for p in cut(source, file, content)]


def chosen(passages: list[Passage], wanted: int, rng: random.Random) -> list[Passage]:
    """Spread over as many files as there are, at most a few a file."""
    by_file: dict[str, list[Passage]] = {}
    for p in passages:
        by_file.setdefault(p.file, []).append(p)
    for list_ in by_file.values():
        rng.shuffle(list_)
    order, out = sorted(by_file), []
    rng.shuffle(order)
    for round_ in range(6):
        for file in order:
            if len(out) < wanted and round_ < len(by_file[file]):
                out.append(by_file[file][round_])
    return out


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--beside", type=Path)
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    asked = {(q["source"], q["file"], q["start"]) for q in data.jsonl(args.beside / "training.jsonl")} if args.beside else set()
    for part, sources in (("train", TRAINING),) if args.beside else (("dev", DEVELOPMENT), ("train", TRAINING)):
        part += "2" * bool(args.beside)
        for source, wanted in sources.items():
            rng = random.Random(SEED + zlib.crc32(source.encode()) + len(asked))
            passages = chosen([p for p in all_passages(args.data, source) if (p.source, p.file, p.start) not in asked], wanted, rng)
            passages.sort(key=lambda p: (p.file, p.start))
            sheets = max(1, round(len(passages) / PASSAGES_A_SHEET))
            print(f"{part} {source}: {len(passages)} passages of {len({p.file for p in passages})} files, {sheets} sheets")
            for sheet in range(sheets):
                mine = passages[sheet * len(passages) // sheets : (sheet + 1) * len(passages) // sheets]
                name = f"{part}-{source}-{sheet}"
                shown = "\n\n".join(f"=== {n} · {p.title} › {p.heading}\n{p.text}" for n, p in enumerate(mine))
                (args.out / f"{name}.txt").write_text(shown + "\n", "utf8")
                told = [p._asdict() for p in mine]
                (args.out / f"{name}.json").write_text(json.dumps(told, ensure_ascii=False, indent=0), "utf8")


if __name__ == "__main__":
    main()
