#!/usr/bin/env python3
"""Write reference.json beside a model: inputs, token ids and what transformers computes for them in fp32.

usage: make_reference.py MODEL_DIR...

The weights are read as they are stored (f16 too) and cast to fp32. Embedders: the mean over the tokens, scaled to unit length, less the centre that
the folder names and scaled again.
Cross-encoders: the raw logit, and as `score` what sentence-transformers' CrossEncoder.predict answers, which goes through the activation
that the folder names. Single texts are cut at the end. Of a passage that is too long the part is read that the app reads (`part`); the other pairs
predict is checked to have read as the same tokens.
"""
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

LONG_ENGLISH = " ".join(
    "Sourdough rises slowly because wild yeast is fewer and slower than the baker's kind, and the acid of the bacteria holds it back."
    f" On day {day} feed the starter with flour and water." for day in range(1, 41)
)
LONG_CHINESE = "".join(f"第{day}天，给酸面团喂面粉和水，放在温暖的地方，等它长到两倍大。" for day in range(1, 61))
TEXTS = [
    "How do I undo the last commit in Git?",
    "Use git reset --soft HEAD~1 to undo the last commit and keep your changes staged.",
    "怎样撤销最近一次提交？",
    "使用 git reset --soft HEAD~1 可以撤销最近一次提交，并保留暂存区里的修改。",
    "Müller’s café — naïve “quotes”, tabs\tand\nnew lines, ½ ﬁ Ⅳ, e\u0301, 🙂 and 東京タワー",
    "",
    " \n ",
    LONG_ENGLISH,
    LONG_CHINESE,
]
PAIRS = [
    ("undo last git commit", "Use git reset --soft HEAD~1 to undo the last commit and keep your changes staged."),
    ("undo last git commit", "Sourdough rises slowly because wild yeast is fewer and slower than the baker's kind."),
    ("What is the capital of France?", "Paris is the capital and largest city of France."),
    ("What is the capital of France?", "巴黎是法国的首都，也是法国最大的城市。"),
    ("怎样撤销最近一次提交？", "使用 git reset --soft HEAD~1 可以撤销最近一次提交，并保留暂存区里的修改。"),
    ("怎样撤销最近一次提交？", "酸面团发得慢，因为野生酵母少，而且乳酸菌产生的酸会抑制它。"),
    ("", "An empty query against a passage."),
    ("a query against nothing", ""),
    ("how often should a sourdough starter be fed", LONG_ENGLISH),
    ("酸面团多久喂一次", LONG_CHINESE),
]
OPENING = 24  # of the first tokens of a passage that is too long are kept: its title mostly
FREQUENT = 2.0  # logarithm of the rank of a piece so frequent that sharing it says nothing
E5_PREFIXES = ("query: ", "passage: ")


