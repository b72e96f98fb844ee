#!/usr/bin/env python3
"""Write a training checkpoint, of either kind, as a model folder: f16 weights, config.json and the tokenizer.

usage: export_model.py --state CHECKPOINT_DIR/state.pt --base BASE_DIR --out MODEL_DIR
"""
import argparse
import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("state", "base", "out"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args = args.parse_args()

    state = torch.load(args.state, weights_only=True)
    weights = {name: tensor.half().contiguous() for name, tensor in state["model"].items()}
    config = json.loads((args.base / "config.json").read_text("utf8"))
    config["num_hidden_layers"] = 1 + max(int(m.group(1)) for m in (re.search(r"encoder\.layer\.(\d+)\.", n) for n in weights) if m)
    if "classifier.weight" in weights:
        config |= {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(args.base / name, args.out / name)
    save_file(weights, args.out / "model.safetensors", metadata={"format": "pt"})
    (args.out / "model.safetensors").chmod(0o644)
    print(f"step {state['step']}, {config['num_hidden_layers']} layers -> {args.out}")


if __name__ == "__main__":
    main()
