"""How much motion blur goes under motions of one kind? python -m train.motions WEIGHTS… --clear FOLDER

Each photograph is blurred twice by a straight path and twice by a bent one, 5 to 12 pixels long, in linear light: the
mean of 41 shifted frames, which shares nothing with the generator. Weights are compared on the same pictures.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from .evaluate import load, psnr, restore


def to_light(s):
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def to_display(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def moved(clear, rng, bent):
    """Eight bits, HWC, from eight bits."""
    length, angle = rng.uniform(5, 12), rng.uniform(0, np.pi)
    angles = angle + (rng.normal(0, 1.2) if bent else 0) * np.linspace(-0.5, 0.5, 41)
    path = np.cumsum(np.stack([np.sin(angles), np.cos(angles)], 1), 0) * length / 41
    light = to_light(clear / 255.0)
    frames = [np.stack([ndimage.shift(light[..., c], step, order=1, mode="nearest") for c in range(3)], 2)
              for step in path - path.mean(0)]
    return (to_display(sum(frames) / len(frames)) * 255).round().astype(np.uint8)


def main():
    args = argparse.ArgumentParser(prog="python -m train.motions", description=__doc__)
    args.add_argument("weights", nargs="+")
    args.add_argument("--clear", required=True, help="folder of sharp photographs")
    args.add_argument("--seed", type=int, default=77)
    a = args.parse_args()
    nets = [load(name) for name in a.weights]
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(Path(a.clear).iterdir())]
    for kind in "straight", "bent":
        rows = []
        for k, clear in enumerate(photos):
            for turn in 0, 1:
                bad = moved(clear, np.random.default_rng([a.seed, k, turn]), kind == "bent")
                rows.append([psnr(bad, clear)] + [psnr(restore(net, bad), clear) for net in nets])
        before, *after = np.mean(rows, 0)
        print(f"{kind:8} {len(rows)} pictures, {before:.2f} dB: " + ", ".join(
            f"{Path(name).name} {value - before:+.2f}" for name, value in zip(a.weights, after)), flush=True)


if __name__ == "__main__":
    main()
