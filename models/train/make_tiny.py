#!/usr/bin/env python3
"""Tiny models with random weights and the layout of real ones, for tests.

usage: make_tiny.py OUT_DIR          then: make_reference.py OUT_DIR/*

    bert-bi     all-MiniLM-L6-v2's layout: BertModel, WordPiece; its tokenizer.json asks for a padding and a truncation of its
                own, as the published one does, so a reader that does not override them fails
    bert-cross  cross-encoder/ms-marco-MiniLM-L6-v2: BertForSequenceClassification (bert.*, bert.pooler, classifier), one label,
                token types, the stray tensor bert.embeddings.position_ids
    xlmr-bi     XLMRobertaModel, Unigram
    xlmr-cross  BAAI/bge-reranker-base: XLMRobertaForSequenceClassification (roberta.*, classifier.dense, classifier.out_proj),
                positions counted from padding id + 1, `<s> A </s></s> B </s>`
    modernbert-cross
                Alibaba-NLP/gte-reranker-modernbert-base: ModernBertForSequenceClassification (model.*, head.dense, head.norm,
                classifier) over the mean, f16, a config.json of transformers 4 (global_attn_every_n_layers, *_rope_theta)
    ettin-cross cross-encoder/ettin-reranker-17m-v1: ModernBertModel without a head, a config.json of transformers 5 (layer_types,
                rope_parameters), and sentence-transformers' modules.json: pooling, dense, norm, dense, each in a folder of its own.
                Written by sentence-transformers itself: with the published widths its module configs have the published sums

Every weight, biases and LayerNorms included, is drawn wide enough that leaving one out changes the result.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    ModernBertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from make_reference import PAIRS, TEXTS

SEED = 7
SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, hidden_act="gelu")
WINDOW = 64
VOCAB_SIZE = 480
WEIGHT_STD, BIAS_STD, NORM_STD = 0.25, 0.1, 0.2
CORPUS = TEXTS[:5] + [text for pair in PAIRS for text in pair]


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=VOCAB_SIZE, special_tokens=specials, show_progress=False))
    cls, sep = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=VOCAB_SIZE, special_tokens=specials, unk_token="<unk>", show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def byte_level_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    specials = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    cls, sep = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def randomise(model: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name or "norm.weight" in name:
                parameter.copy_(1 + NORM_STD * noise)
            else:
                parameter.copy_((BIAS_STD if parameter.dim() == 1 else WEIGHT_STD) * noise)


def write(
    folder: Path, model: torch.nn.Module, tokenizer: Tokenizer, extra: dict[str, torch.Tensor] = {}, changes: dict = {}
) -> None:
    """`extra` tensors and `changes` to config.json are what published folders have (`None`: have not), where transformers writes otherwise today."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    shape = {key: value for key, value in SHAPE.items() if key != "hidden_act" or hasattr(model.config, key)}
    config = model.config.to_diff_dict() | shape | {"max_position_embeddings": model.config.max_position_embeddings}
    for key in ("dtype", "transformers_version"):
        config.pop(key, None)
    config = {key: value for key, value in (config | changes).items() if key not in changes or value is not None}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf8")
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if not name.endswith("position_ids")} | extra
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": WINDOW}) + "\n", "utf8")
    if "Sequence" not in type(model).__name__:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        pooling = {"word_embedding_dimension": SHAPE["hidden_size"], "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
        (folder / "1_Pooling/config.json").write_text(json.dumps(pooling) + "\n", "utf8")


def main() -> None:
    out = Path(sys.argv[1])
    labels = dict(num_labels=1, id2label={0: "LABEL_0"}, label2id={"LABEL_0": 0})

    tokenizer = wordpiece()
    bert = dict(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=WINDOW, type_vocab_size=2, pad_token_id=0, layer_norm_eps=1e-12)
    bi = BertModel(BertConfig(**SHAPE, **bert))
    cross = BertForSequenceClassification(BertConfig(**SHAPE, **bert, **labels))
    randomise(bi)
    randomise(cross)
    identity = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0.dev0"}}
    write(out / "bert-cross", cross, tokenizer, {"bert.embeddings.position_ids": torch.arange(WINDOW)[None]}, identity)
    tokenizer.enable_truncation(32)
    tokenizer.enable_padding(length=32)
    write(out / "bert-bi", bi, tokenizer)

    tokenizer = unigram()
    xlmr = dict(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=WINDOW + 2, type_vocab_size=1, layer_norm_eps=1e-5,
        bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )
    bi = XLMRobertaModel(XLMRobertaConfig(**SHAPE, **xlmr), add_pooling_layer=True)
    cross = XLMRobertaForSequenceClassification(XLMRobertaConfig(**SHAPE, **xlmr, **labels))
    randomise(bi)
    randomise(cross)
    write(out / "xlmr-bi", bi, tokenizer)
    write(out / "xlmr-cross", cross, tokenizer, {"roberta.embeddings.position_ids": torch.arange(WINDOW + 2)[None]})

    modern(out, labels)


def modern(out: Path, labels: dict) -> None:
    """Four layers, so that global attention comes twice; a local window of 16 within a text of 64 tokens."""
    tokenizer = byte_level_bpe()
    special = {name: tokenizer.token_to_id(token) for name, token in
               dict(bos_token_id="[CLS]", cls_token_id="[CLS]", eos_token_id="[SEP]", sep_token_id="[SEP]", pad_token_id="[PAD]").items()}
    # Published vocabularies are padded too: more rows than tokens.
    shape = {key: value for key, value in SHAPE.items() if key != "hidden_act"} | dict(
        num_hidden_layers=4, intermediate_size=48, vocab_size=VOCAB_SIZE + 8, max_position_embeddings=WINDOW, local_attention=16, **special
    )

    cross = ModernBertForSequenceClassification(ModernBertConfig(**shape, **labels, classifier_pooling="mean"))
    randomise(cross)
    older = {"layer_types": None, "rope_parameters": None, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
             "local_rope_theta": 10000.0, "layer_norm_eps": 1e-5, "position_embedding_type": "absolute"}
    older |= {key: shape[key] for key in ("num_hidden_layers", "intermediate_size")}
    write(out / "modernbert-cross", cross.half(), tokenizer, changes=older)

    tokenizer.enable_truncation(32)
    tokenizer.enable_padding(length=32, pad_id=special["pad_token_id"], pad_token="[PAD]")
    folder = out / "ettin-cross"
    base = ModernBertModel(ModernBertConfig(**shape))
    base.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=WINDOW, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   pad_token="[PAD]", mask_token="[MASK]")
    fast.save_pretrained(folder)
    width = shape["hidden_size"]
    model = CrossEncoder(
        modules=[
            Transformer(str(folder), transformer_task="feature-extraction"),
            Pooling(width, "cls"),
            Dense(width, width, bias=False, activation_function=torch.nn.GELU()),
            LayerNorm(width),
            Dense(width, 1, activation_function=torch.nn.Identity(), module_output_name="scores"),
        ],
        activation_fn=torch.nn.Identity(),
        device="cpu",
    )
    randomise(model)
    model.save_pretrained(str(folder), create_model_card=False)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    for name in ("config.json", "config_sentence_transformers.json", "tokenizer_config.json"):
        # Versions change from one making to the next; the rest is of this machine.
        written = json.loads((folder / name).read_text("utf8"))
        for key in ("transformers_version", "__version__", "is_local", "local_files_only"):
            written.pop(key, None)
        (folder / name).write_text(json.dumps(written, indent=2) + "\n", "utf8")
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


if __name__ == "__main__":
    main()
