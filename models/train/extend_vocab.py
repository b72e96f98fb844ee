#!/usr/bin/env python3
"""Give all-MiniLM-L6-v2 a Chinese vocabulary, without changing what it makes of English.

usage: extend_vocab.py --data DATA --minilm ALL_MINILM_DIR --cedict CEDICT.txt.gz --traditional TSCharacters.txt --out DIR

The English pieces, their ids and every weight stay. Added are Han characters and the commonest Chinese words of two to four
characters, each twice (`词` at the start of a run, `##词` inside one) with one embedding. WordPiece reads a run of Han characters greedily, the longest word first.
A new embedding is the mean of the embeddings of the word's English translation (CC-CEDICT, first senses), so the model reads Chinese as a word-by-word
translation from the first step; words without a translation get the mean of their characters.
Traditional characters, full-width letters and Kangxi radicals are mapped to what they stand for before (a `Precompiled` normalizer, as sentencepiece makes them).
"""
import argparse
import gzip
import json
import re
import shutil
import tempfile
import unicodedata
from base64 import b64encode
from collections import Counter
from pathlib import Path

import jieba
import numpy as np
import sentencepiece as spm
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

import data
import passages

HAN = "[\u3400-\u4dbf\u4e00-\u9fff]"
N_CHARACTERS, N_WORDS = 7000, 12000
RUN = 24  # characters of a run that WordPiece sees at once: its greedy search takes the square of the length
STOP = set("a an the to of in on at for by with and or as is be it its sb sth one's from used etc also esp e g i que".split())


def senses(line: str) -> tuple[str, str, list[str]] | None:
    """Traditional, simplified and cleaned English senses of a line of CC-CEDICT."""
    found = re.match(r"(\S+) (\S+) \[.*?\] /(.*)/\s*$", line)
    if not found:
        return None
    out = []
    for sense in found[3].split("/"):
        sense = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", sense)
        if re.match(r"\s*(CL:|variant of|old variant|see |surname |abbr\. for|also written|Japanese variant|erhua variant|used in )", sense) or data.is_chinese(sense):
            continue
        sense = re.sub(r"\s+", " ", sense).strip(" ;,")
        if sense:
            out.append(sense)
    return found[1], found[2], out


def read_cedict(path: Path) -> dict[str, list[str]]:
    """Simplified word -> senses, of all its entries in order."""
    out: dict[str, list[str]] = {}
    with gzip.open(path, "rt", encoding="utf8") as lines:
        for line in lines:
            entry = None if line.startswith("#") else senses(line)
            if entry:
                out.setdefault(entry[1], []).extend(s for s in entry[2] if s not in out.get(entry[1], []))
    return {word: s for word, s in out.items() if s}


def character_map(traditional: Path) -> dict[str, str]:
    """Characters that are read as others. Nothing of ASCII is touched."""
    out = {}
    for line in traditional.read_text("utf8").splitlines():
        if "\t" in line:
            source, targets = line.split("\t")
            target = targets.split(" ")[0]
            if source != target and len(source) == 1 and len(target) == 1:
                out[source] = target
    for code in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), *range(0x2F00, 0x2FD6), *range(0xF900, 0xFAD9)]:
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain != chr(code):
            out[chr(code)] = out.get(plain, plain)
    return out


