#!/usr/bin/env python3
"""Cut multilingual-e5-small's vocabulary of 250,002 pieces to the ones English and Chinese need.

usage: trim_vocab.py --data DATA --full FULL_MODEL_DIR --out OUT_DIR [--size 32000]

FULL_MODEL_DIR is what unpack_e5.py wrote. Kept: the special tokens under their ids, every single character of the scripts in
`KEPT_RANGES` (so that the unknown token stays rare), single letters and digits at a word's start, the words of E5's prefixes, and
then the most frequent pieces, counted over English and Chinese text with equal weight. The order of the pieces, their scores and
their embedding rows do not change: a text whose pieces are all kept is embedded exactly as before.
"""
import argparse
import json
import string
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

import data

WORD_START = "▁"
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
PREFIX_PIECES = [WORD_START, ":", WORD_START + "query", WORD_START + "passage"]
KEPT_RANGES = [
    (0x0021, 0x036F),  # ASCII, Latin-1, Latin Extended, phonetic, combining marks
    (0x0370, 0x04FF),  # Greek, Cyrillic
    (0x1E00, 0x1EFF),  # Latin Extended Additional
    (0x2000, 0x2BFF),  # punctuation, currency, letterlike, arrows, mathematics, box drawing, dingbats
    (0x2E80, 0x312F),  # CJK radicals and punctuation, kana, bopomofo
    (0x3200, 0x9FFF),  # enclosed CJK, unified ideographs
    (0xF900, 0xFAFF),
    (0xFE10, 0xFE4F),
    (0xFF00, 0xFFEF),
    (0x1F000, 0x1FAFF),  # emoji
    (0x20000, 0x3FFFF),
]
EMBEDDING = "embeddings.word_embeddings.weight"
SAMPLE_CHARS = 20_000_000  # of each language: the tail of the count barely moves beyond


def counts(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Share of each piece in an evenly spaced sample of the texts."""
    total_chars = sum(map(len, texts))
    step = max(1, round(total_chars / SAMPLE_CHARS))
    found: Counter = Counter()
    sample = texts[::step]
    for start in range(0, len(sample), 2000):
        for encoding in tokenizer.encode_batch(sample[start : start + 2000], add_special_tokens=False):
            found.update(encoding.ids)
    share = np.zeros(tokenizer.get_vocab_size())
    for piece, n in found.items():
        share[piece] = n
    return share / share.sum()


def must_keep(piece: str) -> bool:
    if piece in SPECIALS or piece in PREFIX_PIECES:
        return True
    bare = piece.removeprefix(WORD_START)
    if len(bare) != 1:
        return False
    if piece != bare:
        return bare in string.ascii_letters + string.digits
    return any(low <= ord(bare) <= high for low, high in KEPT_RANGES)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--full", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--size", type=int, default=32_000)
    args = args.parse_args()

    description = json.loads((args.full / "tokenizer.json").read_text("utf8"))
    vocab = description["model"]["vocab"]
    tokenizer = Tokenizer.from_file(str(args.full / "tokenizer.json"))
    english, chinese = data.mixed_texts(args.data)
    share = counts(tokenizer, english) + counts(tokenizer, chinese)

    forced = {i for i, (piece, _) in enumerate(vocab) if must_keep(piece)}
    chosen = set(forced)
    for i in np.argsort(-share, kind="stable"):
        if len(chosen) == args.size:
            break
        chosen.add(int(i))
    kept = sorted(chosen)
    assert [vocab[i][0] for i in kept[:4]] == SPECIALS

    args.out.mkdir(parents=True, exist_ok=True)
    description["model"]["vocab"] = [[vocab[i][0], round(vocab[i][1], 4)] for i in kept]
    (args.out / "tokenizer.json").write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")), "utf8")
    config = json.loads((args.full / "config.json").read_text("utf8"))
    config["vocab_size"] = len(kept)
    (args.out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf8")
    # Without it, transformers builds a tokenizer of its own from the vocabulary, which reads "km²" otherwise: no NFKC.
    tokens = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config["max_position_embeddings"], **tokens}
    (args.out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", "utf8")
    weights = load_file(args.full / "model.safetensors")
    weights[EMBEDDING] = np.ascontiguousarray(weights[EMBEDDING][kept])
    save_file(weights, args.out / "model.safetensors", metadata={"format": "pt"})
    print(f"{len(kept)} pieces, {len(forced)} of them kept for coverage; they are {share[kept].sum() / 2:.4%} of the counted tokens")


if __name__ == "__main__":
    main()
