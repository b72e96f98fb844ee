#!/usr/bin/env python3
"""Train the cross-encoder on what two bigger models think of a pool of passages: minutes on a GPU, days without one.

usage: distill.py prepare cross --pool POOL_DIR --work WORK --english-teacher ALL_MPNET_DIR --bi BI_DIR --cross CROSS_DIR --out OUT

`prepare` ranks the pool for every query: 0.6 cosine (all-mpnet-base-v2 for English, BI_DIR for Chinese) and 0.4 BM25 as z-scores, and
draws ten candidates, most of them from its first 60. `cross` trains CROSS_DIR on them: towards the passage that a query was made from, and
towards the fused z-scores, which say something about every candidate.

The rate falls with the clock, to zero when the time is over; what is written is the mean of the late weights. Products are in bf16 over
fp32 weights. OUT gets state.pt, which `export_model.py` makes a model folder of.
"""
import argparse
import json
import math
import os
import random
import time
from pathlib import Path

import numpy as np
from scipy import sparse
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import data
import groups
from train_cross import BCE_WEIGHT, BOS, EOS, HARD_SHARE, MAX_QUERY_TOKENS, MIN_PASSAGE_TOKENS, PAD, WINDOW_STEP

SEED = 31
MAX_TITLE_TOKENS, MAX_PASSAGE_TOKENS = 24, 320
COMMON_TOKENS = 300  # the most frequent pieces say nothing about where a passage answers
EMBED_TOKENS = {"query": 64, "passage": 256}
K1, B = 1.2, 0.75
COSINE_WEIGHT, DEPTH, KEPT = 0.6, 200, 60
BANDS = ((0, 6, 3), (6, 20, 3), (20, 60, 3))  # candidates: this many from among these ranks, then one from anywhere
QUESTIONS = ("squad", "medquad", "pubmedqa", "covidqa", "md", "zhqa", "zhmd", "lctt", "lctt-en")
UNTITLED = ("lctt", "lctt-en", "zhmd", "md")  # their queries are titles
# Of the target, this much is the passage that a query was made from.
HARD = HARD_SHARE | {"zh-claim": 0.5, "zh-need": 0.3, "zh-topic": 0.2}
HARD_QUESTION = 0.7
LOGITS_PER_Z, EVEN = 1.5, 4.5  # a z-score as the logit of being relevant
ABSENT = 0.35  # lists of a topic without the passage that it was made from
ALTERED = 0.3  # questions as keywords, or without their question mark
# How often a kind of query comes for each time that others do.
WEIGHTS = {"squad": 0.8, "medquad": 0.6, "pubmedqa": 4.0, "covidqa": 4.0, "md": 1.5, "zhqa": 4.0, "zhmd": 2.0, "lctt": 0.6, "lctt-en": 2.5}
PER_KIND = 32_000  # queries of a kind at most
LENGTHS = (64, 80, 96, 128, 128, 160, 256)  # tokens of a pair; one is drawn for each batch
LIST = 8  # passages of a query in one example
LISTS = 128  # a batch
LEARNING_RATE, HEAD_FACTOR = 3e-4, 2.5
WARM_UP, AVERAGE_FROM = 0.04, 0.6
PARTS = 4  # a batch is cut into so many by length