def part(question: list[int], passage: list[int], room: int) -> list[int]:
    """The opening of a passage that is too long, and the stretch of what follows that holds most of the question."""
    opening = min(OPENING, room // 4)
    rest, room_left = passage[opening:], room - opening
    if len(passage) <= room:
        return passage
    worth = {t: max(0.0, math.log(max(t, 1)) - FREQUENT) for t in question}
    held, value, values = Counter(), 0.0, []
    for i, token in enumerate(rest):
        if token in worth:
            value += worth[token] * (held[token] == 0)
            held[token] += 1
        if i >= room_left and (gone := rest[i - room_left]) in worth:
            held[gone] -= 1
            value -= worth[gone] * (held[gone] == 0)
        if i >= room_left - 1:
            values.append(value)
    first = next(i for i, v in enumerate(values) if v >= max(values) - 1e-3)
    last = next((i for i in range(first, len(values)) if values[i] < values[first] - 1e-3), len(values)) - 1
    start = 0 if first == 0 else (first + last) // 2
    return passage[:opening] + rest[start : start + room_left]


def window(config) -> int:
    """Tokens the model can read; RoBERTa's positions start after the padding id."""
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta") else 0
    return config.max_position_embeddings - offset


class Encoded(NamedTuple):
    ids: list[int]
    type_ids: list[int]
    cut: bool


def encode(tokenizer: Tokenizer, max_length: int, text: str, passage: str | None = None) -> Encoded:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if passage is None:
        tokenizer.enable_truncation(max_length)
        whole = tokenizer.encode(text)
        return Encoded(whole.ids, whole.type_ids, False)
    whole = tokenizer.encode(text, passage)
    of_passage = [i for i, sequence in enumerate(whole.sequence_ids) if sequence == 1]
    room = max_length - (len(whole.ids) - len(of_passage))
    if len(of_passage) <= room:
        return Encoded(whole.ids, whole.type_ids, False)
    kept = part([whole.ids[i] for i, sequence in enumerate(whole.sequence_ids) if sequence == 0], [whole.ids[i] for i in of_passage], room)
    first, last = of_passage[0], of_passage[-1]
    type_ids = whole.type_ids[:first] + [whole.type_ids[first]] * len(kept) + whole.type_ids[last + 1 :]
    return Encoded(whole.ids[:first] + kept + whole.ids[last + 1 :], type_ids, True)


def inputs(config, encoding: Encoded) -> dict[str, torch.Tensor]:
    ids = torch.tensor([encoding.ids])
    tensors = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if config.model_type != "modernbert":
        tensors["token_type_ids"] = torch.tensor([encoding.type_ids]) if config.type_vocab_size > 1 else torch.zeros_like(ids)
    return tensors


def predictor(folder: Path, max_length: int) -> CrossEncoder:
    model = CrossEncoder(str(folder), device="cpu", max_length=max_length, model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"})
    # tokenizer.json as it stands: the model's own class would build another one from its vocabulary. A single pair needs no padding, but
    # predict insists on a token for it.
    file = str(folder / "tokenizer.json")
    pad = Tokenizer.from_file(file).id_to_token(model.config.pad_token_id)
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (getattr(model.config, "type_vocab_size", 1) > 1)
    model[0].processor = PreTrainedTokenizerFast(tokenizer_file=file, model_max_length=max_length, pad_token=pad, model_input_names=names)
    return model.float()


def predict(model: CrossEncoder, query: str, passage: str, ids: list[int]) -> tuple[float, float]:
    """The raw logit and the score; pairs one by one, so that no padding is involved."""
    read = model.preprocess([(query, passage)])["input_ids"][0].tolist()
    assert read == ids, f"other tokens for {query!r} and {passage!r}: {read} instead of {ids}"
    raw, score = (model.predict([(query, passage)], activation_fn=f)[0].item() for f in (torch.nn.Identity(), None))
    return raw, score


def embedder(folder: Path, config) -> tuple[torch.nn.Module, torch.Tensor]:
    """The model and what is taken from its vectors. Tables in 8 bits (`finish_bi.py`), which transformers does not know, are widened before."""
    weights = load_file(folder / "model.safetensors")
    for name in [name for name in weights if name.endswith("_scale")]:
        table = name.removesuffix("_scale")
        weights[table] = weights[table].float() * weights.pop(name)[:, None]
    centre = weights.pop("centre", torch.zeros(config.hidden_size)).float()
    model = AutoModel.from_config(config, attn_implementation="eager").float().eval()
    missing = [name for name in model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False).missing_keys if "pooler" not in name]
    assert not missing, missing
    return model, centre


def reference(folder: Path) -> dict:
    config = AutoConfig.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    max_length = window(config)
    classifier = "SequenceClassification" in config.architectures[0]
    cross = classifier or (folder / "4_Dense").is_dir()
    loader = AutoModelForSequenceClassification if classifier else AutoModel
    if cross:
        model = loader.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    else:
        model, centre = embedder(folder, config)
    scorer = predictor(folder, max_length) if cross else None
    cases = []
    with torch.no_grad():
        if cross:
            for query, passage in PAIRS:
                encoding = encode(tokenizer, max_length, query, passage)
                case = {"query": query, "passage": passage, "ids": encoding.ids, "type_ids": encoding.type_ids}
                if encoding.cut:
                    if classifier:
                        cases.append(case | {"logit": round(model(**inputs(config, encoding)).logits[0, 0].item(), 6)})
                    continue
                raw, score = predict(scorer, query, passage, encoding.ids)
                # Without a class of its own in transformers, a head is sentence-transformers' alone.
                logit = model(**inputs(config, encoding)).logits[0, 0].item() if classifier else raw
                assert abs(logit - raw) < 1e-4, f"{logit} from transformers, {raw} from sentence-transformers"
                cases.append(case | {"logit": round(logit, 6), "score": round(score, 6)})
        else:
            prefixes = E5_PREFIXES if folder.name == "bi-encoder-zh" else ("",)
            for text in (p + t for t in TEXTS for p in prefixes):
                encoding = encode(tokenizer, max_length, text)
                mean = model(**inputs(config, encoding)).last_hidden_state[0].mean(0)
                vector = torch.nn.functional.normalize(torch.nn.functional.normalize(mean, dim=0) - centre, dim=0)
                cases.append({"text": text, "ids": encoding.ids, "embedding": [round(x, 6) for x in vector.tolist()]})
    kind = {"output": "logit", "truncation": "part"} if cross else {"output": "embedding", "pooling": "mean", "unit_length": True}
    return {"computed_with": f"transformers, fp32, eager attention, torch {torch.__version__}", "max_length": max_length, **kind, "cases": cases}


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        result = reference(folder)
        cases = result.pop("cases")
        head = json.dumps(result, ensure_ascii=False)[:-1]
        body = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
        (folder / "reference.json").write_text(f'{head}, "cases": [\n{body}\n]}}\n', "utf8")
        print(folder.name, len(cases), "cases")


if __name__ == "__main__":
    main()