def precompiled(mapping: dict[str, str]) -> str:
    """The charsmap of a sentencepiece model that has this mapping as its rule and nothing else, in base64."""
    with tempfile.TemporaryDirectory() as folder:
        rule, text = Path(folder) / "rule.tsv", Path(folder) / "text.txt"
        rule.write_text("".join(f"{ord(a):X}\t{' '.join(f'{ord(c):X}' for c in b)}\n" for a, b in sorted(mapping.items())), "utf8")
        text.write_text("a b c d e f g h i j k l m n o p q r s t u v w x y z\n" * 50, "utf8")
        spm.SentencePieceTrainer.train(input=str(text), model_prefix=f"{folder}/m", vocab_size=40, hard_vocab_limit=False, normalization_rule_tsv=str(rule), minloglevel=2)
        raw = (Path(folder) / "m.model").read_bytes()
    from sentencepiece import sentencepiece_model_pb2 as pb

    model = pb.ModelProto()
    model.ParseFromString(raw)
    return b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def corpus(folder: Path) -> list[str]:
    texts = [content.decode("utf8", "replace") for source in passages.TRAINING if source.endswith("-zh") for _, content in passages.files(folder, source)]
    for name in ("DRCD_test.json.gz", "cmrc2018_trial.json.gz"):
        texts += [p["context"] for p in data.squad_json(folder, name)]
    for source in {g["s"] for g in data.jsonl(folder / "train/groups/train-groups-zh.jsonl.gz")}:
        texts += data.read_group_docs(folder, source).values()
    return texts


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "minilm", "cedict", "traditional", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args = args.parse_args()
    cedict, mapping = read_cedict(args.cedict), character_map(args.traditional)
    table = str.maketrans(mapping)

    counts: Counter[str] = Counter()
    for text in corpus(args.data):
        for run in re.findall(f"{HAN}+", text.translate(table)):
            counts.update(jieba.cut(run, HMM=False))
    characters: Counter[str] = Counter()
    for word, n in counts.items():
        for c in word:
            characters[c] += n
    for word in cedict:
        for c in re.findall(HAN, word):
            characters[c] += 1 if len(word) > 1 else 3
    chosen = [c for c, _ in characters.most_common(N_CHARACTERS)]
    known = set(chosen)
    words = [w for w, n in counts.most_common() if 2 <= len(w) <= 4 and set(w) <= known and re.fullmatch(f"{HAN}+", w) and (n >= 3)]
    # Words of the dictionary first: they have a translation to start from.
    words = sorted(words, key=lambda w: -counts[w] * (1.0 if w in cedict else 0.4))[:N_WORDS]
    covered = sum(counts[w] * len(w) for w in words) / sum(n * len(w) for w, n in counts.items())
    print(f"{len(chosen)} characters, {len(words)} words, {sum(w in cedict for w in words)} of them translated; words cover {covered:.3f} of the characters")

    spec = json.loads((args.minilm / "tokenizer.json").read_text("utf8"))
    vocab: dict[str, int] = spec["model"]["vocab"]
    tokenizer = Tokenizer.from_file(str(args.minilm / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    weights = load_file(args.minilm / "model.safetensors")
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""
    embedding = weights[f"{prefix}embeddings.word_embeddings.weight"].astype(np.float32)
    norm = np.linalg.norm(embedding[1000:], axis=1).mean()

    def of_english(text_senses: list[str]) -> np.ndarray | None:
        total, weight = np.zeros(embedding.shape[1], np.float32), 0.0
        for rank, sense in enumerate(text_senses[:3]):
            pieces = [(i, t) for e in [tokenizer.encode(sense, add_special_tokens=False)] for i, t in zip(e.ids, e.tokens)]
            content = [i for i, t in pieces if t not in STOP and t.isalnum() or t.startswith("##")] or [i for i, _ in pieces]
            if content:
                total += embedding[content].mean(0) / (1 + rank)
                weight += 1 / (1 + rank)
        return total / weight if weight else None

    new: dict[str, np.ndarray] = {}
    for entry in [*chosen, *words]:
        made = of_english(cedict[entry]) if entry in cedict else None
        if made is None:
            parts = [new[c] for c in entry if c in new] if len(entry) > 1 else []
            made = np.mean(parts, 0) if parts else embedding[1000:].mean(0)
        new[entry] = made
    rows = [embedding]
    for form in ("", "##"):
        for entry, vector in new.items():
            vector = vector / max(np.linalg.norm(vector), 1e-6) * norm
            token = form + entry
            if token in vocab:  # a few hundred characters that it has and never learnt
                embedding[vocab[token]] = vector
            else:
                vocab[token] = len(vocab)
                rows.append(vector[None])
    weights[f"{prefix}embeddings.word_embeddings.weight"] = np.concatenate(rows)
    weights.pop("embeddings.position_ids", None)

    bert = spec["normalizer"]
    bert["handle_chinese_chars"] = False
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": precompiled(mapping)}, bert]}
    runs = {"type": "Split", "pattern": {"Regex": f"{HAN}{{1,{RUN}}}"}, "behavior": "Isolated", "invert": False}
    spec["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [runs, spec["pre_tokenizer"]]}
    spec["padding"] = spec["truncation"] = None
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "tokenizer.json").write_text(json.dumps(spec, ensure_ascii=False), "utf8")
    config = json.loads((args.minilm / "config.json").read_text("utf8")) | {"vocab_size": len(vocab)}
    (args.out / "config.json").write_text(json.dumps(config, indent=1), "utf8")
    save_file({k: np.ascontiguousarray(v.astype(np.float32)) for k, v in weights.items()}, args.out / "model.safetensors")
    shutil.copy(args.minilm / "tokenizer_config.json", args.out)
    # New rows come in twos, which training keeps equal: row of `##x` -> row of `x`.
    twins = {vocab["##" + entry]: vocab[entry] for entry in new}
    (args.out / "twins.json").write_text(json.dumps({str(k): v for k, v in twins.items()}))
    print(f"vocabulary {len(vocab)}")


if __name__ == "__main__":
    main()
