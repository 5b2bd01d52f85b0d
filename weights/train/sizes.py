"""Do whole pictures keep their colours? python -m train.sizes WEIGHTS CLEAR [SIDE…]

Models are trained on crops, and their global means and instance norms see all of a picture. CLEAR is enlarged to each
width, spoiled as in training (a depth that falls from top to bottom), restored, and compared: the mean error of red,
green and blue in levels of 255, before and after, and PSNR.
"""

import argparse

import numpy as np
from PIL import Image
from safetensors import safe_open

from .degrade import TASKS
from .evaluate import load, psnr, restore


def spoiled(task, clear, seed):
    """Degraded and wanted, eight bits, HWC."""
    h, w = clear.shape[:2]
    depth = np.linspace(1, 0.1, h, dtype=np.float32)[:, None] * np.ones(w, np.float32)
    pair = TASKS[task](np.random.default_rng(seed), clear.transpose(2, 0, 1).astype(np.float32) / 255, depth)
    return [(p.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0) for p in pair]


def shift(a, b):
    return " ".join(f"{x:+5.1f}" for x in (a.astype(np.float32) - b).mean((0, 1)))


def main():
    args = argparse.ArgumentParser(prog="python -m train.sizes", description=__doc__)
    args.add_argument("weights")
    args.add_argument("clear")
    args.add_argument("sides", nargs="*", type=int, default=[512, 1024, 2048, 4000])
    args.add_argument("--seed", type=int, default=2)
    a = args.parse_args()
    net = load(a.weights)
    with safe_open(a.weights, "pt") as file:
        task = file.metadata()["task"]
    photo = Image.open(a.clear).convert("RGB")
    for side in a.sides:
        size = side, round(side * photo.height / photo.width)
        bad, good = spoiled(task, np.asarray(photo.resize(size, Image.Resampling.BICUBIC)), a.seed)
        out = restore(net, bad)
        print(f"{task:8} {size[0]}x{size[1]:<5} error {shift(bad, good)} -> {shift(out, good)}   "
              f"{psnr(bad, good):.2f} -> {psnr(out, good):.2f} dB", flush=True)


if __name__ == "__main__":
    main()