class Encoder(torch.nn.Module):
    """BERT or MPNet, for either a vector or a logit; position offset and relative bias are all that differ."""

    def __init__(self, folder: Path, head: bool):
        super().__init__()
        config = json.loads((folder / "config.json").read_text("utf8"))
        weights = {name.removeprefix("bert."): w.float() for name, w in load_file(folder / "model.safetensors").items()}
        self.mpnet = config["model_type"] == "mpnet"
        self.heads, self.eps = config["num_attention_heads"], config["layer_norm_eps"]
        self.first_position = 2 if self.mpnet else 0
        width, n = config["hidden_size"], config["num_hidden_layers"]
        names = ["embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight", "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"]
        names += ["encoder.relative_attention_bias.weight"] if self.mpnet else ["embeddings.token_type_embeddings.weight"]
        names += [name for name in weights if name.startswith("encoder.layer.") and int(name.split(".")[2]) < n]
        self.layers = n
        if head:
            for name, shape in (("pooler.dense", (width, width)), ("classifier", (1, width))):
                if f"{name}.weight" not in weights or (self.mpnet and name == "pooler.dense"):
                    weights[f"{name}.weight"], weights[f"{name}.bias"] = torch.randn(shape) * 0.02, torch.zeros(shape[0])
                names += [f"{name}.weight", f"{name}.bias"]
        self.names = names
        self.w = torch.nn.ParameterDict({name.replace(".", "/"): torch.nn.Parameter(weights[name].contiguous()) for name in names})

    def get(self, name: str) -> torch.Tensor:
        return self.w[name.replace(".", "/")]

    def linear(self, x, name: str):
        return F.linear(x, self.get(f"{name}.weight"), self.get(f"{name}.bias"))

    def norm(self, x, name: str):
        return F.layer_norm(x, x.shape[-1:], self.get(f"{name}.weight"), self.get(f"{name}.bias"), self.eps)

    def bias(self, length: int) -> torch.Tensor:
        """MPNet's bias of distances: 32 buckets, the far ones logarithmic up to 128."""
        place = torch.arange(length, device=self.get(self.names[0]).device)
        away = place[:, None] - place[None]
        far = away.abs()
        log = 8 + (torch.log(far.clamp(min=1).float() / 8) / math.log(16) * 8).long()
        bucket = torch.where(far < 8, far, log.clamp(max=15)) + 16 * (away < 0)
        return self.get("encoder.relative_attention_bias.weight")[bucket].permute(2, 0, 1)[None]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """States of all tokens; PAD at a text's end is not attended to."""
        n, length = ids.shape
        kept = ids != PAD
        x = F.embedding(ids, self.get("embeddings.word_embeddings.weight"))
        x = x + self.get("embeddings.position_embeddings.weight")[self.first_position : self.first_position + length]
        if not self.mpnet:
            x = x + self.get("embeddings.token_type_embeddings.weight")[0]
        x = self.norm(x, "embeddings.LayerNorm")
        mask = torch.zeros(n, 1, 1, length, dtype=x.dtype, device=x.device).masked_fill_(~kept[:, None, None], -1e4)
        mask = mask + self.bias(length) if self.mpnet else mask
        mask = mask.expand(n, self.heads, length, length)
        q, k, v, o, norm = ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm") if self.mpnet else ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm")
        split = lambda t: t.view(n, length, self.heads, -1).transpose(1, 2)
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            read = F.scaled_dot_product_attention(*(split(self.linear(x, at + name)) for name in (q, k, v)), attn_mask=mask)
            x = self.norm(x + self.linear(read.transpose(1, 2).reshape(n, length, -1), at + o), at + norm)
            x = self.norm(x + self.linear(F.gelu(self.linear(x, at + "intermediate.dense")), at + "output.dense"), at + "output.LayerNorm")
        return x

    def logit(self, ids: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.tanh(self.linear(self(ids)[:, 0], "pooler.dense")), "classifier")[:, 0].float()

    def vector(self, ids: torch.Tensor) -> torch.Tensor:
        kept = (ids != PAD)[..., None]
        return F.normalize((self(ids).float() * kept).sum(1) / kept.sum(1), dim=1)


class Rows:
    """Texts' token ids end to end on the device, to be taken from by row."""

    def __init__(self, texts: list[str], tokenizer: Tokenizer, most: int, device):
        encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [np.array(e.ids[:most], np.int32) for e in encodings]
        self.lengths = torch.tensor([len(i) for i in ids], device=device)
        self.begins = torch.cumsum(self.lengths, 0) - self.lengths
        self.ids = torch.from_numpy(np.concatenate([*ids, np.full(1, PAD, np.int32)])).long().to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: torch.Tensor, place: torch.Tensor, start: torch.Tensor | int, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens at `place` of each row's part [start, start + length), and where there is one."""
        inside = (place >= 0) & (place < length[:, None])
        at = (self.begins[rows] + start)[:, None] + place
        return self.ids[torch.where(inside, at, len(self.ids) - 1)], inside


