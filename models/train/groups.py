"""Training groups for the cross-encoder: a query, one passage that answers it, and passages that were recalled but do not.

Three things are done to the groups as they come:
- DRCD's development paragraphs are also in `train-groups-zh`: every group, and every negative, that uses a paragraph or a question
  of a development set is dropped, so that the sets in eval/ stay unseen;
- whole articles (blocks of neighbouring sections where the article is not known) are set aside for validation, with all
  their passages;
- passages get their context line "Title\\n" in some groups, as the app's chunks do.
"""
import random
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import data

VALIDATION_PERCENT = 4
BLOCK = 40  # neighbouring passages of one source that are taken for one article
HARD, MIDDLE = 3, 6  # a group's negatives: [:3] hardest, [3:6] sampled, the rest farther
TITLED = 0.4
EDGE = 50  # characters at a paragraph's ends by which it is recognised
STOP_WORDS = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have he her him his how i if in into is it its me my not of on or our"
    " shall she should so such than that the their them then there these they this those to was we were what when where which who whom whose why will with"
    " would you your".split()
)


class Group(NamedTuple):
    source: str
    query: str
    passages: list[str]  # the positive first
    titles: list[str]  # "" where unknown
    cosines: list[float]  # of the query with each passage by the embedder that mined the group; empty where unknown


class Example(NamedTuple):
    source: str
    query: str
    passages: list[str]
    cosines: list[float]


class Split(NamedTuple):
    train: list[Group]
    validation: list[Group]
    dropped: int


def bucket(key: str) -> int:
    return zlib.crc32(key.encode("utf8")) % 100


def titles_by_edge(folder: Path) -> dict[str, str]:
    """First and last characters of a paragraph -> its article's title (one sentence may have been taken out of the middle)."""
    paragraphs = list(data.jsonl(folder / "train/squad1-train.jsonl.gz"))
    for name in ("DRCD_test.json.gz", "cmrc2018_trial.json.gz"):
        paragraphs += data.squad_json(folder, name)
    found = {}
    for p in paragraphs:
        text = re.sub(r"\s+", " ", p["context"]).strip()
        found[text[:EDGE]] = found[text[-EDGE:]] = p["title"].replace("_", " ")
    return found


def load(folder: Path) -> Split:
    groups = data.read_groups(folder)
    docs = {source: data.read_group_docs(folder, source) for source in {g["s"] for g in groups}}
    unseen: set[str] = set()
    for name in data.DEVELOPMENT_SETS:
        s = data.read_eval(folder, name)
        unseen.update(s.docs, s.queries)
    titles = titles_by_edge(folder)

    def title(source: str, doc: int) -> str:
        text = docs[source][doc]
        return titles.get(text[:EDGE]) or titles.get(text[-EDGE:], "") if source in ("squad", "zhqa") else ""

    def held_out(source: str, doc: int) -> bool:
        return bucket(f"{source} {title(source, doc) or doc // BLOCK}") < VALIDATION_PERCENT

    split = Split([], [], 0)
    dropped = 0
    for g in groups:
        source, positive = g["s"], g["d"][0]
        if g["q"] in unseen or docs[source][positive] in unseen:
            dropped += 1
            continue
        validate = held_out(source, positive)
        cosine = dict(zip(g["d"], g.get("cos", [])))
        kept = [positive] + [d for d in g["d"][1:] if docs[source][d] not in unseen and (validate or not held_out(source, d))]
        cosines = [cosine[d] for d in kept] if cosine else []
        group = Group(source, g["q"], [docs[source][d] for d in kept], [title(source, d) for d in kept], cosines)
        if len(kept) > 5:
            (split.validation if validate else split.train).append(group)
    random.Random(1).shuffle(split.validation)
    return split._replace(dropped=dropped)


def keywords(query: str) -> str:
    """An English question as one would type it into a search box; the query itself where too little would be left."""
    words = [w for w in re.findall(r"[\w'.+#-]+", query) if w.lower() not in STOP_WORDS]
    return " ".join(words).lower() if len(words) >= 2 else query


def draw(group: Group, negatives: int, rng: random.Random) -> Example:
    """One training example: the query, the positive, then `negatives` others, harder ones preferred."""
    rest = list(range(1, len(group.passages)))
    hard, middle, far = rest[:HARD], rest[HARD:MIDDLE], rest[MIDDLE:]
    chosen = rng.sample(hard, min(2, len(hard))) + rng.sample(middle, min(2, len(middle))) + rng.sample(far, min(1, len(far)))
    spare = [i for i in rest if i not in chosen]
    rng.shuffle(spare)
    chosen = [0] + (chosen + spare)[:negatives]
    query = group.query
    if group.source in ("squad", "medquad", "covidqa") and rng.random() < 0.2:
        query = keywords(query)
    elif data.is_chinese(query) and rng.random() < 0.3:
        query = query.rstrip("？?。")
    titled = rng.random() < TITLED
    passages = [f"{group.titles[i]}\n{group.passages[i]}" if titled and group.titles[i] else group.passages[i] for i in chosen]
    return Example(group.source, query, passages, [group.cosines[i] for i in chosen] if group.cosines else [])
