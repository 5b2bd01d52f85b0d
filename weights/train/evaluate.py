"""PSNR before and after, as the paper measures it: python -m train.evaluate WEIGHTS DEGRADED CLEAR

DEGRADED and CLEAR are two pictures, or two folders whose pictures pair up by name (without extension).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch.nn import functional as F

from .network import IRNeXt


def load(path):
    """The network of a safetensors file that `train.export` wrote."""
    with safe_open(path, "pt") as file:
        about = file.metadata()
        weights = {k: file.get_tensor(k).float() for k in file.keys()}
    net = IRNeXt(int(about["width"]), int(about["blocks"]), activation=about["activation"], mean=about["mean"])
    net.load_state_dict(weights, strict=False)
    return net.eval()


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


@torch.no_grad()
def restore(net, eight):
    """Eight-bit HWC in, eight-bit HWC out: pad right and bottom to 32, the full output, crop, clamp, round."""
    x = torch.from_numpy(eight.copy()).permute(2, 0, 1)[None].float() / 255
    h, w = x.shape[2:]
    x = F.pad(x, (0, -w % 32, 0, -h % 32), mode="reflect")
    y = net(x.to(next(net.parameters()).device))[2][0, :, :h, :w].clamp(0, 1)
    return (y * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def psnr(a, b):
    return float(10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2)))


def score(net, degraded, clear):
    a, b = picture(degraded), picture(clear)
    return psnr(a, b), psnr(restore(net, a), b)


def pairs(degraded, clear):
    degraded, clear = Path(degraded), Path(clear)
    if degraded.is_file():
        return [(degraded, clear)]
    truth = {p.stem: p for p in clear.iterdir()}
    return [(p, truth[p.stem]) for p in sorted(degraded.iterdir()) if p.stem in truth]


def main():
    args = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    args.add_argument("weights")
    args.add_argument("degraded")
    args.add_argument("clear")
    args.add_argument("--save", help="a folder for the restored pictures")
    a = args.parse_args()
    net, rows = load(a.weights), []
    for bad, good in pairs(a.degraded, a.clear):
        rows.append(score(net, bad, good))
        print(f"{bad.stem:24} {rows[-1][0]:6.2f} dB -> {rows[-1][1]:6.2f} dB")
        if a.save:
            Path(a.save).mkdir(parents=True, exist_ok=True)
            Image.fromarray(restore(net, picture(bad))).save(Path(a.save) / f"{bad.stem}.png")
    before, after = np.mean(rows, 0)
    print(f"{'mean of ' + str(len(rows)):24} {before:6.2f} dB -> {after:6.2f} dB")


if __name__ == "__main__":
    main()
