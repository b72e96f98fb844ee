#!/usr/bin/env python3
"""Average two models of one shape: `share` of the second, the rest of the first (Wortsman et al. 2022, "Robust fine-tuning").

usage: mix_weights.py FIRST_DIR SECOND_DIR OUT_DIR --share 0.7
"""
import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("first", "second", "out"):
        args.add_argument(name, type=Path)
    args.add_argument("--share", type=float, default=0.7)
    args = args.parse_args()
    first, second = (load_file(folder / "model.safetensors") for folder in (args.first, args.second))
    mixed = {n: ((1 - args.share) * first[n].float() + args.share * second[n].float()).half().contiguous() for n in second}
    args.out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(args.second / name, args.out / name)
    save_file(mixed, args.out / "model.safetensors", metadata={"format": "pt"})
    (args.out / "model.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
