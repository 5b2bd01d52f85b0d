"""PSNR and SSIM before and after, RGB, eight bits: python -m train.evaluate WEIGHTS DEGRADED CLEAR

DEGRADED and CLEAR are two pictures, or two folders whose pictures pair up by name (without extension).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch.nn import functional as F

from .network import IRNeXt, completed


def load(path):
    """The network of a safetensors file that `train.export` wrote."""
    with safe_open(path, "pt") as file:
        about = file.metadata()
        weights = {k: file.get_tensor(k).float() for k in file.keys()}
    net = IRNeXt(int(about["width"]), int(about["blocks"]), activation=about["activation"], mean=about["mean"])
    net.load_state_dict(completed(weights, net), strict=False)
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


def ssim(a, b):
    """The mean over pixels and channels, 11x11 Gaussian window of sigma 1.5, where it lies inside the picture."""
    x, y = (torch.from_numpy(p.astype(np.float64)).permute(2, 0, 1)[:, None] for p in (a, b))
    line = torch.exp(-0.5 * (torch.arange(-5, 6, dtype=torch.float64) / 1.5) ** 2)
    line = line / line.sum()

    def blur(p):
        return F.conv2d(F.conv2d(p, line.view(1, 1, 11, 1)), line.view(1, 1, 1, 11))

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    return float(((2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def score(net, degraded, clear):
    """PSNR degraded, restored; SSIM degraded, restored."""
    a, b = picture(degraded), picture(clear)
    out = restore(net, a)
    return psnr(a, b), psnr(out, b), ssim(a, b), ssim(out, b)


def mean_score(net, degraded, clear):
    """`score` averaged over two folders (or of two pictures)."""
    return [float(m) for m in np.mean([score(net, *pair) for pair in pairs(degraded, clear)], 0)]


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
        print(row(bad.stem, rows[-1]))
        if a.save:
            Path(a.save).mkdir(parents=True, exist_ok=True)
            Image.fromarray(restore(net, picture(bad))).save(Path(a.save) / f"{bad.stem}.png")
    print(row(f"mean of {len(rows)}", np.mean(rows, 0)))


def row(name, figures):
    return "{:24} {:6.2f} -> {:6.2f} dB   {:.4f} -> {:.4f}".format(name, *figures)


if __name__ == "__main__":
    main()
