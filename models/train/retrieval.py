"""First-stage retrieval for measuring: BM25, E5 embeddings, their weighted sum, nDCG. NumPy matrices, a few thousand documents."""
import re
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import Stemmer
import torch
from tokenizers import Tokenizer
from transformers import BertModel

import data
from groups import STOP_WORDS

K1, B = 1.2, 0.75
COSINE_WEIGHT = 0.4  # beside 0.6 BM25, both as z-scores: what an earlier trial found best
FIRST_STAGE_DEPTH = 200
BATCH_TOKENS = 4096
PAD = 1
STEMMER = Stemmer.Stemmer("english")


def terms(text: str) -> list[str]:
    """English stems without stop words; Chinese as overlapping pairs of characters."""
    words = [w for w in re.findall(r"[a-z0-9]+", text.lower()) if w not in STOP_WORDS]
    runs = re.findall(f"{data.CJK.pattern}+", text)
    return STEMMER.stemWords(words) + [run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))]


class Bm25:
    def __init__(self, docs: list[str]):
        self.vocabulary: dict[str, int] = {}
        rows, columns, counts, lengths = [], [], [], []
        for doc, text in enumerate(docs):
            found = Counter(terms(text))
            lengths.append(sum(found.values()))
            for term, n in found.items():
                rows.append(doc)
                columns.append(self.vocabulary.setdefault(term, len(self.vocabulary)))
                counts.append(n)
        rows, columns, tf, lengths = np.array(rows), np.array(columns), np.array(counts, np.float32), np.array(lengths, np.float32)
        df = np.bincount(columns, minlength=len(self.vocabulary))
        self.idf = np.log(1 + (len(docs) - df + 0.5) / (df + 0.5))
        self.mean_length = lengths.mean()
        weights = self.idf[columns] * self.saturated(tf, lengths[rows])
        self.matrix = sparse.csr_matrix((weights.astype(np.float32), (columns, rows)), shape=(len(self.vocabulary), len(docs)))

    def saturated(self, tf, length):
        return tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / self.mean_length))

    def score(self, query: str, doc: str) -> float:
        """A document that need not be one of the collection."""
        found = Counter(terms(doc))
        length = sum(found.values())
        return float(sum(self.idf[self.vocabulary[t]] * self.saturated(found[t], length) for t in terms(query) if t in found and t in self.vocabulary))

    def scores(self, queries: list[str]) -> np.ndarray:
        """One row a query, one column a document."""
        rows, columns = [], []
        for i, query in enumerate(queries):
            known = [self.vocabulary[t] for t in terms(query) if t in self.vocabulary]
            rows += [i] * len(known)
            columns += known
        asked = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(queries), len(self.vocabulary)))
        return (asked @ self.matrix).toarray()


class Embedder:
    def __init__(self, folder: Path, max_tokens: int = 128):
        self.model = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)

    def __call__(self, texts: list[str], prefix: str) -> np.ndarray:
        """Unit vectors, a row a text; `prefix` is "query: " or "passage: "."""
        ids = [e.ids for e in self.tokenizer.encode_batch([prefix + t for t in texts])]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.zeros((len(ids), self.model.config.hidden_size), np.float32)
        start = 0
        with torch.inference_mode():
            while start < len(order):
                end = start + 1
                while end < len(order) and (end + 1 - start) * len(ids[order[end]]) <= BATCH_TOKENS:
                    end += 1
                chosen = order[start:end]
                width = len(ids[chosen[-1]])
                batch = torch.tensor([ids[i] + [PAD] * (width - len(ids[i])) for i in chosen])
                mask = (batch != PAD).long()
                hidden = self.model(input_ids=batch, attention_mask=mask).last_hidden_state
                mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
                vectors[chosen] = torch.nn.functional.normalize(mean, dim=1).numpy()
                start = end
        return vectors


def z_scores(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-9)


def hybrid(cosine: np.ndarray, bm25: np.ndarray, cosine_weight: float = COSINE_WEIGHT) -> np.ndarray:
    """One query's documents: the weighted sum of z-scores, taken over what either side recalls; -inf elsewhere."""
    recalled = np.union1d(np.argsort(-cosine)[:FIRST_STAGE_DEPTH], np.argsort(-bm25)[:FIRST_STAGE_DEPTH])
    scores = np.full(len(cosine), -np.inf, np.float32)
    scores[recalled] = cosine_weight * z_scores(cosine[recalled]) + (1 - cosine_weight) * z_scores(bm25[recalled])
    return scores


def ndcg(ranked: list[str], judged: dict[str, int], k: int = 10) -> float:
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = np.array([judged.get(d, 0) for d in ranked[:k]], np.float32)
    ideal = np.array(sorted(judged.values(), reverse=True)[:k], np.float32)
    return float((gains * discounts[: len(gains)]).sum() / (ideal * discounts[: len(ideal)]).sum())