class Pool:
    """What `make_pool.py` wrote; token ids by one tokenizer on demand."""

    def __init__(self, folder: Path, device, per_kind: int):
        self.folder, self.device = folder, device
        self.passages = list(data.jsonl(folder / "passages.jsonl.gz"))
        everything = list(data.jsonl(folder / "queries.jsonl.gz"))
        rng = random.Random(SEED)
        kinds: dict[str, list[int]] = {}
        for i, q in enumerate(everything):
            kinds.setdefault(q["k"], []).append(i)
        self.chosen = sorted(i for members in kinds.values() for i in (rng.sample(members, per_kind) if len(members) > per_kind else members))
        self.queries = [everything[i] for i in self.chosen]
        self.kinds = [q["k"] for q in self.queries]
        self.positive = np.array([q["d"] for q in self.queries])
        self.of = np.array([p.get("of", -1) for p in self.passages])
        self.chinese_passage = np.array([p["s"] in groups.CHINESE_SOURCES for p in self.passages])
        self.chinese = self.chinese_passage[self.positive]
        title = [self.passages[d]["h"] for d in self.positive]
        self.titled = np.array([bool(t) and k not in UNTITLED and q["q"] != t for t, k, q in zip(title, self.kinds, self.queries)])
        self.altered = [self.alter(q, rng) for q in self.queries]

    @staticmethod
    def alter(query: dict, rng: random.Random) -> str:
        if query["k"] in groups.PLAIN_SOURCES:
            return groups.keywords(query["q"], rng)
        return query["q"].rstrip("？?。") if data.is_chinese(query["q"]) else query["q"]

    def shown(self, passage: int) -> str:
        p = self.passages[passage]
        return f"{p['h']}\n{p['t']}" if p["h"] else p["t"]

    def tokens(self, folder: Path) -> "Pairs":
        """All texts by a model's tokenizer."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        rows = lambda texts, most: Rows(texts, tokenizer, most, self.device)
        queries = [q["q"] for q in self.queries] + self.altered
        return Pairs(rows(queries, MAX_QUERY_TOKENS), rows([p["t"] for p in self.passages], MAX_PASSAGE_TOKENS), rows([p["h"] for p in self.passages], MAX_TITLE_TOKENS), tokenizer.get_vocab_size())


class Pairs:
    """Builds `<s> query </s></s> title passage </s>` for many pairs at once."""

    def __init__(self, queries: Rows, passages: Rows, titles: Rows, vocabulary: int):
        self.queries, self.passages, self.titles = queries, passages, titles
        counts = torch.bincount(passages.ids, minlength=vocabulary)
        self.telling = torch.ones(len(counts), dtype=torch.bool, device=counts.device)
        self.telling[counts.topk(min(COMMON_TOKENS, len(counts))).indices] = False

    def windows(self, q: torch.Tensor, p: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
        """Where the part of each passage begins, `room` tokens long, that shares most with the query."""
        start = torch.zeros_like(room)
        long = (self.passages.lengths[p] > room).nonzero()[:, 0]
        if len(long) == 0:
            return start
        q, p, room = q[long], p[long], room[long]
        place = torch.arange(MAX_PASSAGE_TOKENS, device=p.device).expand(len(p), -1)
        text, inside = self.passages.take(p, place, 0, self.passages.lengths[p])
        asked, there = self.queries.take(q, place[:, :MAX_QUERY_TOKENS], 0, self.queries.lengths[q])
        asked = torch.where(there & self.telling[asked], asked, -1)
        hit = torch.zeros_like(inside)
        for column in range(MAX_QUERY_TOKENS):
            hit |= text == asked[:, column : column + 1]
        total = F.pad(torch.cumsum((hit & inside).float(), 1), (1, 0))
        starts = place[:, ::WINDOW_STEP]
        last = (self.passages.lengths[p] - room)[:, None]
        starts = torch.minimum(starts, last.clamp(min=0))
        found = total.gather(1, torch.minimum(starts + room[:, None], place[:, -1:] + 1)) - total.gather(1, starts)
        start[long] = starts.gather(1, (found - starts * 1e-4).argmax(1, keepdim=True))[:, 0]
        return start

    def build(self, q: torch.Tensor, p: torch.Tensor, titled: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids [pairs, most] and how many of each row are some."""
        n_q = self.queries.lengths[q]
        room = (most - n_q - 4).clamp(min=MIN_PASSAGE_TOKENS)
        n_t = torch.minimum(self.titles.lengths[p] * titled, room // 3)
        start = self.windows(q, p, room - n_t)
        n_p = torch.minimum(self.passages.lengths[p] - start, room - n_t)
        total = n_q + n_t + n_p + 4
        place = torch.arange(int(total.max()), device=q.device).expand(len(q), -1)
        ids = torch.full_like(place, PAD)
        ids[:, 0] = BOS
        at = n_q[:, None] + 1
        ids[(place == at) | (place == at + 1) | (place == total[:, None] - 1)] = EOS
        for rows, which, offset, first, length in ((self.queries, q, torch.ones_like(n_q), 0, n_q), (self.titles, p, n_q + 3, 0, n_t), (self.passages, p, n_q + 3 + n_t, start, n_p)):
            tokens, inside = rows.take(which, place - offset[:, None], first, length)
            ids = torch.where(inside, tokens, ids)
        return ids, total


def by_length(ids: torch.Tensor, lengths: torch.Tensor, parts: int, compute) -> torch.Tensor:
    order = torch.argsort(lengths)
    done = []
    for part in order.chunk(parts):
        width = min(ids.shape[1], -(-int(lengths[part[-1]]) // 16) * 16)
        x = ids[part, :width]
        done.append(compute(F.pad(x, (0, -width % 8), value=PAD)))
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return torch.cat(done)[back]


class Training:
    """fp32 weights beside the model that computes in `dtype`; the rate by the clock; the mean of the late weights."""

    def __init__(self, model: Encoder, rate: float, seconds: float, frozen: tuple[str, ...], dtype: torch.dtype):
        self.model, self.rate, self.seconds, self.started, self.steps = model, rate, seconds, None, 0
        chosen = [n for n in model.names if not n.startswith(frozen)]
        for name in model.names:
            model.get(name).requires_grad_(name in chosen)
        self.names = chosen
        self.exact = [model.get(n).detach().float().clone() for n in chosen]
        model.to(dtype)
        self.live = [model.get(n) for n in chosen]
        decays = [p.dim() > 1 for p in self.exact]
        kinds = {(decay, head): [e for e, d, n in zip(self.exact, decays, chosen) if d == decay and n.startswith(("pooler", "classifier")) == head] for decay in (True, False) for head in (True, False)}
        self.parts = [{"params": members, "lr": rate, "weight_decay": 0.01 * decay, "factor": HEAD_FACTOR if head else 1.0} for (decay, head), members in kinds.items() if members]
        self.optimizer = torch.optim.AdamW(self.parts, betas=(0.9, 0.98), foreach=True)
        self.mean, self.meant = [torch.zeros_like(e) for e in self.exact], 0

    def progress(self) -> float:
        self.started = self.started or time.time()
        return (time.time() - self.started) / self.seconds

    def step(self, loss: torch.Tensor, progress: float) -> None:
        loss.backward()
        for exact, live in zip(self.exact, self.live):
            exact.grad = live.grad.float() if live.grad is not None else torch.zeros_like(exact)
            live.grad = None
        torch.nn.utils.clip_grad_norm_(self.exact, 1.0)
        factor = max(0.01, min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP)))
        for part in self.optimizer.param_groups:
            part["lr"] = self.rate * factor * part["factor"]
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(self.live, self.exact)
            if progress > AVERAGE_FROM and self.steps % 4 == 0:
                torch._foreach_add_(self.mean, self.exact)
                self.meant += 1
        self.steps += 1

    def finish(self) -> None:
        """The mean becomes the model's weights."""
        with torch.no_grad():
            if self.meant:
                self.exact = [m / self.meant for m in self.mean]
            torch._foreach_copy_(self.live, self.exact)

    def save(self, out: Path) -> None:
        exact = dict(zip(self.names, self.exact))
        state = {("" if n.startswith("classifier") else "bert.") + n: exact.get(n, self.model.get(n).detach().float()).cpu() for n in self.model.names}
        out.mkdir(parents=True, exist_ok=True)
        torch.save({"model": state, "step": self.steps}, out / "state.pt")


def say(*words) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


@torch.inference_mode()
def embed(model: Encoder, tokenizer: Tokenizer, texts: list[str], most: int, device) -> torch.Tensor:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = Rows(texts, tokenizer, most - 2, device)
    order = torch.argsort(rows.lengths)
    out = torch.empty(len(texts), model.get("embeddings.LayerNorm.bias").shape[0], device=device)
    for part in order.split(1024 if device == "cuda" else 64):
        n = rows.lengths[part]
        place = torch.arange(-(-(int(n.max()) + 2) // 8) * 8, device=device).expand(len(part), -1)
        tokens, inside = rows.take(part, place - 1, 0, n)
        ids = torch.where(inside, tokens, PAD)
        ids[:, 0] = BOS
        ids[place == n[:, None] + 1] = EOS
        out[part] = model.vector(ids)
    return out


def sparse_words(pool: Pool):
    """BM25 weights of all passages by all terms, and which terms each query has; idf and mean length of each language's own pool."""
    words = np.load(pool.folder / "words.npz")
    n_terms = int(max(words["passages_terms"].max(), words["queries_terms"].max())) + 1
    rows = lambda kind: sparse.csr_matrix((words[f"{kind}_counts"].astype(np.float32), words[f"{kind}_terms"].astype(np.int64), words[f"{kind}_begins"].astype(np.int64)), shape=(len(words[f"{kind}_begins"]) - 1, n_terms))
    passages, queries = rows("passages"), rows("queries")[pool.chosen]
    queries.data[:] = np.minimum(queries.data, 3)
    weights = {}
    lengths = words["passages_lengths"].astype(np.float32)
    for chinese in (False, True):
        members = (pool.chinese_passage == chinese) & (pool.of < 0)
        df = np.asarray((passages[members] > 0).sum(0))[0]
        idf = np.log(1 + (members.sum() - df + 0.5) / (df + 0.5)).astype(np.float32)
        of_rows = passages.copy()
        row = np.repeat(np.arange(passages.shape[0]), np.diff(passages.indptr))
        tf = of_rows.data
        of_rows.data = (idf[of_rows.indices] * tf * (K1 + 1) / (tf + K1 * (1 - B + B * lengths[row] / lengths[members].mean()))).astype(np.float32)
        weights[chinese] = of_rows
    return weights, queries


def to_torch(matrix: sparse.csr_matrix, device) -> torch.Tensor:
    return torch.sparse_csr_tensor(torch.from_numpy(matrix.indptr.astype(np.int64)), torch.from_numpy(matrix.indices.astype(np.int64)), torch.from_numpy(matrix.data), matrix.shape, device=device)


def prepare(args, pool: Pool) -> None:
    """Candidates of every query and their fused z-scores: WORK/candidates.npz."""
    device, rng = args.device, random.Random(SEED)
    dtype = torch.bfloat16
    vectors = {}
    for chinese, folder, prefixes in ((False, args.english_teacher, ("", "")), (True, args.bi, ("query: ", "passage: "))):
        model = Encoder(folder, head=False).to(device, dtype).eval()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        which_q, which_p = np.flatnonzero(pool.chinese == chinese), np.flatnonzero(pool.chinese_passage == chinese)
        q = embed(model, tokenizer, [prefixes[0] + pool.queries[i]["q"] for i in which_q], EMBED_TOKENS["query"], device)
        p = embed(model, tokenizer, [prefixes[1] + pool.shown(i) for i in which_p], EMBED_TOKENS["passage"], device)
        vectors[chinese] = (which_q, which_p, q, p)
        say(f"{'zh' if chinese else 'en'}: {len(which_q)} queries, {len(which_p)} passages embedded")
    weights, asked = sparse_words(pool)
    lower = [p["t"].lower() for p in pool.passages]
    candidates = np.zeros((len(pool.queries), 1 + sum(b[2] for b in BANDS) + 1), np.int32)
    fused_of = np.zeros(candidates.shape, np.float32)
    for chinese, (which_q, which_p, q, p) in vectors.items():
        base = pool.of[which_p] < 0
        ranked = which_p[base]
        p_ranked = p[torch.from_numpy(np.flatnonzero(base)).to(device)].T.contiguous()
        place = np.full(len(pool.passages), -1)
        place[which_p] = np.arange(len(which_p))
        words = to_torch(weights[chinese][ranked], device)
        block = 512 if device == "cuda" else 64
        for start in range(0, len(which_q), block):
            rows = which_q[start : start + block]
            cosine = q[start : start + block] @ p_ranked
            part = asked[rows].tocoo()
            dense = torch.zeros(asked.shape[1], len(rows), device=device)
            dense[torch.from_numpy(part.col).long().to(device), torch.from_numpy(part.row).long().to(device)] = torch.from_numpy(part.data).to(device)
            bm25 = (words @ dense).T
            positive = pool.positive[rows]
            own_cosine = (q[start : start + block] * p[torch.from_numpy(place[positive]).to(device)]).sum(1)
            own_bm25 = torch.from_numpy(np.asarray(weights[chinese][positive].multiply(asked[rows]).sum(1))[:, 0]).to(device)
            depth = min(DEPTH, cosine.shape[1])
            union = (cosine >= cosine.topk(depth).values[:, -1:]) | (bm25 >= bm25.topk(depth).values[:, -1:].clamp(min=1e-6))
            z, own = torch.zeros_like(cosine), torch.zeros_like(own_cosine)
            for values, mine, weight in ((cosine, own_cosine, COSINE_WEIGHT), (bm25, own_bm25, 1 - COSINE_WEIGHT)):
                n = union.sum(1)
                mean = (values * union).sum(1) / n
                deviation = (((values - mean[:, None]) * union).square().sum(1) / n).sqrt() + 1e-6
                z += weight * (values - mean[:, None]) / deviation[:, None]
                own += weight * (mine.float() - mean) / deviation
            worst = torch.where(union, z, torch.inf).min(1).values.cpu().numpy()
            best = torch.where(union, z, -torch.inf).topk(min(KEPT + 24, cosine.shape[1]))
            found, values, own = ranked[best.indices.cpu().numpy()], best.values.cpu().numpy(), own.cpu().numpy()
            for n, row in enumerate(rows):
                query = pool.queries[row]
                answer = query.get("a", "").lower()
                self_of = pool.of[positive[n]]
                good = [j for j in range(found.shape[1]) if found[n, j] != positive[n] and found[n, j] != self_of and not (len(answer) > 1 and answer in lower[found[n, j]])][:KEPT]
                line, told = [positive[n]], [own[n]]
                for low, high, size in BANDS:
                    band = good[low:high]
                    picked = rng.sample(band, size) if len(band) >= size else band + [None] * (size - len(band))
                    for j in picked:
                        line.append(found[n, j] if j is not None else ranked[rng.randrange(len(ranked))])
                        told.append(max(values[n, j], worst[n]) if j is not None else worst[n])
                line.append(ranked[rng.randrange(len(ranked))])
                told.append(worst[n])
                candidates[row], fused_of[row] = line, told
        say(f"{'zh' if chinese else 'en'} ranked")
    args.work.mkdir(parents=True, exist_ok=True)
    np.savez(args.work / "candidates.npz", candidates=candidates, fused=fused_of)


class Lists:
    """Draws training lists: queries by weight, the positive mostly first, and others of its candidates."""

    def __init__(self, args, pool: Pool):
        kept = np.load(args.work / "candidates.npz")
        device = args.device
        self.device = device
        self.candidates = torch.from_numpy(kept["candidates"]).long().to(device)
        self.fused = torch.from_numpy(kept["fused"]).to(device)
        self.weights = torch.tensor([WEIGHTS.get(k, 1.0) for k in pool.kinds], device=device)
        question = np.array([k in QUESTIONS for k in pool.kinds])
        self.question = torch.from_numpy(question).to(device)
        self.hard = torch.tensor([HARD_QUESTION if k in QUESTIONS else HARD[k] for k in pool.kinds], device=device)
        self.titled = torch.from_numpy(pool.titled).to(device)
        self.n_queries = len(pool.queries)
        self.generator = torch.Generator(device).manual_seed(SEED)

    def random(self, *shape) -> torch.Tensor:
        return torch.rand(*shape, device=self.device, generator=self.generator)

    def draw(self, n: int):
        """Queries, their rows of text, passages [n, LIST], titled, and the columns that were drawn."""
        query = torch.multinomial(self.weights, n, replacement=True, generator=self.generator)
        keys = self.random(n, self.candidates.shape[1])
        absent = (self.random(n) < ABSENT) & ~self.question[query]
        keys[:, 0] = torch.where(absent, -1.0, 2.0)
        columns = keys.topk(LIST).indices
        text = query + self.n_queries * (self.random(n) < ALTERED)
        titled = self.titled[query] & (self.random(n) < 0.5)
        return query, text, self.candidates[query].gather(1, columns), titled, columns

    def loss(self, logits: torch.Tensor, query: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        z = self.fused[query].gather(1, columns)
        own = (columns == 0).float()
        hard = self.hard[query]
        of_topic = torch.sigmoid(LOGITS_PER_Z * z - EVEN)
        soft, label = torch.softmax(z, 1), torch.where(self.question[query][:, None], own, of_topic)
        share = hard[:, None] * own.sum(1, keepdim=True)
        target = share * own + (1 - share) * soft
        label = share * own + (1 - share) * label
        listwise = F.cross_entropy(logits, target)
        return listwise + BCE_WEIGHT * F.binary_cross_entropy_with_logits(logits, label, weight=1 + label, reduction="none").sum(1).mean() / LIST


@torch.inference_mode()
def validate(name: str, model: Encoder, folder: Path, pool: Pool) -> None:
    """Held-out groups: how often the positive comes first among its ten, and its mean reciprocal rank, by source."""
    model.eval()
    split = list(data.jsonl(pool.folder / "held_out.jsonl.gz"))
    if pool.device == "cpu":
        split = split[:40]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = lambda texts, n: Rows(texts, tokenizer, n, pool.device)
    flat = [text for g in split for _, text in g["d"]]
    pairs = Pairs(rows([g["q"][0] for g in split], MAX_QUERY_TOKENS), rows(flat, MAX_PASSAGE_TOKENS), rows([""] * len(flat), 1), tokenizer.get_vocab_size())
    q = torch.tensor([i for i, g in enumerate(split) for _ in g["d"]], device=pool.device)
    p = torch.arange(len(flat), device=pool.device)
    logits = []
    for block in range(0, len(flat), 2048):
        ids, n = pairs.build(q[block : block + 2048], p[block : block + 2048], torch.zeros_like(q[block : block + 2048]).bool(), LENGTHS[-1])
        logits.append(by_length(ids, n, 16, model.logit).cpu())
    logits = torch.cat(logits).split([len(g["d"]) for g in split])
    by_source: dict[str, list[int]] = {}
    for g, l in zip(split, logits):
        by_source.setdefault(g["s"], []).append(1 + int((l[1:] >= l[0]).sum()))
    say(f"{name} held out, first / mrr:", ", ".join(f"{s} {np.mean([r == 1 for r in ranks]):.3f}/{np.mean([1 / r for r in ranks]):.3f}" for s, ranks in sorted(by_source.items())))


def cross(args, pool: Pool) -> None:
    torch.manual_seed(SEED)
    pairs, lists = pool.tokens(args.cross), Lists(args, pool)
    validate("before", Encoder(args.cross, head=True).to(args.device, torch.bfloat16), args.cross, pool)
    model = Encoder(args.cross, head=True)
    training = Training(model.to(args.device), LEARNING_RATE, args.seconds, ("embeddings.word_embeddings.", "embeddings.position_embeddings."), torch.bfloat16)
    rng, last = random.Random(SEED), time.time()
    model.train()
    while (progress := training.progress()) < 1:
        query, text, passages, titled, columns = lists.draw(args.lists)
        ids, n = pairs.build(text.repeat_interleave(LIST), passages.reshape(-1), titled.repeat_interleave(LIST), rng.choice(LENGTHS))
        logits = by_length(ids, n, PARTS, model.logit).view(args.lists, LIST)
        loss = lists.loss(logits, query, columns)
        training.step(loss, progress)
        if time.time() - last > 10:
            last = time.time()
            present = columns[:, 0] == 0
            top = (logits.argmax(1) == 0)[present].float().mean().item()
            say(f"step {training.steps} done {progress:.2f} loss {loss.item():.3f} first {top:.2f}; {training.steps * args.lists * LIST / (last - training.started):.0f} pairs/s")
    training.finish()
    say(f"{training.steps} steps, {training.steps * args.lists * LIST} pairs")
    training.save(args.out)
    validate("after", model, args.cross, pool)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stages = {"prepare": prepare, "cross": cross}
    args.add_argument("stages", nargs="+", choices=stages)
    for name in ("pool", "work"):
        args.add_argument(f"--{name}", type=Path, required=True)
    for name in ("english-teacher", "bi", "cross", "out"):
        args.add_argument(f"--{name}", type=Path)
    args.add_argument("--seconds", type=float, default=185, help="of training")
    args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args.add_argument("--lists", type=int, default=LISTS, help="queries a batch")
    args.add_argument("--per-kind", type=int, default=PER_KIND, help="queries of a kind at most; both stages have to be told the same")
    args = args.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    pool = Pool(args.pool, args.device, args.per_kind)
    say(f"{len(pool.passages)} passages, {len(pool.queries)} queries")
    for stage in args.stages:
        stages[stage](args, pool)
        say(f"{stage} done")


if __name__ == "__main__":
    main()
