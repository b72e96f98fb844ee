#!/usr/bin/env python3
"""Times cross-encoders on the same weights, pairs and threads, and prints one table. Usually called by run.sh.

usage: compare.py --model MODEL_DIR --pairs PAIRS.json --threads N --nuthatch target/debug/nuthatch [--runs 5] [--only NAME ...]

`--only "sentence-transformers fp16"` is for a machine with a GPU and a Nuthatch built with `--features cuda`.

Every engine gets the question and the passages as text and gives a score each: tokenizing counts. Peers sort the pairs by length
and pad a batch to its longest, as sentence-transformers does, and are given the batch size that suits them best of 8 and 32 (on a GPU 32, 128 and 512).
One engine at a time, each in a process of its own; the median of the runs after one that does not count.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCHES = (8, 32)
GPU_BATCHES = (32, 128, 512)
GPU = "sentence-transformers fp16"
CANDLE = "candle-transformers fp32"
ENGINES = (CANDLE, "sentence-transformers fp32", "sentence-transformers bf16", "ONNX Runtime fp32", "ONNX Runtime int8", "OpenVINO fp32", "OpenVINO bf16")
OURS = ("int8", "bf16", "f32")


def groups(pairs_file: Path) -> list[dict]:
    read = json.loads(pairs_file.read_text())
    return read if isinstance(read, list) else [read]


def timed(runs: int, score) -> tuple[float, list[float]]:
    scores, times = score(), []
    for _ in range(runs):
        start = time.perf_counter()
        scores = score()
        times.append(time.perf_counter() - start)
    return statistics.median(times), [float(s) for s in scores]


def sentence_transformers(args: argparse.Namespace, precision: str):
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(args.threads)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    model = CrossEncoder(str(args.model), device="cuda" if precision == "fp16" else "cpu", max_length=args.window, model_kwargs={"dtype": dtype})

    def score(batch: int):
        out = []
        for group in groups(args.pairs):
            pairs = [(group["q"], p) for p in group["p"]]
            out += list(model.predict(pairs, batch_size=batch, activation_fn=torch.nn.Identity(), convert_to_tensor=True).float())
        return out

    return score


def exported(args: argparse.Namespace, folder: Path) -> Path:
    """The model as ONNX, as every exporter leaves it: ids, mask and types in, logits out."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones(2, 16, dtype=torch.long) for _ in names)
    file = folder / "model.onnx"
    axes = {name: {0: "batch", 1: "length"} for name in names}
    torch.onnx.export(model, example, file, input_names=names, output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)
    return file


