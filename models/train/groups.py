"""Training groups for the cross-encoder: reading what `make_groups.py` wrote, and drawing examples from it."""
import random
import re
from pathlib import Path
from typing import NamedTuple

import data

HARD, MIDDLE = 3, 6  # a group's negatives: [:3] hardest, [3:6] sampled, the rest farther
TITLED = 0.5
KEYWORDS = 0.3
ABSENT = 0.4  # of a teacher's lists come without the passage that the query was made from: what is left differs by degrees only
CHINESE_SOURCES = ("zhqa", "zhmd", "lctt", "lctt-en")  # of these the passages are Chinese
PLAIN_SOURCES = ("squad", "medquad", "covidqa", "pubmedqa")  # their English questions are sometimes cut down to keywords
STOP_WORDS = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have he her him his how i if in into is it its me my not of on or our"
    " shall she should so such than that the their them then there these they this those to was we were what when where which who whom whose why will with"
    " would you your".split()
)


class Group(NamedTuple):
    source: str
    queries: list[str]
    passages: list[tuple[str, str]]  # (title or "", text), the positive first
    cosines: list[float]  # of the first query with each passage by the embedder that mined the group; empty where unknown
    teacher: list[float] = []  # logits of the passages, in the groups of `make_topics.py`
    unanswered: bool = False  # none of the passages answers (`mine.py`)


class Example(NamedTuple):
    source: str
    query: str
    passages: list[str]
    cosines: list[float]
    teacher: list[float]
    has_positive: bool  # the first passage is what the query was made from
    unanswered: bool = False  # none of the passages answers


class Split(NamedTuple):
    train: list[Group]
    validation: list[Group]


def load(*paths: Path) -> Split:
    split = Split([], [])
    for g in (g for path in paths for g in data.jsonl(path)):
        if "q" in g and isinstance(g["q"], str):  # a written question: `mine.py`
            split.train.append(Group(f"asked-{g['l']}", [g["q"]], [tuple(d) for d in g["d"]], [], unanswered=g["n"]))
            continue
        group = Group(g["s"], g["q"], [tuple(d) for d in g["d"]], g["cos"], g.get("t", []))
        (split.validation if g["v"] else split.train).append(group)
    random.Random(1).shuffle(split.validation)
    return split


def keywords(query: str, rng: random.Random) -> str:
    """An English question as one would type it into a search box; the query itself where too little would be left."""
    words = [w for w in re.findall(r"[\w'.+#-]+", query) if w.lower() not in STOP_WORDS]
    if len(words) < 2:
        return query
    if len(words) > 4 and rng.random() < 0.5:
        kept = sorted(rng.sample(range(len(words)), rng.randint(3, len(words) - 1)))
        words = [words[i] for i in kept]
    if rng.random() < 0.2:
        rng.shuffle(words)
    return " ".join(words).lower()


def draw_asked(group: Group, negatives: int, rng: random.Random) -> Example:
    """A written question: its passage and some of those that lie near, each under its title, as the app's chunks are."""
    nearest = list(range(1, len(group.passages)))
    # Three of the nearest eight, the rest from all that was mined.
    chosen = rng.sample(nearest[:8], min(3, len(nearest[:8])))
    spare = [i for i in nearest if i not in chosen]
    chosen = [0, *chosen, *rng.sample(spare, min(negatives - len(chosen), len(spare)))]
    passages = ["\n".join(part for part in group.passages[i] if part) for i in chosen]
    return Example(group.source, group.queries[0], passages, [], [], not group.unanswered, group.unanswered)


def draw(group: Group, negatives: int, rng: random.Random) -> Example:
    """One training example: a query, the positive (mostly), then `negatives` others, harder ones preferred."""
    if group.source.startswith("asked"):
        return draw_asked(group, negatives, rng)
    rest = list(range(1, len(group.passages)))
    hard, middle, far = rest[:HARD], rest[HARD:MIDDLE], rest[MIDDLE:]
    chosen = rng.sample(hard, min(2, len(hard))) + rng.sample(middle, min(2, len(middle))) + rng.sample(far, min(1, len(far)))
    spare = [i for i in rest if i not in chosen]
    rng.shuffle(spare)
    has_positive = not group.teacher or rng.random() >= ABSENT
    chosen = [0] * has_positive + (chosen + spare)[: negatives + (not has_positive)]
    query = rng.choice(group.queries)
    cosines = [group.cosines[i] for i in chosen] if group.cosines and query == group.queries[0] else []
    if group.source in PLAIN_SOURCES and rng.random() < KEYWORDS:
        query = keywords(query, rng)
    elif data.is_chinese(query) and rng.random() < 0.3:
        query = query.rstrip("？?。")
    # The app's chunks begin with their note's title; a title that is the question itself would give the answer away.
    # Among a topic's candidates from several sources some have no title; one without it must not stand out.
    titled = rng.random() < TITLED and (group.passages[0][0] or not group.teacher) and query not in (group.passages[0][0], group.queries[0] if group.source.startswith("lctt") else None)
    titles = [group.passages[i][0] if titled else "" for i in chosen]
    passages = [f"{title}\n{group.passages[i][1]}" if title else group.passages[i][1] for title, i in zip(titles, chosen)]
    return Example(group.source, query, passages, cosines, [group.teacher[i] for i in chosen] if group.teacher else [], has_positive)