def padded(args: argparse.Namespace):
    """Sorted, padded batches of a tokenizer's arrays, and the places that they came from."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)

    def batches(question: str, passages: list[str], size: int):
        encoded = tokenizer([question] * len(passages), passages, truncation="only_second", max_length=args.window, return_token_type_ids=True)
        order = sorted(range(len(passages)), key=lambda i: -len(encoded["input_ids"][i]))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            picked = {name: [values[i] for i in part] for name, values in encoded.items()}
            yield part, tokenizer.pad(picked, return_tensors="np")

    return batches


def with_session(args: argparse.Namespace, run):
    batches = padded(args)

    def score(size: int):
        out = []
        for group in groups(args.pairs):
            scores = [0.0] * len(group["p"])
            for places, arrays in batches(group["q"], group["p"], size):
                for place, value in zip(places, run({name: a.astype("int64") for name, a in arrays.items()})):
                    scores[place] = value
            out += scores
        return out

    return score


def onnx_runtime(args: argparse.Namespace, precision: str, folder: Path):
    import onnxruntime

    file = exported(args, folder)
    if precision == "int8":
        # FlashRank's and fastembed's way: dynamic quantisation, weights to 8 bits a channel.
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(file, folder / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
        file = folder / "int8.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    inputs = {i.name for i in session.get_inputs()}
    return with_session(args, lambda arrays: session.run(None, {n: a for n, a in arrays.items() if n in inputs})[0][:, 0])


def openvino(args: argparse.Namespace, precision: str, folder: Path):
    import openvino as ov

    core = ov.Core()
    hint = {"fp32": "f32", "bf16": "bf16"}[precision]
    config = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        sys.exit("this processor has no bf16")
    compiled = core.compile_model(ov.convert_model(exported(args, folder)), "CPU", config)
    inputs = {i.any_name for i in compiled.inputs}
    return with_session(args, lambda arrays: compiled({n: a for n, a in arrays.items() if n in inputs})[0][:, 0])


def one(args: argparse.Namespace) -> None:
    """One peer in this process: prints its figures as JSON."""
    name, precision = args.one.rsplit(" ", 1)
    with tempfile.TemporaryDirectory() as folder:
        if name == "sentence-transformers":
            score = sentence_transformers(args, precision)
        else:
            score = (onnx_runtime if name == "ONNX Runtime" else openvino)(args, precision, Path(folder))
        results = [timed(args.runs, lambda: score(size)) for size in (GPU_BATCHES if args.one == GPU else BATCHES)]
        seconds, scores = min(results, key=lambda r: r[0])
    print(json.dumps({"seconds": seconds, "scores": scores}))


def last_line(done: subprocess.CompletedProcess) -> str:
    return (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]


def ours(args: argparse.Namespace, precision: str) -> dict:
    command = [args.nuthatch, "bench", "--json", "--pairs", args.pairs, "--model", args.model, "--threads", str(args.threads)]
    with tempfile.TemporaryDirectory() as data:
        command += ["--precision", precision, "--runs", str(args.runs), "--data-dir", data]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        return {"path": precision, "why": last_line(done)}
    rerank = json.loads(done.stdout)["rerank"]
    return {"seconds": rerank["seconds_median"], "scores": rerank["scores"], "path": rerank["path"], "tokens": rerank["tokens"]}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--pairs", type=Path, required=True)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--window", type=int, default=512, help="tokens of a pair at most; Nuthatch takes it from the model's own files")
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--nuthatch", type=Path, default=Path("target/debug/nuthatch"))
    args.add_argument("--candle", type=Path, default=Path("target/peers/candle/release/peer-candle"))
    args.add_argument("--only", nargs="*", default=ENGINES)
    args.add_argument("--one", help=argparse.SUPPRESS)
    args = args.parse_args()
    if args.one:
        return one(args)
    env = os.environ | {"OMP_NUM_THREADS": str(args.threads), "RAYON_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1"}
    rows = {}
    for precision in OURS:
        found = ours(args, precision)
        rows[f"Nuthatch {found['path']}"] = found
    for name in args.only:
        command = [sys.executable, __file__, "--one", name, "--model", args.model, "--pairs", args.pairs]
        command += ["--threads", args.threads, "--runs", args.runs, "--window", args.window]
        if name == CANDLE:
            command = [args.candle, args.model, args.pairs, args.runs, args.window]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env)
        rows[name] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"why": last_line(done)}
    ours_row = next(iter(rows.values()))
    if "why" in ours_row:
        sys.exit(ours_row["why"])
    exact = rows.get("sentence-transformers fp32", {}).get("scores")
    n, tokens = len(ours_row["scores"]), ours_row["tokens"]
    print(f"{n} pairs, {tokens} tokens, {args.threads} threads\n")
    print("| | seconds | pairs a second | times Nuthatch's | largest difference from fp32 |\n|---|---|---|---|---|")
    for name, row in rows.items():
        if "why" in row:
            print(f"| {name} | - | - | - | {row['why']} |")
            continue
        off = max(abs(a - b) for a, b in zip(row["scores"], exact)) if exact else float("nan")
        print(f"| {name} | {row['seconds']:.2f} | {n / row['seconds']:.0f} | {row['seconds'] / ours_row['seconds']:.2f} | {off:.3f} |")


if __name__ == "__main__":
    main()
